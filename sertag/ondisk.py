"""Sets and sorts that live in a temporary file, so that memory does not grow with an archive."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from sertag.errors import SertagError

SORTED_IN_MEMORY = 10_000
"""That many names are sorted without a file."""

_CACHE_KIB = 2_000


class PathSet:
    """Paths that were seen, in a file that goes with the object.

    Raises:
        SertagError: ``temporary_failed`` where the file cannot be written.
    """

    def __init__(self) -> None:
        self._database = _temporary_database("CREATE TABLE paths (path BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, path: bytes) -> bool:
        """Adds a path, and says whether it is new."""
        try:
            cursor = self._database.execute("INSERT OR IGNORE INTO paths VALUES (?)", (path,))
        except sqlite3.Error as error:
            raise temporary_failed(error) from error
        return cursor.rowcount == 1

    def close(self) -> None:
        """Removes the file."""
        self._database.close()


def sorted_bytes(names: Iterable[bytes]) -> Iterator[bytes]:
    """Names in byte order, through a temporary file where they are many; all are read before the first comes.

    Raises:
        SertagError: ``temporary_failed`` where that file cannot be written.
    """
    unread = iter(names)
    few = list(islice(unread, SORTED_IN_MEMORY))
    following = next(unread, None)
    if following is None:
        return iter(sorted(few))
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(
            contextlib.closing(_temporary_database("CREATE TABLE names (name BLOB)"))
        )
        rows = ((name,) for name in chain(few, (following,), unread))
        try:
            database.executemany("INSERT INTO names VALUES (?)", rows)
        except sqlite3.Error as error:
            raise temporary_failed(error) from error
        stack.pop_all()
    return _in_order(database)


def temporary_failed(error: Exception) -> SertagError:
    """What to raise where a temporary file cannot be written."""
    reason = error.strerror if isinstance(error, OSError) else error
    return SertagError(
        "temporary_failed",
        f"temporary files cannot be written: {reason}; make room, or set TMPDIR to a folder that has some",
    )


def _temporary_database(table: str) -> sqlite3.Connection:
    # Whoever iterates may hand on to another thread; a generator is never run by two at a time.
    database = sqlite3.connect("", check_same_thread=False)
    for setting in (
        "journal_mode = OFF",
        "synchronous = OFF",
        "temp_store = FILE",
        f"cache_size = -{_CACHE_KIB}",
    ):
        database.execute(f"PRAGMA {setting}")
    database.execute(table)
    return database


def _in_order(database: sqlite3.Connection) -> Iterator[bytes]:
    with contextlib.closing(database):
        try:
            for (name,) in database.execute("SELECT name FROM names ORDER BY name"):
                yield name
        except sqlite3.Error as error:
            raise temporary_failed(error) from error
