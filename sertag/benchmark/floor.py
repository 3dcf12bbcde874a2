"""The least that any tool of its kind must do: decode, and one short Fourier transform every 20 ms."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.fft
import soundfile

_FRAME_SECONDS, _HOP_SECONDS = 0.032, 0.02
_BLOCK_SECONDS = 10
_ENOUGH_SECONDS, _REPEATS = 3.0, 3


class Part(NamedTuple):
    """Consecutive frames of a recording."""

    path: str
    start: int = 0
    frames: int = -1


def floor_seconds(paths: Sequence[str], *, processes: int, mixed: bool) -> float:
    """Seconds that decoding recordings and transforming them takes, at best, on so many processes.

    Recordings are read with soundfile at their own rate; frames of 32 ms every 20 ms go through one real
    Fourier transform per channel, in blocks of 10 s. Where recordings are fewer than processes, these
    share each recording.

    Args:
        paths: of the recordings; those that soundfile cannot decode are passed over.
        processes: how many; they are running when the clock starts.
        mixed: whether channels are mixed down.
    """
    parts = [part for path in paths for part in _parts(path, processes if len(paths) < processes else 1)]
    do = partial(transform, mixed=mixed)
    # A fork would copy the threads' locks, and start warmer than anybody else's workers.
    with multiprocessing.get_context("spawn").Pool(processes, _ignore_interrupts) as pool:
        taken: list[float] = []
        # The first round starts the processes and fills the page cache.
        while len(taken) < 2 or (len(taken) <= _REPEATS and sum(taken[1:]) < _ENOUGH_SECONDS):
            started = time.perf_counter()
            for _ in pool.imap_unordered(do, parts, chunksize=max(1, len(parts) // (processes * 20))):
                pass
            taken.append(time.perf_counter() - started)
    return min(taken[1:])


def _ignore_interrupts() -> None:
    """Leaves Ctrl-C, which reaches all processes, to the one that started them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _parts(path: str, count: int) -> list[Part]:
    if count == 1:
        return [Part(path)]
    try:
        with open(path, "rb") as raw, soundfile.SoundFile(raw.fileno(), closefd=False) as file:
            frames = file.frames
    except soundfile.SoundFileError:
        return []
    edges = [frames * number // count for number in range(count + 1)]
    return [Part(path, start, end - start) for start, end in pairwise(edges)]


def transform(part: Part, *, mixed: bool) -> None:
    """Decodes a part of a recording and transforms it; nothing where soundfile cannot decode it."""
    # What cannot be sought in is a ValueError. Of a path, soundfile would take the format from the extension.
    with (
        contextlib.suppress(soundfile.SoundFileError, ValueError),
        open(part.path, "rb") as raw,
        soundfile.SoundFile(raw.fileno(), closefd=False) as file,
    ):
        length, hop = round(_FRAME_SECONDS * file.samplerate), round(_HOP_SECONDS * file.samplerate)
        if part.start:
            file.seek(part.start)
        for block in file.blocks(
            _BLOCK_SECONDS * file.samplerate, frames=part.frames, dtype="float32", always_2d=True
        ):
            channels = np.ascontiguousarray(block.T)
            for channel in channels.mean(axis=0, keepdims=True) if mixed else channels:
                if len(channel) >= length:
                    framed = np.lib.stride_tricks.sliding_window_view(channel, length)[::hop]
                    scipy.fft.rfft(framed)
