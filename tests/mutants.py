"""Files damaged by chance, the same for the same number, and a process that tries them.

``python mutants.py audio|model FIRST LAST`` prints a JSON line before and after each: what kills the process
is known by its number.
"""

from __future__ import annotations

import io
import json
import math
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sertag import Tagger
from sertag.errors import ModelError, RecordingError, SertagError, UsageError
from sertag.model import SHIPPED
from sertag.timeline import Timeline
from sertag.types import FloatArray

from conftest import voice

PATIENCE = 20
"""Seconds after which a file counts as one that hangs."""
CODES = {"empty", "not_audio", "unsupported_codec", "unsupported_rate", "decode_failed"}

_UNWRITABLE = {"RAW", "SD2"}
"""Formats without a header, or of two files."""
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_VALUES: tuple[object, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        7,
        1_000,
        10**9,
        2**31,
        2**63,
        10**30,
        10**400,
        0.5,
        -0.5,
        1e-300,
        1e300,
    ),
    *(math.nan, math.inf, -math.inf, "", "x", "16000", "angry", [], {}, [[]], [0], [math.nan], {"mean": 1}),
)

Random = np.random.Generator


def audio_mutant(number: int) -> tuple[str, bytes]:
    """What it is, and the content of a damaged recording."""
    originals = _recordings()
    random = np.random.default_rng(number)
    format, content = originals[number % len(originals)]
    damaged = bytearray(content)
    kinds = []
    for _ in range(int(random.integers(1, 4))):
        kind = _DAMAGES[int(random.integers(len(_DAMAGES)))]
        kind(damaged, random)
        kinds.append(kind.__name__.strip("_"))
    return f"{format} {'+'.join(kinds)}", bytes(damaged)


def model_mutant(number: int) -> tuple[str, bytes]:
    """What it is, and the content of a damaged model file."""
    random = np.random.default_rng(number)
    content = (SHIPPED / "default.tflite").read_bytes()
    damaged = bytearray(content)
    match number % 5:
        case 0:
            _flip(damaged, random)
            return "flipped bytes", bytes(damaged)
        case 1:
            tail = damaged[-6_000:]
            _DAMAGES[int(random.integers(len(_DAMAGES)))](tail, random)
            return "damaged tail", bytes(damaged[:-6_000] + tail)
        case 2:
            _cut(damaged, random)
            return "cut", bytes(damaged)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        document = json.loads(archive.read("sertag.json"))
    file = io.BytesIO()
    file.write(content[: document["network"]["bytes"]])
    place, value = _replace(document, random)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("sertag.json", json.dumps(document))
    return f"{place} = {str(value)[:20]}", file.getvalue()


@cache
def _recordings() -> list[tuple[str, bytes]]:
    """A recording in every format that libsndfile writes."""
    out = []
    for format in soundfile.available_formats():
        for subtype in soundfile.available_subtypes(format):
            # The first rate that the codec takes.
            for rate in (16_000, 8_000) if format not in _UNWRITABLE else ():
                file = io.BytesIO()
                try:
                    soundfile.write(file, _speech(rate), rate, subtype=subtype, format=format)
                except soundfile.LibsndfileError:
                    continue
                out.append((f"{format} {subtype}", file.getvalue()))
                break
    return out


@cache
def _speech(rate: int) -> FloatArray:
    return voice(1.5, rate=rate)


def _place(content: bytearray, random: Random) -> int:
    """Anywhere, half of the time in what is likely the header."""
    end = len(content) if random.random() < 0.5 else min(len(content), 200)
    return int(random.integers(max(1, end)))


def _flip(content: bytearray, random: Random) -> None:
    for _ in range(int(random.integers(1, 20))):
        if content:
            content[_place(content, random)] ^= int(random.integers(1, 256))


def _cut(content: bytearray, random: Random) -> None:
    del content[_place(content, random) :]


def _insert(content: bytearray, random: Random) -> None:
    at = _place(content, random)
    content[at:at] = random.bytes(int(random.integers(1, 500)))


def _erase(content: bytearray, random: Random) -> None:
    at = _place(content, random)
    length = min(int(random.integers(1, 3_000)), len(content) - at)
    content[at : at + length] = bytes([int(random.choice([0, 0xFF]))]) * max(0, length)


def _number(content: bytearray, random: Random) -> None:
    at = min(_place(content, random), max(0, len(content) - 8))
    width = int(random.choice([1, 2, 4]))
    value = _NUMBERS[int(random.integers(len(_NUMBERS)))] % 256**width
    content[at : at + width] = value.to_bytes(width, "little" if random.random() < 0.5 else "big")


def _behead(content: bytearray, random: Random) -> None:
    _, other = _recordings()[int(random.integers(len(_recordings())))]
    length = int(random.integers(4, 100))
    content[:length] = other[:length]


_DAMAGES = (_flip, _cut, _insert, _erase, _number, _behead)


def _replace(document: dict[str, Any], random: Random) -> tuple[str, object]:
    """Puts another value in some place of a JSON document."""
    at: Any = document
    place = ""
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = keys[int(random.integers(len(keys)))]
        place += f".{key}"
        inner = at[key]
        if place == ".about" or not isinstance(inner, dict | list) or not inner or random.random() < 0.2:
            break
        at = inner
    value = _VALUES[int(random.integers(len(_VALUES)))]
    if random.random() < 0.1:
        del at[key]
        return place, "nothing"
    at[key] = value
    return place, value


def _valid(timeline: Timeline) -> str:
    """``result``, where all numbers are finite."""
    for channel in timeline.channels:
        for window in channel.windows:
            numbers = (window.start, window.end, window.speech, window.level, *(window.probabilities or ()))
            assert all(map(math.isfinite, numbers)), window
    assert math.isfinite(timeline.duration)
    return "result"


def _told(error: SertagError) -> str:
    """The code of an error, where its message is one line."""
    return error.code if error.message.isprintable() else f"unprintable: {error.message!r}"


def _try_audio(content: bytes, path: Path, tagger: Tagger) -> str:
    path.write_bytes(content)
    try:
        return _valid(tagger.tag(path))
    except RecordingError as error:
        return _told(error)


def _try_model(content: bytes, path: Path, recording: Path) -> str:
    path.write_bytes(content)
    try:
        return _valid(Tagger(str(path)).tag(recording))
    except (ModelError, UsageError) as error:
        return _told(error)


def _outcomes(kind: str, first: int, last: int) -> Iterator[dict[str, object]]:
    tagger = Tagger(channels="split") if kind == "audio" else None
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder, "voice.wav")
        soundfile.write(recording, voice(5.0), 16_000)
        for number in range(first, last):
            what, content = audio_mutant(number) if tagger else model_mutant(number)
            yield {"number": number, "what": what}
            # Its default ends the process, even from within C.
            signal.alarm(PATIENCE)
            began = time.monotonic()
            try:
                if tagger:
                    outcome = _try_audio(content, Path(folder, "mutant"), tagger)
                else:
                    outcome = _try_model(content, Path(folder, "mutant.tflite"), recording)
            except Exception as error:
                outcome = f"{type(error).__name__}: {error}"
            signal.alarm(0)
            seconds = round(time.monotonic() - began, 3)
            yield {"number": number, "what": what, "outcome": outcome, "seconds": seconds}


if __name__ == "__main__":
    for line in _outcomes(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])):
        print(json.dumps(line), flush=True)
