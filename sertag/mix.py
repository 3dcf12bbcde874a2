"""Which emotions a call is made of, by a network's answers to its windows; and what of these is the voice's.

A voice that by nature sounds sad is heard as a little sad in all of its windows. If all emotions are equally
frequent in a call, the mean answer tells what the voice adds. If one emotion rules, the mean is mostly that
emotion; then each emotion's windows, as far as they can be told, are compared with what others' are like.

Answers are calibrated logits here, the network's divided by the temperature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sertag.types import DoubleArray

_MIX_ROUNDS = 20
# Of the variety of a call in which all emotions are equally frequent.
_NOBODY_RULES, _ONE_RULES = 0.95, 0.88
# On a foreign line, of the entropy of emotions that are equally frequent: set on other corpora than the
# training's.
_NOBODY_RULES_FOREIGN, _ONE_RULES_FOREIGN = 1.20, 1.14
_HALF_LEANING = 4.0
"""Windows, of a call or of one emotion in it, that count as much as what is usual."""


@dataclass(frozen=True, eq=False)
class EvenCalls:
    """What is usual in calls in which all emotions are equally frequent.

    Attributes:
        answers: to the windows of each emotion, on average, before any temperature, shape
            ``(labels, labels)``.
        variety: of such calls, where their statistics are held to be the voice's own, in nats.
        powers: of an emotion's share where it rules in a call: the less surely it is told, the more its
            being frequent has to say; shape ``(labels,)``.
    """

    answers: DoubleArray
    variety: float
    powers: DoubleArray

    def power(self, mix: DoubleArray) -> float:
        """That of the emotion that rules in a call of such a mix; between theirs, where more than one may."""
        return float(mix**2 @ self.powers / (mix @ mix))


def softmax(logits: DoubleArray) -> DoubleArray:
    """Probabilities along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


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


def variety(answers: DoubleArray, weights: DoubleArray, usual: DoubleArray) -> float:
    """How various the emotions in a call are, in nats, by its windows one by one.

    The mean of two figures: of the answers as they are, and of what is left of them without the voice's own.
    Each is the entropy of the mean answer, which is low where one emotion rules, but high also where each
    answer is unsure; plus the mutual information of window and emotion (Bridle et al. 1991), which is low
    where all windows are heard alike, but also where they are heard as one emotion for the voice's sake.

    Args:
        answers: to the windows, shape ``(windows, labels)``.
        weights: how much each window counts, shape ``(windows,)``.
        usual: mean answer in even calls, shape ``(labels,)``.
    """
    shares = weights / weights.sum()
    return (_various(answers, shares) + _various(answers - shares @ answers + usual, shares)) / 2


def rule(found: float, even: float) -> float:
    """How surely one emotion rules in a call, from 0 to 1.

    Args:
        found: the call's variety.
        even: that of calls whose emotions are equally frequent.
    """
    return _between(found / even, _ONE_RULES, _NOBODY_RULES)


def rule_on_foreign_line(answers: DoubleArray, weights: DoubleArray, usual: DoubleArray) -> float:
    """How surely one emotion rules in a call over a line like none of the training's, from 0 to 1.

    The line adds to every answer as a voice does, and more: only what is left without it tells.

    Args:
        answers: to the windows, shape ``(windows, labels)``.
        weights: how much each window counts, shape ``(windows,)``.
        usual: mean answer in even calls, shape ``(labels,)``.
    """
    shares = weights / weights.sum()
    found = _various(answers - shares @ answers + usual, shares) / np.log(len(usual))
    return _between(found, _ONE_RULES_FOREIGN, _NOBODY_RULES_FOREIGN)


def leaning(answers: DoubleArray, weights: DoubleArray, usual: DoubleArray) -> DoubleArray:
    """What a voice adds to every answer in a call whose emotions are equally frequent, shape ``(labels,)``.

    Args:
        answers: to the windows, shape ``(windows, labels)``.
        weights: how much each window counts, in windows without overlap, shape ``(windows,)``.
        usual: mean answers in the windows of each emotion, shape ``(labels, labels)``.
    """
    whole = weights.sum()
    return np.asarray((weights @ answers - whole * usual.mean(axis=0)) / (whole + _HALF_LEANING))


def leaning_of_each(
    answers: DoubleArray, weights: DoubleArray, usual: DoubleArray, even: float
) -> DoubleArray:
    """What a voice adds to every answer in a call that one emotion may rule, shape ``(labels,)``.

    The mean, over the emotions, of what the windows of each are more than usual: those that are more likely
    of it than not, as far as they are. The fewer there are of an emotion, the more they count as usual.

    Args:
        answers: to the windows, shape ``(windows, labels)``.
        weights: how much each window counts, in windows without overlap, shape ``(windows,)``.
        usual: mean answers in the windows of each emotion, shape ``(labels, labels)``.
        even: weight, in windows, of the belief that all emotions are equally frequent.
    """
    probabilities = softmax(answers)
    posteriors = probabilities * estimate_mix(probabilities, weights, even)
    posteriors /= posteriors.sum(axis=1, keepdims=True)
    # What is left of the one that rules in other emotions' favour is no evidence of theirs.
    posteriors[posteriors < 0.5] = 0.0
    posteriors *= weights[:, np.newaxis]
    counts = posteriors.sum(axis=0)[:, np.newaxis]
    more = (posteriors.T @ answers - counts * usual) / (counts + _HALF_LEANING)
    return np.asarray(more.mean(axis=0))


def _various(answers: DoubleArray, shares: DoubleArray) -> float:
    """The entropy of the mean answer, and the mutual information of window and emotion, in nats."""
    probabilities = softmax(answers)
    return float(2 * _entropy(shares @ probabilities) - shares @ _entropy(probabilities))


def _between(found: float, ruled: float, even: float) -> float:
    return min(max((even - found) / (even - ruled), 0.0), 1.0)


def _entropy(probabilities: DoubleArray) -> DoubleArray:
    """In nats, along the last axis."""
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=-1))
