"""What earlier runs left: files that are finished and have no names yet, or are never to be finished."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sertag.files import Move, put_in_place
from sertag.journal_database import asides_in, open_database, replaced_in, settings_in, told
from sertag.writers import Totals


@dataclass(frozen=True)
class Finished:
    """A run that finished its files, and was cut off before all had their names; now they have."""

    settings: Mapping[str, Any]
    paths: frozenset[str]
    totals: Totals


def finish_earlier(path: Path) -> Finished | None:
    """Does what is left of a run that had finished its files and was cut off before they had their names.

    Returns:
        What that run was; None where there is none, or where a finished file is gone: the run goes on then.
    """
    if not path.exists():
        return None
    with told(path), contextlib.closing(open_database(path)) as database:
        row = database.execute("SELECT value FROM about WHERE name = 'last'").fetchone()
        if row is None:
            return None
        settings = {name: json.loads(value) for name, value in settings_in(database).items()}
        last = json.loads(row[0])
        moves = [Move(*move) for move in last["moves"]]
        if any(map(_is_gone, moves)):
            _take_back(database, moves)
            return None
        put_in_place(move for move in moves if move.aside is None or os.path.exists(move.aside))
        asides = asides_in(database)
    remove_journal(path, asides)
    return Finished(settings, frozenset(move.path for move in moves), Totals(*last["totals"]))


def _is_gone(move: Move) -> bool:
    return move.aside is not None and not os.path.exists(move.aside) and not os.path.exists(move.path)


def _take_back(database: sqlite3.Connection, moves: Iterable[Move]) -> None:
    """Makes a finished run an unfinished one, which may replace what it had put in place."""
    done = {move.path for move in moves if os.path.exists(move.path)}
    replaces = json.dumps(sorted(done.union(replaced_in(database))))
    database.execute("UPDATE about SET value = ? WHERE name = 'replaces'", (replaces,))
    database.execute("DELETE FROM about WHERE name = 'last'")
    database.execute("COMMIT")


def is_begun(path: Path) -> bool:
    """Whether an earlier run has begun a journal; one that died at once may have left an empty one."""
    if not path.exists():
        return False
    with told(path), contextlib.closing(open_database(path)) as database:
        return bool(settings_in(database))


def discard(path: Path) -> None:
    """Removes a journal, where there is one, and the unfinished files that its runs left.

    Raises:
        UsageError: where the file is something else.
    """
    asides: list[str] = []
    if path.exists():
        with (
            told(path),
            contextlib.closing(open_database(path)) as database,
            # One that is damaged tells nothing.
            contextlib.suppress(sqlite3.DatabaseError, ValueError),
        ):
            asides = asides_in(database)
    remove_journal(path, asides)


def parts_path(path: Path) -> Path:
    """Where the results of a journal are."""
    return path.with_name(path.name + ".parts")


def journal_files(path: Path) -> tuple[Path, Path, Path]:
    """The files of a journal: its results, SQLite's own while it is locked, and the database, the last to go.

    As long as that is there, it says what the others are.
    """
    return parts_path(path), path.with_name(path.name + "-journal"), path


def remove_journal(path: Path, asides: Iterable[str]) -> None:
    """Removes what there is of a journal, and unfinished files of its runs."""
    remove_asides(asides)
    for file in journal_files(path):
        file.unlink(missing_ok=True)


def remove_asides(asides: Iterable[str]) -> None:
    """Removes unfinished files, as far as that is possible."""
    for aside in asides:
        # Its folder may be gone, or no longer this user's; no run ends for that.
        with contextlib.suppress(OSError):
            os.unlink(aside)
