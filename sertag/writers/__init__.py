"""One small file per output format; all of them take recordings one after the other."""

from __future__ import annotations

from sertag.writers.base import Run, Totals, Writer
from sertag.writers.csv_table import CsvWriter
from sertag.writers.json_document import JsonWriter
from sertag.writers.json_lines import JsonLinesWriter

__all__ = ["FORMATS", "Run", "Totals", "Writer"]

FORMATS: dict[str, type[CsvWriter] | type[JsonWriter] | type[JsonLinesWriter]] = {
    "csv": CsvWriter,
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
}
"""Output formats by their extension."""
