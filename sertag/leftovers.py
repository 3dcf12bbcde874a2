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
from sertag.journal_database import asides_in, open_database, settings_in, told
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
        What that run was; None where there is none.
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
        put_in_place(move for move in moves if move.aside is None or os.path.exists(move.aside))
        asides = asides_in(database)
    remove_journal(path, asides)
    return Finished(settings, frozenset(move.path for move in moves), Totals(*last["totals"]))


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


def remove_journal(path: Path, asides: Iterable[str]) -> None:
    """Removes what there is of a journal, and unfinished files of its runs."""
    remove_asides(asides)
    # The database goes last: as long as it is there, it says what the others are. SQLite keeps a file of its
    # own beside one that is locked for long, and a killed run leaves it.
    for file in (parts_path(path), path.with_name(path.name + "-journal"), path):
        file.unlink(missing_ok=True)


def remove_asides(asides: Iterable[str]) -> None:
    """Removes unfinished files, as far as that is possible."""
    for aside in asides:
        # Its folder may be gone, or no longer this user's; no run ends for that.
        with contextlib.suppress(OSError):
            os.unlink(aside)
