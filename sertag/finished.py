"""What finished outputs hold: for a run that adds to them."""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
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
        UsageError: where the file is not one of sertag's, or is damaged.
    """
    with _reading(path) as lines:
        if format == "csv":
            table = csv.reader(lines)
            next(table, None)
            last = None
            for row in table:
                if row and row[0] != last:
                    last = row[0]
                    yield last
        else:
            for line in lines:
                name, is_failure = _named(line)
                if failed or not is_failure:
                    yield name
    if failed and failures.exists():
        yield from (name for name, _, _ in failure_rows(failures))


def digest(names: Iterator[str]) -> tuple[int, int]:
    """How many names there are, and what tells them from others, whatever their order."""
    count = total = 0
    for name in names:
        hashed = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()
        count, total = count + 1, (total + int.from_bytes(hashed)) % 2**128
    return count, total


def check(path: Path, format: str, header: str, run: Run) -> None:
    """Looks at the beginning of a finished file.

    Raises:
        UsageError: where it is of another model, kind or settings.
    """
    with _reading(path) as lines:
        _check_header(lines, header, path)
        if format == "jsonl":
            for line in lines:
                if not _named(line)[1]:
                    _check_settings(line, path, run)
                    break


def copy(
    path: Path,
    format: str,
    header: str,
    stream: IO[str],
    run: Run,
    anew: Callable[[str], bool],
    tick: Callable[[], None],
) -> None:
    """Copies what a finished file holds behind its header, but for failures that have a new result.

    Calls ``tick`` for every line.

    Raises:
        UsageError: where the file is of another model or other settings, or is damaged.
    """
    with _reading(path) as lines:
        _check_header(lines, header, path)
        for line in lines:
            tick()
            if format == "jsonl":
                name, is_failure = _named(line)
                if not is_failure:
                    _check_settings(line, path, run)
                elif anew(name):
                    continue
            stream.write(line)


def failure_rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """The rows of a list of failures."""
    with _reading(path) as lines:
        table = csv.reader(lines)
        if tuple(next(table, ())) != FAILURE_COLUMNS:
            raise ValueError("it is no list of failures of sertag's")
        yield from ((name, code, message) for name, code, message in table)


def _check_header(lines: Iterator[str], header: str, path: Path) -> None:
    if "".join(islice(lines, header.count("\n"))) != header:
        raise UsageError(
            f"--update: {path} has other columns, so it is of another model or kind; --overwrite starts anew"
        )


def _check_settings(line: str, path: Path, run: Run) -> None:
    """Refuses to add to results of another model or other settings."""
    for name, value in (
        ("model", {"name": run.model_name, "sha256": run.model_sha256}),
        ("settings", run.settings),
    ):
        text = json.dumps({name: value}, ensure_ascii=False, separators=(",", ":"))[1:-1]
        # No value from a list can look like that, as its quotes are escaped.
        if text not in line:
            raise UsageError(
                f"--update: {path} is of another model or other settings; --overwrite starts anew"
            )


def _named(line: str) -> tuple[str, bool]:
    """The recording that a line of JSON Lines is of, and whether it failed."""
    if not (line.startswith(_OBJECT_START) and line.endswith("}\n")):
        raise ValueError("it holds a line that is not of sertag's")
    name, end = json.JSONDecoder().raw_decode(line, len(_OBJECT_START))
    return name, line.startswith((',"error":', ',"carried":'), end) and '"error":{"code":' in line[end:]


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a finished file.

    Raises:
        UsageError: where it is not whole.
        SertagError: ``output_failed`` where it cannot be read.
    """
    opener: Callable[..., IO[str]] = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        # A lone CR is part of a value.
        stream = opener(path, "rt", encoding="utf-8", newline="\n")
    except OSError as error:
        raise SertagError("output_failed", f"{path}: cannot be read: {error.strerror}") from error
    with stream:
        try:
            yield _whole_lines(stream)
        except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error, ValueError) as error:
            raise UsageError(
                f"--update: {path} cannot be added to: {error}; --overwrite starts anew"
            ) from error


def _whole_lines(stream: IO[str]) -> Iterator[str]:
    for line in stream:
        if not line.endswith("\n"):
            raise ValueError("its last line is cut off")
        yield line
