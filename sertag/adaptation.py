"""What a call tells about the voice and the line in it, whatever the emotions in the call.

The mean and deviation of a channel's own frames say who speaks, but also how they feel: take them away
where one emotion fills the call, and the emotion goes too. Where the network's answers tell of one, what
the mix of emotions in the call does to the statistics of an average speaker, which is known from training,
is taken out of the call's own; with what is left, the network hears all of it again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from sertag.call_statistics import CallStatistics, Voice
from sertag.features import FeatureSettings
from sertag.types import BoolArray, DoubleArray, FloatArray
from sertag.windows import FrameWindow

BLOCK_SECONDS = 600.0
"""Length of the stretches, from the recording's start on, that are adapted each for itself.

The last one is a quarter as long at least, and less than a quarter longer, so that none is told from little.
"""


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
        self._end = first
        self._held = 0
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
        self._held += len(frames)
        self._windows += windows
        while self._held >= self._length + self._length // 4:
            yield self._block(self._length)
        if last and self._windows:
            yield self._block(self._held)

    def _block(self, length: int) -> Block:
        frames, speech = np.concatenate(self._frames), np.concatenate(self._speech)
        statistics = CallStatistics.of(frames[:length], speech[:length], self._settings)
        self._frames, self._speech = [frames[length:]], [speech[length:]]
        self._held -= length
        self._end += length
        count = bisect_left(self._windows, self._end, key=attrgetter("start"))
        block = Block(tuple(self._windows[:count]), statistics)
        del self._windows[:count]
        return block
