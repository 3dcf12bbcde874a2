"""CSV: a row per window. Failures have no place in it."""

from __future__ import annotations

import csv
from typing import IO

from sertag.timeline import Failure, Timeline, columns
from sertag.writers.base import Run, Totals


class CsvWriter:
    """A header, then the rows of every timeline; times with 3 decimals, probabilities with 4."""

    def __init__(self, stream: IO[str], run: Run) -> None:
        self._csv = csv.writer(stream, lineterminator="\n")
        self._csv.writerow(columns(run.labels))

    def add(self, timeline: Timeline) -> None:
        """Writes a row per window."""
        for file, channel, start, end, emotion, confidence, speech, *probabilities in timeline.rows():
            self._csv.writerow(
                (
                    *(file, channel, f"{start:.3f}", f"{end:.3f}", emotion),
                    *map(_share, (confidence, speech, *probabilities)),
                )
            )

    def fail(self, failure: Failure) -> None:
        """Nothing: the table holds windows alone."""

    def finish(self, totals: Totals) -> None:
        """Nothing: a table has no end."""


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
