"""Which frames are speech.

A frame is speech where its level stands out from the noise floor and from the absolute floor,
near frames whose autocorrelation is that of a voice. Every decision looks at most
``LOOK_AHEAD`` frames ahead and at a bounded past, so that live and batch runs agree and a long
recording streams.
"""

from __future__ import annotations

import numpy as np

from sertag.types import BoolArray, FloatArray

LOOK_AHEAD = 100
"""Frames (2 s) that have to be known before a frame is decided."""
MINIMUM_SHARE = 0.1
"""Share of a window that has to be speech for the window to be tagged."""

_PAST = 700
_FLOOR_PAST, _FLOOR_AHEAD = 400, 50
_ABOVE_FLOOR = 9.0
_BELOW_PEAK = 40.0
_QUIETEST = -62.0
_VOICED = 0.5
_NEAR_VOICE = 15
_GAP = 10


def speech_frames(level: FloatArray, voicing: FloatArray) -> BoolArray:
    """Decides for each frame whether it is speech.

    Args:
        level: power of the telephone band in dB re full scale, shape ``(frames,)``.
        voicing: autocorrelation peak, 0 to 1, shape ``(frames,)``.

    Returns:
        True where the frame is speech, shape ``(frames,)``.
    """
    if len(level) == 0:
        return np.zeros(0, dtype=bool)
    smooth = _smooth(level)
    floor = _running(np.minimum, smooth, _FLOOR_PAST, _FLOOR_AHEAD)
    peak = _running(np.maximum, smooth, _FLOOR_PAST, _FLOOR_AHEAD)
    threshold = np.maximum(np.maximum(floor + _ABOVE_FLOOR, peak - _BELOW_PEAK), _QUIETEST)
    loud = smooth > threshold
    # Three voiced frames in a row (60 ms): shorter ones are chance peaks of noise.
    voiced = _running(np.minimum, loud & (voicing > _VOICED), 1, 1)
    speech = loud & _running(np.maximum, voiced, _NEAR_VOICE, _NEAR_VOICE)
    return np.asarray(
        _running(np.minimum, _running(np.maximum, speech, _GAP, _GAP), _GAP, _GAP) | speech, dtype=bool
    )


class SpeechGate:
    """Decides frame by frame on a stream; the result equals :func:`speech_frames` of the whole."""

    def __init__(self) -> None:
        self._level = np.zeros(0, dtype=np.float32)
        self._voicing = np.zeros(0, dtype=np.float32)
        self._decided = 0

    def push(self, level: FloatArray, voicing: FloatArray, *, last: bool = False) -> BoolArray:
        """Decisions that are ready: all but the latest ``LOOK_AHEAD`` frames, or all with ``last``."""
        self._level = np.concatenate([self._level, level])
        self._voicing = np.concatenate([self._voicing, voicing])
        until = len(self._level) if last else max(self._decided, len(self._level) - LOOK_AHEAD)
        ready = speech_frames(self._level, self._voicing)[self._decided : until]
        drop = max(0, until - _PAST)
        self._level, self._voicing = self._level[drop:], self._voicing[drop:]
        self._decided = until - drop
        return ready


def _smooth(level: FloatArray) -> FloatArray:
    """Mean of five frames, as a sum of shifted copies: the same bits wherever the array was cut."""
    padded = np.pad(level, 2, mode="edge")
    total = padded[:-4] + padded[1:-3] + padded[2:-2] + padded[3:-1] + padded[4:]
    return np.asarray(total / np.float32(5), dtype=np.float32)


def _running(extreme: np.ufunc, values: np.ndarray, before: int, after: int) -> np.ndarray:  # type: ignore[type-arg]
    """Minimum or maximum over ``[t - before, t + after]``, cut off at the ends, by doubling."""
    width = before + after + 1
    out = np.pad(values, (before, after), mode="edge")
    reach = 1
    while reach < width:
        step = min(reach, width - reach)
        out = extreme(out[:-step], out[step:])
        reach += step
    return out
