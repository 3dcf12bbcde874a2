"""JSON: one document for the whole run, written recording by recording."""

from __future__ import annotations

import json
from typing import IO, Any

from sertag.timeline import Failure, Timeline
from sertag.writers.base import SCHEMA, Run, Totals
from sertag.writers.documents import failure_object, model_object, timeline_object


class JsonWriter:
    """``{"schema", "recordings": [...], "run": {...}}``; the run last, as it holds the totals."""

    def __init__(self, stream: IO[str], run: Run) -> None:
        self._stream = stream
        self._run = run
        self._separator = "\n"
        stream.write(f'{{"schema":{json.dumps(SCHEMA)},"recordings":[')

    def add(self, timeline: Timeline) -> None:
        """Writes the recording's object."""
        self._element(timeline_object(timeline, self._run))

    def fail(self, failure: Failure) -> None:
        """Writes an object that holds the error."""
        self._element(failure_object(failure))

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
        self._stream.write(f'\n],"run":{_compact(run)}}}\n')

    def _element(self, document: dict[str, Any]) -> None:
        self._stream.write(self._separator + _compact(document))
        self._separator = ",\n"


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
