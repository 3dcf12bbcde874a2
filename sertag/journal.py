"""What is done, and with which settings: so that a run that was cut off goes on where it was.

The journal is a SQLite database that holds state only: a row per recording that was tagged or failed, with
its size and time of modification, and the place of its result in ``<journal>.parts``. Results are synced to
the disk before the rows that point to them are committed, once a second. So after a crash or a power cut
at any moment every row is true, and what lies behind the last row's result is cut away. Both files go
when the outputs are complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from sertag.discovery import Recording
from sertag.errors import SertagError, UsageError
from sertag.files import Move, put_in_place, sync_folder
from sertag.journal_database import asides_in, for_people, open_database, replaced_in, settings_in, told
from sertag.leftovers import parts_path, remove_asides, remove_journal
from sertag.parts import RECORD_OVERHEAD, DamagedRecordError, Parts, Place
from sertag.writers import Totals

_COMMIT_SECONDS = 1.0


@dataclass(frozen=True)
class Entry:
    """What became of a recording: its encoded result, and the values carried over from a list."""

    name: str
    payload: bytes
    failed: bool
    carried: tuple[str, ...]


class Journal:
    """The journal of one run, opened or begun.

    As a context it turns what SQLite says of a damaged database or a full disk into an error for people.

    Args:
        path: the database.
        settings: all that changes results; a journal of other settings is refused.
        retry_failed: whether what failed before is done again.
        replaces: outputs that are there, and that the run may replace if it begins now.

    Raises:
        UsageError: where the settings differ, another run uses the journal, or it is none or is damaged.
        SertagError: ``output_failed`` where it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        *,
        retry_failed: bool = False,
        replaces: Sequence[str] = (),
    ) -> None:
        self.path = path
        self._retry_failed = retry_failed
        self._live = True
        self._adds = False
        self._asides: list[str] = []
        self._committed_at = time.monotonic()
        self._unsafe = False
        with told(path):
            self._database = open_database(path)
            self._begin(settings, replaces)
            descriptor = os.open(parts_path(path), os.O_RDWR | os.O_CREAT, 0o666)
            self._parts = Parts(descriptor, self._end(), str(parts_path(path)))
            self.commit()
            sync_folder(path.absolute().parent)

    def holds(self, position: int, recording: Recording) -> bool:
        """Whether nothing is to be done: the recording's result is here, or in an output to add to.

        Args:
            position: its place in the order of discovery.
            recording: as it is now; where it has changed, it is to be done again.
        """
        if not self.resumed:
            return False
        if self._adds:
            query = "SELECT 1 FROM held WHERE name = ?"
            if self._database.execute(query, (recording.name,)).fetchone():
                return True
        cursor = self._database.execute(
            "UPDATE recordings SET position = ?, carried = ?"
            " WHERE name = ? AND size = ? AND modified = ? AND NOT (failed AND ?)",
            (position, _carried(recording), recording.name, *_state(recording), self._retry_failed),
        )
        return cursor.rowcount == 1

    def hold(self, names: Iterator[str]) -> None:
        """Takes recordings as done that an output to add to holds already."""
        self._database.executemany("INSERT OR IGNORE INTO held VALUES (?)", ((name,) for name in names))
        self.resumed = self._adds = True

    def put(
        self, position: int, recording: Recording, payload: bytes, *, failed: bool, seconds: float
    ) -> None:
        """Keeps a result; ``seconds`` of audio were tagged. It is safe at the next commit."""
        place = self._parts.append(payload)
        self._database.execute(
            "INSERT OR REPLACE INTO recordings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(recording.name, position, *_state(recording)),
                *(failed, seconds, *place, _carried(recording)),
            ),
        )
        self._unsafe = True
        self.settle()

    def settle(self) -> None:
        """Makes safe what was put, if the last commit was more than a second ago; to be called often."""
        if self._unsafe and time.monotonic() - self._committed_at > _COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Returns when all that was put is safe."""
        self._parts.sync()
        self._database.execute("COMMIT")
        self._database.execute("BEGIN EXCLUSIVE")
        self._committed_at = time.monotonic()
        self._unsafe = False

    def totals(self) -> Totals:
        """What this run came to."""
        tagged, failed, seconds = 0, 0, 0.0
        for bad, duration in self._database.execute(
            "SELECT failed, seconds FROM recordings WHERE position IS NOT NULL ORDER BY position"
        ):
            tagged, failed, seconds = tagged + (not bad), failed + bad, seconds + duration
        return Totals(tagged, failed, seconds)

    def has(self, name: str) -> bool:
        """Whether there is a result of this run's for a recording."""
        query = "SELECT 1 FROM recordings WHERE name = ? AND position IS NOT NULL"
        return self._database.execute(query, (name,)).fetchone() is not None

    def entries(self) -> Iterator[Entry]:
        """The results of this run in the order of discovery.

        Raises:
            DamagedRecordError: where some cannot be read back; they are forgotten, and to be done again.
        """
        rows = self._database.execute(
            "SELECT name, failed, offset, length, carried FROM recordings"
            " WHERE position IS NOT NULL ORDER BY position"
        )
        for name, failed, offset, length, carried in rows:
            try:
                payload = self._parts.read(Place(offset, length))
            except DamagedRecordError:
                # All at once, as what follows is that the run goes through the archive once more.
                damaged = [name, *(name for name, _, *place, _ in rows if not self._reads(Place(*place)))]
                self._database.executemany(
                    "DELETE FROM recordings WHERE name = ?", ((name,) for name in damaged)
                )
                self.commit()
                self.resumed = True
                raise
            yield Entry(name, payload, bool(failed), tuple(json.loads(carried)) if carried else ())

    def note_asides(self, paths: Sequence[str]) -> None:
        """Takes note of files that are about to be written; what stays unfinished goes with the journal.

        Those that an earlier run left and that are not written again go now.

        Args:
            paths: the files; one that is there already and is of no earlier run is not noted.
        """
        remove_asides(path for path in self._asides if path not in paths)
        self._asides = [path for path in paths if path in self._asides or not os.path.lexists(path)]
        self._database.execute(
            "INSERT OR REPLACE INTO about VALUES ('asides', ?)", (json.dumps(self._asides),)
        )
        self.commit()

    def finish(self, moves: Sequence[Move], totals: Totals) -> None:
        """Puts finished files in their places, all of them even if cut off midway, and is gone.

        Args:
            moves: what is left to do; the files are synced to the disk already. They stay where they are even
                if this fails, as it may be a later run that does it.
            totals: what the run came to.
        """
        last = {"moves": [astuple(move) for move in moves], "totals": astuple(totals)}
        self._database.execute("INSERT INTO about VALUES ('last', ?)", (json.dumps(last),))
        self.commit()
        put_in_place(moves)
        self._close()
        remove_journal(self.path, self._asides)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _at: object) -> None:
        """Makes safe what was put, for the next run to go on from; a journal that holds nothing goes."""
        if self._live:
            # Where it cannot be, the disk is full, and that has been told.
            kept = True
            with contextlib.suppress(SertagError, sqlite3.Error):
                self.commit()
                kept = self._database.execute("SELECT 1 FROM recordings").fetchone() is not None
            self._close()
            if not kept:
                remove_journal(self.path, self._asides)
        if isinstance(error, sqlite3.Error):
            raise for_people(self.path, error) from error

    def _begin(self, settings: Mapping[str, Any], replaces: Sequence[str]) -> None:
        now = {name: json.dumps(value, sort_keys=True) for name, value in settings.items()}
        then = settings_in(self._database)
        self.resumed = bool(then)
        """Whether an earlier run left something."""
        if then and then != now:
            names = (name for name in sorted({*then, *now}) if then.get(name) != now.get(name))
            changes = ", ".join(f"{name} {then.get(name)} then, {now.get(name)} now" for name in names)
            self._database.close()
            raise UsageError(
                f"{self.path}: was begun with other settings ({changes}); give those to continue,"
                " or --overwrite to start anew"
            )
        self._database.executemany(
            "INSERT OR REPLACE INTO about VALUES (?, ?)",
            [(f"setting {name}", value) for name, value in now.items()],
        )
        self._database.execute("INSERT OR IGNORE INTO about VALUES ('replaces', ?)", (json.dumps(replaces),))
        self.replaces = frozenset(replaced_in(self._database))
        """Outputs that were there when the run began, and that it may replace."""
        self._asides = asides_in(self._database)
        # Positions are those of this run: recordings may have come and gone since the last.
        self._database.execute("UPDATE recordings SET position = NULL WHERE position IS NOT NULL")
        self._database.execute("DELETE FROM held")

    def _end(self) -> int:
        """Where the last result ends that a row points to."""
        row = self._database.execute("SELECT max(offset + length) FROM recordings").fetchone()
        return 0 if row[0] is None else int(row[0]) + RECORD_OVERHEAD

    def _reads(self, place: Place) -> bool:
        try:
            self._parts.read(place)
        except DamagedRecordError:
            return False
        return True

    def _close(self) -> None:
        self._live = False
        self._database.close()
        self._parts.close()


def _state(recording: Recording) -> tuple[int, int]:
    """Size and time of modification, which a file system may put beyond what SQLite holds."""
    return recording.size, recording.modified % 2**62


def _carried(recording: Recording) -> str | None:
    return json.dumps(recording.carried, ensure_ascii=False) if recording.carried else None
