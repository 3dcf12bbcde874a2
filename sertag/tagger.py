"""One recording to its timeline: the whole signal path, top to bottom."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress

import numpy as np

from sertag.adaptation import BlockStream, CallStatistics, DoubleArray
from sertag.audio import AudioReader
from sertag.channels import Channels
from sertag.errors import ModelError, UsageError
from sertag.features import FrameStream, mean_level
from sertag.listener import coverage
from sertag.model import Model
from sertag.speech import SpeechGate
from sertag.timeline import ChannelTimeline, Talk, Timeline, Windows
from sertag.types import BoolArray, FloatArray
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
        model: str | Model = "default",
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
        self.model = Model(model) if isinstance(model, str) else model
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
            on_block: told the share of the recording and the seconds done, every few seconds of it.

        Raises:
            RecordingError: for a file that cannot be decoded.
        """
        path = os.fspath(path)
        features = self.model.metadata.features
        with AudioReader(path) as reader:
            rate = features.analysis_rate(reader.sample_rate)
            tracks = [_Track(self, channel, rate) for channel in self.channels.names(reader.channels)]
            conversation = _Conversation(features.hop_seconds)
            picked = self.channels.picked(reader.channels)
            for block in reader.blocks(rate, mix=not self.channels.split, channel=picked):
                pairs = zip(tracks, block.T, strict=True)
                conversation.push([track.push(samples) for track, samples in pairs])
                if on_block:
                    on_block(reader.progress, reader.duration)
            conversation.push([track.finish() for track in tracks])
            return Timeline(
                file=name or os.path.basename(path),
                modified=reader.modified,
                duration=reader.duration,
                sample_rate=reader.sample_rate,
                labels=self.model.metadata.labels,
                valence=self.model.metadata.valence,
                hop=self.hop,
                channels=tuple(track.timeline(reader.duration) for track in tracks),
                talk=conversation.talk(reader.duration) if len(tracks) > 1 else None,
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
        return listener.in_call(windows, coverage(windows, listener.length), statistics)

    def _level(self, window: FrameWindow) -> float:
        level = window.frames[:, self.model.metadata.features.level]
        return mean_level(level[window.speech] if window.has_speech else level)


class _Track:
    """One channel on its way through the signal path."""

    def __init__(self, tagger: Tagger, channel: str, rate: int) -> None:
        self._tagger = tagger
        self._channel = channel
        self._features = tagger.model.metadata.features
        self._frames = FrameStream(self._features, rate)
        self._undecided = np.zeros((0, self._features.columns), dtype=np.float32)
        self._gate = SpeechGate(self._features)
        self._windows = WindowStream(
            tagger.model.metadata.window_frames, self._features.frames_in(tagger.hop)
        )
        self._blocks = BlockStream(self._features) if tagger.adapt else None
        self._tagged: list[Windows] = []
        self._speech_frames = 0

    def push(self, samples: FloatArray) -> BoolArray:
        """Takes the next samples and tells which of the frames decided now are speech."""
        return self._advance(self._frames.push(samples), last=False)

    def finish(self) -> BoolArray:
        """Decides the last frames."""
        return self._advance(self._frames.finish(), last=True)

    def timeline(self, duration: float) -> ChannelTimeline:
        windows = Windows.joined(self._tagged)
        windows = replace(windows, end=np.minimum(windows.end, round(duration, 3)))
        speech_seconds = min(self._speech_frames * self._features.hop_seconds, duration)
        return ChannelTimeline(self._channel, windows, round(speech_seconds, 3))

    def _advance(self, frames: FloatArray, *, last: bool) -> BoolArray:
        speech = self._gate.push(frames, last=last)
        self._undecided = np.concatenate([self._undecided, frames])
        decided, self._undecided = self._undecided[: len(speech)], self._undecided[len(speech) :]
        self._speech_frames += int(np.count_nonzero(speech))
        windows = self._windows.push(decided, speech, last=last)
        if self._blocks is None:
            self._tagged.append(self._tagger.tag_windows(list(windows)))
            return speech
        for block in self._blocks.push(decided, speech, windows, last=last):
            self._tagged.append(self._tagger.tag_windows(block.windows, block.statistics))
        return speech


class _Conversation:
    """Who speaks when, counted in frames of ``step`` seconds."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._anyone = 0
        self._several = 0

    def push(self, speech: list[BoolArray]) -> None:
        """Takes which of the next frames are speech, for each channel; all have the same number."""
        speaking = np.sum(speech, axis=0)
        self._anyone += int(np.count_nonzero(speaking >= 1))
        self._several += int(np.count_nonzero(speaking >= 2))

    def talk(self, duration: float) -> Talk:
        anyone, several = (min(count * self._step, duration) for count in (self._anyone, self._several))
        return Talk(round(duration - anyone, 3), round(several, 3))
