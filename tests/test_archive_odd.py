"""Runs over many recordings in odd circumstances, on the real command line."""

from __future__ import annotations

import gzip
import json
import os
import pty
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from sertag.model import SHIPPED

from conftest import SERTAG, Cli, voice, wait_until, write, write_endless


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Three short recordings and one that is none."""
    sound = voice(4.0, rate=8_000)
    for name in ("a", "b", "é"):
        write(tmp_path / f"calls/{name}.wav", sound, 8_000, subtype="ULAW")
    (tmp_path / "calls/bad.wav").touch()
    return tmp_path / "calls"


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A quarter of an hour, then a few seconds."""
    sound = voice(30.0, rate=8_000)
    write(tmp_path / "long/1.wav", np.tile(sound, 30), 8_000, subtype="ULAW")
    write(tmp_path / "long/2.wav", sound[:40_000], 8_000, subtype="ULAW")
    return tmp_path / "long"


def start(
    folder: Path, *arguments: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [SERTAG, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )


def shell(folder: Path, command: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        env={**os.environ, "S": str(SERTAG), **variables},
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("becomes", ["another model", "nothing"])
def test_a_model_that_changes_meanwhile_changes_nothing(
    tmp_path: Path, long: Path, cli: Cli, becomes: str
) -> None:
    assert cli("scan", long, "--out", "expected.csv").returncode == 0
    model = Path(shutil.copy(SHIPPED / "default.tflite", tmp_path / "m.tflite"))
    process = start(tmp_path, "scan", long, "--model", model, "--workers", "1", "--out", "r.csv")
    journal = tmp_path / "r.csv.journal"
    wait_until(journal.exists)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(children.read_text)
    worker = int(children.read_text())
    os.kill(worker, signal.SIGSTOP)
    if becomes == "nothing":
        model.unlink()
    else:
        shutil.copy(SHIPPED / "research.tflite", tmp_path / "new")
        os.replace(tmp_path / "new", model)
    os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, b"Traceback" in errors) == (0, False), errors
    assert (tmp_path / "r.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_data_on_a_pipe_though_a_person_watches_the_bar(calls: Path, tmp_path: Path) -> None:
    main, other = pty.openpty()
    with open(tmp_path / "data", "wb") as data:
        process = subprocess.Popen(
            [SERTAG, "scan", calls, "-v"], stdout=data, stderr=other, env={**os.environ, "TERM": "xterm"}
        )
    os.close(other)
    shown = b""
    while part := _read(main):
        shown += part
    assert process.wait(20) == 3
    objects = [json.loads(line) for line in (tmp_path / "data").read_text().splitlines()]
    assert [line["file"] for line in objects] == ["a.wav", "b.wav", "bad.wav", "é.wav"]
    assert b'"emotion"' not in shown
    assert b" left\x1b[2Ksertag: a.wav: tagged" in shown.replace(b"\r", b"").replace(b"\n", b"")


@pytest.mark.parametrize("to", [[], ["--out", "r.csv"]])
def test_a_failure_is_told_once(calls: Path, cli: Cli, to: list[str]) -> None:
    told = [line for line in cli("scan", calls, "-v", *to).stderr.splitlines() if "bad.wav" in line]
    assert len(told) == 1
    assert "code empty" in told[0]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_data_are_utf_8_whatever_the_locale(calls: Path, cli: Cli, variables: dict[str, str]) -> None:
    done = shell(calls, "$S scan . --format csv", PYTHONCOERCECLOCALE="0", **variables)
    assert done.returncode == 3
    assert done.stdout.decode("utf-8") == cli("scan", calls, "--format", "csv").stdout
    assert "é.wav" in done.stdout.decode("utf-8")


def test_streams_that_nobody_reads(calls: Path, tmp_path: Path) -> None:
    assert shell(tmp_path, "$S scan calls --out r.csv 2> >(exec 0<&-; sleep 1); exit $?").returncode == 3
    assert len((tmp_path / "r.csv").read_text().splitlines()) > 3
    assert shell(tmp_path, "$S scan calls -v --out v.csv 2> /dev/full").returncode == 3
    assert shell(tmp_path, "$S scan calls --out f.csv 2> /dev/full").returncode == 3
    assert (tmp_path / "f.csv").read_bytes() == (tmp_path / "r.csv").read_bytes()
    (calls / "b.wav").unlink()
    for command, status in (
        ("$S scan calls --format csv -q > /dev/full", 1),
        ("$S scan calls --format csv -q > >(exec 0<&-; sleep 1)", 0),
        ("$S scan calls --out s.csv --log /dev/full", 1),
    ):
        done = shell(tmp_path, command)
        assert (command, done.returncode) == (command, status)
        assert len(done.stderr.splitlines()) == status, done.stderr


def test_ctrl_c_at_any_moment_and_however_often(long: Path, tmp_path: Path) -> None:
    write_endless(long / "3.wav")
    for number, delay in enumerate((0.0, 0.1, 0.4, 0.8)):
        out = ["--out", "r.csv"] if number % 2 else ["--summary", "s.csv"]
        process = start(tmp_path, "scan", long, *out)
        # Before it comes to its own work it is Python's, which knows no better than a traceback.
        while process.poll() is None and "numpy" not in Path(f"/proc/{process.pid}/maps").read_text():
            time.sleep(0.005)
        time.sleep(delay)
        pressed = time.monotonic()
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.003)
            assert time.monotonic() - pressed < 3
        _, errors = process.communicate()
        assert (delay, process.returncode, b"Traceback" in errors) == (delay, 130, False), errors
        assert len(errors.splitlines()) <= 1


def test_ctrl_c_before_anything_is_tagged(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list")
    process = start(tmp_path, "scan", "--list", "list")
    # As soon as it waits for the list, it can be opened.
    with open(tmp_path / "list", "w"):
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == (b"", b"sertag: interrupted\n")
    assert process.returncode == 130


def test_ctrl_c_while_nobody_reads_the_output(long: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "scan", long)
    assert process.stdout
    # A pipe holds 64 kB.
    assert process.stdout.read(100)
    time.sleep(0.3)
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert time.monotonic() - pressed < 3


def test_a_run_that_stood_still_cuts_nothing_off(long: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "scan", long / "2.wav", "--timeout", "4", "--out", "r.csv")
    wait_until((tmp_path / "r.csv.journal").exists)
    wait_until(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text)
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(4.5)
    os.killpg(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors


def test_carried_values_larger_than_a_pipe(long: Path, tmp_path: Path) -> None:
    rows = "".join(f"{long / name},{'€' * 130_000}\n" for name in ("1.wav", "2.wav"))
    (tmp_path / "list.csv").write_text("file,note\n" + rows)
    arguments = ("--hop", "0.02", "--no-adapt", "--workers", "1", "--summary", "s.csv")
    process = start(tmp_path, "scan", "--list", "list.csv", *arguments, "--out", "r.csv")
    wait_until((tmp_path / "r.csv.journal").exists)
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert time.monotonic() - pressed < 2


def test_links_are_followed_and_pipes_refused(calls: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "r.csv").symlink_to("elsewhere/real.csv")
    assert cli("scan", calls, "--out", "r.csv").returncode == 3
    first = (tmp_path / "elsewhere/real.csv").read_bytes()
    assert cli("scan", calls, "--out", "r.csv", "--overwrite").returncode == 3
    assert (tmp_path / "r.csv").is_symlink()
    assert (tmp_path / "elsewhere/real.csv").read_bytes() == first
    os.mkfifo(tmp_path / "p.csv")
    for option in ("--overwrite", "--update"):
        done = cli("scan", calls, "--out", "p.csv", option)
        assert done.returncode == 1
        assert done.stderr.startswith("sertag: p.csv: cannot be written: is no plain file")
    assert (tmp_path / "p.csv").is_fifo()


def test_two_runs_do_not_write_one_file(calls: Path, tmp_path: Path, cli: Cli) -> None:
    write(calls / "c.wav", voice(20.0, rate=8_000), 8_000)
    assert cli("scan", calls, "--summary", "s.csv").returncode == 3
    alone = (tmp_path / "s.csv").read_bytes()
    (tmp_path / "s.csv").unlink()
    # Nobody reads what the first one gives, more than a pipe holds, so it stands still while it writes.
    os.mkfifo(tmp_path / "data")
    first = subprocess.Popen(
        ["bash", "-c", 'exec "$S" scan calls --summary s.csv --hop 0.02 > data'],
        cwd=tmp_path,
        env={**os.environ, "S": str(SERTAG)},
    )
    with open(tmp_path / "data", "rb") as data:
        wait_until((tmp_path / ".s.csv.part").exists)
        second = cli("scan", calls, "--summary", "s.csv")
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == "sertag: s.csv: cannot be written: another run is writing it\n"
        assert data.read()
    assert first.wait(30) == 3
    assert (tmp_path / "s.csv").read_bytes() != alone
    assert cli("scan", calls, "--summary", "s.csv", "--overwrite").returncode == 3
    assert (tmp_path / "s.csv").read_bytes() == alone


def test_an_empty_journal_replaces_nothing(calls: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("scan", calls, "--out", "r.csv").returncode == 3
    before = (tmp_path / "r.csv").read_bytes()
    (tmp_path / "r.csv.journal").touch()
    done = cli("scan", calls, "--out", "r.csv", "--hop", "0.5")
    assert (done.returncode, "r.csv: is there already" in done.stderr) == (2, True)
    assert (tmp_path / "r.csv").read_bytes() == before
    assert cli("scan", calls, "--out", "r.csv", "--update").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_a_closed_folder_is_told_before_anything_is_tagged(calls: Path, tmp_path: Path) -> None:
    # Root may write everywhere but for these capabilities.
    drop = "setpriv --bounding-set -dac_override,-dac_read_search --inh-caps -all"
    (tmp_path / "closed").mkdir(mode=0o555)
    for out in ("--out closed/r.csv --journal j", "--out r.csv --summary closed/s.csv"):
        done = shell(tmp_path, f"{drop} $S scan calls {out}")
        assert done.returncode == 1
        assert b".csv: cannot be written: Permission denied\n" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert sorted(os.listdir(tmp_path)) == ["calls", "closed"]
    assert calls


def test_what_a_run_finds_beside_its_journal_is_not_its_own(calls: Path, tmp_path: Path, cli: Cli) -> None:
    command = ["scan", "calls", "--out", "r.csv"]
    assert cli(*command, "--fail-fast").returncode == 1
    for arguments, precious in ((command, "r.csv"), ([*command, "--out", "p.json"], "p.json")):
        (tmp_path / precious).write_text("mine")
        done = cli(*arguments)
        assert done.returncode == 2
        assert f"{precious}: is there, and was not when the run in r.csv.journal began" in done.stderr
        assert (tmp_path / precious).read_text() == "mine"
        (tmp_path / precious).unlink()
    assert cli(*command).returncode == 3
    assert calls
    # What was to be replaced still is.
    assert cli(*command, "--overwrite", "--fail-fast").returncode == 1
    assert cli(*command).returncode == 3


@pytest.fixture
def half_written(calls: Path, tmp_path: Path) -> Path:
    """A folder where a run was killed while it wrote its outputs."""
    stuck = tmp_path / ".s.csv.part"
    # Nobody reads from it, so the run stands still when it opens this, the last of its files.
    os.mkfifo(stuck)
    process = start(tmp_path, "scan", calls, "--out", "r.csv", "--out", "r.jsonl.gz", "--summary", "s.csv")
    wait_until((tmp_path / ".r.jsonl.gz.part").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    stuck.unlink()
    assert (tmp_path / "r.csv.journal").exists()
    assert (tmp_path / ".r.csv.part").exists()
    return tmp_path


@pytest.mark.parametrize("arguments", [[], ["--overwrite"], ["--fail-fast", "--overwrite"]])
def test_what_a_killed_run_left_aside_goes(half_written: Path, cli: Cli, arguments: list[str]) -> None:
    precious = ".other.csv.part"
    (half_written / precious).write_text("mine")
    assert cli("scan", "calls", "--out", "r.csv", *arguments).returncode == (1 if arguments[1:] else 3)
    if arguments[1:]:
        assert cli("scan", "calls", "--out", "r.csv").returncode == 3
    assert sorted(os.listdir(half_written)) == [precious, "calls", "r.csv", "r.csv.failures.csv"]
    assert (half_written / precious).read_text() == "mine"


def test_what_a_killed_run_left_aside_goes_though_the_next_is_killed_too(
    half_written: Path, cli: Cli
) -> None:
    os.mkfifo(half_written / ".t.csv.part")
    process = start(half_written, "scan", "calls", "--out", "r.csv", "--summary", "t.csv")
    wait_until(lambda: not (half_written / ".r.jsonl.gz.part").exists())
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (half_written / ".t.csv.part").unlink()
    assert cli("scan", "calls", "--journal", "r.csv.journal", "--out", "x.jsonl").returncode == 3
    assert sorted(os.listdir(half_written)) == ["calls", "x.jsonl", "x.jsonl.failures.csv"]


@pytest.fixture
def unnamed(calls: Path, tmp_path: Path, cli: Cli) -> list[str]:
    """The command of a run that was cut off when its files were finished and had no names yet."""
    command = ["scan", str(calls), "--journal", "j", "--out", "r.csv"]
    assert cli(*command, "--fail-fast").returncode == 1
    trap = "strace -f -o /dev/null -e trace=rename -e inject=rename:signal=SIGKILL:when=1"
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    shell(tmp_path, f"{trap} $S {' '.join(command)}")
    assert (tmp_path / ".r.csv.part").exists()
    return command


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize(
    "trouble", ["rename:error=EACCES:when=2", "fsync:error=ENOSPC:when=8", "fdatasync:error=EIO:when=13"]
)
def test_what_cannot_be_named_now_is_named_later(calls: Path, tmp_path: Path, cli: Cli, trouble: str) -> None:
    command = ["scan", str(calls), "--out", "r.csv", "--out", "r.jsonl", "--summary", "s.csv"]
    assert cli(*command).returncode == 3
    files = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for path in files:
        path.unlink()
    name = trouble.split(":", maxsplit=1)[0]
    done = shell(tmp_path, f"strace -o /dev/null -e trace={name} -e inject={trouble} $S {' '.join(command)}")
    assert done.returncode == 1
    assert cli(*command).returncode == 3
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == files


def test_files_get_their_names_from_anywhere(unnamed: list[str], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    done = shell(tmp_path / "other", "$S scan ../calls --journal ../j --out r.csv")
    assert done.returncode == 3
    assert (tmp_path / "r.csv").read_bytes() == (tmp_path / "other/r.csv").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["calls", "other", "r.csv", "r.csv.failures.csv"]
    assert unnamed


def test_files_of_other_settings_are_not_taken_for_these(
    unnamed: list[str], tmp_path: Path, cli: Cli
) -> None:
    done = cli(*unnamed, "--hop", "0.5")
    assert (done.returncode, "r.csv: is there already" in done.stderr) == (2, True)
    assert sorted(os.listdir(tmp_path)) == ["calls", "r.csv", "r.csv.failures.csv"]


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz", "r.jsonl", "r.jsonl.gz"])
def test_what_is_damaged_is_not_added_to(calls: Path, tmp_path: Path, cli: Cli, name: str) -> None:
    command = ["scan", str(calls), "--out", name]
    assert cli(*command).returncode == 3
    (calls / "b.wav").rename(calls / "c.wav")
    whole = (tmp_path / name).read_bytes()
    broken = {"cut": whole[:-20], "not UTF-8": whole + b"\xe9,\n"}
    if name.endswith(".gz"):
        broken["not UTF-8"] = gzip.compress(gzip.decompress(whole) + b"\xe9,\n")
        broken["not zipped"] = b"hello\n"
    for content in broken.values():
        (tmp_path / name).write_bytes(content)
        done = cli(*command, "--update")
        assert done.returncode == 2
        assert done.stderr.startswith(f"sertag: --update: {name} ")
        assert done.stderr.endswith("; --overwrite starts anew\n")
        assert len(done.stderr.splitlines()) == 1
        assert (tmp_path / name).read_bytes() == content
        assert sorted(os.listdir(tmp_path)) == ["calls", name, f"{name}.failures.csv"]
    (tmp_path / name).write_bytes(whole)
    failures = tmp_path / f"{name}.failures.csv"
    failures.write_text(failures.read_text() + "a\n")
    assert cli(*command, "--update").returncode == 2
    failures.unlink()
    assert cli(*command, "--update").returncode in (0, 3)


def test_a_damaged_journal_is_told(calls: Path, tmp_path: Path, cli: Cli) -> None:
    command = ["scan", str(calls), "--out", "r.csv"]
    assert cli(*command, "--fail-fast").returncode == 1
    journal = tmp_path / "r.csv.journal"
    content = bytearray(journal.read_bytes())
    content[4_096:] = os.urandom(len(content) - 4_096)
    journal.write_bytes(content)
    done = cli(*command)
    assert done.returncode == 2
    assert done.stderr.startswith("sertag: r.csv.journal: is damaged (")
    assert cli(*command, "--overwrite").returncode == 3


def test_a_disk_that_fills_while_names_are_held(calls: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("scan", calls, "--out", "r.csv").returncode == 3
    table = tmp_path / "r.csv"
    header, *rows = table.read_text().splitlines(keepends=True)
    names = (f"{number:0100d}{rows[0][rows[0].index(',') :]}" for number in range(60_000))
    table.write_text(header + "".join(names))
    before = table.read_bytes()
    done = shell(tmp_path, "ulimit -f 4000; $S scan calls --out r.csv --update")
    assert done.returncode == 1
    assert done.stderr.startswith(b"sertag: r.csv.journal: cannot be written: ")
    assert table.read_bytes() == before
