from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas
import pytest

from sertag.labels import NO_SPEECH

from conftest import SAMPLES, SERTAG, Cli, voice, write, write_endless

HEADER = (
    "file,channel,start,end,emotion,confidence,speech,p_angry,p_disgusted,p_fearful,p_happy,p_neutral,p_sad"
)


def objects(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_samples_to_csv(cli: Cli, tmp_path: Path) -> None:
    done = cli("scan", SAMPLES, "--out", "report.csv", "--channels", "split")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("Tagged 2 of 2 recordings, 0.02 h of audio in ")
    text = (tmp_path / "report.csv").read_text()
    assert text.splitlines()[0] == HEADER
    assert os.listdir(tmp_path) == ["report.csv"]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {(row["file"], row["channel"]) for row in rows} == {
        ("parcel-call.wav", "left"),
        ("parcel-call.wav", "right"),
        ("voice-memo.flac", "mix"),
    }
    for row in rows:
        shares = [row[name] for name in ["confidence", *HEADER.split(",")[7:]]]
        if row["emotion"] == NO_SPEECH:
            assert shares == [""] * 7
        else:
            assert all(len(share) == 6 and 0 <= float(share) <= 1 for share in shares)
        assert len(row["start"].split(".")[1]) == len(row["end"].split(".")[1]) == 3


def test_formats_hold_the_same(cli: Cli, tmp_path: Path) -> None:
    done = cli("scan", SAMPLES, "--out", "a.csv", "--out", "a.json", "--out", "a.jsonl", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    document = json.loads((tmp_path / "a.json").read_text())
    lines = objects((tmp_path / "a.jsonl").read_text())
    assert document["schema"] == "sertag/1"
    assert document["recordings"] == lines
    assert (document["run"]["found"], document["run"]["tagged"], document["run"]["failed"]) == (2, 2, 0)
    table = pandas.read_csv(tmp_path / "a.csv")
    from_lines = [
        (
            line["file"],
            channel["channel"],
            window["start"],
            window["end"],
            window["emotion"],
            window["speech"],
        )
        for line in lines
        for channel in line["channels"]  # type: ignore[attr-defined]
        for window in channel["timeline"]
    ]
    columns = ["file", "channel", "start", "end", "emotion", "speech"]
    assert list(table[columns].itertuples(index=False, name=None)) == from_lines
    first = lines[0]
    assert list(first) == [
        *(
            "schema",
            "file",
            "modified",
            "duration",
            "sample_rate",
            "model",
            "settings",
            "warnings",
            "talk",
            "channels",
        )
    ]
    assert pandas.read_json(tmp_path / "a.jsonl", lines=True)["file"].tolist() == [
        "parcel-call.wav",
        "voice-memo.flac",
    ]


def test_standard_output_is_json_lines(cli: Cli) -> None:
    done = cli("scan", SAMPLES)
    assert [line["file"] for line in objects(done.stdout)] == ["parcel-call.wav", "voice-memo.flac"]
    assert cli("scan", SAMPLES, "--format", "csv").stdout.startswith(HEADER + "\n")
    assert json.loads(cli("scan", SAMPLES, "--format", "json").stdout)["run"]["tagged"] == 2


def test_odd_circumstances_end_in_a_result(tmp_path: Path) -> None:
    write(tmp_path / "calls/a.wav", voice(1.0))
    write(tmp_path / "calls/sample.wav", np.ones(1, dtype=np.float32), 44_100)
    os.utime(tmp_path / "calls/sample.wav", (3e11, 3e11))
    for streams in ("> o.jsonl", "--out a.csv >&-", "--out b.csv 2>&-", "--out o.csv <&- >&- 2>&-"):
        command = f"'{SERTAG}' scan calls {streams}"
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
    files = [line["file"] for line in objects((tmp_path / "o.jsonl").read_text())]
    assert files == sorted(set(pandas.read_csv(tmp_path / "o.csv")["file"])) == ["a.wav", "sample.wav"]


def test_the_same_bytes_twice(cli: Cli) -> None:
    assert cli("scan", SAMPLES).stdout == cli("scan", SAMPLES).stdout


def test_adaptation_can_be_turned_off(cli: Cli) -> None:
    adapted, plain = (objects(cli("scan", SAMPLES, *options).stdout) for options in ([], ["--no-adapt"]))
    assert {line["settings"]["adapt"] for line in adapted} == {True}  # type: ignore[index]
    assert {line["settings"]["adapt"] for line in plain} == {False}  # type: ignore[index]
    for one, other in zip(adapted, plain, strict=True):
        assert one["file"] == other["file"]
        assert one["channels"] != other["channels"]
    assert json.loads(cli("scan", SAMPLES, "--no-adapt", "--format", "json").stdout)["recordings"] == plain


def test_failures_are_listed_and_the_rest_is_tagged(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls/empty.wav").touch()
    (tmp_path / "calls/text.wav").write_text("no audio\n" * 100)
    write(tmp_path / "calls/good.wav", voice(4.0))
    done = cli("scan", "calls", "--out", "r.csv", "--out", "r.jsonl")
    assert done.returncode == 3
    assert "Tagged 1 of 3 recordings" in done.stderr
    assert "2 failed, listed in r.csv.failures.csv." in done.stderr
    assert {row["file"] for row in csv.DictReader((tmp_path / "r.csv").open())} == {"good.wav"}
    failures = list(csv.DictReader((tmp_path / "r.csv.failures.csv").open()))
    assert [(row["file"], row["code"]) for row in failures] == [
        ("empty.wav", "empty"),
        ("text.wav", "not_audio"),
    ]
    assert [line.get("error", {}).get("code") for line in objects((tmp_path / "r.jsonl").read_text())] == [  # type: ignore[attr-defined]
        "empty",
        None,
        "not_audio",
    ]
    # Once they are mended, nothing of the failures is left.
    for name in ("empty.wav", "text.wav"):
        write(tmp_path / "calls" / name, voice(1.0))
    assert cli("scan", "calls", "--out", "r.csv", "--overwrite").returncode == 0
    assert not (tmp_path / "r.csv.failures.csv").exists()


def test_failures_without_out_are_told_on_standard_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    done = cli("scan", "empty.wav")
    assert done.returncode == 3
    assert "sertag: empty.wav: has 0 bytes (empty)" in done.stderr
    assert "has 0 bytes (empty)" in cli("scan", "empty.wav", "-q", "--format", "csv").stderr
    assert objects(done.stdout) == [
        {"schema": "sertag/1", "file": "empty.wav", "error": {"code": "empty", "message": "has 0 bytes"}}
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["nowhere"], 2, "nowhere: no such file or folder"),
        (["nothing"], 4, "nothing: no recording found; nothing was written"),
        (["nothing", "nowhere"], 2, "nowhere: no such file or folder"),
        ([SAMPLES, "--model", "broken.tflite"], 1, "broken.tflite: holds no sertag metadata"),
        ([SAMPLES, "--model", "nope"], 1, "nope: neither a model file nor the name of a shipped model"),
        ([SAMPLES, "--hop", "7"], 2, "--hop 7: give a multiple of 0.02 s, at most 3 s"),
        ([SAMPLES, "--hop", "x"], 2, "Invalid value for '--hop'"),
        ([SAMPLES, "--channels", "both"], 2, "--channels both: give mix, split, or left=ROLE,right=ROLE"),
        ([SAMPLES, "--min-confidence", "2"], 2, "--min-confidence 2: give a probability from 0 to 1"),
        ([SAMPLES, "--out", "r.xls"], 2, "--out r.xls: the extension names the format"),
        ([SAMPLES, "--out", "r.csv", "--out", "./r.csv"], 2, "r.csv: cannot be an output and an output at"),
        ([SAMPLES, "--out", "no/folder/r.csv"], 1, "no/folder/r.csv: cannot be written: No such file"),
        ([SAMPLES, "--out", "folder.csv"], 1, "folder.csv: cannot be written: Is a directory"),
        (
            [SAMPLES, "--out", "q.csv", "--out", "q.csv.failures.csv"],
            2,
            "q.csv.failures.csv: cannot be the list of failures and an output at once; give them names",
        ),
        (
            [SAMPLES, "--out", "q.csv", "--out", "nothing/../q.csv"],
            2,
            "nothing/../q.csv: cannot be an output",
        ),
        ([SAMPLES, "--out", "q.csv", "--log", "q.csv"], 2, "q.csv: cannot be the log and an output at once"),
        ([SAMPLES, "--summary", "q.csv", "--log", "q.csv"], 2, "q.csv: cannot be the log and an output at"),
        (
            [SAMPLES, "--out", "q.csv", "--log", "q.csv.journal.parts"],
            2,
            "q.csv.journal.parts: cannot be the log and the journal's results at once",
        ),
        ([SAMPLES, "--out", "q.csv", "--journal", "q.csv"], 2, "q.csv: cannot be the journal and an output"),
        ([SAMPLES, "--out", "q.csv", "--overwrite", "--update"], 2, "--overwrite starts anew, --update adds"),
        ([SAMPLES, "--out", "q.json", "--update"], 2, "--update: q.json cannot be added to; use .jsonl or"),
        (["--list", "semicolons.csv"], 2, "--list semicolons.csv: line 1: a CSV has commas between its col"),
        (["--list", "tabs.txt"], 2, "--list tabs.txt: line 1: a CSV has commas between its columns, and one"),
        (["--list", "capitals.csv"], 2, "--list capitals.csv: line 1: a CSV has commas between its columns"),
        ([SAMPLES, "--out", "b.csv"], 1, "b.csv.failures.csv: cannot be written: Is a directory"),
        (["mine.csv", "--out", "mine.csv"], 2, "mine.csv: is one of the recordings, or their list"),
        (
            ["--list", "calls.csv", "--out", "calls.csv", "--overwrite"],
            2,
            "calls.csv: is one of the recordin",
        ),
        (
            ["--list", "calls.csv", "--summary", "calls.csv", "--overwrite"],
            2,
            "calls.csv: is one of the reco",
        ),
        (["--list", "calls.csv", "--summary", "q.csv"], 2, "--list: the column 'trend' would clash with one"),
        ([SAMPLES, "--summary", "mine.csv"], 2, "mine.csv: is there already; --overwrite starts anew"),
        (["nothing", "--log", "mine.wav"], 2, "mine.wav: is a recording"),
        ([SAMPLES, "--overwrite"], 2, "--overwrite is for files; name one with --out or --summary"),
        ([SAMPLES, "--out", "q.csv", "--format", "json"], 2, "--format is for standard output"),
        ([SAMPLES, "--summary", "s.json"], 2, "--summary s.json: is a table; use .csv or .csv.gz"),
        ([SAMPLES, "--update"], 2, "--journal, --update and --retry-failed are for files"),
        ([SAMPLES, "--only", "agent"], 2, "--only agent: needs --channels split"),
        ([SAMPLES, "--timeout", "0"], 2, "--timeout 0: give seconds, more than 0"),
        ([SAMPLES, "--list", "l.txt"], 2, "--list: give recordings by name or in a list, not both"),
        (["--list", "l.txt"], 2, "--list l.txt: cannot be read: No such file or directory"),
        ([SAMPLES, "--out", "q.csv", "--journal", "mine.csv"], 2, "mine.csv: is no journal of sertag"),
        ([SAMPLES, "--log", "no/log"], 1, "--log no/log: cannot be written: No such file or directory"),
        ([SAMPLES, "--exclude", "*.*"], 4, f"{SAMPLES}: no recording found; nothing was written"),
        ([SAMPLES, "--nonsense"], 2, "No such option: --nonsense"),
        ([], 2, "Missing argument 'PATH...', or --list."),
    ],
)
def test_one_clear_line(cli: Cli, tmp_path: Path, arguments: list[str], status: int, line: str) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "b.csv.failures.csv").mkdir()
    write(tmp_path / "mine.csv", voice(1.0), format="WAV")
    shutil.copy(tmp_path / "mine.csv", tmp_path / "mine.wav")
    (tmp_path / "calls.csv").write_text("file,trend\nmine.wav,up\n")
    (tmp_path / "semicolons.csv").write_text("file;agent\nmine.wav;up\n")
    (tmp_path / "tabs.txt").write_text("agent\tpath\nup\tmine.wav\n")
    (tmp_path / "capitals.csv").write_text("File,Agent\nmine.wav,up\n")
    (tmp_path / "nothing/notes.txt").write_text("no recording")
    (tmp_path / "broken.tflite").write_bytes(b"TFL3" * 1_000)
    before = sorted(os.listdir(tmp_path))
    done = cli("scan", *arguments)
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"sertag: {line}")
    assert done.stdout == ""
    assert sorted(os.listdir(tmp_path)) == before


