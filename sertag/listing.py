"""A person's own list of recordings: one path a line, or a CSV that knows more about each."""

from __future__ import annotations

import contextlib
import csv
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from typing import IO

from sertag.discovery import Finder, Recording, display_name
from sertag.errors import UsageError
from sertag.ondisk import temporary_failed
from sertag.timeline import PREFIX

_LONGEST_LINE = 131_072
_NEARLY_HEADER = re.compile(
    r"""(^|[,;\t])["' ]*(file|path)["' ]*[,;\t]|[,;\t]["' ]*(file|path)["' ]*$""", re.I
)
"""What begins a table of another kind."""


class RecordingList:
    """The recordings that a list names, in its order; can be iterated again and again.

    The list is a CSV if its first line names a column ``file`` (or ``path``), else it holds one path a line.
    Paths are relative to the current folder; as listed they are the names in the outputs. What is listed is
    a recording whatever it is called, and though it be missing; a folder stands for what lies below it.

    Args:
        path: of the list, or ``-`` for standard input.
        include: patterns as in :func:`sertag.discovery.find_recordings`.
        exclude: likewise.
        own: likewise.

    Raises:
        UsageError: where the list cannot be read, names nothing, or a line of it is wrong; at once, not
            when a line's turn comes.
    """

    def __init__(
        self,
        path: str,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        own: Collection[bytes] = (),
    ) -> None:
        self._label = f"--list {display_name(path)}"
        self._include, self._exclude, self._own = include, exclude, own
        # A pipe can be read only once.
        self._kept = None if path != "-" and os.path.isfile(path) else self._keep(path)
        self._path = self._kept.name if self._kept else path
        self._is_table = False
        line, first = next(self._rows(), (1, [""]))
        named = _fields(first[0])
        self._is_table = "file" in named or "path" in named
        nearly = _NEARLY_HEADER.search(first[0]) or (path.lower().endswith(".csv") and "," in first[0])
        if not self._is_table and nearly and not os.path.lexists(first[0]):
            raise self._error(line, "a CSV has commas between its columns, and one called 'file' or 'path'")
        columns = next(self._rows())[1] if self._is_table else ["file"]
        self._width = len(columns)
        self._key = columns.index("file" if "file" in columns else "path")
        self.carried = _carried(columns, self._key)
        """Names of the columns that are carried into the outputs."""
        for column in columns:
            if not column:
                raise self._error(line, "a column has no name")
            if columns.count(column) > 1:
                raise self._error(line, f"the column {column!r} comes twice")
        for column in self.carried:
            if column in PREFIX or column.startswith("p_"):
                raise self._error(
                    line, f"the column {column!r} would clash with one of the outputs; rename it"
                )
        # A wrong line is better told now than after a night's work.
        if not sum(1 for _ in self._entries()):
            raise UsageError(f"{self._label}: names no recording")

    def __iter__(self) -> Iterator[Recording]:
        with contextlib.closing(Finder(self._include, self._exclude, self._own)) as finder:
            for path, carried in self._entries():
                yield from finder.find(finder.place(path, path.rstrip(b"/") or b"/"), carried)

    def _entries(self) -> Iterator[tuple[bytes, tuple[str, ...]]]:
        """Paths, and the values of the columns that are carried."""
        rows = self._rows()
        if self._is_table:
            next(rows)
        for line, row in rows:
            if len(row) != self._width:
                fields = f"{len(row)} field{'s'[: len(row) != 1]}"
                raise self._error(line, f"has {fields}, not {self._width}; quote what holds a comma")
            path = row[self._key]
            if not path:
                raise self._error(line, "names no file")
            if "\0" in path:
                raise self._error(line, "has a NUL byte in a path; write one path a line")
            yield path.encode("utf-8", "surrogateescape"), _carried(row, self._key)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """The fields of every row that is not empty, and the number of its first line."""
        try:
            # Lines end where a shell ends them: a lone CR is part of a name.
            with open(self._path, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as stream:
                if self._is_table:
                    yield from self._table_rows(stream)
                else:
                    for number, line in enumerate(self._lines(stream), 1):
                        if path := line.removesuffix("\n").removesuffix("\r"):
                            yield number, [path]
        except OSError as error:
            raise self._unreadable(error) from None

    def _table_rows(self, stream: IO[str]) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(self._lines(stream), strict=True)
        line = 1
        try:
            for row in reader:
                if row:
                    yield line, row
                line = reader.line_num + 1
        except csv.Error as error:
            raise self._error(line, f"cannot be read as CSV: {error}") from None

    def _lines(self, stream: IO[str]) -> Iterator[str]:
        number = 0
        while line := stream.readline(_LONGEST_LINE):
            number += 1
            if len(line) == _LONGEST_LINE:
                raise self._error(number, "is too long; is this a list of paths?")
            yield line

    def _keep(self, path: str) -> IO[bytes]:
        """A copy of a list that comes through a pipe; goes with the object."""
        try:
            pipe = open(0 if path == "-" else path, "rb", closefd=path != "-")  # noqa: SIM115
        except OSError as error:
            raise self._unreadable(error) from None
        with pipe:
            try:
                kept = tempfile.NamedTemporaryFile(prefix="sertag-list-")  # noqa: SIM115
                shutil.copyfileobj(pipe, kept)
                kept.flush()
            except OSError as error:
                raise temporary_failed(error) from error
        return kept

    def _unreadable(self, error: OSError) -> UsageError:
        return UsageError(f"{self._label}: cannot be read: {error.strerror}")

    def _error(self, line: int, message: str) -> UsageError:
        return UsageError(f"{self._label}: line {line}: {message}")


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _carried(row: Sequence[str], key: int) -> tuple[str, ...]:
    r"""The other fields, as text that can be written: bytes that are not UTF-8 become ``\xHH``."""
    return tuple(
        field.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        for place, field in enumerate(row)
        if place != key
    )
