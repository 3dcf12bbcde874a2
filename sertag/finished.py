"""What finished outputs hold: for a run that adds to them."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from sertag.errors import SertagError, UsageError
from sertag.writers.base import SCHEMA, Run

FAILURE_COLUMNS = ("file", "code", "message")
"""Columns of the list of failures."""

_OBJECT_START = f'{{"schema":{json.dumps(SCHEMA)},"file":'


def held_names(path: Path, format: str, failures: Path, *, failed: bool) -> Iterator[str]:
    """Names of the recordings that a finished output holds.

    Args:
        path: the output.
        format: ``csv`` or ``jsonl``.
        failures: the file of failures beside it.
        failed: whether those count that failed.

    Raises:
        UsageError: where the file is not one of sertag's.
    """
    with _reading(path) as stream:
        if format == "csv":
            table = csv.reader(stream)
            next(table, None)
            last = None
            for row in table:
                if row and row[0] != last:
                    last = row[0]
                    yield last
        else:
            for line in stream:
                name, is_failure = _named(line, path)
                if failed or not is_failure:
                    yield name
    if failed and failures.exists():
        yield from (name for name, _, _ in failure_rows(failures))


def copy(
    path: Path, format: str, header: str, stream: IO[str], run: Run, anew: Callable[[str], bool]
) -> None:
    """Copies what a finished file holds behind its header, but for failures that have a new result.

    Raises:
        UsageError: where the file is of another model or other settings.
    """
    with _reading(path) as old:
        if old.read(len(header)) != header:
            raise UsageError(
                f"--update: {path} has other columns, so it is of another model or kind;"
                " --overwrite starts anew"
            )
        if format == "csv":
            shutil.copyfileobj(old, stream)
            return
        for line in old:
            name, is_failure = _named(line, path)
            if not is_failure:
                _check_settings(line, path, run)
            if not (is_failure and anew(name)):
                stream.write(line)


def _check_settings(line: str, path: Path, run: Run) -> None:
    """Refuses to add to results of another model or other settings."""
    head = line[: line.index(',"warnings":')]
    for name, value in (
        ("model", {"name": run.model_name, "sha256": run.model_sha256}),
        ("settings", run.settings),
    ):
        text = json.dumps({name: value}, ensure_ascii=False, separators=(",", ":"))[1:-1]
        if text not in head:
            raise UsageError(
                f"--update: {path} is of another model or other settings; --overwrite starts anew"
            )


def _named(line: str, path: Path) -> tuple[str, bool]:
    """The recording that a line of JSON Lines is of, and whether it failed."""
    try:
        if not line.startswith(_OBJECT_START):
            raise ValueError
        name, end = json.JSONDecoder().raw_decode(line, len(_OBJECT_START))
    except ValueError:
        raise UsageError(f"--update: {path} holds a line that is not of sertag's; is it whole?") from None
    return name, line.startswith((',"error":', ',"carried":'), end) and '"error":{"code":' in line[end:]


def failure_rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """The rows of a list of failures."""
    with _reading(path) as stream:
        table = csv.reader(stream)
        if tuple(next(table, ())) != FAILURE_COLUMNS:
            raise UsageError(f"--update: {path} is no list of failures of sertag's")
        yield from ((name, code, message) for name, code, message in table)


def _reading(path: Path) -> IO[str]:
    try:
        if path.suffix.lower() == ".gz":
            return gzip.open(path, "rt", encoding="utf-8", newline="")
        return open(path, encoding="utf-8", newline="")
    except OSError as error:
        raise SertagError("output_failed", f"{path}: cannot be read: {error.strerror}") from error