def test_a_summary_that_is_not_written_is_told(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path / f"calls/{number}.wav", voice(8.0))
    command = f"{SERTAG} scan calls --format csv --summary s.csv | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [HEADER, "1"]
    assert done.stderr == "sertag: s.csv: not written, as nobody reads standard output any more\n"
    assert not (tmp_path / "s.csv").exists()


def test_what_is_cut_off_is_told_in_the_end(cli: Cli, tmp_path: Path) -> None:
    whole = write(tmp_path / "calls/whole.wav", voice(8.0))
    (tmp_path / "calls/cut.wav").write_bytes(whole.read_bytes()[:100_000])
    done = cli("scan", "calls", "--out", "r.csv")
    assert done.returncode == 0
    assert "; 1 with warnings, as those cut off have (-v tells them)." in done.stderr


def test_python_m_sertag_is_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sertag", "--version"], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout.startswith(b"sertag ")


def test_odd_names_survive(cli: Cli, tmp_path: Path) -> None:
    names = [
        b"-leading.wav",
        b"=1+1.wav",
        b'quo"te.wav',
        b"new\nline.wav",
        "ü 😀.wav".encode(),
        b"caf\xe9.wav",
    ]
    sound = write(tmp_path / "sound.wav", voice(1.0)).read_bytes()
    (tmp_path / "odd").mkdir()
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), b"odd", name), "wb") as file:
            file.write(sound)
    assert cli("scan", "odd", "--out", "r.csv", "--out", "r.jsonl").returncode == 0
    expected = [name.decode("utf-8", "backslashreplace") for name in sorted(names)]
    assert [row["file"] for row in csv.DictReader((tmp_path / "r.csv").open(newline=""))] == expected
    assert [line["file"] for line in objects((tmp_path / "r.jsonl").read_text())] == expected


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path / "calls" / f"{number}.wav", voice(4.0))
    command = f"'{SERTAG}' scan calls -q | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert json.loads(done.stdout.splitlines()[0])["file"] == "0.wav"
    assert done.stdout.splitlines()[1] == "0"


