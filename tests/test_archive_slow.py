"""The long trials of an archive. They take minutes each: ``pytest -m slow tests/test_archive_slow.py``.

Recordings are synthetic; where the environment variable ``SERTAG_RECORDINGS`` names a folder, they are
made from the recordings in there.
"""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertag import Tagger
from sertag.archive import fingerprint, run_of
from sertag.audio import AudioReader
from sertag.discovery import find_recordings
from sertag.journal import Journal
from sertag.results import encode
from sertag.types import FloatArray

from conftest import SERTAG, voice, write

pytestmark = pytest.mark.slow
OUTPUTS = ("r.csv", "r.jsonl", "summary.csv")
SCAN = [str(SERTAG), "scan", "calls", "--out", "r.csv", "--out", "r.jsonl", "--summary", "summary.csv"]


def sounds(count: int) -> list[FloatArray]:
    """Different voices at 8 kHz."""
    folder = os.environ.get("SERTAG_RECORDINGS")
    if not folder:
        return [voice(2.0 + seed % 5, rate=8_000, seed=seed) for seed in range(count)]
    found = sorted(
        path for path in Path(folder).rglob("*") if path.suffix in (".wav", ".opus", ".ogg", ".flac")
    )
    chosen = random.Random(1).sample(found, min(count, len(found)))
    out = []
    for path in chosen:
        with AudioReader(str(path)) as reader:
            out.append(np.concatenate(list(reader.blocks(8_000, mix=True)))[:, 0])
    return out


def make_archive(folder: Path, count: int) -> None:
    """Recordings in 50 folders, one in a hundred of them broken."""
    base = sounds(min(count, 1_000))
    for number in range(count):
        path = folder / f"calls/{number % 50:02d}/{number:06d}.wav"
        if number % 100 == 99:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(random.Random(number).randbytes(number % 7 * 50))
        else:
            sound = np.roll(base[number % len(base)], number)
            write(path, sound, 8_000, subtype="ULAW")


def finished(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (*OUTPUTS, "r.csv.failures.csv")}


def test_killed_twenty_times_the_outputs_are_the_same(tmp_path: Path) -> None:
    make_archive(tmp_path, 5_000)
    started = time.monotonic()
    assert subprocess.run(SCAN, cwd=tmp_path, check=False).returncode == 3
    undisturbed_seconds = time.monotonic() - started
    expected = finished(tmp_path)
    for name in expected:
        (tmp_path / name).unlink()
    luck = random.Random(7)
    kills = 0
    while True:
        process = subprocess.Popen(SCAN, cwd=tmp_path, start_new_session=True)
        try:
            if kills < 20:
                process.wait(luck.uniform(0.2, 0.2 + undisturbed_seconds / 8))
            assert process.wait() == 3
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    assert finished(tmp_path) == expected
    assert sorted(os.listdir(tmp_path)) == sorted(["calls", *expected])
    print(f"undisturbed {undisturbed_seconds:.1f} s; killed {kills} times")
    assert kills >= 15


def test_a_worker_killed_every_two_seconds(tmp_path: Path) -> None:
    make_archive(tmp_path, 5_000)
    process = subprocess.Popen([*SCAN, "--workers", "2"], cwd=tmp_path)
    kills = 0
    while process.poll() is None:
        time.sleep(2.0)
        try:
            workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(random.choice(workers)), signal.SIGKILL)
            kills += 1
        except (OSError, IndexError):
            pass
    assert process.returncode == 3
    objects = [json.loads(line) for line in (tmp_path / "r.jsonl").open()]
    assert len(objects) == 5_000
    codes = [line["error"]["code"] for line in objects if "error" in line]
    print(f"{kills} kills; worker_died: {codes.count('worker_died')}")
    assert kills >= 3
    assert len(codes) - codes.count("worker_died") == 50


