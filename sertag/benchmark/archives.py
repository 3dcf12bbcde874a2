"""Recordings to measure with: made of synthetic voices, in the formats that archives hold."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import soundfile
import soxr

from sertag.benchmark.sound import RATE, call, voice
from sertag.errors import SertagError
from sertag.types import FloatArray

_CALL_SECONDS = (120, 150, 180, 200, 220, 240, 270, 300)
_ROUND_HOURS = sum(_CALL_SECONDS) * 2 / 3_600
_TALK_SECONDS = 240
_TELEPHONE = 8_000
_PIECES_SECONDS = 36_000
_SUFFIXES = {"MPEG_LAYER_III": ".mp3", "OPUS": ".opus"}
_FORMATS = {".wav": "WAV", ".mp3": "MP3", ".opus": "OGG"}


@dataclass(frozen=True)
class Making:
    """An archive to measure with: its name, what it holds, and what makes its files in a folder.

    ``channels`` is what ``sertag scan --channels`` is told.
    """

    name: str
    about: str
    make: Callable[[Path], None]
    channels: str = "mix"


def cases(*, full: bool) -> list[Making]:
    """What the benchmark measures in detail; with ``full`` in the sizes of real archives."""
    calls, talks, clips, hours, pieces = (856, 64, 10_000, 10, 30) if full else (72, 24, 1_500, 2, 8)
    telephone = "8 kHz mu-law WAV, two channels, 2 to 5 min"
    return [
        Making("calls", f"{telephone}, each speaks half the time", partial(_calls, calls), "split"),
        Making("talk", f"{telephone}, each speaks throughout", partial(_talks, talks), "split"),
        Making("clips", "16 kHz WAV of 2 s", partial(_clips, clips)),
        Making("long", f"one 16 kHz WAV of {hours} h", partial(_long, hours * 3_600)),
        Making("mp3", "44.1 kHz stereo MP3 of 2 min", partial(_interviews, pieces, 44_100, "MPEG_LAYER_III")),
        Making("opus", "48 kHz stereo Opus of 2 min", partial(_interviews, pieces, 48_000, "OPUS")),
    ]


def lengths() -> dict[float, Making]:
    """Ten hours of telephone audio in recordings of 1 s to 10 h, by their seconds."""
    names = {1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3_600: "1 h", 36_000: "10 h"}
    about = "8 kHz mu-law WAV, 10 h in all"
    return {seconds: Making(name, about, partial(_pieces, seconds)) for seconds, name in names.items()}


def sizes() -> dict[float, Making]:
    """Archives of telephone calls, by the hours of audio in their channels: 1 to 1,000."""
    counts = {hours: round(hours / _ROUND_HOURS * len(_CALL_SECONDS)) for hours in (1, 10, 100, 1_000)}
    return {
        hours: Making(f"{hours:,} h", "two-channel calls", partial(_calls, count), "split")
        for hours, count in counts.items()
    }


def channel_seconds(folder: Path, *, mixed: bool) -> tuple[int, float]:
    """How many recordings a folder holds, and how many seconds of audio their channels are in all."""
    infos = [soundfile.info(path) for path in folder.iterdir()]
    return len(infos), sum(info.duration * (1 if mixed else info.channels) for info in infos)


def make_calls(folder: Path, seconds: Sequence[int], count: int) -> None:
    """Makes telephone calls of some lengths, over and over until there are ``count``."""
    calls = (_conversation(number, length) for number, length in enumerate(seconds))
    _fill(folder, calls, count, _TELEPHONE, "ULAW")


def short_recording(folder: Path) -> Path:
    """Makes a recording of 2 s in a folder."""
    _clips(1, folder)
    return folder / "000000.wav"


@contextmanager
def scratch(wanted: int) -> Iterator[Path]:
    """A temporary folder that may grow to so many bytes.

    Raises:
        SertagError: ``disk_full`` where fewer are free.
    """
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < wanted:
        raise SertagError(
            "disk_full",
            f"{tempfile.gettempdir()}: {free / 1e9:.1f} GB are free and {wanted / 1e9:.1f} wanted;"
            " set the environment variable TMPDIR to a folder with more",
        )
    with tempfile.TemporaryDirectory(prefix="sertag-benchmark-") as folder:
        yield Path(folder)


@cache
def _voices() -> tuple[FloatArray, ...]:
    return tuple(voice(40.0, seed) for seed in range(6))


def _conversation(number: int, seconds: float) -> FloatArray:
    """Two of the voices in a call, a channel each, shape ``(samples, 2)``."""
    pairs = list(itertools.combinations(_voices(), 2))
    return call(seconds, pairs[number % len(pairs)], number)


def _calls(count: int, folder: Path) -> None:
    make_calls(folder, _CALL_SECONDS, count)


def _talks(count: int, folder: Path) -> None:
    pairs = itertools.combinations(_voices(), 2)
    talks = (
        np.resize(np.stack(pair, axis=1), (seconds * RATE, 2))
        for pair, seconds in zip(pairs, _CALL_SECONDS, strict=False)
    )
    _fill(folder, talks, count, _TELEPHONE, "ULAW")


def _clips(count: int, folder: Path) -> None:
    talk = np.concatenate(_voices())[:, None]
    _fill(folder, np.split(talk, len(talk) // (2 * RATE)), count, RATE, "PCM_16")


def _pieces(seconds: int, folder: Path) -> None:
    channel = _conversation(0, _TALK_SECONDS)[:, :1]
    pieces = np.split(channel, max(1, _TALK_SECONDS // seconds))
    _fill(folder, pieces, _PIECES_SECONDS // seconds, _TELEPHONE, "ULAW", seconds)


def _long(seconds: int, folder: Path) -> None:
    interview = _conversation(0, _TALK_SECONDS).mean(axis=1, keepdims=True)
    _fill(folder, [interview], 1, RATE, "PCM_16", seconds)


def _interviews(count: int, rate: int, subtype: str, folder: Path) -> None:
    _fill(folder, [_conversation(0, 120.0)], count, rate, subtype)


def _fill(
    folder: Path,
    sounds: Iterable[FloatArray],
    count: int,
    rate: int,
    subtype: str,
    seconds: float | None = None,
) -> None:
    """Fills a folder with recordings of some sounds, of which those beyond the first are hard links.

    Args:
        folder: which is there.
        sounds: shape ``(samples, channels)`` at :data:`RATE`.
        count: how many recordings.
        rate: of the recordings, in Hz.
        subtype: libsndfile's name of their codec.
        seconds: how long they are; the sounds are repeated as needed. As the sounds where None.
    """
    suffix = _SUFFIXES.get(subtype, ".wav")
    written = []
    for number, sound in enumerate(itertools.islice(sounds, count)):
        path = folder / f"{number:06d}{suffix}"
        samples = soxr.resample(sound, RATE, rate)
        left = len(samples) if seconds is None else round(seconds * rate)
        with soundfile.SoundFile(path, "w", rate, samples.shape[1], subtype, format=_FORMATS[suffix]) as file:
            while left:
                # In parts, as the encoders of libsndfile keep what they are given on the stack.
                for at in range(0, min(left, len(samples)), rate):
                    file.write(samples[at : min(at + rate, left)])
                left -= min(left, len(samples))
        written.append(path)
    for number in range(len(written), count):
        (folder / f"{number:06d}{suffix}").hardlink_to(written[number % len(written)])
