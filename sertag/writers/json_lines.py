"""JSON Lines: an object per recording, as soon as it is tagged."""

from __future__ import annotations

import json
from typing import IO

from sertag.timeline import Failure, Timeline
from sertag.writers.base import Run, Totals
from sertag.writers.documents import failure_object, timeline_object


class JsonLinesWriter:
    """A line per recording, tagged or failed."""

    def __init__(self, stream: IO[str], run: Run) -> None:
        self._stream = stream
        self._run = run

    def add(self, timeline: Timeline) -> None:
        """Writes the recording's line."""
        self._line(timeline_object(timeline, self._run))

    def fail(self, failure: Failure) -> None:
        """Writes a line that holds the error."""
        self._line(failure_object(failure))

    def finish(self, totals: Totals) -> None:
        """Nothing: lines have no end."""

    def _line(self, document: dict[str, object]) -> None:
        self._stream.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._stream.flush()
