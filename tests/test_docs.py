"""What the documentation shows, run."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pandas
import pytest

from conftest import SAMPLES, Cli

DOCS = SAMPLES.parent / "docs"


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)


def test_pandas_reads_every_output_with_one_call(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = [f"--out=report.{name}" for name in ("csv", "csv.gz", "jsonl", "jsonl.gz", "json")]
    assert cli("scan", SAMPLES, "--summary", "summary.csv", *outputs).returncode == 0
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(DOCS / "archives.md", "python")
    calls = [line for line in block.splitlines() if line.startswith("pandas.")]
    assert len(calls) == 5
    for call in calls:
        frame = eval(call, {"json": json, "pandas": pandas})
        files = frame.index if frame.index.name == "file" else frame["file"]
        assert set(files) == {"parcel-call.wav", "voice-memo.flac"}


def test_the_excerpt_is_what_the_command_gives(cli: Cli, tmp_path: Path) -> None:
    readme = SAMPLES.parent / "README.md"
    (excerpt,) = blocks(readme, "csv")
    assert cli("scan", SAMPLES, "--channels", "split", "--out", "report.csv").returncode == 0
    keys = ["file", "channel", "start", "end"]
    table = pandas.read_csv(tmp_path / "report.csv").set_index(keys)
    shown = pandas.read_csv(io.StringIO(excerpt)).set_index(keys)
    found = table.loc[shown.index]
    assert list(shown.columns) == list(found.columns)
    assert shown["emotion"].tolist() == found["emotion"].tolist()
    figures = shown.columns.drop("emotion")
    # Processors round otherwise.
    pandas.testing.assert_frame_equal(shown[figures], found[figures], rtol=0, atol=0.01)


def test_every_failure_code_is_listed() -> None:
    source = SAMPLES.parent / "sertag"
    raised = {
        code
        for path in source.rglob("*.py")
        for code in re.findall(
            r'(?:RecordingError\(|failed\([^"]*?|return RecordingError\()\s*"([a-z_]+)"', path.read_text()
        )
    }
    text = (DOCS / "archives.md").read_text()
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
    assert raised == listed
