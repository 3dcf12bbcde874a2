"""Long recordings in segments: where these lie, and how what was heard in them makes a whole.

A recording is divided by its length alone, so that what comes out does not depend on who hears which
segment. A segment is heard from a little before its first frame to a little behind its last, as far as
anything there has a say in its windows: these are the same as of the recording in one piece.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sertag import features, speech
from sertag.adaptation import BLOCK_SECONDS
from sertag.errors import RecordingError
from sertag.features import FeatureSettings
from sertag.timeline import ChannelTimeline, Talk, Timeline, Windows

SEGMENT_SECONDS = BLOCK_SECONDS
"""Length of all segments but the last, which is half as long at least; whole blocks of the adaptation."""

_CANCELLED = 1e-2
"""Share of what a mix of channels that have nothing to do with each other has of their energy."""
_SETTLING_SECONDS = 0.5
"""In which a resampler forgets that it began in the middle."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording: all of it, or one of ``count`` that are heard each for itself.

    The windows and the speech from frame ``first`` up to ``until`` belong to it; sound is heard from frame
    ``begin`` up to ``end``. The last segment's ``until`` and ``end`` are None: the recording's end. It starts
    after ``start`` seconds and is ``seconds`` long, by the header.
    """

    number: int
    count: int
    begin: int
    first: int
    until: int | None
    end: int | None
    start: float
    seconds: float

    @classmethod
    def of(
        cls, number: int, length: int | None, sample_rate: int, settings: FeatureSettings, window: int
    ) -> Segment:
        """One of a recording's segments.

        Args:
            number: which, from 0 on.
            length: samples per channel, where reading can begin at each of them; else None.
            sample_rate: the recording's, in Hz.
            settings: of the frames.
            window: the model's, in frames.

        Raises:
            RecordingError: ``decode_failed`` where the recording has no such segment.
        """
        seconds = (length or 0) / sample_rate
        count = max(1, round(seconds / SEGMENT_SECONDS))
        if number >= count:
            raise RecordingError("decode_failed", "changed while it was read")
        span = settings.frames_in(SEGMENT_SECONDS)
        first, until = number * span, (number + 1) * span
        # Batches of frames lie where they lie in the whole, and so do the samples of a resampler.
        rate = settings.sample_rate
        step = math.lcm(
            features.BATCH, speech.BATCH, rate // math.gcd(rate, settings.hop_length * sample_rate)
        )
        begin = first - max(speech.MEMORY, window) - settings.frames_in(_SETTLING_SECONDS)
        last = number + 1 == count
        start = number * SEGMENT_SECONDS
        return cls(
            number=number,
            count=count,
            begin=max(0, begin // step * step),
            first=first,
            until=None if last else until,
            end=None if last else until + window + speech.LOOK_AHEAD,
            start=start,
            seconds=seconds - start if last else SEGMENT_SECONDS,
        )

    def holds(self, frame: int) -> bool:
        """Whether a frame belongs to it."""
        return self.first <= frame and (self.until is None or frame < self.until)

    def own(self, at: int, count: int) -> slice:
        """Which of ``count`` frames from frame ``at`` on belong to it."""
        until = at + count if self.until is None else self.until
        return slice(max(0, self.first - at), max(0, until - at))

    def done(self, seconds: float) -> tuple[float, float]:
        """The share of it and its seconds that are done when ``seconds`` of the recording are."""
        done = min(max(seconds - self.start, 0.0), self.seconds)
        return done / self.seconds, done


@dataclass(frozen=True, eq=False)
class ChannelPart:
    """One channel in a segment: its windows, and how many of its frames are speech."""

    channel: str
    windows: Windows
    speech: int


@dataclass(frozen=True, eq=False)
class Part:
    """What was heard in one segment; fields that :class:`Timeline` has too mean the same.

    ``duration`` is the recording's up to where it was decoded, in seconds; frames are ``step`` seconds apart,
    and in so many of them ``anyone`` or ``several`` speak. The energies are those of :class:`AudioReader`.
    """

    segment: Segment
    modified: float
    duration: float
    sample_rate: int
    valence: tuple[int, ...]
    hop: float
    step: float
    channels: tuple[ChannelPart, ...]
    anyone: int
    several: int
    channels_energy: float
    mix_energy: float
    warnings: tuple[str, ...]

    @property
    def ended(self) -> bool:
        """Whether the recording ends in this segment."""
        return self.segment.until is None or self.duration <= self.segment.until * self.step

    @property
    def seconds(self) -> float:
        """Seconds of the recording that lie in the segment."""
        end = self.duration if self.segment.until is None else self.segment.until * self.step
        return max(0.0, min(self.duration, end) - self.segment.start)


def join(parts: Sequence[Part], file: str) -> Timeline:
    """The whole of a recording's parts, from its first to the one in which it ends.

    Args:
        parts: in order.
        file: what the timeline calls the recording.

    Raises:
        RecordingError: ``decode_failed`` where they are not of one recording, or not up to its end.
    """
    last = parts[-1]
    kinds = {(part.sample_rate, *(channel.channel for channel in part.channels)) for part in parts}
    if len(kinds) > 1 or not last.ended:
        raise RecordingError("decode_failed", "changed while it was read")
    # Where a recording is damaged, a segment may find less than the one before has heard.
    duration = max(part.duration for part in parts)
    channels = tuple(
        _channel(channel, last.step, duration)
        for channel in zip(*(part.channels for part in parts), strict=True)
    )
    anyone, several = (
        min(frames * last.step, duration)
        for frames in (sum(part.anyone for part in parts), sum(part.several for part in parts))
    )
    return Timeline(
        file=file,
        modified=parts[0].modified,
        duration=duration,
        sample_rate=last.sample_rate,
        labels=channels[0].windows.labels,
        valence=last.valence,
        hop=last.hop,
        channels=channels,
        talk=Talk(round(duration - anyone, 3), round(several, 3)) if len(channels) > 1 else None,
        warnings=last.warnings + _cancelled(parts),
    )


def _cancelled(parts: Sequence[Part]) -> tuple[str, ...]:
    channels, mix = (sum(part.channels_energy for part in parts), sum(part.mix_energy for part in parts))
    if mix >= _CANCELLED * channels:
        return ()
    return ("its channels cancel each other out in a mix; tag them with --channels split",)


def _channel(parts: Sequence[ChannelPart], step: float, duration: float) -> ChannelTimeline:
    windows = Windows.joined([part.windows for part in parts])
    windows = replace(windows, end=np.minimum(windows.end, round(duration, 3)))
    if len(windows) > 1 and windows.start[-1] >= windows.end[-1]:
        # Less than half a millisecond of sound.
        windows = windows[:-1]
    speech_seconds = min(sum(part.speech for part in parts) * step, duration)
    return ChannelTimeline(parts[0].channel, windows, round(speech_seconds, 3))
