from __future__ import annotations

import copy
import io
import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from made import LABELS, VALENCE, made_timeline

from sertag.archive import run_of
from sertag.summary import Record
from sertag.tagger import Tagger
from sertag.timeline import Failure
from sertag.writers import Totals
from sertag.writers.json_document import JsonWriter

from conftest import SAMPLES, Cli, write

SCHEMA = json.loads((files("sertag") / "schemas/sertag-1.json").read_text())
DOCUMENT = Draft202012Validator(SCHEMA)
LINE = Draft202012Validator({"$ref": "#/$defs/line", "$defs": SCHEMA["$defs"]})


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples, and a file that is no recording."""
    folder = tmp_path_factory.mktemp("archive")
    for sample in ("parcel-call.wav", "voice-memo.flac"):
        (folder / sample).symlink_to(SAMPLES / sample)
    (folder / "text.wav").write_text("no audio\n" * 100)
    return folder


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--channels", "split", "--min-confidence", "0.6"],
        ["--channels", "left=agent,right=customer", "--hop", "3"],
    ],
)
def test_a_scan_is_as_its_schema_says(cli: Cli, tmp_path: Path, archive: Path, options: list[str]) -> None:
    assert cli("scan", archive, "--out", "r.json", "--out", "r.jsonl", *options).returncode == 3
    document = json.loads((tmp_path / "r.json").read_text())
    DOCUMENT.validate(document)
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    for line in lines:
        LINE.validate(line)
    assert sum("error" in line for line in lines) == document["run"]["failed"] > 0
    assert sum("channels" in line for line in lines) == document["run"]["tagged"] > 0


def test_the_schema_is_strict(cli: Cli) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    line = json.loads(cli("scan", SAMPLES / "parcel-call.wav", "--channels", "split").stdout)
    assert LINE.is_valid(line)
    places: list[tuple[Any, ...]] = []

    def walk(value: Any, *path: Any) -> None:
        if isinstance(value, dict):
            places.extend((*path, key) for key in value)
            for key, part in value.items():
                walk(part, *path, key)
        elif isinstance(value, list) and value:
            walk(value[0], *path, 0)

    walk(line)
    free = {"probabilities", "emotions"}
    tried = 0
    for *path, key in places:
        if path and path[-1] in free:
            continue
        for change in ("remove", "add"):
            changed = copy.deepcopy(line)
            place = changed
            for part in path:
                place = place[part]
            if change == "remove":
                del place[key]
            else:
                place[f"{key}_"] = place[key]
            assert not LINE.is_valid(changed), (change, *path, key)
            tried += 1
    assert tried > 60


def test_a_recording_without_speech(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "a.wav", np.zeros(100_000, dtype=np.float32))
    line = json.loads(cli("scan", "a.wav", "--channels", "split").stdout)
    LINE.validate(line)
    assert line["channels"][0]["summary"]["most_negative"] is None


def test_carried_columns_of_a_list() -> None:
    stream = io.StringIO()
    run = replace(run_of(Tagger()), labels=LABELS, valence=VALENCE, carried=("agent", "=note"))
    writer = JsonWriter(stream, run)
    writer.add(Record.of(made_timeline(1_200, 3, warnings=("is cut off",))), ("7", ""))
    writer.fail(Failure("b.wav", "empty", "has 0 bytes"), ("8", "x"))
    writer.finish(Totals(1, 1, 3.0))
    DOCUMENT.validate(json.loads(stream.getvalue()))