def peak_megabytes(command: list[str], folder: Path) -> tuple[int, float, float]:
    """Exit status, seconds, and the largest sum of the resident memory of all its processes."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        total = 0
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for pid in (process.pid, *children):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(text.split("Pss:")[1].split()[0])
        except (OSError, IndexError):
            pass
        peak = max(peak, total / 1024)
        time.sleep(0.1)
    return process.returncode, time.monotonic() - started, peak


def test_a_day_of_two_channels(tmp_path: Path) -> None:
    minutes = np.concatenate([voice(30.0, rate=8_000, seed=1), np.zeros(240_000, dtype=np.float32)])
    minute = np.stack([minutes, np.roll(minutes, 240_000)], axis=1)
    (tmp_path / "calls").mkdir()
    with soundfile.SoundFile(tmp_path / "calls/day.wav", "w", 8_000, 2, "ULAW") as file:
        for _ in range(24 * 60):
            file.write(minute)
    status, seconds, peak = peak_megabytes([*SCAN, "--channels", "split"], tmp_path)
    print(f"24 h of two channels: {seconds:.0f} s, {peak:.0f} MB in all processes")
    assert status == 0
    with (tmp_path / "r.csv").open() as table:
        assert sum(1 for _ in table) == 1 + 2 * (24 * 2_400 - 1)
    assert peak < 400


def test_memory_does_not_grow_with_the_count(tmp_path: Path) -> None:
    sound = voice(1.0, rate=8_000)
    content = write(tmp_path / "sound.wav", sound, 8_000, subtype="ULAW").read_bytes()
    peaks = {}
    for count in (5_000, 200_000):
        folder = tmp_path / str(count)
        (folder / "calls").mkdir(parents=True)
        for number in range(count):
            (folder / f"calls/{number:06d}.wav").write_bytes(content)
        status, seconds, peaks[count] = peak_megabytes([*SCAN, "-q"], folder)
        assert status == 0
        print(f"{count} recordings: {seconds:.0f} s, {peaks[count]:.0f} MB in all processes")
        with (folder / "summary.csv").open() as table:
            assert sum(1 for _ in csv.reader(table)) == count + 1
    assert peaks[200_000] - peaks[5_000] < 30


def test_going_on_with_one_of_100_000_left(tmp_path: Path) -> None:
    sound = write(tmp_path / "sound.wav", voice(1.0, rate=8_000), 8_000, subtype="ULAW")
    content, moment = sound.read_bytes(), (1.7e9, 1.7e9)
    os.utime(sound, moment)
    (tmp_path / "calls").mkdir()
    names = [f"{number:06d}.wav" for number in range(100_000)]
    for name in names:
        (tmp_path / "calls" / name).write_bytes(content)
        os.utime(tmp_path / "calls" / name, moment)
    tagger = Tagger()
    run, timeline = run_of(tagger), tagger.tag(sound)
    settings = {**fingerprint(run, tagger, [str(tmp_path / "calls")]), "update": False}
    with Journal(tmp_path / "r.csv.journal", settings) as journal:
        for position, recording in enumerate(find_recordings([str(tmp_path / "calls")])):
            if position != 50_000:
                payload = encode(replace(timeline, file=recording.name))
                journal.put(position, recording, payload, failed=False, seconds=timeline.duration)
    size = sum(path.stat().st_size for path in tmp_path.glob("r.csv.journal*"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(SCAN, cwd=tmp_path, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"99,999 of 100,000 done before, in {size / 1e6:.0f} MB: {seconds:.1f} s of one processor")
    assert "Tagged 100,000 of 100,000 recordings" in done.stderr
    assert "; 99,999 were done before" in done.stderr
    for name in OUTPUTS:
        with (tmp_path / name).open() as lines:
            if name != "r.jsonl":
                assert next(lines).startswith("file,")
            first = next(lines)
            assert names[0] in first
            assert all(
                line == first.replace(names[0], its) for its, line in zip(names[1:], lines, strict=True)
            )
