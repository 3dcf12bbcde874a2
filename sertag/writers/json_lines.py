"""JSON Lines: an object per recording."""

from __future__ import annotations

from typing import IO

from sertag.summary import Record
from sertag.timeline import Failure
from sertag.writers.base import Run, Totals
from sertag.writers.documents import Documents


class JsonLinesWriter:
    """A line per recording, tagged or failed."""

    def __init__(self, stream: IO[str], run: Run) -> None:
        self._stream = stream
        self._documents = Documents(run)

    def add(self, record: Record, carried: tuple[str, ...] = ()) -> None:
        """Writes the recording's line."""
        self._stream.writelines(self._documents.recording(record, carried))
        self._stream.write("\n")

    def fail(self, failure: Failure, carried: tuple[str, ...] = ()) -> None:
        """Writes a line that holds the error."""
        self._stream.write(self._documents.failure(failure, carried) + "\n")

    def finish(self, totals: Totals) -> None:
        """Nothing: lines have no end."""
