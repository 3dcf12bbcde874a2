"""One recording to its timeline: the whole signal path, top to bottom."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from itertools import compress

import numpy as np

from sertag.adaptation import BlockStream
from sertag.audio import AudioReader
from sertag.call_statistics import CallStatistics
from sertag.channels import Channels
from sertag.discovery import display_name
from sertag.division import ChannelPart, Part, Segment, join
from sertag.errors import ModelError, RecordingError, UsageError
from sertag.features import FrameStream, mean_level
from sertag.model import Model
from sertag.speech import CLIP, SpeechGate, clip_speech
from sertag.timeline import Timeline, Windows
from sertag.types import BoolArray, DoubleArray, FloatArray
from sertag.windows import FrameWindow, WindowStream

_LARGEST = 8 * 2**20


class Tagger:
    """Tags recordings with a model.

    >>> timeline = Tagger().tag("call.wav")  # doctest: +SKIP
    >>> timeline.to_frame()  # doctest: +SKIP

    Args:
        model: name of a shipped model, path of a model file, or a loaded one.
        channels: ``mix``, ``split`` or ``left=ROLE,right=ROLE``.
        only: the one channel to analyse, as ``channels`` names it; all where None.
        hop: seconds from one window to the next; half the model's window where None.
        min_confidence: probability below which a window is ``uncertain``.
        adapt: whether to adapt to each channel's own voice, ten minutes at a time.

    Raises:
        ModelError: for a model that cannot be used.
        UsageError: for settings that cannot be.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Model = "default",
        *,
        channels: str = "mix",
        only: str | None = None,
        hop: float | None = None,
        min_confidence: float = 0.0,
        adapt: bool = True,
    ) -> None:
        # glibc hands freed memory back to the system, and is given it anew at some cost, until an array
        # that is larger than all others was freed once.
        np.empty(_LARGEST, dtype=np.uint8)
        self.channels = Channels.parse(channels, only)
        self.model = model if isinstance(model, Model) else Model(os.fspath(model))
        metadata = self.model.metadata
        try:
            SpeechGate(metadata.features)
        except ValueError as error:
            raise ModelError(f"{self.model.path}: {error}") from error
        self.window = metadata.window
        self.hop = metadata.window / 2 if hop is None else hop
        step = metadata.features.hop_seconds
        steps = self.hop / step
        if not 1 - 1e-6 <= steps <= metadata.window_frames or abs(steps - round(steps)) > 1e-6:
            raise UsageError(f"--hop {self.hop:g}: give a multiple of {step:g} s, at most {self.window:g} s")
        if not 0.0 <= min_confidence <= 1.0:
            raise UsageError(f"--min-confidence {min_confidence:g}: give a probability from 0 to 1")
        self.min_confidence = min_confidence
        self.adapt = adapt

    def tag(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        on_block: Callable[[float, float], None] | None = None,
    ) -> Timeline:
        """Tags one recording, whatever its length, in constant memory but for the timeline.

        Args:
            path: an audio file.
            name: what the timeline calls the file; its last part where None.
            on_block: told the share of the recording and the seconds done, every half a minute of it.

        Raises:
            RecordingError: for a file that cannot be decoded, which a note to it names.
        """
        parts: list[Part] = []

        def report(segment: Segment, share: float, seconds: float) -> None:
            if on_block:
                on_block(
                    (segment.number + share) / segment.count, sum(part.seconds for part in parts) + seconds
                )

        try:
            while not parts or not parts[-1].ended:
                parts.append(self.tag_segment(path, len(parts), on_block=report))
        except RecordingError as error:
            error.add_note(display_name(os.fsdecode(path)))
            raise
        return join(parts, name or display_name(os.path.basename(os.fsdecode(path))))

    def tag_segment(
        self,
        path: str | os.PathLike[str],
        number: int,
        *,
        on_block: Callable[[Segment, float, float], None],
    ) -> Part:
        """Tags one of the segments that a recording divides into, in constant memory.

        Args:
            path: an audio file.
            number: which segment, from 0 on; recordings that are not long have one.
            on_block: told the share of the segment and its seconds done, at first and every half a minute.

        Raises:
            RecordingError: for a file that cannot be decoded.
        """
        features = self.model.metadata.features
        with AudioReader(os.fspath(path)) as reader:
            names, picked = self.channels.names(reader.channels), self.channels.picked(reader.channels)
            segment = Segment.of(
                number, reader.length, reader.sample_rate, features, self.model.metadata.window_frames
            )
            on_block(segment, 0.0, 0.0)
            rate = features.analysis_rate(reader.sample_rate)
            tracks = [_Track(self, channel, segment, rate) for channel in names]
            conversation = _Conversation()
            left = sys.maxsize
            if segment.end is not None:
                heard = (segment.end - segment.begin) * features.hop_length + features.frame_length
                left = heard * rate // features.sample_rate
            if segment.begin:
                reader.skip(segment.begin * features.hop_length * reader.sample_rate // features.sample_rate)
            for block in reader.blocks(rate, mix=not self.channels.split, channel=picked):
                pairs = zip(tracks, block[:left].T, strict=True)
                conversation.push([track.push(samples) for track, samples in pairs])
                done = (
                    (reader.progress, reader.duration)
                    if segment.count == 1
                    else segment.done(reader.duration)
                )
                on_block(segment, *done)
                left -= len(block)
                if left <= 0:
                    break
            conversation.push([track.finish() for track in tracks])
            return Part(
                segment=segment,
                modified=reader.modified,
                duration=reader.duration,
                sample_rate=reader.sample_rate,
                valence=self.model.metadata.valence,
                hop=self.hop,
                step=features.hop_seconds,
                channels=tuple(track.part() for track in tracks),
                anyone=conversation.anyone,
                several=conversation.several,
                channels_energy=reader.channels_energy,
                mix_energy=reader.mix_energy,
                warnings=tuple(reader.warnings),
            )

    def tag_windows(
        self, windows: Sequence[FrameWindow], statistics: CallStatistics | None = None
    ) -> Windows:
        """The tags of windows of frames, adapted to their call where its statistics are given."""
        metadata = self.model.metadata
        spoken = np.array([window.has_speech for window in windows], dtype=bool)
        probabilities = np.zeros((len(windows), len(metadata.labels)))
        if spoken.any():
            heard = list(compress(windows, spoken))
            probabilities[spoken] = np.round(self._listen(heard, statistics), 4)
        certain = probabilities.max(axis=1) >= self.min_confidence
        emotion = np.where(certain, probabilities.argmax(axis=1), len(metadata.labels))
        start = np.array([window.start for window in windows]) * metadata.features.hop_seconds
        return Windows(
            metadata.labels,
            np.round(start, 3),
            np.round(start + self.window, 3),
            np.where(spoken, emotion, -1).astype(np.int16),
            np.round([window.speech_share for window in windows], 4),
            # Adding 0 makes -0 a plain 0.
            np.round([self._level(window) for window in windows], 1) + 0.0,
            probabilities,
        )

    def _listen(self, windows: Sequence[FrameWindow], statistics: CallStatistics | None) -> DoubleArray:
        listener = self.model.listener
        if statistics is None:
            return listener.alone(windows)
        return listener.in_call(windows, statistics)

    def _level(self, window: FrameWindow) -> float:
        level = window.frames[:, self.model.metadata.features.level]
        return mean_level(level[window.speech] if window.has_speech else level)


class _Track:
    """One channel of a segment on its way through the signal path."""

    def __init__(self, tagger: Tagger, channel: str, segment: Segment, rate: int) -> None:
        self._tagger = tagger
        self._channel = channel
        self._segment = segment
        self._features = tagger.model.metadata.features
        self._frames = FrameStream(self._features, rate)
        self._rate = rate
        self._longest_clip = CLIP * self._features.hop_length * rate // self._features.sample_rate
        self._clip: FloatArray | None = np.zeros(0, dtype=np.float32)
        self._undecided = np.zeros((0, self._features.columns), dtype=np.float32)
        self._gate = SpeechGate(self._features)
        self._at = segment.begin
        self._windows = WindowStream(
            tagger.model.metadata.window_frames, self._features.frames_in(tagger.hop), segment.begin
        )
        self._blocks = BlockStream(self._features, segment.first) if tagger.adapt else None
        self._tagged: list[Windows] = []
        self._speech_frames = 0

    def push(self, samples: FloatArray) -> BoolArray:
        """Takes the next samples and tells which of the segment's frames that are decided now are speech."""
        if self._clip is not None:
            samples = np.concatenate([self._clip, samples])
            self._clip = samples if len(samples) <= self._longest_clip else None
        if self._clip is not None:
            return np.zeros(0, dtype=bool)
        return self._decide(self._frames.push(samples), last=False)

    def finish(self) -> BoolArray:
        """Decides the last frames."""
        if self._clip is None:
            return self._decide(self._frames.finish(), last=True)
        frames = np.concatenate([self._frames.push(self._clip), self._frames.finish()])
        return self._advance(frames, clip_speech(self._clip, self._rate, frames, self._features), last=True)

    def part(self) -> ChannelPart:
        return ChannelPart(
            self._channel,
            # Where a recording ends before its segment, there is none.
            Windows.joined(self._tagged or [self._tagger.tag_windows([])]),
            self._speech_frames,
        )

    def _decide(self, frames: FloatArray, *, last: bool) -> BoolArray:
        speech = self._gate.push(frames, last=last)
        self._undecided = np.concatenate([self._undecided, frames])
        decided, self._undecided = self._undecided[: len(speech)], self._undecided[len(speech) :]
        return self._advance(decided, speech, last=last)

    def _advance(self, decided: FloatArray, speech: BoolArray, *, last: bool) -> BoolArray:
        own = self._segment.own(self._at, len(speech))
        windows = (
            window
            for window in self._windows.push(decided, speech, last=last)
            if self._segment.holds(window.start)
        )
        self._at += len(speech)
        decided, speech = decided[own], speech[own]
        self._speech_frames += int(np.count_nonzero(speech))
        if self._blocks is None:
            self._tagged.append(self._tagger.tag_windows(list(windows)))
            return speech
        for block in self._blocks.push(decided, speech, windows, last=last):
            self._tagged.append(self._tagger.tag_windows(block.windows, block.statistics))
        return speech


class _Conversation:
    """In how many frames anyone speaks, and in how many several do."""

    def __init__(self) -> None:
        self.anyone = self.several = 0

    def push(self, speech: list[BoolArray]) -> None:
        """Takes which of the next frames are speech, for each channel; all have the same number."""
        speaking = np.sum(speech, axis=0)
        self.anyone += int(np.count_nonzero(speaking >= 1))
        self.several += int(np.count_nonzero(speaking >= 2))
