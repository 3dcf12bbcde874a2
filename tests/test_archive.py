"""Runs over many recordings: cut off, killed, continued, added to."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import SERTAG, Cli, voice, write, write_endless

OUTPUTS = ("r.csv", "r.jsonl", "r.json", "r.csv.gz", "summary.csv")
ARGUMENTS = [
    *("scan", "calls", "--channels", "split", "--summary", "summary.csv"),
    *(part for name in OUTPUTS[:4] for part in ("--out", name)),
]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 recordings, some of them broken, of one and of two channels, long ones first."""
    folder = tmp_path_factory.mktemp("archive") / "calls"
    for number in range(36):
        seconds = 240.0 if number < 3 else 2.0 + number % 7
        sound = np.tile(
            voice(min(seconds, 30.0), rate=8_000, seed=number), round(seconds / min(seconds, 30.0))
        )
        if number % 4 == 0:
            sound = np.stack([sound, np.roll(sound, 8_000)], axis=1)
        write(folder / f"{number % 5}/{number:02d}.wav", sound, 8_000, subtype="ULAW")
    (folder / "1/empty.wav").touch()
    (folder / "2/text.mp3").write_text("no audio\n" * 100)
    (folder / "3/cut.flac").write_bytes(os.urandom(3_000))
    (folder / "4/nothing.opus").write_bytes(b"OggS" + bytes(200))
    return folder


