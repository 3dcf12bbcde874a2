"""The journal's SQLite database: its tables, its lock, and what goes wrong with it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sertag.errors import SertagError, UsageError
from sertag.files import writing

_APPLICATION = 0x53455254

_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE recordings (
    name TEXT PRIMARY KEY,
    position INTEGER,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    seconds REAL NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    carried TEXT
) WITHOUT ROWID;
CREATE TABLE held (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""


def open_database(path: Path) -> sqlite3.Connection:
    """The database, made where there is none, locked for this process alone and in a transaction.

    Raises:
        UsageError: where another run uses it, or the file is something else.
        sqlite3.Error: where it cannot be written.
    """
    database = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        # Held until it is closed, so that no second run works beside this one.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        if database.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
            if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError
            for statement in _TABLES.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
    except sqlite3.DatabaseError as error:
        database.close()
        if error.args and "locked" in str(error):
            raise UsageError(f"{path}: another run of sertag is using this journal") from None
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise UsageError(f"{path}: is no journal of sertag; remove it, or name another --journal") from None
    return database


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what the system and SQLite say of a file into an error for people."""
    try:
        with writing(path):
            yield
    except sqlite3.Error as error:
        raise for_people(path, error) from error


def for_people(path: Path, error: sqlite3.Error) -> SertagError:
    """What to raise for what SQLite says of a journal."""
    if isinstance(error, sqlite3.OperationalError):
        return SertagError("output_failed", f"{path}: cannot be written: {error}")
    return UsageError(f"{path}: is damaged ({error}); --overwrite starts anew")


def asides_in(database: sqlite3.Connection) -> list[str]:
    """The unfinished files that a journal's runs may have left."""
    row = database.execute("SELECT value FROM about WHERE name = 'asides'").fetchone()
    asides: list[str] = json.loads(row[0]) if row else []
    return asides


def replaced_in(database: sqlite3.Connection) -> list[str]:
    """The outputs that were there when a journal's run began, and that it may replace."""
    row = database.execute("SELECT value FROM about WHERE name = 'replaces'").fetchone()
    replaces: list[str] = json.loads(row[0]) if row else []
    return replaces


def settings_in(database: sqlite3.Connection) -> dict[str, str]:
    """The settings that a journal is of, by name, as JSON."""
    rows = database.execute("SELECT substr(name, 9), value FROM about WHERE name LIKE 'setting %'")
    return dict(rows.fetchall())
