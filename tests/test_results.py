from __future__ import annotations

import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made import LABELS, RUN, made_timeline

from sertag import Tagger
from sertag.archive import run_of
from sertag.results import decode, encode, usual_text
from sertag.summary import Record
from sertag.timeline import Failure, Timeline

from conftest import SAMPLES, voice, write


@pytest.mark.parametrize("options", [{}, {"channels": "split", "hop": 0.5, "min_confidence": 0.6}])
@pytest.mark.parametrize("sample", ["parcel-call.wav", "voice-memo.flac"])
def test_a_tagged_recording_comes_back_as_it_was(sample: str, options: dict[str, object]) -> None:
    tagger = Tagger(**options)  # type: ignore[arg-type]
    timeline = tagger.tag(SAMPLES / sample)
    found = decode(encode(timeline), run_of(tagger))
    assert found == Record.of(timeline)
    assert repr(found) == repr(Record.of(timeline))


def test_odd_recordings_come_back_as_they_were(tmp_path: Path) -> None:
    tagger = Tagger()
    sounds = (np.zeros(1), np.zeros(160_000), np.ones(44_101), 30 * voice(3.7))
    for number, sound in enumerate(sounds):
        path = write(tmp_path / f"{number}.wav", sound.astype(np.float32), 16_000, subtype="FLOAT")
        timeline = tagger.tag(path)
        assert decode(encode(timeline), run_of(tagger)) == Record.of(timeline)


@pytest.mark.parametrize("counts", [(0,), (1,), (2, 3), (0, 1), (2_500,), (1_000, 999)])
def test_timelines_of_all_lengths(counts: tuple[int, ...]) -> None:
    timeline = made_timeline(*counts, file='ü "\n\\xff.wav', warnings=("cut off", "ü"))
    assert decode(encode(timeline), RUN) == Record.of(timeline)
    assert encode(timeline) == encode(timeline)


def test_months_of_sound() -> None:
    timeline = made_timeline(6_000)
    channel = timeline.channels[0]
    start = channel.windows.start / 1.5 * 1_000
    windows = replace(channel.windows, start=start, end=start + 3.0)
    longer = replace(timeline, duration=6e6, hop=1e3, channels=(replace(channel, windows=windows),))
    assert decode(encode(longer), replace(RUN, hop=1e3)) == Record.of(longer)


def test_a_failure_comes_back_as_it_was() -> None:
    failure = Failure("a\udcff\n.wav", "not_audio", "is not audio — at all")
    assert decode(encode(failure), RUN) == failure


@pytest.mark.parametrize("result", [made_timeline(3, 3), Failure("a.wav", "empty", "has 0 bytes")])
def test_damage_is_noticed(result: Timeline | Failure) -> None:
    payload = encode(result)
    for bad in (*(payload[:length] for length in range(len(payload))), payload + b"\0", b"\1" + payload[1:]):
        with pytest.raises(ValueError, match="result"):
            decode(bad, RUN)
    unnoticed = 0
    for position in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[position // 8] ^= 1 << position % 8
        try:
            found = decode(bytes(flipped), RUN)
        except ValueError:
            continue
        # Some bits before the stream's checksum are there to fill a byte.
        assert found == (result if isinstance(result, Failure) else Record.of(result))
        unnoticed += 1
    assert unnoticed < 8


def test_what_is_no_result_is_a_value_error_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    body = zlib.decompressobj(zdict=usual_text(LABELS)).decompress(encode(made_timeline(2))[1:])
    outcomes = set()
    for _ in range(2_000):
        mutated = bytearray(body)
        at, length = rng.integers(len(body)), rng.integers(1, 8)
        mutated[at : at + length] = rng.bytes(int(rng.integers(0, 8)))
        try:
            decode(b"\2" + zlib.compress(bytes(mutated)), RUN)
        except ValueError:
            outcomes.add("refused")
        else:
            outcomes.add("read")
    # A number may become another one; only the stream's checksum tells.
    assert outcomes == {"refused", "read"}


def test_another_run_is_noticed() -> None:
    other = replace(RUN, labels=("angry", "sad"), valence=(-1, -1))
    with pytest.raises(ValueError, match="result"):
        decode(encode(made_timeline(5)), other)


def test_payloads_are_small_and_quick() -> None:
    tagger = Tagger()
    run = run_of(tagger)
    timeline = tagger.tag(SAMPLES / "voice-memo.flac")
    channel = timeline.channels[0]
    short = replace(timeline, duration=3.0, channels=(replace(channel, windows=channel.windows[:1]),))
    assert len(encode(short)) < 200
    long = made_timeline(10_000)
    assert len(encode(long)) < 20 * 10_000
    payload = encode(short)
    assert isinstance(decode(payload, run), Record)
    began = time.perf_counter()
    for _ in range(1_000):
        decode(payload, run)
    assert time.perf_counter() - began < 0.3


def test_a_window_takes_less_than_a_hundred_bytes() -> None:
    timeline = made_timeline(100_000)
    arrays = timeline.channels[0].windows.arrays
    assert sum(array.nbytes for array in arrays) < 100 * 100_000
    found = decode(encode(timeline), RUN)
    assert isinstance(found, Record)
    assert isinstance(found.timeline, Timeline)
    assert found.timeline == timeline
