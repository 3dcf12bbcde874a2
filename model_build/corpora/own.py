"""One's own recordings: folders ``emotion/speaker/...``, or a CSV with ``file,emotion,speaker``.

Where the CSV has the columns ``sex`` and ``age``, figures by sex and age are to be had.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

from model_build.corpora.utterance import LeftOut, Utterance
from sertag.errors import UsageError
from sertag.labels import NO_SPEECH, UNCERTAIN, VALENCE, in_order

NAME = "own recordings"
LICENCE = "one's own"

_COLUMNS = ("file", "emotion", "speaker")


def is_own_folder(folder: Path) -> bool:
    """Whether a folder is laid out by emotion: at least two of its folders have a known label's name."""
    return sum(entry.name in VALENCE and entry.is_dir() for entry in folder.iterdir()) >= 2


def name_of(place: Path) -> str:
    """What a folder or a CSV is called; its speakers' names begin with it."""
    # `.` has no name of its own.
    return place.stem if place.is_file() else os.path.basename(os.path.abspath(place))


def nearly(place: Path) -> str | None:
    """What to do about a folder that is nearly laid out by emotion; None where it is not even that."""
    folders = [entry for entry in sorted(place.iterdir()) if entry.is_dir()] if place.is_dir() else []
    large = [entry.name for entry in folders if entry.name not in VALENCE and entry.name.lower() in VALENCE]
    if large:
        return f"write {large[0]} small"
    inner = next((entry.name for entry in folders if is_own_folder(entry)), None)
    return inner and f"its folder {inner} is laid out by emotion: give that, with speakers below emotions"


def parse(path: Path, folder: Path) -> Utterance | LeftOut:
    """What a file's place below a folder laid out by emotion says."""
    emotion, *rest = path.relative_to(folder).parts
    if len(rest) < 2:
        return LeftOut("not in a folder emotion/speaker")
    if not _is_label(emotion):
        return LeftOut(f"the folder {emotion} is not named like a label")
    return Utterance(path, NAME, f"{name_of(folder)} {rest[0]}", emotion)


def read_table(table: Path) -> Iterator[Utterance | LeftOut]:
    """The recordings of a CSV; ``file`` is relative to its folder.

    Raises:
        UsageError: where it is no CSV, a column is missing, or a label cannot be one.
    """
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            yield from _rows(table, csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table}: is not a CSV in UTF-8 with {', '.join(_COLUMNS)}") from error


def _rows(table: Path, rows: csv.DictReader[str]) -> Iterator[Utterance | LeftOut]:
    missing = [column for column in _COLUMNS if column not in (rows.fieldnames or ())]
    if missing:
        raise UsageError(f"{table}: has no column {', '.join(missing)}; it needs {', '.join(_COLUMNS)}")
    for row in rows:
        if row["emotion"] in (UNCERTAIN, NO_SPEECH):
            raise UsageError(f"{table}:{rows.line_num}: {row['emotion']!r} is what windows are called")
        if not _is_label(row["emotion"] or "") or not row["speaker"]:
            raise UsageError(
                f"{table}:{rows.line_num}: give an emotion of a-z, 0-9 and _ and a speaker, not"
                f" {row['emotion']!r} and {row['speaker']!r}"
            )
        sex, age = row.get("sex") or "", row.get("age") or ""
        if sex not in ("", "female", "male") or not re.fullmatch(r"\d{0,3}", age, re.ASCII):
            raise UsageError(
                f"{table}:{rows.line_num}: sex is female, male or empty, age a number or empty, not"
                f" {sex!r} and {age!r}"
            )
        path = table.parent / (row["file"] or "")
        # Unlike Path.is_file, it takes a name that is too long for no file.
        if os.path.isfile(path):
            speaker = f"{name_of(table)} {row['speaker']}"
            yield Utterance(path, NAME, speaker, row["emotion"], sex, int(age) if age else None)
        else:
            yield LeftOut("file of the table is not there")


def _is_label(name: str) -> bool:
    try:
        in_order([name])
    except ValueError:
        return False
    return True
