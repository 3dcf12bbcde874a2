"""What a run logs: JSON lines to a file, and lines for a person to standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from sertag.cli.streams import drop
from sertag.errors import SertagError
from sertag.text import visible

_EXTRAS = ("recording", "code", "duration", "elapsed", "settings", "workers", "totals", "trace")


def open_log(path: Path | None, *, verbose: bool) -> None:
    """Sends what is logged to a file, appended as JSON lines, and to standard error where ``verbose``.

    Raises:
        SertagError: ``output_failed`` where the file cannot be written.
    """
    log = logging.getLogger("sertag")
    log.propagate = False
    log.setLevel(logging.INFO)
    log.addHandler(logging.NullHandler())
    if path:
        try:
            handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise SertagError(
                "output_failed", f"--log {path}: cannot be written: {error.strerror}"
            ) from error
        handler.setFormatter(_JsonFormatter())
        log.addHandler(handler)
    if verbose:
        person = _StandardError()
        person.setFormatter(_PersonFormatter())
        log.addHandler(person)


class _StandardError(logging.StreamHandler[TextIO]):
    """Standard error, which no run ends for: where it takes no more, as on a full disk, no more is told."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        """Lets what is left to be told go nowhere."""
        drop(sys.stderr)


class _LogFile(logging.FileHandler):
    """A file that ends the run where it cannot be written, on a full disk for one."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        """Raises ``output_failed``."""
        error = sys.exception()
        reason = error.strerror if isinstance(error, OSError) else error
        raise SertagError("output_failed", f"--log {self.baseFilename}: cannot be written: {reason}")


class _JsonFormatter(logging.Formatter):
    """An object per record: time, level, message, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps({**line, **_extras(record)}, ensure_ascii=False)


class _PersonFormatter(logging.Formatter):
    """``file: message (details)``."""

    def format(self, record: logging.LogRecord) -> str:
        extras = _extras(record)
        recording = extras.pop("recording", None)
        details = ", ".join(f"{name} {value}" for name, value in extras.items() if name != "trace")
        message = f"{recording}: {record.getMessage()}" if recording else record.getMessage()
        return visible(f"sertag: {message}" + (f" ({details})" if details else ""))


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in _EXTRAS if hasattr(record, name)}
