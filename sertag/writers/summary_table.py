"""The summaries as CSV: a row per recording and channel. Failures have no place in it."""

from __future__ import annotations

from typing import IO

from sertag.errors import UsageError
from sertag.summary import Record, summary_columns
from sertag.timeline import Failure
from sertag.writers.base import Run, Totals
from sertag.writers.csv_table import csv_row


class SummaryWriter:
    """A header, then a row per channel; see :func:`sertag.summary.summary_cells`.

    Raises:
        UsageError: where a column that comes with a list is called like one of these.
    """

    def __init__(self, stream: IO[str], run: Run) -> None:
        self._stream = stream
        columns = ("file", "channel", *summary_columns(run.labels), "warnings", *run.carried)
        for column in run.carried:
            if columns.count(column) > 1:
                raise UsageError(
                    f"--list: the column {column!r} would clash with one of --summary; rename it"
                )
        stream.write(csv_row(columns) + "\n")

    def add(self, record: Record, carried: tuple[str, ...] = ()) -> None:
        """Writes a row per channel."""
        timeline = record.timeline
        suffix = csv_row(("", "; ".join(timeline.warnings), *carried)) + "\n"
        for channel, summary in zip(timeline.channels, record.summaries, strict=True):
            self._stream.write(csv_row((timeline.file, channel.channel, "")) + summary.cells + suffix)

    def fail(self, failure: Failure, carried: tuple[str, ...] = ()) -> None:
        """Nothing: a failure has no summary."""

    def finish(self, totals: Totals) -> None:
        """Nothing: a table has no end."""
