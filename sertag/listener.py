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
from sertag.mix import (
    EvenCalls,
    estimate_mix,
    leaning,
    leaning_of_each,
    rule,
    rule_on_foreign_line,
    softmax,
    variety,
)
from sertag.normalisation import VIEWS, Normalisation, Views
from sertag.types import DoubleArray, FloatArray
from sertag.windows import FrameWindow

# All chosen on simulated calls of validation speakers: gains on even and on neutral calls against what calls
# that one emotion rules lose. The first two are weights, in windows, of the belief in an even mix.
_EVEN_VOICE, _EVEN_PRIOR = 0.5, 10.0
_HALF_TRUST_SECONDS, _HALF_TRUST_SECONDS_RULED = 8.0, 20.0
_PRIOR_EXPONENT, _PRIOR_EXPONENT_RULED = -0.25, 0.3
# On foreign lines: set on other corpora than the training's, clips alone and calls of up to four minutes. The
# last two are for calls that one emotion may rule.
_MOST_TRUST_FOREIGN, _HALF_TRUST_SECONDS_FOREIGN = 0.65, 3.0
_PRIOR_EXPONENT_FOREIGN = -0.6
_HEAT_FOREIGN = 1.5

_BATCH = 128
# In frames: the network's steps are of eight, so that a window heard half a step later sounds a little
# different. More of them say no more.
_ONCE, _TWICE = (0,), (0, 4)


@dataclass(frozen=True)
class Calibration:
    """What is fitted on validation speakers.

    Attributes:
        one_clip: temperature of the logits for a clip alone.
        adapted: and in a call of which much is known.
        even: what is usual in calls in which all emotions are equally frequent; None where it is not known.
    """

    one_clip: float
    adapted: float
    even: EvenCalls | None = None

    def temperature(self, trust: float, doubt: float) -> float:
        """The temperature where a call's statistics are trusted so far, from 0 to 1.

        Args:
            trust: in them.
            doubt: how far the line is foreign, and one emotion may rule in the call, from 0 to 1.
        """
        adapted = self.adapted * _HEAT_FOREIGN**doubt
        return float(self.one_clip ** (1 - trust) * adapted**trust)


@dataclass(frozen=True, eq=False)
class CallLogits:
    """What the network says of a call's windows.

    Attributes:
        logits: shape ``(windows, labels)``.
        trust: in the call's statistics, from 0 to 1.
        familiarity: of the call's line, from 0 to 1.
        ruled: how surely one emotion rules in the call, from 0 to 1.
    """

    logits: DoubleArray
    trust: float
    familiarity: float
    ruled: float


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
        """The logits behind :meth:`in_call`.

        All is heard first as in a call that no emotion rules; if one does, it is told even so, and all is
        heard again without what the emotions do to the voice. Where windows all overlap, as in a single
        sentence, nothing tells the voice from the emotion: little of the call is believed, and they are
        heard twice alike, but for half a step of the network.
        """
        if len(apart(windows)) == 1:
            familiarity = self._familiarity(statistics)
            voice = self._voice(statistics)
            return self._hear(windows, voice, familiarity, ruled=familiarity, delays=_TWICE)
        heard = self.hear_plainly(windows, statistics)
        # On a line like none of the training, what the network hears says more of the line than of the mix.
        ruled = heard.familiarity * self._ruled(windows, heard) if heard.familiarity else 0.0
        if not ruled:
            return heard
        answers, weights = self.hear_apart(windows)
        mix = estimate_mix(softmax(answers), weights, _EVEN_VOICE)
        voice = self.effects.remove(self._voice(statistics), ruled * mix, self.settings.mels)
        return self._hear(windows, voice, heard.familiarity, ruled=ruled)

    def hear_plainly(self, windows: Sequence[FrameWindow], statistics: CallStatistics) -> CallLogits:
        """The logits of a call's windows where its statistics are held to be the voice's own."""
        return self._hear(windows, self._voice(statistics), self._familiarity(statistics), ruled=0.0)

    def hear_apart(self, windows: Sequence[FrameWindow]) -> tuple[DoubleArray, DoubleArray]:
        """Calibrated logits of windows without their call, and how much each counts, for the mix in it.

        Every frame has its say once, so that of overlapping windows half are enough.
        """
        some = [windows[row] for row in apart(windows)]
        return self.logits(some) / self.calibration.one_clip, coverage(some, self.length)

    def _familiarity(self, statistics: CallStatistics) -> float:
        return self.lines.familiarity(outline(statistics, self.settings), statistics.seconds)

    def _voice(self, statistics: CallStatistics) -> Voice:
        return statistics.voice(self.normalisation.mean, self.normalisation.deviation)

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
        return CallLogits(answers, trust, familiarity, ruled)

    def _ruled(self, windows: Sequence[FrameWindow], heard: CallLogits) -> float:
        """How surely one emotion rules in a call, from 0 to 1; surely, where even calls are not known."""
        even = self.calibration.even
        if even is None:
            return 1.0
        rows = apart(windows)
        weights = coverage([windows[row] for row in rows], self.length)
        temperature = self.calibration.one_clip
        found = variety(heard.logits[rows] / temperature, weights, even.answers.mean(axis=0) / temperature)
        return rule(found, even.variety)


