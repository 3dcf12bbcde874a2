"""Windows of a call to calibrated probabilities: one by one, or adapted to the voice in the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sertag.adaptation import Call, EmotionEffects
from sertag.call_statistics import CallStatistics, Voice
from sertag.familiarity import KnownLines, outline
from sertag.features import FeatureSettings
from sertag.mix import Explanations, explain, softmax
from sertag.normalisation import VIEWS, Normalisation, Views
from sertag.types import DoubleArray, FloatArray
from sertag.windows import FrameWindow

# All chosen on simulated calls of validation speakers: gains on even and on neutral calls against what calls
# that one emotion rules lose.
_HALF_TRUST_SECONDS, _HALF_TRUST_SECONDS_RULED = 8.0, 20.0
_HARDLY = 0.05
"""So little surely ruled, a call is not worth another hearing."""
# On foreign lines: set on other corpora than the training's, clips alone and calls of up to four minutes.
_MOST_TRUST_FOREIGN, _HALF_TRUST_SECONDS_FOREIGN = 0.65, 3.0

_BATCH = 128
# In frames: the network's steps are of eight, so that a window heard half a step later sounds a little
# different. More of them say no more.
_ONCE, _TWICE = (0,), (0, 4)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is fitted on validation speakers.

    Attributes:
        alone: temperature of the logits of windows heard without their call.
        one_clip: and in a call of which nothing is known, as a clip alone is one.
        adapted: and in a call of which much is known.
        usual: mean logits of windows of each emotion, heard without their calls, shape ``(labels, labels)``.
        foreign: what lines like none of the training's are expected to add to all answers, in nats, shape
            ``(labels,)``.
    """

    alone: float
    one_clip: float
    adapted: float
    usual: DoubleArray
    foreign: DoubleArray

    def temperature(self, trust: float) -> float:
        """The temperature where a call's statistics are trusted so far, from 0 to 1."""
        return float(self.one_clip ** (1 - trust) * self.adapted**trust)


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
        self, windows: Sequence[FrameWindow], call: Call | None = None, delays: Sequence[int] = _ONCE
    ) -> DoubleArray:
        """The network's answers, shape ``(windows, labels)``.

        Args:
            windows: to hear.
            call: that they are from.
            delays: frames of silence before each, once for every hearing; the answers are their mean.
        """
        views = self._plain_views if call is None else self.normalisation.views(self.settings, call)
        return np.asarray(np.mean([self._answers(windows, views, delay) for delay in delays], axis=0))

    def _answers(self, windows: Sequence[FrameWindow], views: Views, delay: int) -> DoubleArray:
        size = min(_BATCH, len(windows))
        inputs = np.empty((size, self.length, self.settings.inputs, VIEWS), dtype=np.float32)
        inputs[:, :delay] = views.silence
        room = self.length - delay
        answers = []
        for at in range(0, len(windows), _BATCH):
            batch = windows[at : at + _BATCH]
            for window, row in zip(batch, inputs, strict=False):
                views.fill(row[delay:], window.frames[:room], window.speech[:room])
            answers.append(self.run(inputs[: len(batch)]))
        return np.concatenate(answers).astype(np.float64)

    @cached_property
    def _plain_views(self) -> Views:
        return self.normalisation.views(self.settings)

    def alone(self, windows: Sequence[FrameWindow]) -> DoubleArray:
        """Probabilities of windows without regard to each other, shape ``(windows, labels)``."""
        return softmax(self.logits(windows) / self.calibration.alone)

    def in_call(self, windows: Sequence[FrameWindow], statistics: CallStatistics) -> DoubleArray:
        """Probabilities of a call's windows, adapted to the voice in it, shape ``(windows, labels)``.

        Args:
            windows: those of the call that hold speech.
            statistics: of the call.
        """
        heard = self.listen(windows, statistics)
        return call_probabilities(heard, coverage(windows, self.length), self.calibration)

    def listen(self, windows: Sequence[FrameWindow], statistics: CallStatistics) -> CallLogits:
        """The logits behind :meth:`in_call`.

        All is heard first as in a call that no emotion rules; if one does, it is told even so, and all is
        heard again without what the emotions do to the voice. Where windows all overlap, as in a single
        sentence, nothing tells the voice from the emotion: little of the call is believed, and they are
        heard twice alike, but for half a step of the network.
        """
        familiarity = self.lines.familiarity(outline(statistics, self.settings), statistics.seconds)
        voice = statistics.voice(self.normalisation.mean, self.normalisation.deviation)
        if windows[-1].start < windows[0].start + len(windows[0].frames):
            return self._hear(windows, voice, familiarity, ruled=familiarity, delays=_TWICE)
        heard = self._hear(windows, voice, familiarity, ruled=0.0)
        # On a line like none of the training, what the network hears says more of the line than of the mix.
        if not familiarity:
            return heard
        told = explain_call(heard, coverage(windows, self.length), self.calibration)
        if familiarity * told.ruled < _HARDLY:
            return heard
        ruled = familiarity * told.ruled
        voice = self.effects.remove(voice, ruled * told.mix, self.settings.mels)
        return self._hear(windows, voice, familiarity, ruled=ruled)

    def _hear(
        self,
        windows: Sequence[FrameWindow],
        voice: Voice,
        familiarity: float,
        *,
        ruled: float,
        delays: Sequence[int] = _ONCE,
    ) -> CallLogits:
        trust = _trust(voice, familiarity, ruled)
        answers = self.logits(windows, Call(voice, trust, familiarity), delays)
        return CallLogits(answers, trust, familiarity)


def _trust(voice: Voice, familiarity: float, ruled: float) -> float:
    """How far a call's voice is trusted.

    Where one emotion rules in the call, later than elsewhere: what it does to the voice was taken out by a
    guess. On a foreign line sooner, as the training speakers are no better guess, but never fully.
    """
    half = _HALF_TRUST_SECONDS ** (1 - ruled) * _HALF_TRUST_SECONDS_RULED**ruled
    foreign = _MOST_TRUST_FOREIGN * voice.trust(_HALF_TRUST_SECONDS_FOREIGN)
    return familiarity * voice.trust(half) + (1 - familiarity) * foreign


def coverage(windows: Sequence[FrameWindow], length: int) -> DoubleArray:
    """How much of a window's length each window covers that none before it did, shape ``(windows,)``."""
    out = np.empty(len(windows))
    covered = 0
    for row, window in enumerate(windows):
        end = window.start + len(window.frames)
        out[row] = (end - max(window.start, covered)) / length
        covered = end
    return out


def explain_call(heard: CallLogits, weights: DoubleArray, calibration: Calibration) -> Explanations:
    """What a call's logits may be made of.

    Args:
        heard: of the windows.
        weights: how much each window counts in the call, shape ``(windows,)``.
        calibration: of the logits.
    """
    alone = calibration.alone
    usual = calibration.usual / alone
    return explain(heard.logits / alone, weights, usual, calibration.foreign, heard.familiarity)


def call_probabilities(heard: CallLogits, weights: DoubleArray, calibration: Calibration) -> DoubleArray:
    """Probabilities of a call's windows, shape ``(windows, labels)``, by what may explain all of them.

    Args:
        heard: of the windows.
        weights: how much each window counts in the call, shape ``(windows,)``.
        calibration: of the logits.
    """
    temperature = calibration.temperature(heard.trust)
    told = explain_call(heard, weights, calibration)
    alone = calibration.alone
    return told.probabilities(heard.logits / alone, weights, alone / temperature)