@pytest.mark.parametrize("command", ["--help", "models", "models default", "models --json"])
def test_a_closed_pipe_ends_every_command_quietly(command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"'{SERTAG}' {command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.002, 0.005, 0.2])
def test_an_interrupted_scan_to_standard_output_ends(tmp_path: Path, delay: float) -> None:
    write_endless(tmp_path / "calls/long.wav")
    process = subprocess.Popen(
        [SERTAG, "scan", "calls", "--summary", "s.csv"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    # NumPy starts a program when it is imported; later ones are workers.
    while not (tmp_path / ".s.csv.part").exists():
        time.sleep(0.001)
    while not children.read_text():
        time.sleep(0.0001)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "sertag: interrupted\n"
    assert os.listdir(tmp_path) == ["calls"]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    for out in ("> o.json --format json", "> /dev/full"):
        command = f"ulimit -f 1; '{SERTAG}' scan '{SAMPLES}' --hop 0.02 --channels split {out}"
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.splitlines()[0].startswith("sertag: ")
        assert "Traceback" not in done.stderr


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    peaks = []
    # The shorter one is longer than the block that adaptation works on.
    for minutes in (25, 120):
        path = write(
            tmp_path / f"{minutes}.wav", np.tile(voice(60.0, rate=8_000), minutes), 8_000, subtype="ULAW"
        )
        code = (
            "from pathlib import Path; from sertag import Tagger;"
            f"channel = Tagger().tag({str(path)!r}).channels[0];"
            f"assert len(channel.windows) == {minutes * 40 - 1};"
            "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < 300
    assert peaks[1] - peaks[0] < 40


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from typer.testing import CliRunner
from sertag.cli import app
for command in ([], ["scan"], ["build-model"], ["evaluate"]):
    arguments = [*command, "--help"]
    assert CliRunner().invoke(app, arguments).output
heavy = {"numpy", "scipy", "librosa", "pandas", "soundfile", "soxr", "tensorflow", "tflite_runtime",
         "ai_edge_litert", "numba", "model_build"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_scan_to_csv_needs_neither_pandas_nor_librosa(tmp_path: Path) -> None:
    code = f"""
import sys
from typer.testing import CliRunner
from sertag.cli import app
arguments = ["scan", {str(SAMPLES)!r}, "--out", {str(tmp_path / "r.csv")!r}]
assert CliRunner().invoke(app, arguments).exit_code == 0
print(sorted({{"pandas", "librosa", "numba", "tensorflow"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
