"""One small file per output format; all of them take timelines one after the other."""

from __future__ import annotations

from typing import IO

from sertag.writers.base import Run, Totals, Writer
from sertag.writers.csv_table import CsvWriter
from sertag.writers.json_document import JsonWriter
from sertag.writers.json_lines import JsonLinesWriter

__all__ = ["FORMATS", "Run", "Totals", "Writer", "make_writer"]

FORMATS: dict[str, type[CsvWriter] | type[JsonWriter] | type[JsonLinesWriter]] = {
    "csv": CsvWriter,
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
}
"""Output formats by their extension."""


def make_writer(name: str, stream: IO[str], run: Run) -> Writer:
    """A writer of one of the :data:`FORMATS`."""
    return FORMATS[name](stream, run)
