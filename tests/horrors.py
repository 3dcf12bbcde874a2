"""A folder of everything that an archive should not hold, and what is to come of each."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from sertag.types import FloatArray

from conftest import voice, write


@dataclass(frozen=True)
class Fate:
    """What is to come of a file: a failure with a code, or a timeline of some seconds.

    ``warning`` is what the only warning begins with; empty where there is to be none. ``emotion`` is the one
    of all windows, where that is known.
    """

    code: str | None = None
    seconds: float | None = None
    warning: str = ""
    emotion: str | None = None


def make_horrors(folder: Path, *, long_seconds: int) -> dict[str, Fate]:
    """Fills a folder, and says what is to come of each recording by its name in the outputs."""
    folder.mkdir()
    return (
        _no_audio(folder)
        | _broken_headers(folder)
        | _cut(folder)
        | _odd_samples(folder)
        | _no_files(folder)
        | _odd_names(folder)
        | {"long.flac": _long_silence(folder / "long.flac", long_seconds)}
    )


def _no_audio(folder: Path) -> dict[str, Fate]:
    contents = {
        "nothing.wav": (b"", "empty"),
        "text.wav": (b"Dear diary, today I was a recording.\n" * 99, "not_audio"),
        "random.mp3": (np.random.default_rng(0).bytes(50_000), "not_audio"),
        "phone.m4a": (b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(2_000), "unsupported_codec"),
        "phone.amr": (b"#!AMR\n" + bytes(2_000), "unsupported_codec"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    return {name: Fate(code) for name, (_, code) in contents.items()}


def _broken_headers(folder: Path) -> dict[str, Fate]:
    content = write(folder / "claims-4-gb.wav", voice(4.0)).read_bytes()
    at = content.index(b"data") + 4

    def patched(offset: int, value: bytes) -> bytes:
        return content[:offset] + value + content[offset + len(value) :]

    (folder / "claims-4-gb.wav").write_bytes(patched(at, b"\xff" * 4))
    (folder / "unfinished.wav").write_bytes(patched(at, bytes(4)))
    (folder / "no-rate.wav").write_bytes(patched(24, bytes(4)))
    (folder / "no-channels.wav").write_bytes(patched(22, bytes(2)))
    (folder / "65535-channels.wav").write_bytes(patched(22, b"\xff" * 2))
    (folder / "header-only.wav").write_bytes(content[:at] + bytes(4))
    write(folder / "1-hz.wav", voice(1.0), 1)
    return {
        "claims-4-gb.wav": Fate(seconds=4.0),
        "unfinished.wav": Fate(seconds=4.0, warning="was never finished"),
        "no-rate.wav": Fate("decode_failed"),
        "no-channels.wav": Fate("decode_failed"),
        "65535-channels.wav": Fate("decode_failed"),
        "header-only.wav": Fate("empty"),
        "1-hz.wav": Fate("unsupported_rate"),
    }


def _cut(folder: Path) -> dict[str, Fate]:
    write(folder / "cut.wav", voice(10.0))
    write(folder / "cut.flac", voice(10.0))
    soundfile.write(folder / "cut.opus", voice(10.0), 16_000, format="OGG", subtype="OPUS")
    for name in ("cut.wav", "cut.flac", "cut.opus"):
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    return {
        "cut.wav": Fate(seconds=6.67, warning="is cut off: holds 6.7 s of 10.0 s"),
        "cut.flac": Fate(warning="decoding stopped after "),
        "cut.opus": Fate(warning="is cut off: breaks off after "),
    }


def _odd_samples(folder: Path) -> dict[str, Fate]:
    time = np.arange(16_000 * 5) / 16_000
    not_numbers, infinite = voice(5.0), voice(5.0)
    not_numbers[::7] = np.nan
    infinite[::7], infinite[1::7] = np.inf, -np.inf
    square = np.sign(np.sin(2 * np.pi * 150 * time)).astype(np.float32)
    many = np.random.default_rng(0).normal(0, 0.1, (8_000, 1_024)).astype(np.float32)
    recordings: dict[str, tuple[FloatArray, int, str]] = {
        "one-sample.wav": (np.ones(1, dtype=np.float32), 16_000, "PCM_16"),
        "not-numbers.wav": (not_numbers, 16_000, "FLOAT"),
        "infinite.wav": (infinite, 16_000, "FLOAT"),
        "all-infinite.wav": (np.full(80_000, np.inf, dtype=np.float32), 16_000, "FLOAT"),
        "beyond-measure.wav": (voice(5.0) * np.float32(1e30), 16_000, "FLOAT"),
        "silence.wav": (np.zeros(80_000, dtype=np.float32), 16_000, "PCM_16"),
        "square.wav": (square, 16_000, "PCM_16"),
        "64-channels.wav": (np.stack([voice(3.0)] * 64, axis=1), 16_000, "PCM_16"),
        "1024-channels.wav": (many, 16_000, "PCM_16"),
        "768-khz.wav": (voice(2.0, rate=768_000), 768_000, "PCM_16"),
    }
    for name, (samples, rate, subtype) in recordings.items():
        write(folder / name, samples, rate, subtype=subtype)
    soundless = ("one-sample.wav", "all-infinite.wav", "silence.wav")
    return {
        name: Fate(seconds=len(samples) / rate, emotion="no_speech" if name in soundless else None)
        for name, (samples, rate, _) in recordings.items()
    }


def _no_files(folder: Path) -> dict[str, Fate]:
    os.mkfifo(folder / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as listener:
        # Its own name has to be short.
        here = os.open(folder, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/socket.wav")
        os.close(here)
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "nowhere.wav").symlink_to("not-there.wav")
    (folder / "again").symlink_to(".", target_is_directory=True)
    write(folder / "secret.wav", voice(1.0)).chmod(0)
    (folder / "secrets").mkdir(mode=0)
    return {
        "pipe.wav": Fate("not_audio"),
        "socket.wav": Fate("not_audio"),
        "loop.wav": Fate("vanished"),
        "nowhere.wav": Fate("vanished"),
        "secret.wav": Fate("no_permission"),
        "secrets": Fate("no_permission"),
    }


def _odd_names(folder: Path) -> dict[str, Fate]:
    names = [
        b"two\nlines.wav",
        b"car\rriage.wav",
        b"tab\t and \x07 bell.wav",
        b"\"quoted\", 'quoted'.wav",
        b"-rf.wav",
        b"=1+1.wav",
        b"@SUM(A1).wav",
        b"<b>&amp;.wav",
        b"*?[a-z].wav",
        b" leading and trailing .wav",
        "\N{MICROPHONE}\N{ZERO WIDTH JOINER}\N{RIGHT-TO-LEFT OVERRIDE}vaw.wav".encode(),
        b"caf\xe9 \xff\xfe.wav",
        b"long" * 61 + b"er.wav",
    ]
    assert max(map(len, names)) == 250
    for name in names:
        path = os.path.join(os.fsencode(folder), name)
        soundfile.write(path, voice(1.0), 16_000, format="WAV")
    return {name.decode("utf-8", "backslashreplace"): Fate(seconds=1.0) for name in names}


def _long_silence(path: Path, seconds: int) -> Fate:
    """Digital silence, which takes FLAC a few bytes a second."""
    block = np.zeros(8_000 * 60, dtype=np.int16)
    with soundfile.SoundFile(path, "w", 8_000, 1, "PCM_16") as file:
        for _ in range(seconds // 60):
            file.write(block)
    return Fate(seconds=seconds, emotion="no_speech")
