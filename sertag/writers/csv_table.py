"""CSV: a row per window. Failures have no place in it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import IO

from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.summary import Record
from sertag.timeline import Failure, columns
from sertag.writers.base import Run, Totals


class CsvWriter:
    """A header, then the rows of every timeline; times with 3 decimals, probabilities with 4."""

    def __init__(self, stream: IO[str], run: Run) -> None:
        self._stream = stream
        self._names = (*run.labels, UNCERTAIN, NO_SPEECH)
        self._spoken = "%.3f,%.3f,%s,%.4f,%.4f" + ",%.4f" * len(run.labels)
        self._silent = f"%.3f,%.3f,{NO_SPEECH},,%.4f" + "," * len(run.labels)
        stream.write(csv_row((*columns(run.labels), *run.carried)) + "\n")

    def add(self, record: Record, carried: tuple[str, ...] = ()) -> None:
        """Writes a row per window."""
        names, spoken, silent = self._names, self._spoken, self._silent
        suffix = (csv_row(("", *carried)) if carried else "") + "\n"
        for channel in record.timeline.channels:
            prefix = csv_row((record.timeline.file, channel.channel, ""))
            for part in channel.windows.parts():
                arrays = (part.start, part.end, part.emotion, part.speech, part.probabilities)
                lists = (array.tolist() for array in arrays)
                self._stream.writelines(
                    prefix
                    + (
                        spoken % (start, end, names[code], max(probabilities), speech, *probabilities)
                        if code >= 0
                        else silent % (start, end, speech)
                    )
                    + suffix
                    for start, end, code, speech, probabilities in zip(*lists, strict=True)
                )

    def fail(self, failure: Failure, carried: tuple[str, ...] = ()) -> None:
        """Nothing: the table holds windows alone."""

    def finish(self, totals: Totals) -> None:
        """Nothing: a table has no end."""


def csv_row(fields: Iterable[str]) -> str:
    """A line of CSV without its end; fields that hold a line's end are quoted."""
    line: str = _rows.writerow(fields)
    return line[:-2]


class _Echo:
    """Gives a row back to whoever has it written."""

    def write(self, line: str) -> str:
        return line


# With "\n" alone as a line's end, a "\r" would stand unquoted and end the line for whoever reads it.
_rows = csv.writer(_Echo(), lineterminator="\r\n")
