"""Windows of a call to calibrated probabilities: one by one, or adapted to the voice in the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sertag.adaptation import CallStatistics, DoubleArray, EmotionEffects, Voice, estimate_mix, ruling_mix
from sertag.familiarity import KnownLines, outline
from sertag.features import FeatureSettings
from sertag.normalisation import VIEWS, Normalisation, Views
from sertag.types import FloatArray
from sertag.windows import FrameWindow

# All chosen on simulated calls of validation speakers: gains on even and on neutral calls against what calls
# that one emotion rules lose.
EVEN_VOICE = 2.0
"""Weight, in windows, of the belief in an even mix where the voice is estimated."""
_EVEN_PRIOR = 20.0
_CAUTION = 1.5
_PRIOR_EXPONENT, _PRIOR_EXPONENT_FOREIGN = 0.25, -0.5
_HEAT_FOREIGN = 1.5

_BATCH = 128


@dataclass(frozen=True)
class Calibration:
    """Temperatures of the logits, fitted on validation speakers: for a clip alone, and well adapted."""

    one_clip: float
    adapted: float

    def temperature(self, trust: float, familiarity: float) -> float:
        """The temperature where a call's statistics are trusted, and its line known, so far, from 0 to 1."""
        adapted = self.adapted * _HEAT_FOREIGN ** (1 - familiarity)
        return float(self.one_clip ** (1 - trust) * adapted**trust)


@dataclass(frozen=True, eq=False)
class CallLogits:
    """What the network says of a call's windows.

    Attributes:
        logits: shape ``(windows, labels)``.
        trust: in the call's statistics, from 0 to 1.
        familiarity: of the call's line, from 0 to 1.
    """

    logits: DoubleArray
    trust: float
    familiarity: float


@dataclass(frozen=True, eq=False)
class Listener:
    """A network with all that is done before and after it.

    Attributes:
        run: the network: inputs ``(windows, length, inputs, VIEWS)`` to logits ``(windows, labels)``.
        settings: of the features.
        length: of a window, in frames.
        normalisation: of the inputs.
        effects: of the emotions on a call's statistics.
        lines: that the network learnt from.
        calibration: of the logits.
    """

    run: Callable[[FloatArray], FloatArray]
    settings: FeatureSettings
    length: int
    normalisation: Normalisation
    effects: EmotionEffects
    lines: KnownLines
    calibration: Calibration

    def logits(
        self, windows: Sequence[FrameWindow], voice: Voice | None = None, familiarity: float = 1.0
    ) -> DoubleArray:
        """The network's answers, shape ``(windows, labels)``."""
        plain = voice is None
        views = self._plain_views if plain else self.normalisation.views(self.settings, voice, familiarity)
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
        return call_probabilities(heard, coverage(windows, self.length), self.calibration)

    def listen(self, windows: Sequence[FrameWindow], statistics: CallStatistics) -> CallLogits:
        """The logits behind :meth:`in_call`."""
        voice = statistics.voice(self.normalisation.mean, self.normalisation.deviation)
        familiarity = self.lines.familiarity(outline(voice, self.normalisation, self.settings))
        if familiarity:
            mix = self._mix(windows)
            # On a line like none of the training, what the network hears alone says more of the line.
            even = 1.0 / len(mix)
            voice = self.effects.remove(voice, even + familiarity * (mix - even), self.settings.mels)
        # In training the mix was known better: a guess from few windows calls for less trust.
        voice = replace(voice, trust=voice.trust**_CAUTION)
        return CallLogits(self.logits(windows, voice, familiarity), voice.trust, familiarity)

    def _mix(self, windows: Sequence[FrameWindow]) -> DoubleArray:
        """The mix of emotions in a call, as far as a first hearing of its windows is to be believed."""
        # Every frame has its say once, so that half of overlapping windows are enough.
        apart = _apart(windows)
        alone = softmax(self.logits(apart) / self.calibration.one_clip)
        return ruling_mix(estimate_mix(alone, coverage(apart, self.length), EVEN_VOICE))


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


def call_probabilities(heard: CallLogits, weights: DoubleArray, calibration: Calibration) -> DoubleArray:
    """Probabilities of a call's windows, shape ``(windows, labels)``.

    Emotions that are frequent in the call become a little more likely in each of its windows; on a
    foreign line less likely, as what is heard all the time there may be the line.

    Args:
        heard: of the windows.
        weights: how much each window counts in the call, shape ``(windows,)``.
        calibration: of the logits.
    """
    probabilities = softmax(heard.logits / calibration.temperature(heard.trust, heard.familiarity))
    mix = estimate_mix(probabilities, weights, _EVEN_PRIOR)
    exponent = heard.familiarity * _PRIOR_EXPONENT + (1 - heard.familiarity) * _PRIOR_EXPONENT_FOREIGN
    probabilities *= (mix * len(mix)) ** exponent
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


def softmax(logits: DoubleArray) -> DoubleArray:
    """Probabilities along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
