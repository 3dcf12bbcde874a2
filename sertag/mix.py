"""What the answers to a call's windows are made of: the voice, the line, and the emotions in it.

A voice that by nature sounds sad is heard as a little sad in all of its windows, and a line may add to all
answers too; but an emotion that rules in the call is heard all the time as well. So the answers are explained
in several ways, each of which says how frequent the emotions are, and the better one explains them, the more
it is believed. In each, what is usually answered to an emotion, moved by what voice and line add, is the mean
of a Gaussian, and expectation maximisation finds the move (Dempster et al. 1977).

Answers are calibrated logits here, the network's divided by the temperature.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from sertag.types import DoubleArray

# All chosen on simulated calls: for known lines of validation speakers, for foreign ones of other corpora
# than the training's.
_RULING = (0.8, 0.97)
"""Shares of an emotion that rules: in a call, and where it is all that there is, as in a few sentences."""
_SCALE, _SCALE_FOREIGN = 1.0, 0.4
"""What is answered to emotions, by what is usual."""
_NOISE, _NOISE_FOREIGN = 1.4, 0.7
"""Standard deviation of answers to one emotion."""
_SURELY_FOREIGN = 0.2
"""Familiarity below which what foreign lines are known to add counts; known ones may seem half foreign."""
_VOICES = 0.6
"""Standard deviation of what voices, and lines, add."""
_EVEN_LEAD = 1.0
"""Nats by which it is likelier, to begin with, that no emotion rules."""
_INDEPENDENCE = 0.5
"""Power of the likelihoods, as windows of a call are alike for other reasons too."""
_POWER, _POWER_RULED = -0.25, 0.3
"""Of an emotion's share of the call, by which its probabilities are multiplied."""
_EVEN_PRIOR = 10.0
"""Weight, in windows, of the belief that all emotions are equally frequent where none rules."""
_LEAST_SHARE = 0.05
"""Of an even share: so much likelier are emotions that are not heard where another rules."""
_ROUNDS, _MIX_ROUNDS = 6, 20
_LEAST_EXPONENT = -200.0


@dataclass(frozen=True, eq=False)
class Explanations:
    """Ways to explain a call's answers: that no emotion rules in it, then that one does, each in its turn.

    Attributes:
        posterior: probability of each, shape ``(ways,)``.
        offsets: what the voice and the line add to every answer, shape ``(ways, labels)``.
        mixes: each emotion's share of the call, shape ``(ways, labels)``.
    """

    posterior: DoubleArray
    offsets: DoubleArray
    mixes: DoubleArray

    @property
    def ruled(self) -> float:
        """How surely one emotion rules in the call, from 0 to 1."""
        return float(1 - self.posterior[0])

    @property
    def mix(self) -> DoubleArray:
        """Each emotion's share of the call if one rules, shape ``(labels,)``."""
        posterior = self.posterior[1:]
        return np.asarray(posterior @ self.mixes[1:] / posterior.sum())

    def probabilities(self, answers: DoubleArray, weights: DoubleArray, cooled: float) -> DoubleArray:
        """Probabilities of the call's windows, shape ``(windows, labels)``: the mean over all explanations.

        By each, what voice and line add is taken away. What rules becomes more likely in every window then.
        Where nothing rules, what is frequent becomes less likely, as it may still be the voice or the line.

        Args:
            answers: to the windows, shape ``(windows, labels)``.
            weights: how much each window counts, in windows without overlap, shape ``(windows,)``.
            cooled: what the answers are multiplied by first.
        """
        labels = answers.shape[1]
        factors = _raised(-cooled * self.offsets)
        plain = _raised(cooled * answers)
        even = plain * factors[0]
        even /= even.sum(axis=1, keepdims=True)
        factors[0] *= (labels * estimate_mix(even, weights, _EVEN_PRIOR)) ** _POWER
        factors[1:] *= (labels * self.mixes[1:] + _LEAST_SHARE) ** _POWER_RULED
        return np.asarray(plain * ((self.posterior / (plain @ factors.T)) @ factors))


