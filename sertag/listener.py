"""Windows of a call to calibrated probabilities: one by one, or adapted to the voice in the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sertag.adaptation import CallStatistics, DoubleArray, EmotionEffects, Voice, estimate_mix, ruling_mix
from sertag.features import FeatureSettings
from sertag.normalisation import VIEWS, Normalisation, Views
from sertag.types import FloatArray
from sertag.windows import FrameWindow

# All chosen on simulated calls of validation speakers: gains on even and on neutral calls against what calls
# that one emotion rules lose.
EVEN_VOICE = 2.0
"""Weight, in windows, of the belief in an even mix where the voice is estimated."""
_EVEN_PRIOR = 20.0
_PRIOR_EXPONENT = 0.15
_CAUTION = 1.5

_BATCH = 128


@dataclass(frozen=True)
class Calibration:
    """Temperatures of the logits, fitted on validation speakers: for a clip alone, and well adapted."""

    one_clip: float
    adapted: float

    def temperature(self, trust: float) -> float:
        """The temperature where a call's statistics are trusted by so much, from 0 to 1."""
        return float(self.one_clip ** (1 - trust) * self.adapted**trust)


@dataclass(frozen=True, eq=False)
class CallLogits:
    """Logits of a call's windows ``(windows, labels)``, and how far they trust the call, from 0 to 1."""

    logits: DoubleArray
    trust: float


@dataclass(frozen=True, eq=False)
class Listener:
    """A network with all that is done before and after it.

    Attributes:
        run: the network: inputs ``(windows, length, inputs, VIEWS)`` to logits ``(windows, labels)``.
        settings: of the features.
        length: of a window, in frames.
        normalisation: of the inputs.
        effects: of the emotions on a call's statistics.
        calibration: of the logits.
    """

    run: Callable[[FloatArray], FloatArray]
    settings: FeatureSettings
    length: int
    normalisation: Normalisation
    effects: EmotionEffects
    calibration: Calibration

    def logits(self, windows: Sequence[FrameWindow], voice: Voice | None = None) -> DoubleArray:
        """The network's answers, shape ``(windows, labels)``."""
        views = self._plain_views if voice is None else self.normalisation.views(self.settings, voice)
        size = min(_BATCH, len(windows))
        inputs = np.empty((size, self.length, self.settings.inputs, VIEWS), dtype=np.float32)
        answers = []
        for at in range(0, len(windows), _BATCH):
            batch = windows[at : at + _BATCH]
            for window, row in zip(batch, inputs, strict=False):
                views.fill(row, window.frames, window.speech)
            answers.append(self.run(inputs[: len(batch)]))
        return np.concatenate(answers).astype(np.float64)

    @cached_property
    def _plain_views(self) -> Views:
        return self.normalisation.views(self.settings)

    def alone(self, windows: Sequence[FrameWindow]) -> DoubleArray:
        """Probabilities of windows without regard to each other, shape ``(windows, labels)``."""
        return softmax(self.logits(windows) / self.calibration.one_clip)

    def in_call(self, windows: Sequence[FrameWindow], statistics: CallStatistics) -> DoubleArray:
        """Probabilities of a call's windows, adapted to the voice in it, shape ``(windows, labels)``.

        Args:
            windows: those of the call that hold speech.
            statistics: of the call.
        """
        heard = self.listen(windows, statistics)
        temperature = self.calibration.temperature(heard.trust)
        return call_probabilities(heard.logits, coverage(windows, self.length), temperature)

    def listen(self, windows: Sequence[FrameWindow], statistics: CallStatistics) -> CallLogits:
        """The logits behind :meth:`in_call`."""
        # Every frame has its say in the mix once, so that half of overlapping windows are enough for it.
        apart = _apart(windows)
        alone = softmax(self.logits(apart) / self.calibration.one_clip)
        mix = ruling_mix(estimate_mix(alone, coverage(apart, self.length), EVEN_VOICE))
        voice = self._without(mix, statistics)
        familiarity = self.normalisation.familiarity(voice, self.settings)
        if familiarity < 1:
            # On a line like none of the training, what the network hears alone says more of the line.
            even = 1.0 / len(mix)
            voice = self._without(even + familiarity * (mix - even), statistics)
        # In training the mix was known better: a guess from few windows calls for less trust.
        voice = replace(voice, trust=voice.trust**_CAUTION)
        return CallLogits(self.logits(windows, voice), voice.trust)

    def _without(self, mix: DoubleArray, statistics: CallStatistics) -> Voice:
        """The voice of a call without what a mix of emotions did to it."""
        voice = statistics.voice(self.normalisation.mean, self.normalisation.deviation)
        return self.effects.remove(voice, mix, self.settings.mels)


def _apart(windows: Sequence[FrameWindow]) -> list[FrameWindow]:
    """As many of the windows, from the first on, as do not overlap."""
    out: list[FrameWindow] = []
    end = 0
    for window in windows:
        if not out or window.start >= end:
            out.append(window)
            end = window.start + len(window.frames)
    return out


def coverage(windows: Sequence[FrameWindow], length: int) -> DoubleArray:
    """How much of a window's length each window covers that none before it did, shape ``(windows,)``."""
    out = np.empty(len(windows))
    covered = 0
    for row, window in enumerate(windows):
        end = window.start + len(window.frames)
        out[row] = (end - max(window.start, covered)) / length
        covered = end
    return out


def call_probabilities(logits: DoubleArray, weights: DoubleArray, temperature: float) -> DoubleArray:
    """Probabilities of a call's windows from adapted logits ``(windows, labels)``.

    Emotions that are frequent in the call become a little more likely in each of its windows.
    """
    probabilities = softmax(logits / temperature)
    mix = estimate_mix(probabilities, weights, _EVEN_PRIOR)
    probabilities *= (mix * len(mix)) ** _PRIOR_EXPONENT
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


def softmax(logits: DoubleArray) -> DoubleArray:
    """Probabilities along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
