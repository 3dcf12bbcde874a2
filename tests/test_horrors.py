from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import SERTAG, voice, write
from horrors import Fate, make_horrors

PEAK = 400_000
"""Most memory of the command, in KiB."""

# A child's peak is told apart from its parent's only by a parent that is small itself.
MEASURED = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


def run(*arguments: str | Path, folder: Path) -> tuple[subprocess.CompletedProcess[bytes], int]:
    """Runs ``sertag`` as a user who is bound by permissions; what came of it, and its peak memory in KiB."""
    unprivileged: list[str] = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may read everything, and setpriv is not installed")
        powers = "-dac_override,-dac_read_search"
        unprivileged = ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}", "--"]
    peak = folder / "peak"
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(peak), *unprivileged, str(SERTAG), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        timeout=1_800,
        check=False,
    )
    return done, int(peak.read_text())


def check(folder: Path, fates: dict[str, Fate]) -> None:
    done, peak = run("scan", "horrors", "--out", "out.csv", "--out", "out.jsonl", folder=folder)
    assert done.returncode == 3, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert peak < PEAK

    objects = {each["file"]: each for each in map(json.loads, (folder / "out.jsonl").open(encoding="utf-8"))}
    assert sorted(objects) == sorted(fates)
    codes = {name: each["error"]["code"] for name, each in objects.items() if "error" in each}
    assert codes == {name: fate.code for name, fate in fates.items() if fate.code}
    failures = csv.DictReader(
        io.StringIO((folder / "out.csv.failures.csv").read_bytes().decode(), newline="")
    )
    told = {row["file"]: (row["code"], row["message"]) for row in failures}
    assert {name: code for name, (code, _) in told.items()} == codes
    assert not any("\n" in message for _, message in told.values())
    # As a spreadsheet or pandas would: quoted names keep their line breaks.
    rows = list(csv.DictReader(io.StringIO((folder / "out.csv").read_bytes().decode(), newline="")))
    assert {row["file"] for row in rows} == set(fates) - set(codes)
    tally = f"Tagged {len(fates) - len(codes)} of {len(fates)} recordings"
    assert tally in done.stderr.decode()

    for name, fate in fates.items():
        if fate.code:
            continue
        document = objects[name]
        if fate.seconds is not None:
            assert document["duration"] == pytest.approx(fate.seconds, abs=0.01), name
        assert len(document["warnings"]) == bool(fate.warning), (name, document["warnings"])
        assert all(warning.startswith(fate.warning) for warning in document["warnings"])
        timeline = [window for channel in document["channels"] for window in channel["timeline"]]
        assert timeline, name
        if fate.emotion:
            assert {window["emotion"] for window in timeline} == {fate.emotion}, name


def test_a_folder_of_horrors(tmp_path: Path) -> None:
    check(tmp_path, make_horrors(tmp_path / "horrors", long_seconds=3_600))


@pytest.mark.slow
def test_a_day_of_silence_among_horrors(tmp_path: Path) -> None:
    check(tmp_path, make_horrors(tmp_path / "horrors", long_seconds=86_400))


def test_names_are_arguments_too(tmp_path: Path) -> None:
    fates = make_horrors(tmp_path / "horrors", long_seconds=60)
    wanted = [
        name for name in os.listdir(os.fsencode(tmp_path / "horrors")) if b"\xff" in name or b"=" in name
    ]
    for name in [*wanted, b"-rf.wav"]:
        done, _ = run("scan", "--", os.fsdecode(name), folder=tmp_path / "horrors")
        assert done.returncode == 0, done.stderr.decode()
        document = json.loads(done.stdout)
        assert document["file"] in fates


def test_recordings_vanish_and_grow_meanwhile(tmp_path: Path) -> None:
    content = write(tmp_path / "sound.wav", np.tile(voice(30.0), 2)).read_bytes()
    (tmp_path / "calls").mkdir()
    names = [f"{number:02d}.wav" for number in range(40)]
    for name in names:
        (tmp_path / "calls" / name).write_bytes(content)
    process = subprocess.Popen(
        [SERTAG, "scan", "calls", "--out", "r.csv", "--out", "r.jsonl", "--workers", "1", "--log", "log"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = tmp_path / "log"
    while not (log.exists() and "tagged" in log.read_text()):
        time.sleep(0.005)
    for name in names[-5:]:
        (tmp_path / "calls" / name).unlink()
    grown = 0
    while process.poll() is None:
        with (tmp_path / "calls" / names[grown % 35]).open("ab") as file:
            file.write(content[44:4_000])
        grown += 1
        time.sleep(0.001)
    assert process.stderr
    errors = process.stderr.read()
    assert process.wait() == 3
    assert "Traceback" not in errors
    assert "Tagged 35 of 40 recordings" in errors
    objects = [json.loads(line) for line in (tmp_path / "r.jsonl").open()]
    assert [each["file"] for each in objects] == names
    assert [each["error"]["code"] for each in objects if "error" in each] == ["vanished"] * 5
    assert grown > 40


def test_a_small_disk_fills(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path / f"calls/{number}.wav", np.tile(voice(30.0, seed=number), 4))
    (tmp_path / "small").mkdir()
    scan = f"'{SERTAG}' scan calls --hop 0.1 --out small/r.csv --out small/r.jsonl"
    # A mount of one's own, which goes with the command.
    inside = f"mount -t tmpfs -o size=256k none small || exit 99; {scan}; echo status $?; ls -a small"
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "bash", "-c", inside],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("this system lets nobody mount a disk of their own")
    assert "status 1" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("sertag: small/")
    assert "cannot be written" in line
    assert set(done.stdout.split()[2:]) <= {".", "..", "r.csv.journal", "r.csv.journal.parts"}