def softmax(logits: DoubleArray) -> DoubleArray:
    """Probabilities along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def explain(
    answers: DoubleArray, weights: DoubleArray, usual: DoubleArray, foreign: DoubleArray, familiarity: float
) -> Explanations:
    """The ways to explain a call's answers.

    On foreign lines what is said of emotions is less, and so is chance; but lines add more, some of which is
    known beforehand.

    Args:
        answers: to the windows, shape ``(windows, labels)``.
        weights: how much each window counts, in windows without overlap, shape ``(windows,)``.
        usual: mean answers to windows of each emotion, shape ``(labels, labels)``.
        foreign: what a foreign line is expected to add to all answers, shape ``(labels,)``.
        familiarity: of the line, from 0 to 1.
    """
    labels = len(usual)
    scale = _SCALE_FOREIGN + (_SCALE - _SCALE_FOREIGN) * familiarity
    variance = (_NOISE_FOREIGN + (_NOISE - _NOISE_FOREIGN) * familiarity) ** 2
    expected = max(0.0, 1 - familiarity / _SURELY_FOREIGN) * foreign
    answers = answers - answers.mean(axis=1, keepdims=True) - expected
    means = scale * (usual - usual.mean(axis=1, keepdims=True))
    shares = _shares(labels)

    # Of each window's density under each emotion what does not depend on the way.
    near = _raised((answers @ means.T - (means**2).sum(axis=1) / 2) / variance)
    whole, total = weights.sum(), weights @ answers
    belief = whole + variance / _VOICES**2
    counts = whole * shares
    for _ in range(_ROUNDS):
        offsets = (total - counts @ means) / belief
        moves = -offsets @ means.T / variance
        factors = shares * _raised(moves)
        densities = near @ factors.T
        counts = factors * ((weights[:, np.newaxis] / densities).T @ near)
    likelihoods = weights @ np.log(densities) + whole * moves.max(axis=1)
    likelihoods += (offsets @ total - belief * (offsets**2).sum(axis=1) / 2) / variance
    likelihoods *= _INDEPENDENCE
    likelihoods[0] += _EVEN_LEAD
    # Where all are as frequent, their mean tells, whatever each window is.
    offsets[0] = (total - whole * means.mean(axis=0)) / belief
    return Explanations(softmax(likelihoods), offsets + expected, counts / whole)


@cache
def _shares(labels: int) -> DoubleArray:
    """What share every emotion is supposed to have, in each way, shape ``(ways, labels)``."""
    one = np.eye(labels, dtype=bool)
    ways = [np.full((1, labels), 1 / labels)]
    ways += [np.where(one, share, (1 - share) / (labels - 1)) for share in _RULING]
    return np.concatenate(ways)


def _raised(exponents: DoubleArray) -> DoubleArray:
    """Exponentials along the last axis, but for a factor that makes the greatest 1; none is 0."""
    return np.asarray(np.exp(np.maximum(exponents - exponents.max(axis=-1, keepdims=True), _LEAST_EXPONENT)))


def estimate_mix(probabilities: DoubleArray, weights: DoubleArray, even: float) -> DoubleArray:
    """Share of every emotion in a call, by expectation maximisation (Saerens et al. 2002).

    Args:
        probabilities: of the call's windows one by one, shape ``(windows, labels)``.
        weights: how much each window counts, in windows without overlap, shape ``(windows,)``.
        even: weight, in windows, of the belief that all emotions are equally frequent.
    """
    labels = probabilities.shape[1]
    mix = np.full(labels, 1.0 / labels)
    whole = weights.sum() + even
    for _ in range(_MIX_ROUNDS):
        # Each window's posterior is its probabilities times the mix, over the sum of these.
        mix *= (weights / (probabilities @ mix)) @ probabilities
        mix += even / labels
        mix /= whole
    return mix
