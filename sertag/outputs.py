"""Files of results: they appear whole, or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sertag.errors import SertagError, UsageError
from sertag.files import Move, WholeFile, aside_of, real_path, refuse_others, unwritable, writing
from sertag.finished import FAILURE_COLUMNS, check, copy, digest, failure_rows, held_names
from sertag.leftovers import parts_path
from sertag.results import decode
from sertag.summary import Record
from sertag.timeline import Failure
from sertag.writers import FORMATS, Run, Totals, Writer
from sertag.writers.csv_table import csv_row
from sertag.writers.summary_table import SummaryWriter


@dataclass(frozen=True)
class Target:
    """A file to write, and what writes it."""

    path: Path
    make: Callable[[IO[str], Run], Writer]
    format: str

    def header(self, run: Run) -> str:
        """What the file begins with."""
        stream = io.StringIO()
        self.make(stream, run)
        return stream.getvalue()


def target_of(path: Path) -> Target:
    """The target of ``--out``: the extension names the format, and ``.gz`` behind it that it is compressed.

    Raises:
        UsageError: for an extension that names no format.
    """
    suffix = (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix
    name = suffix.lower().removeprefix(".")
    if name not in FORMATS:
        known = ", ".join(f".{extension}" for extension in FORMATS)
        raise UsageError(
            f"--out {path}: the extension names the format; use one of {known}, and .gz behind it to compress"
        )
    return Target(path, FORMATS[name], name)


def summary_target(path: Path) -> Target:
    """The target of ``--summary``.

    Raises:
        UsageError: for another extension than ``.csv`` and ``.csv.gz``.
    """
    if not path.name.lower().endswith((".csv", ".csv.gz")):
        raise UsageError(f"--summary {path}: is a table; use .csv or .csv.gz")
    return Target(path, SummaryWriter, "csv")


def refuse_same(files: Sequence[tuple[str, Path]]) -> None:
    """Finds out before anything is written that no file is two things.

    Raises:
        UsageError: where one is.
    """
    uses: dict[Path, str] = {}
    for use, path in files:
        if other := uses.get(real_path(path)):
            raise UsageError(f"{path}: cannot be {use} and {other} at once; give them names of their own")
        uses[real_path(path)] = use


@dataclass(frozen=True)
class Destination:
    """All files of a run: its outputs, the list of failures, and the journal while it lasts."""

    targets: tuple[Target, ...]
    failures: Path
    journal: Path

    @classmethod
    def of(cls, targets: Sequence[Target], journal: Path | None) -> Destination:
        """The files beside the first of some targets."""
        first = targets[0].path
        failures = first.with_name(first.name + ".failures.csv")
        journal = journal or first.with_name(first.name + ".journal")
        return cls(tuple(targets), failures, journal)

    def named(self) -> list[tuple[str, Path]]:
        """All files, each with what it is."""
        return [
            *(("an output", target.path) for target in self.targets),
            ("the list of failures", self.failures),
            ("the journal", self.journal),
            ("the journal's results", parts_path(self.journal)),
        ]

    def check(self) -> None:
        """Finds out before anything is tagged whether the files can be written.

        Raises:
            SertagError: ``output_failed``, saying why not.
        """
        for path in (*(target.path for target in self.targets), self.failures):
            with writing(path):
                refuse_others(path)

    def places(self) -> set[str]:
        """Where the outputs are, or are to be, whatever links lead there."""
        return {str(real_path(target.path)) for target in self.targets}

    def asides(self) -> list[str]:
        """Where the outputs and the list of failures are written until they are complete."""
        return [str(aside_of(path)) for path in (*(target.path for target in self.targets), self.failures)]

    def adds(self, run: Run, *, update: bool, watched: Callable[[Iterator[str]], Iterator[str]]) -> bool:
        """Whether finished files are there, to be added to with results of a run's.

        Args:
            run: what all results have in common.
            update: whether files that are there are to be added to.
            watched: hands on names that are read, of which there may be many.

        Raises:
            UsageError: where they are there and are not to be added to, or cannot be.
        """
        if update:
            for target in self.targets:
                if target.format == "json":
                    raise UsageError(f"--update: {target.path} cannot be added to; use .jsonl or .csv")
        there = [target for target in self.targets if target.path.exists()]
        if not there:
            return False
        if not update:
            adds = "" if there[0].format == "json" else ", --update adds what it lacks"
            raise UsageError(f"{there[0].path}: is there already; --overwrite starts anew{adds}")
        for target in self.targets:
            if target not in there:
                raise UsageError(f"--update: {target.path} is not there, and {there[0].path} is")
            check(target.path, target.format, target.header(run), run)
        self._check_same(watched)
        return True

    def _check_same(self, watched: Callable[[Iterator[str]], Iterator[str]]) -> None:
        """Refuses to add to files of which one has what the other lacks.

        Raises:
            UsageError: where they do not hold the same recordings.
        """
        first, *others = self.targets
        if not others:
            return
        holds = [
            digest(watched(held_names(each.path, each.format, self.failures, failed=False)))
            for each in self.targets
        ]
        for target, held in zip(others, holds[1:], strict=True):
            if held != holds[0]:
                raise UsageError(
                    f"--update: {target.path} does not hold the recordings that {first.path} does,"
                    f" {held[0]:,} and {holds[0][0]:,}; add to each alone, or --overwrite starts anew"
                )

    def held(self, *, failed: bool) -> Iterator[str]:
        """Names of the recordings that the finished files hold; those that ``failed`` as well, if wanted."""
        return held_names(self.targets[0].path, self.targets[0].format, self.failures, failed=failed)


def write_result(payload: bytes, carried: tuple[str, ...], writer: Writer | FileOutputs, run: Run) -> None:
    """Gives an encoded result to a writer."""
    result = decode(payload, run)
    if isinstance(result, Failure):
        writer.fail(result, carried)
    else:
        writer.add(result, carried)


class FileOutputs:
    """Files of results, and one of the failures, if any.

    As a context: where it ends before all are complete, what was written is discarded.

    Args:
        targets: which files.
        failures: the file of failures; none is written where None.
        run: what all results have in common.
        anew: where the files are there already and are to be added to: whether a recording that is in
            them as a failure has a new result.
        tick: is called often while they are copied.

    Raises:
        UsageError: where a file to add to holds results of another kind.
        SertagError: ``output_failed`` where one cannot be written.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        failures: Path | None,
        run: Run,
        *,
        anew: Callable[[str], bool] | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._run = run
        self._failures_path = failures
        self._outputs: list[tuple[WholeFile, Writer]] = []
        self._failures: WholeFile | None = None
        self._complete = False
        self._new = [target.path for target in targets if not target.path.exists()]
        if failures:
            with writing(failures):
                refuse_others(failures)
        try:
            for target in targets:
                file = WholeFile(target.path)
                with writing(target.path):
                    self._outputs.append((file, target.make(file.stream, run)))
                    if anew:
                        copy(target.path, target.format, target.header(run), file.stream, run, anew, tick)
            if anew and failures and failures.exists():
                for row in failure_rows(failures):
                    if not anew(row[0]):
                        self._row(row)
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> FileOutputs:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._complete:
            self._discard()
        for file in self._files():
            file.close()

    def add(self, record: Record, carried: tuple[str, ...] = ()) -> None:
        """Writes a timeline to every output."""
        for file, writer in self._outputs:
            # As in :func:`writing`, which takes as long as a short recording does.
            try:
                writer.add(record, carried)
            except OSError as error:
                raise unwritable(file.path, error) from error

    def fail(self, failure: Failure, carried: tuple[str, ...] = ()) -> None:
        """Writes a failure to every output that has a place for it, and to the failures."""
        for file, writer in self._outputs:
            with writing(file.path):
                writer.fail(failure, carried)
        self._row((failure.file, failure.code, failure.message))

    def finish(self, totals: Totals) -> list[Move]:
        """Completes all files; the moves that put them in place are left to do before the context ends.

        Raises:
            SertagError: ``output_failed`` where a file is there by now that was not when these were begun.
        """
        for path in self._new:
            if path.exists():
                raise SertagError(
                    "output_failed", f"{path}: is there, and was not when the run began; it stays as it is"
                )
        for file, writer in self._outputs:
            with writing(file.path):
                writer.finish(totals)
        moves = [file.complete() for file in self._files()]
        self._complete = True
        if self._failures is None and self._failures_path:
            moves.append(Move(None, str(real_path(self._failures_path))))
        return moves

    def _row(self, row: tuple[str, str, str]) -> None:
        if self._failures_path is None:
            return
        with writing(self._failures_path):
            first = self._failures is None
            if self._failures is None:
                self._failures = WholeFile(self._failures_path)
            for line in (FAILURE_COLUMNS, row) if first else (row,):
                self._failures.stream.write(csv_row(line) + "\n")

    def _files(self) -> list[WholeFile]:
        return [file for file, _ in self._outputs] + ([self._failures] if self._failures else [])

    def _discard(self) -> None:
        for file in self._files():
            file.discard()
