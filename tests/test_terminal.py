"""What a person at a terminal sees."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import SAMPLES, SERTAG, Cli, at_a_terminal, voice, write, write_endless


def screen(shown: str) -> list[str]:
    """The lines of a terminal that scrolls, after what it was sent."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", shown):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            column = 0
        elif part.endswith("A"):
            row -= int(part[2:-1] or 1)
        elif part.endswith("K"):
            lines[row] = ""
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return lines


def test_what_a_terminal_would_obey_is_shown_instead(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "\x1b[2J\nx.wav").touch()
    done = cli("scan", "\x1b[2J\nx.wav")
    assert "sertag: \\x1b[2J\\nx.wav: has 0 bytes (empty)\n" in done.stderr
    assert done.stdout.startswith('{"schema":"sertag/1","file":"\\u001b[2J\\nx.wav"')


def test_what_is_told_of_every_recording_is_not_obeyed_either(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "\x1b[31mRED.wav", voice(4.0))
    for name in ("data.csv", "-"):
        out = [] if name == "-" else ["--out", name]
        assert "\nsertag: \\x1b[31mRED.wav: tagged (" in cli("scan", "-v", "\x1b[31mRED.wav", *out).stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_may_speak_another_encoding(tmp_path: Path, encoding: str) -> None:
    write(tmp_path / "größe.wav", voice(4.0))
    for command in (["scan", "größe.wav"], ["models", "default"]):
        status, shown = at_a_terminal([SERTAG, *command], tmp_path, PYTHONIOENCODING=encoding)
        assert status == 0
        assert b"Traceback" not in shown
    assert b"#" in at_a_terminal([SERTAG, "scan", "größe.wav"], tmp_path, PYTHONIOENCODING=encoding)[1]


def test_the_bar_leaves_nothing_in_the_table(tmp_path: Path) -> None:
    names = [f"{number:02d}.wav" for number in range(60)]
    for name in names:
        write(tmp_path / "calls" / name, voice(6.0))
    status, shown = at_a_terminal([SERTAG, "scan", "calls", "--workers", "1"], tmp_path)
    assert status == 0
    assert b" of 60 recordings" in shown
    # What the terminal shows in the end: a line that is left is erased first.
    lines = screen(shown.decode())
    assert [line.strip() for line in lines if line.strip().endswith(".wav")] == names
    assert not any("of 60 recordings " in line for line in lines if not line.startswith("Tagged"))


def test_a_bar_does_not_run_into_what_a_pipe_prints(tmp_path: Path) -> None:
    write(tmp_path / "calls/a.wav", voice(6.0))
    for to, bar in (("| cat", False), ("> windows.jsonl", True)):
        _, shown = at_a_terminal(["sh", "-c", f"{SERTAG} scan calls --workers 1 {to}"], tmp_path)
        assert (b" left\r" in shown) == bar, shown


@pytest.mark.parametrize("delay", [0.05, 0.08, 0.12, 0.2, 0.3])
def test_ctrl_c_while_it_starts_is_quiet(tmp_path: Path, delay: float) -> None:
    write_endless(tmp_path / "endless.wav")
    process = subprocess.Popen(
        [SERTAG, "scan", "endless.wav"], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    # Before anything of ours is there, Python itself may have something to say.
    assert b"/sertag/cli" not in errors, errors.decode()
    if not errors:
        assert process.returncode in (130, -signal.SIGINT)


def test_a_person_at_a_terminal_gets_a_table_and_a_bar(tmp_path: Path) -> None:
    status, shown = at_a_terminal([SERTAG, "scan", SAMPLES, "--channels", "split"], tmp_path)
    assert status == 0
    text = shown.decode()
    assert "voice-memo.flac" in text
    assert "no_speech" in text
    assert "recordings" in text
    assert "× real time" in text
