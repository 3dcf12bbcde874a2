"""What a channel's frames add up to: of the voice in it, and of the line between."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sertag.features import FeatureSettings
from sertag.types import BoolArray, DoubleArray, FloatArray

RANGE = 90.0
"""Depth below the speech level, in dB, under which everything counts as silence."""

_FEWEST_VOICED = 10
_PAUSE_SECONDS = 0.2
_TOGETHER = 4_096
"""Frames that are summed up at once, so that a long call takes little memory."""


@dataclass(frozen=True, eq=False)
class CallStatistics:
    """Sums over the frames of one channel; those of clips add up to those of the call they make.

    Attributes:
        counts: of speech frames, for the pitch of voiced ones only, shape ``(settings.inputs,)``.
        totals: of the inputs over these frames, likewise.
        squares: of the same, likewise.
        power: sum of the levels of the speech frames as powers re full scale.
        pairs: how many speech frames follow another.
        steps: sums of what each log-mel band differs by in these, shape ``(settings.mels,)``.
        rests: how many frames without speech lie close to speech, in its pauses or at its ends.
        quiet: sums of the log-mel bands over these, shape ``(settings.mels,)``.
        settings: of the frames.
    """

    counts: DoubleArray
    totals: DoubleArray
    squares: DoubleArray
    power: float
    pairs: int
    steps: DoubleArray
    rests: int
    quiet: DoubleArray
    settings: FeatureSettings

    @classmethod
    def of(cls, frames: FloatArray, speech: BoolArray, settings: FeatureSettings) -> CallStatistics:
        """Statistics of frames ``(n, settings.columns)`` of which some are ``speech`` ``(n,)``."""
        rows = np.flatnonzero(speech)
        power = float(np.sum(10.0 ** (frames[rows, settings.level].astype(np.float64) / 10.0)))
        floor = _decibels(power / max(len(rows), 1)) - RANGE
        counts = np.full(settings.inputs, float(len(rows)))
        # An unvoiced frame's pitch is 0, which adds nothing.
        counts[settings.pitch] = np.count_nonzero(frames[rows, settings.pitch])
        totals, squares = np.zeros(settings.inputs), np.zeros(settings.inputs)
        steps = np.zeros(settings.mels)
        for at in range(0, len(rows), _TOGETHER):
            # One more, for the step to it.
            some = rows[at : at + _TOGETHER + 1]
            values = frames[some, : settings.inputs].astype(np.float64)
            mel = values[:, : settings.mels]
            np.maximum(mel, floor, out=mel)
            moves = np.diff(mel, axis=0)
            steps += (np.diff(some) == 1) @ np.abs(moves, out=moves)
            values = values[:_TOGETHER]
            totals += values.sum(axis=0)
            squares += np.square(values, out=values).sum(axis=0)
        quiet = np.maximum(frames[_near(speech, settings) & ~speech, : settings.mels], floor)
        return cls(
            counts,
            totals,
            squares,
            power,
            int(np.count_nonzero(np.diff(rows) == 1)),
            steps,
            len(quiet),
            quiet.sum(axis=0, dtype=np.float64),
            settings,
        )

    def __add__(self, other: CallStatistics) -> CallStatistics:
        """Statistics of both together."""
        return CallStatistics(
            self.counts + other.counts,
            self.totals + other.totals,
            self.squares + other.squares,
            self.power + other.power,
            self.pairs + other.pairs,
            self.steps + other.steps,
            self.rests + other.rests,
            self.quiet + other.quiet,
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


def _near(speech: BoolArray, settings: FeatureSettings) -> BoolArray:
    """Frames within ``_PAUSE_SECONDS`` of a speech frame."""
    reach = settings.frames_in(_PAUSE_SECONDS)
    before = np.concatenate([np.zeros(reach + 1, dtype=np.int64), np.cumsum(speech)])
    before = np.concatenate([before, np.full(reach, before[-1])])
    return np.asarray(before[2 * reach + 1 :] > before[: -2 * reach - 1])


def _decibels(power: float) -> float:
    return 10.0 * math.log10(max(power, 1e-12))
