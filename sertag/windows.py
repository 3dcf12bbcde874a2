"""Frames to the model's fixed windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sertag.speech import MINIMUM_SHARE
from sertag.types import BoolArray, FloatArray


@dataclass(frozen=True)
class FrameWindow:
    """The frames of one window, before padding.

    ``start`` is a frame's number in the recording; ``frames`` has shape ``(n, columns)`` and
    ``speech`` shape ``(n,)``, with ``n`` at most the window's length.
    """

    start: int
    frames: FloatArray
    speech: BoolArray

    @property
    def speech_share(self) -> float:
        """Share of the frames that are speech."""
        return np.count_nonzero(self.speech) / len(self.speech)

    @property
    def has_speech(self) -> bool:
        """Whether enough of the window is speech to be tagged."""
        return self.speech_share >= MINIMUM_SHARE


class WindowStream:
    """Cuts a stream of frames into windows of ``length`` frames, one every ``hop`` frames.

    Windows start at multiples of the hop; the last is the first that reaches the end.

    Args:
        length: of a window.
        hop: from one window to the next.
        first: number of the stream's first frame; the windows are those of the whole from there on.
    """

    def __init__(self, length: int, hop: int, first: int = 0) -> None:
        if not 0 < hop <= length:
            raise ValueError(f"hop must be from 1 to {length} frames, not {hop}")
        self._length = length
        self._hop = hop
        self._start = first
        self._next = -(-first // hop) * hop
        self._emitted_until = self._next
        self._frames: FloatArray | None = None
        self._speech = np.zeros(0, dtype=bool)

    def push(self, frames: FloatArray, speech: BoolArray, *, last: bool = False) -> Iterator[FrameWindow]:
        """The windows that are complete; with ``last`` also the one that reaches the end."""
        self._frames = frames if self._frames is None else np.concatenate([self._frames, frames])
        self._speech = np.concatenate([self._speech, speech])
        end = self._start + len(self._speech)
        while end - self._next >= self._length:
            yield self._window()
        if last and end > self._emitted_until:
            yield self._window()
        drop = min(self._next, end) - self._start
        self._frames, self._speech = self._frames[drop:], self._speech[drop:]
        self._start += drop

    def _window(self) -> FrameWindow:
        assert self._frames is not None
        offset = self._next - self._start
        part = slice(offset, offset + self._length)
        window = FrameWindow(self._next, self._frames[part], self._speech[part])
        self._emitted_until = window.start + len(window.speech)
        self._next += self._hop
        return window
