"""JSON: one document for the whole run, written recording by recording."""

from __future__ import annotations

from typing import IO

from sertag.summary import Record
from sertag.timeline import Failure
from sertag.writers.base import SCHEMA, Run, Totals
from sertag.writers.documents import Documents, compact, model_object


class JsonWriter:
    """``{"schema", "recordings": [...], "run": {...}}``; the run last, as it holds the totals."""

    def __init__(self, stream: IO[str], run: Run) -> None:
        self._stream = stream
        self._run = run
        self._documents = Documents(run)
        self._separator = "\n"
        stream.write(f'{{"schema":{compact(SCHEMA)},"recordings":[')

    def add(self, record: Record, carried: tuple[str, ...] = ()) -> None:
        """Writes the recording's object."""
        self._separate()
        self._stream.writelines(self._documents.recording(record, carried))

    def fail(self, failure: Failure, carried: tuple[str, ...] = ()) -> None:
        """Writes an object that holds the error."""
        self._separate()
        self._stream.write(self._documents.failure(failure, carried))

    def finish(self, totals: Totals) -> None:
        """Writes the run and closes the document."""
        run = {
            "model": model_object(self._run),
            "settings": self._run.settings,
            "found": totals.found,
            "tagged": totals.tagged,
            "failed": totals.failed,
            "duration": round(totals.seconds, 3),
        }
        self._stream.write(f'\n],"run":{compact(run)}}}\n')

    def _separate(self) -> None:
        self._stream.write(self._separator)
        self._separator = ",\n"
