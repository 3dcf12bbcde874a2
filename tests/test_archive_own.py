"""A run's own files among the recordings, and files that others put in its way or take away."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sertag.discovery import Recording
from sertag.errors import SertagError
from sertag.files import Move
from sertag.journal import Journal
from sertag.leftovers import finish_earlier
from sertag.writers import Totals

from conftest import SERTAG, Cli, voice, wait_until, write


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Six recordings; those of the first are of 2024."""
    sound = voice(4.0, rate=8_000)
    for number in range(6):
        name = f"call-202{4 if number < 3 else 5}-{number}"
        write(tmp_path / f"calls/{name}.wav", sound, 8_000, subtype="ULAW")
    return tmp_path / "calls"


@contextlib.contextmanager
def standing_still(folder: Path, *command: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A run of ``r.csv`` that has begun, and goes on behind the context."""
    process = subprocess.Popen(
        [SERTAG, *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until((folder / "r.csv.journal.parts").exists)
    process.send_signal(signal.SIGSTOP)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)


def test_outputs_among_the_recordings_keep_a_second_run_out(calls: Path, cli: Cli) -> None:
    # The run stands still where it opens this, the last of its files, when all is found and tagged.
    stuck = calls / ".s.csv.part"
    os.mkfifo(stuck)
    command = ["scan", ".", "--out", "r.csv", "--summary", "s.csv"]
    first = subprocess.Popen([SERTAG, *command], cwd=calls, stderr=subprocess.PIPE)
    wait_until((calls / ".r.csv.part").exists)
    for option in ([], ["--overwrite"]):
        second = subprocess.run(
            [SERTAG, *command, *option], cwd=calls, capture_output=True, text=True, check=False, timeout=60
        )
        assert (second.returncode, second.stdout) == (2, "")
        assert "another run of sertag is using this journal" in second.stderr
    first.kill()
    first.communicate()
    stuck.unlink()
    assert (calls / "r.csv.journal").exists()
    assert cli("scan", calls, "--out", calls / "r.csv", "--summary", calls / "s.csv").returncode == 0


def test_a_runs_own_files_are_no_recordings(calls: Path) -> None:
    command = ["scan", ".", "--include", "*2024*", "--out", "r-2024.csv", "--log", "2024.log"]
    for option in ([], ["--update"], ["--overwrite"]):
        done = subprocess.run(
            [SERTAG, *command, *option], cwd=calls, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
    tagged = {line.split(",")[0] for line in (calls / "r-2024.csv").read_text().splitlines()[1:]}
    assert tagged == {f"call-2024-{number}.wav" for number in range(3)}


def test_what_appears_meanwhile_is_not_replaced(calls: Path, tmp_path: Path, cli: Cli) -> None:
    # Longer than it takes to make it stand still.
    write(calls / "long.wav", np.tile(voice(30.0, rate=8_000), 40), 8_000, subtype="ULAW")
    command: list[str | Path] = ["scan", calls, "--out", "r.csv", "--summary", "s.csv"]
    with standing_still(tmp_path, *command) as process:
        (tmp_path / "s.csv").write_text("mine\n")
    _, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "s.csv: is there, and was not when the run in r.csv.journal began" in told
    assert (tmp_path / "s.csv").read_text() == "mine\n"
    (tmp_path / "s.csv").unlink()
    assert cli(*command).returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["calls", "r.csv", "s.csv"]


def test_what_appears_while_results_are_piped_is_not_replaced(calls: Path, tmp_path: Path) -> None:
    write(calls / "long.wav", voice(30.0, rate=8_000), 8_000)
    # Nobody reads what it gives, more than a pipe holds, so it stands still while it writes.
    process = subprocess.Popen(
        [SERTAG, "scan", calls, "--summary", "s.csv", "--hop", "0.02"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((tmp_path / ".s.csv.part").exists)
    (tmp_path / "s.csv").write_text("mine\n")
    data, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "s.csv: is there, and was not when the run began; it stays as it is" in told
    assert len(data.splitlines()) == 7
    assert (tmp_path / "s.csv").read_text() == "mine\n"
    assert not (tmp_path / ".s.csv.part").exists()


def test_finished_files_that_somebody_removed_are_written_anew(tmp_path: Path) -> None:
    path, settings = tmp_path / "r.journal", {"hop": 1.5}
    asides = [tmp_path / name for name in ("one.part", "two.part")]
    for aside in asides:
        aside.touch()
    places = [str(tmp_path / "one.csv"), str(tmp_path / "away/two.csv")]
    moves = [Move(str(aside), place) for aside, place in zip(asides, places, strict=True)]
    with Journal(path, settings) as journal:
        journal.put(0, Recording("a.wav", "a.wav", 1, 1), b"a", failed=False, seconds=1.0)
        with pytest.raises(SertagError, match=r"two\.csv: cannot be written"):
            journal.finish(moves, Totals(1, 0, 1.0))
    asides[1].unlink()
    assert finish_earlier(path) is None
    with Journal(path, settings) as journal:
        assert journal.resumed
        assert journal.holds(0, Recording("a.wav", "a.wav", 1, 1))
        # What is there is the run's own.
        assert journal.replaces == {places[0]}


@pytest.mark.parametrize("option", ["--update", "--overwrite"])
def test_outputs_keep_their_permissions(calls: Path, tmp_path: Path, cli: Cli, option: str) -> None:
    assert cli("scan", calls / "call-2024-0.wav", "--out", "r.csv").returncode == 0
    for mode in (0o600, 0o440):
        (tmp_path / "r.csv").chmod(mode)
        assert cli("scan", calls, "--out", "r.csv", option).returncode == 0
        assert stat.S_IMODE((tmp_path / "r.csv").stat().st_mode) == mode


def test_a_listed_column_of_any_name_can_be_added_to(calls: Path, tmp_path: Path, cli: Cli) -> None:
    del calls
    (tmp_path / "list.csv").write_text("file,agent,warnings\ncalls/call-2024-0.wav,ann,none\n")
    command = ["scan", "--list", "list.csv", "--out", "r.jsonl"]
    assert cli(*command).returncode == 0
    with open(tmp_path / "list.csv", "a") as file:
        file.write("calls/call-2024-1.wav,ben,some\n")
    assert cli(*command, "--update").returncode == 0
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 2