@pytest.fixture
def archive(calls: Path, tmp_path: Path) -> Path:
    """A folder of the test's own with the recordings in ``calls``."""
    shutil.copytree(calls, tmp_path / "calls")
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(calls: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run gives that nothing disturbs, by the file's name."""
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(calls, folder / "calls")
    done = subprocess.run(
        [SERTAG, *ARGUMENTS, "--workers", "1"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "Tagged 36 of 40 recordings" in done.stderr
    assert "4 failed, listed in r.csv.failures.csv" in done.stderr
    return results(folder)


def results(folder: Path) -> dict[str, bytes]:
    assert sorted(path.name for path in folder.iterdir()) == sorted(["calls", *OUTPUTS, "r.csv.failures.csv"])
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [SERTAG, *ARGUMENTS, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def start_endless(folder: Path, results: int) -> subprocess.Popen[str]:
    """A run that is not done before it is stopped, when it has that many results; the next one may end."""
    endless = write_endless(folder / "calls/endless.wav")
    process = start(folder, "--log", "log")
    wait_until(lambda: len(logged(folder, "tagged")) >= results)
    endless.unlink()
    (folder / "log").unlink()
    return process


def logged(folder: Path, message: str) -> list[dict[str, str]]:
    """The lines of a log, as far as they are written, that tell this."""
    path = folder / "log"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    found = [json.loads(line) for line in lines if line.endswith("\n")]
    return [line for line in found if message in line["message"]]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("workers", ["2", "3"])
def test_the_same_bytes_for_any_number_of_workers(
    archive: Path, undisturbed: dict[str, bytes], workers: str
) -> None:
    process = start(archive, "--workers", workers)
    _, errors = process.communicate(timeout=100)
    assert (process.returncode, "Traceback" in errors) == (3, False)
    assert results(archive) == undisturbed
    assert gzip.decompress(undisturbed["r.csv.gz"]) == undisturbed["r.csv"]


def test_killed_again_and_again_it_ends_the_same(archive: Path, undisturbed: dict[str, bytes]) -> None:
    luck = random.Random(1)
    endless = write_endless(archive / "calls/endless.wav")
    for _ in range(5):
        process = start(archive)
        wait_until((archive / "r.csv.journal.parts").exists)
        time.sleep(luck.uniform(0.0, 1.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    endless.unlink()
    # Nobody reads from it, so the run stands still when it opens this, the last of its files.
    stuck = archive / ".summary.csv.part"
    os.mkfifo(stuck)
    process = start(archive)
    wait_until((archive / ".r.csv.gz.part").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    stuck.unlink()
    process = start(archive)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 3, errors
    assert results(archive) == undisturbed


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_is_safe_and_the_same_command_goes_on(
    archive: Path, undisturbed: dict[str, bytes], times: int
) -> None:
    process = start_endless(archive, 5)
    pressed = time.monotonic()
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - pressed < 3
    assert process.returncode == 130
    (line,) = [line for line in errors.splitlines() if "interrupted" in line]
    assert line.startswith("sertag: interrupted; ")
    assert line.endswith("kept in r.csv.journal: the same command goes on from there")
    assert sorted(os.listdir(archive)) == ["calls", "r.csv.journal", "r.csv.journal.parts"]
    process = start(archive)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 3
    assert "were done before" in errors
    assert results(archive) == undisturbed


def test_killed_workers_are_replaced(archive: Path, undisturbed: dict[str, bytes]) -> None:
    process = start(archive, "--log", "calls/../calls/1/../../log")
    # Before, there are others than workers among its children.
    wait_until(lambda: logged(archive, "started"))
    killed = 0
    while process.poll() is None and killed < 2:
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        done = {line.get("recording") for line in logged(archive, "") if "elapsed" in line}
        # No recording is hit twice.
        if workers and {line.get("recording") for line in logged(archive, "lost")} <= {None} | done:
            # It may have ended by itself meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(workers[0]), signal.SIGKILL)
            killed += 1
            while process.poll() is None and len(logged(archive, "lost")) < killed:
                time.sleep(0.01)
    assert process.wait() == 3
    log = [json.loads(line) for line in (archive / "log").read_text().splitlines()]
    (archive / "log").unlink()
    assert results(archive) == undisturbed
    lost = sum("lost a worker process: SIGKILL" in line["message"] for line in log)
    assert 1 <= lost <= killed
    assert (log[0]["message"], log[-1]["message"]) == ("started", "finished")
    assert log[-1]["totals"] == {"found": 40, "tagged": 36, "failed": 4}
    assert {line["level"] for line in log} == {"info", "warning", "error"}
    assert {line["recording"] for line in log if line.get("code") == "empty"} == {"1/empty.wav"}


def test_changed_new_and_lost_recordings(archive: Path) -> None:
    process = start_endless(archive, 20)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    write(archive / "calls/0/00.wav", voice(3.0, seed=50))
    write(archive / "calls/0/new.wav", voice(3.0, seed=51))
    (archive / "calls/4/34.wav").unlink()
    shutil.copytree(archive / "calls", archive / "copy/calls")
    for folder in (archive, archive / "copy"):
        process = start(folder)
        process.communicate(timeout=100)
        assert process.returncode == 3
    expected = results(archive / "copy")
    shutil.rmtree(archive / "copy")
    assert results(archive) == expected


def test_other_settings_do_not_mix(archive: Path, cli: Cli) -> None:
    process = start_endless(archive, 5)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = cli(*ARGUMENTS, "--hop", "0.5")
    assert done.returncode == 2
    assert "r.csv.journal: was begun with other settings (hop 1.5 then, 0.5 now)" in done.stderr
    # Names are relative to the folders that are given.
    done = cli("scan", "calls/0", "--channels", "split", "--out", "r.csv")
    assert done.returncode == 2
    assert "r.csv.journal: was begun with other settings (folders " in done.stderr
    # Other outputs of the same results are no other settings.
    assert cli("scan", "calls", "--channels", "split", "--out", "r.csv", "-q").returncode == 3
    assert sorted(os.listdir(archive)) == ["calls", "r.csv", "r.csv.failures.csv"]
    assert cli(*ARGUMENTS, "--hop", "0.5").returncode == 2
    assert cli(*ARGUMENTS, "--hop", "0.5", "--overwrite").returncode == 3
    assert len(results(archive)) == 6


def test_finished_outputs_are_not_replaced_unasked(archive: Path, cli: Cli) -> None:
    (archive / "r.csv").write_text("mine")
    done = cli("scan", "calls/0", "--out", "r.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "sertag: r.csv: is there already; --overwrite starts anew, --update adds what it lacks\n"
    )
    assert (archive / "r.csv").read_text() == "mine"
    assert sorted(os.listdir(archive)) == ["calls", "r.csv"]
    assert cli("scan", "calls/0", "--out", "r.csv", "--overwrite").returncode == 0
    assert (archive / "r.csv").read_text().startswith("file,")


def test_update_adds_what_is_new(archive: Path, cli: Cli) -> None:
    command = ["scan", "calls", "--update", "--out", "r.csv", "--out", "r.jsonl.gz", "--summary", "s.csv"]
    shutil.move(archive / "calls/3", archive / "later")
    shutil.copytree(archive / "calls", archive / "first")
    assert cli(*command).returncode == 3
    before = {name: (archive / name).read_bytes() for name in ("r.csv", "s.csv", "r.csv.failures.csv")}
    again = cli(*command)
    assert "Tagged 0 of 0 recordings" in again.stderr
    assert {name: (archive / name).read_bytes() for name in before} == before
    shutil.move(archive / "later", archive / "calls/3")
    done = cli(*command, "-v")
    assert done.returncode == 3
    assert "Tagged 7 of 8 recordings" in done.stderr
    for name, content in before.items():
        assert (archive / name).read_bytes().startswith(content)
    lines = gzip.decompress((archive / "r.jsonl.gz").read_bytes()).decode().splitlines()
    names = [json.loads(line)["file"] for line in lines]
    assert len(names) == len(set(names)) == 40
    assert [name for name in names if name.startswith("3/")] == names[32:]
    tagged = [row["file"] for row in csv.DictReader((archive / "s.csv").open())]
    assert len(set(tagged)) == 36
    failures = [row["file"] for row in csv.DictReader((archive / "r.csv.failures.csv").open())]
    assert failures == ["1/empty.wav", "2/text.mp3", "4/nothing.opus", "3/cut.flac"]

    # One is mended, and failures are tried again.
    write(archive / "calls/1/empty.wav", voice(3.0))
    assert cli(*command).returncode == 0
    done = cli(*command, "--retry-failed")
    assert done.returncode == 3
    assert "Tagged 1 of 4 recordings" in done.stderr
    failures = [row["file"] for row in csv.DictReader((archive / "r.csv.failures.csv").open())]
    assert failures == ["2/text.mp3", "3/cut.flac", "4/nothing.opus"]
    objects = [
        json.loads(line) for line in gzip.decompress((archive / "r.jsonl.gz").read_bytes()).splitlines()
    ]
    assert len(objects) == 40
    assert {line["file"] for line in objects if "error" in line} == set(failures)
    assert (archive / "r.csv").read_bytes().startswith(before["r.csv"])
    assert not list(archive.glob("*.journal*"))


def test_outputs_that_differ_are_not_added_to_together(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "calls/a.wav", voice(2.0))
    assert cli("scan", "calls", "--out", "a.csv", "--out", "b.jsonl").returncode == 0
    write(tmp_path / "calls/b.wav", voice(2.0))
    assert cli("scan", "calls", "--update", "--out", "a.csv").returncode == 0
    before = {path.name: path.read_bytes() for path in tmp_path.glob("?.*")}
    for first, second in (("a.csv", "b.jsonl"), ("b.jsonl", "a.csv")):
        done = cli("scan", "calls", "--update", "--out", first, "--out", second)
        assert done.returncode == 2
        assert done.stderr.startswith(f"sertag: --update: {second} does not hold the recordings that {first}")
        assert {path.name: path.read_bytes() for path in tmp_path.glob("?.*")} == before
    assert cli("scan", "calls", "--update", "--out", "b.jsonl").returncode == 0
    both = cli("scan", "calls", "--update", "--out", "a.csv", "--out", "b.jsonl")
    assert "; 2 were done before" in both.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--out", "r.csv", "--hop", "0.5", "--model", "research"], "r.csv has other columns"),
        (["--out", "r.jsonl", "--hop", "0.5"], "r.jsonl is of another model or other settings"),
        (["--out", "r.csv", "--out", "new.csv"], "new.csv is not there, and r.csv is"),
        (["--out", "r.json"], "r.json cannot be added to; use .jsonl or .csv"),
        (["--out", "mine.jsonl"], "mine.jsonl cannot be added to: it holds a line that is not of sertag's"),
    ],
)
def test_update_refuses_what_does_not_fit(tmp_path: Path, cli: Cli, arguments: list[str], line: str) -> None:
    write(tmp_path / "calls/a.wav", voice(2.0))
    assert cli("scan", "calls", *(f"--out=r.{name}" for name in ("csv", "jsonl", "json"))).returncode == 0
    (tmp_path / "mine.jsonl").write_text('{"a": 1}\n')
    write(tmp_path / "calls/b.wav", voice(2.0))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    done = cli("scan", "calls", "--update", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"sertag: --update: {line}")
    shutil.rmtree(tmp_path / "calls")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_fail_fast_stops_and_goes_on(archive: Path, cli: Cli) -> None:
    command = ["scan", "calls", "--out", "r.csv", "--workers", "1"]
    done = cli(*command, "--fail-fast")
    assert done.returncode == 1
    assert (
        "1/empty.wav: has 0 bytes (empty); stopped at this first failure, as --fail-fast says" in done.stderr
    )
    assert done.stderr.endswith(" done and kept in r.csv.journal: the same command goes on from there\n")
    assert sorted(os.listdir(archive)) == ["calls", "r.csv.journal", "r.csv.journal.parts"]
    write(archive / "calls/1/empty.wav", voice(2.0))
    os.truncate(archive / "calls/2/text.mp3", 0)
    assert cli(*command).returncode == 3
    failures = [row["file"] for row in csv.DictReader((archive / "r.csv.failures.csv").open())]
    assert failures == ["2/text.mp3", "3/cut.flac", "4/nothing.opus"]


def test_results_on_standard_output_come_in_order(
    archive: Path, cli: Cli, undisturbed: dict[str, bytes]
) -> None:
    done = cli("scan", "calls", "--channels", "split", "--workers", "3")
    assert done.returncode == 3
    assert done.stdout == undisturbed["r.jsonl"].decode()
    done = cli("scan", "calls", "--channels", "split", "--summary", "s.csv", "--format", "csv", "-q")
    assert done.stdout == undisturbed["r.csv"].decode()
    assert (archive / "s.csv").read_bytes() == undisturbed["summary.csv"]


def test_a_full_disk_keeps_what_is_done(archive: Path, undisturbed: dict[str, bytes]) -> None:
    command = f"ulimit -f 12; exec '{SERTAG}' {' '.join(ARGUMENTS)}"
    done = subprocess.run(["bash", "-c", command], cwd=archive, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert done.stderr.endswith(" done and kept in r.csv.journal: the same command goes on from there\n")
    assert "Traceback" not in done.stderr
    assert not any((archive / name).exists() for name in OUTPUTS)
    process = start(archive)
    process.communicate(timeout=100)
    assert process.returncode == 3
    assert results(archive) == undisturbed


def test_lists_and_their_columns(archive: Path, cli: Cli) -> None:
    (archive / "list.csv").write_text(
        'agent,file,note\nAnn,calls/3/08.wav,"said ""no"", twice"\n'
        "Bob,calls/1/empty.wav,\nCy,calls/none.wav,x\n"
    )
    done = cli("scan", "--list", "list.csv", "--out", "r.csv", "--out", "r.jsonl", "--summary", "s.csv")
    assert done.returncode == 3
    rows = list(csv.DictReader((archive / "r.csv").open()))
    assert list(rows[0])[-2:] == ["agent", "note"]
    assert {(row["file"], row["agent"], row["note"]) for row in rows} == {
        ("calls/3/08.wav", "Ann", 'said "no", twice')
    }
    objects = [json.loads(line) for line in (archive / "r.jsonl").read_text().splitlines()]
    assert [line["carried"]["agent"] for line in objects] == ["Ann", "Bob", "Cy"]
    assert [line.get("error", {}).get("code") for line in objects] == [None, "empty", "vanished"]
    (summary,) = csv.DictReader((archive / "s.csv").open())
    assert (summary["file"], summary["note"]) == ("calls/3/08.wav", 'said "no", twice')
