"""Where results go: files that appear whole or not at all, or standard output."""

from __future__ import annotations

import contextlib
import csv
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from sertag.errors import SertagError, UsageError
from sertag.timeline import Failure, Timeline
from sertag.writers import FORMATS, Run, Totals, Writer, make_writer


def format_of(path: Path) -> str:
    """The output format that a file's extension names.

    Raises:
        UsageError: for an extension that names none.
    """
    name = path.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        known = ", ".join(f".{extension}" for extension in FORMATS)
        raise UsageError(f"--out {path}: the extension names the format; use one of {known}")
    return name


class WholeFile:
    """A text file that appears under its name when complete: written aside, synced, then renamed.

    Raises:
        SertagError: ``output_failed`` where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            handle, self._aside = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        self.stream: IO[str] = open(handle, "w", encoding="utf-8", newline="")  # noqa: SIM115

    def commit(self) -> None:
        """Puts the file in its place, over an older one."""
        with self._explained():
            self.stream.flush()
            os.fsync(self.stream.fileno())
            self.stream.close()
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(self._aside, 0o666 & ~mask)
            os.replace(self._aside, self._path)

    def discard(self) -> None:
        """Removes what was written."""
        with contextlib.suppress(OSError):
            self.stream.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._aside)

    @contextlib.contextmanager
    def _explained(self):  # type: ignore[no-untyped-def]
        try:
            yield
        except OSError as error:
            raise SertagError(
                "output_failed", f"{self._path}: cannot be written: {error.strerror}"
            ) from error


class FileOutputs:
    """One or more output files, and beside the first one ``<first>.failures.csv`` if any failed.

    As a context: what was not committed by :meth:`finish` is discarded.
    """

    def __init__(self, paths: Sequence[Path], run: Run) -> None:
        if len({path.absolute() for path in paths}) < len(paths):
            raise UsageError("--out: the same file is given twice")
        formats = [format_of(path) for path in paths]
        self.failures_path = paths[0].with_name(paths[0].name + ".failures.csv")
        self._files: list[WholeFile] = []
        self._writers: list[Writer] = []
        self._failures: WholeFile | None = None
        try:
            for path, name in zip(paths, formats, strict=True):
                self._files.append(WholeFile(path))
                self._writers.append(make_writer(name, self._files[-1].stream, run))
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> FileOutputs:
        return self

    def __exit__(self, *_: object) -> None:
        self._discard()

    def add(self, timeline: Timeline) -> None:
        """Writes a timeline to every output."""
        for writer in self._writers:
            writer.add(timeline)

    def fail(self, failure: Failure) -> None:
        """Writes a failure to every output that has a place for it, and to the failures."""
        for writer in self._writers:
            writer.fail(failure)
        if self._failures is None:
            self._failures = WholeFile(self.failures_path)
            self._files.append(self._failures)
            csv.writer(self._failures.stream, lineterminator="\n").writerow(("file", "code", "message"))
        csv.writer(self._failures.stream, lineterminator="\n").writerow(
            (failure.file, failure.code, failure.message)
        )

    def finish(self, totals: Totals) -> None:
        """Completes all outputs and puts them in their places."""
        for writer in self._writers:
            writer.finish(totals)
        if self._failures is None:
            self.failures_path.unlink(missing_ok=True)
        for file in self._files:
            file.commit()
        self._files.clear()

    def _discard(self) -> None:
        for file in self._files:
            file.discard()
        self._files.clear()
