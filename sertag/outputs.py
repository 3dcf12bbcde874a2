"""Where results go: files that appear whole or not at all, or standard output."""

from __future__ import annotations

import contextlib
import csv
import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from sertag.errors import SertagError, UsageError
from sertag.summary import Record
from sertag.timeline import Failure
from sertag.writers import FORMATS, Run, Totals, Writer


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


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SertagError("output_failed", f"{path}: cannot be written: {error.strerror}") from error


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


class WholeFile:
    """A text file that appears under its name when complete: written aside, synced, then renamed.

    Raises:
        SertagError: ``output_failed`` where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _writing(path):
            _refuse_folder(path)
            handle, self._aside = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        self.stream: IO[str] = open(handle, "w", encoding="utf-8", newline="")  # noqa: SIM115

    def commit(self) -> None:
        """Puts the file in its place, over an older one."""
        with _writing(self.path):
            self.stream.flush()
            os.fsync(self.stream.fileno())
            self.stream.close()
            # A temporary file is private; this one gets the permissions of any new file.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(self._aside, 0o666 & ~mask)
            os.replace(self._aside, self.path)

    def discard(self) -> None:
        """Removes what was written."""
        with contextlib.suppress(OSError):
            self.stream.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._aside)


class FileOutputs:
    """One or more output files, and beside the first one ``<first>.failures.csv`` if any failed.

    As a context: what was not committed by :meth:`finish` is discarded.
    """

    def __init__(self, paths: Sequence[Path], run: Run) -> None:
        formats = [format_of(path) for path in paths]
        self.failures_path = paths[0].with_name(paths[0].name + ".failures.csv")
        everything = [*paths, self.failures_path]
        if len({path.resolve() for path in everything}) < len(everything):
            raise UsageError("--out: the same file is given twice, or is that of the failures")
        self._outputs: list[tuple[WholeFile, Writer]] = []
        self._failures: WholeFile | None = None
        with _writing(self.failures_path):
            _refuse_folder(self.failures_path)
        try:
            for path, name in zip(paths, formats, strict=True):
                file = WholeFile(path)
                self._outputs.append((file, FORMATS[name](file.stream, run)))
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> FileOutputs:
        return self

    def __exit__(self, *_: object) -> None:
        self._discard()

    def add(self, record: Record, carried: tuple[str, ...] = ()) -> None:
        """Writes a recording to every output."""
        for file, writer in self._outputs:
            with _writing(file.path):
                writer.add(record, carried)

    def fail(self, failure: Failure, carried: tuple[str, ...] = ()) -> None:
        """Writes a failure to every output that has a place for it, and to the failures."""
        for file, writer in self._outputs:
            with _writing(file.path):
                writer.fail(failure, carried)
        first = self._failures is None
        if self._failures is None:
            self._failures = WholeFile(self.failures_path)
        with _writing(self.failures_path):
            table = csv.writer(self._failures.stream, lineterminator="\n")
            if first:
                table.writerow(("file", "code", "message"))
            table.writerow((failure.file, failure.code, failure.message))

    def finish(self, totals: Totals) -> None:
        """Completes all outputs and puts them in their places."""
        for file, writer in self._outputs:
            with _writing(file.path):
                writer.finish(totals)
        for file in self._files():
            file.commit()
        if self._failures is None:
            self.failures_path.unlink(missing_ok=True)
        self._outputs.clear()
        self._failures = None

    def _files(self) -> list[WholeFile]:
        return [file for file, _ in self._outputs] + ([self._failures] if self._failures else [])

    def _discard(self) -> None:
        for file in self._files():
            file.discard()
