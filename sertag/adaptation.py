"""What a call tells about the voice and the line in it, whatever the emotions in the call.

The mean and deviation of a channel's own frames say who speaks, but also how they feel: take them away
where one emotion fills the call, and the emotion goes too. Where the network's answers tell of one, it
hears some of the call without adaptation. From these answers comes the mix of emotions in the call; what
that mix does to the statistics of an average speaker is known from training, and is taken out of the
call's own; with what is left, the network hears all of it again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.features import FeatureSettings
from sertag.types import BoolArray, FloatArray
from sertag.windows import FrameWindow

BLOCK_SECONDS = 600.0
"""Length of the stretches, from the recording's start on, that are adapted each for itself."""
RANGE = 90.0
"""Depth below the speech level, in dB, under which everything counts as silence."""

_FEWEST_VOICED = 10

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CallStatistics:
    """Sums over the speech frames of one channel; those of clips add up to those of the call they make.

    ``counts``, ``totals`` and ``squares`` have shape ``(settings.inputs,)``; the pitch counts where
    the frame is voiced only. ``power`` is the sum of the levels as powers re full scale.
    """

    counts: DoubleArray
    totals: DoubleArray
    squares: DoubleArray
    power: float
    settings: FeatureSettings

    @classmethod
    def of(cls, frames: FloatArray, speech: BoolArray, settings: FeatureSettings) -> CallStatistics:
        """Statistics of frames ``(n, settings.columns)`` of which some are ``speech`` ``(n,)``."""
        spoken = frames[speech].astype(np.float64)
        power = float(np.sum(10.0 ** (spoken[:, settings.level] / 10.0)))
        counts = np.full(settings.inputs, float(len(spoken)))
        values = spoken[:, : settings.inputs]
        if len(spoken):
            mel = values[:, : settings.mels]
            np.maximum(mel, _decibels(power / len(spoken)) - RANGE, out=mel)
        # An unvoiced frame's pitch is 0, which adds nothing.
        counts[settings.pitch] = np.count_nonzero(values[:, settings.pitch])
        totals = values.sum(axis=0)
        return cls(counts, totals, np.square(values, out=values).sum(axis=0), power, settings)

    def __add__(self, other: CallStatistics) -> CallStatistics:
        """Statistics of both together."""
        return CallStatistics(
            self.counts + other.counts,
            self.totals + other.totals,
            self.squares + other.squares,
            self.power + other.power,
            self.settings,
        )

    @property
    def seconds(self) -> float:
        """Seconds of speech."""
        return float(self.counts[0]) * self.settings.hop_seconds

    @property
    def level(self) -> float:
        """Mean power of the speech in dB re full scale."""
        return _decibels(self.power / max(self.counts[0], 1.0))

    def voice(self, mean: FloatArray, deviation: FloatArray) -> Voice:
        """The voice that these statistics describe.

        Args:
            mean: the training speakers', for the pitch where too little is voiced; shape ``(inputs,)``.
            deviation: likewise.
        """
        settings = self.settings
        counts = np.maximum(self.counts, 1.0)
        own_mean = self.totals / counts
        own_deviation = np.sqrt(np.maximum(self.squares / counts - own_mean**2, 1e-4))
        own_mean[: settings.mels] -= self.level
        if self.counts[settings.pitch] < _FEWEST_VOICED:
            own_mean[settings.pitch] = mean[settings.pitch]
            own_deviation[settings.pitch] = deviation[settings.pitch]
        return Voice(self.level, own_mean, own_deviation, self.seconds)


@dataclass(frozen=True, eq=False)
class Voice:
    """How a voice sounds on its line: level in dB re full scale, mean and deviation of every input.

    Log-mel means are relative to the level; ``seconds`` of speech tell it.
    """

    level: float
    mean: DoubleArray
    deviation: DoubleArray
    seconds: float

    def trust(self, half: float) -> float:
        """How far to rely on it instead of the training speakers, from 0 towards 1.

        Args:
            half: seconds of speech at which both count alike.
        """
        return self.seconds / (self.seconds + half)


@dataclass(frozen=True, eq=False)
class Call:
    """What is known of the call that windows are from.

    Attributes:
        voice: in it.
        trust: in the voice, from 0 to 1.
        familiarity: of the line, from 0 to 1.
    """

    voice: Voice
    trust: float
    familiarity: float


@dataclass(frozen=True, eq=False)
class EmotionEffects:
    """What each emotion does to an average speaker's statistics; the rows of each add up to 0.

    Attributes:
        mean: shift of the mean of every input in deviations of the call, shape ``(labels, inputs)``;
            of log-mel in absolute level.
        level: shift of the level in dB, shape ``(labels,)``.
        deviation: shift of the deviation's logarithm, shape ``(labels, inputs)``.
    """

    mean: DoubleArray
    level: DoubleArray
    deviation: DoubleArray

    def remove(self, voice: Voice, mix: DoubleArray, mels: int) -> Voice:
        """The voice as it would sound if all emotions were equally frequent in its call.

        Args:
            voice: as it sounded.
            mix: share of every emotion in the call, shape ``(labels,)``; times a number from 0 to 1, where
                it is believed only so far.
            mels: how many inputs are log-mel bands.
        """
        louder = float(mix @ self.level)
        mean = voice.mean - (mix @ self.mean) * voice.deviation
        mean[:mels] += louder
        deviation = voice.deviation * np.exp(-(mix @ self.deviation))
        return Voice(voice.level - louder, mean, deviation, voice.seconds)


@dataclass(frozen=True, eq=False)
class Block:
    """The windows that start in one stretch of a channel, and the statistics of that stretch."""

    windows: tuple[FrameWindow, ...]
    statistics: CallStatistics


class BlockStream:
    """Gathers a channel's frames and windows into blocks of ``BLOCK_SECONDS``.

    Blocks lie at fixed places of the recording, so that memory stays flat, and no block's result
    depends on another's.

    Args:
        settings: of the frames.
        first: number of the stream's first frame, at which a block begins.
    """

    def __init__(self, settings: FeatureSettings, first: int = 0) -> None:
        self._settings = settings
        self._length = settings.frames_in(BLOCK_SECONDS)
        self._end = first + self._length
        self._frames: list[FloatArray] = []
        self._speech: list[BoolArray] = []
        self._windows: list[FrameWindow] = []

    def push(
        self, frames: FloatArray, speech: BoolArray, windows: Iterable[FrameWindow], *, last: bool = False
    ) -> Iterator[Block]:
        """The blocks whose windows are all there.

        Args:
            frames: the channel's next frames, shape ``(n, settings.columns)``.
            speech: which of them are speech, shape ``(n,)``.
            windows: the windows that these frames completed.
            last: whether the recording ends here.
        """
        self._frames.append(frames)
        self._speech.append(speech)
        for window in windows:
            if window.start >= self._end:
                yield self._block()
            self._windows.append(window)
        if last and self._windows:
            yield self._block()

    def _block(self) -> Block:
        frames, speech = np.concatenate(self._frames), np.concatenate(self._speech)
        statistics = CallStatistics.of(frames[: self._length], speech[: self._length], self._settings)
        block = Block(tuple(self._windows), statistics)
        self._frames, self._speech = [frames[self._length :]], [speech[self._length :]]
        self._windows = []
        self._end += self._length
        return block


def _decibels(power: float) -> float:
    return 10.0 * math.log10(max(power, 1e-12))