def _trust(voice: Voice, familiarity: float, ruled: float) -> float:
    """How far a call's voice is trusted.

    Where one emotion rules in the call, later than elsewhere: what it does to the voice was taken out by a
    guess. On a foreign line sooner, as the training speakers are no better guess, but never fully.
    """
    half = _HALF_TRUST_SECONDS ** (1 - ruled) * _HALF_TRUST_SECONDS_RULED**ruled
    foreign = _MOST_TRUST_FOREIGN * voice.trust(_HALF_TRUST_SECONDS_FOREIGN)
    return familiarity * voice.trust(half) + (1 - familiarity) * foreign


def apart(windows: Sequence[FrameWindow]) -> list[int]:
    """The rows of windows, from the first on, that do not overlap."""
    out: list[int] = []
    end = 0
    for row, window in enumerate(windows):
        if not out or window.start >= end:
            out.append(row)
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

    What the voice, and on foreign lines the line, adds to every answer is taken away. Then, where one emotion
    rules in the call, it becomes more likely in each of its windows if it is one that is not told surely.
    Elsewhere emotions that are heard often become less likely, as what is heard all the time may be the voice
    or the line; where one may rule on a foreign line, no more is done, as nothing tells it from the line.

    Args:
        heard: of the windows.
        weights: how much each window counts in the call, shape ``(windows,)``.
        calibration: of the logits.
    """
    even = calibration.even
    doubt = 1 - heard.familiarity
    if even and doubt:
        temperature = calibration.one_clip
        usual_mean = even.answers.mean(axis=0) / temperature
        told = rule_on_foreign_line(heard.logits / temperature, weights, usual_mean)
        doubt *= max(told, heard.ruled)
    temperature = calibration.temperature(heard.trust, doubt)
    answers = heard.logits / temperature
    unruled = 1 - heard.ruled - doubt
    if even:
        usual = even.answers / temperature
        voices = unruled * leaning(answers, weights, usual)
        if heard.ruled:
            voices += heard.ruled * leaning_of_each(answers, weights, usual, _EVEN_PRIOR)
        answers = answers - voices
    probabilities = softmax(answers)
    mix = estimate_mix(probabilities, weights, _EVEN_PRIOR)
    exponent = (
        heard.ruled * (even.power(mix) if even else _PRIOR_EXPONENT_RULED)
        + unruled * _PRIOR_EXPONENT
        + doubt * _PRIOR_EXPONENT_FOREIGN
    )
    probabilities *= (mix * len(mix)) ** exponent
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))
