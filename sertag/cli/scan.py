"""``sertag scan``: tags files and folders."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sertag.errors import NothingFoundError, SertagError, UsageError

if TYPE_CHECKING:
    from sertag.discovery import Recording
    from sertag.outputs import Destination, Target

_INPUT, _OUTPUT, _HEARING, _RUN = "What to tag", "Results", "How to listen", "How to run"


class Format(StrEnum):
    """What standard output may hold."""

    csv = "csv"
    json = "json"
    jsonl = "jsonl"


def scan(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH...", help="Recordings, and folders that hold some.", show_default=False),
    ] = None,
    list_file: Annotated[
        str | None,
        typer.Option(
            "--list",
            metavar="FILE",
            help="Recordings from a list instead, or - for standard input: a path a line, or a CSV with a"
            " column 'file', whose other columns are carried into the outputs.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Only recordings with such names, whatever their extension. May be repeated.",
            rich_help_panel=_INPUT,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB", help="No recordings with such names. May be repeated.", rich_help_panel=_INPUT
        ),
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write here instead of to standard output; .csv, .json or .jsonl, compressed with .gz"
            " behind. May be repeated.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            help="Format of standard output; jsonl unless it is a terminal.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write a table with a row per recording and channel; .csv or .csv.gz.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Start anew, over outputs that are there.", rich_help_panel=_OUTPUT),
    ] = False,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Add the recordings that outputs (.csv, .jsonl) from an earlier run do not hold yet.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    model: Annotated[
        str,
        typer.Option(metavar="NAME|FILE", help="A shipped model or a file.", rich_help_panel=_HEARING),
    ] = "default",
    channels: Annotated[
        str,
        typer.Option(
            metavar="mix|split|left=ROLE,right=ROLE",
            help="Mix channels down, or tag each.",
            rich_help_panel=_HEARING,
        ),
    ] = "mix",
    only: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE", help="Analyse this channel alone, not the other.", rich_help_panel=_HEARING
        ),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="From one window to the next.  [default: half a window]",
            rich_help_panel=_HEARING,
        ),
    ] = None,
    min_confidence: Annotated[
        float,
        typer.Option(
            metavar="P", help="Below this probability a window is 'uncertain'.", rich_help_panel=_HEARING
        ),
    ] = 0.0,
    no_adapt: Annotated[
        bool,
        typer.Option(
            "--no-adapt", help="Do not adapt to the voice in each channel.", rich_help_panel=_HEARING
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes.  [default: one per processor]",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="What is done is kept here until all is.  [default: <first --out>.journal]",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try again what failed before.", rich_help_panel=_RUN),
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first failure.", rich_help_panel=_RUN)
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Give a recording up after so long.  [default: a minute, and a fifth of its length]",
            show_default=False,
            rich_help_panel=_RUN,
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Log to this file, as JSON lines.", rich_help_panel=_RUN),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Tell of every recording.", rich_help_panel=_RUN)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say nothing but errors.", rich_help_panel=_RUN)
    ] = False,
) -> None:
    """Tag recordings: when does a voice sound angry, happy, sad, afraid, disgusted or neutral?

    With --out, a run that was cut off, however hard, goes on where it was when the command is given again.

    Exit status: 0 all tagged, 1 fatal, 2 usage, 3 some recordings failed, 4 none found, 130 interrupted.
    """
    from sertag.cli.interrupt import Interrupt

    interrupt = Interrupt()
    from sertag.archive import Resumption, fingerprint, run_of, scan_to_files, scan_to_stream
    from sertag.cli.logs import open_log
    from sertag.cli.progress import ScanProgress
    from sertag.cli.streams import data_output, drop
    from sertag.engines.local import LocalEngine, processors
    from sertag.outputs import FileOutputs
    from sertag.tagger import Tagger
    from sertag.writers import FORMATS
    from sertag.writers.table import TableWriter

    _check(out, format=format, journal=journal, resumes=update or retry_failed, timeout=timeout)
    _check_overwrite(overwrite=overwrite, files=bool(out or summary), update=update)
    find, carried = _source(paths, list_file, include or [], exclude or [])
    targets, destination = _places(out or [], summary, journal, log)
    _spare([*(paths or []), *([list_file] if list_file else [])], targets, [journal, log])
    if summary and not out and not overwrite and summary.exists():
        raise UsageError(f"{summary}: is there already; --overwrite starts anew")
    tagger = Tagger(
        model,
        channels=channels,
        only=only,
        hop=hop,
        min_confidence=min_confidence,
        adapt=not no_adapt,
    )
    run = run_of(tagger, carried)
    for target in targets:
        # What cannot be written is told before anything is tagged.
        target.header(run)
    if next(iter(find()), None) is None:
        raise NothingFoundError(
            f"{list_file or ', '.join(paths or [])}: no recording found; nothing was written"
        )
    processes = workers or processors()
    with ScanProgress(
        find,
        interrupt,
        quiet=quiet,
        bar=not quiet and (bool(out) or _leaves_room(format)),
        logged=verbose,
        failures_path=destination.failures if destination else None,
    ) as progress:
        open_log(log, verbose=verbose)
        engine = LocalEngine(partial(deepcopy, tagger), workers=processes, timeout=timeout, observer=progress)
        settings = fingerprint(run, tagger, paths or [])
        progress.begin(settings, processes)
        try:
            if destination:
                interrupt.defer()
                resumption = Resumption(overwrite, update, retry_failed)
                totals = scan_to_files(
                    *(find, engine, destination, run, settings, resumption),
                    fail_fast=fail_fast,
                    observer=progress,
                )
            else:
                writer = (
                    TableWriter(progress.console)
                    if sys.stdout.isatty() and format is None
                    else FORMATS[format or "jsonl"](data_output(), run)
                )
                with _read_to_the_end(targets), FileOutputs(targets, None, run) as outputs:
                    totals = scan_to_stream(
                        find(), engine, writer, outputs, run, fail_fast=fail_fast, observer=progress
                    )
                    sys.stdout.flush()
        except KeyboardInterrupt:
            drop(sys.stdout)
            raise progress.interrupted(
                destination.journal if destination else None, overwrite=overwrite
            ) from None
    progress.conclude(totals)
    raise typer.Exit(3 if totals.failed else 0)


def _check(
    out: list[Path] | None,
    *,
    format: Format | None,
    journal: Path | None,
    resumes: bool,
    timeout: float | None,
) -> None:
    """Refuses options that do not go together.

    Raises:
        UsageError: saying which.
    """
    if out and format:
        raise UsageError("--format is for standard output; with --out the extension names the format")
    if not out and (journal or resumes):
        raise UsageError("--journal, --update and --retry-failed are for files; name one with --out")
    if timeout is not None and not timeout > 0:
        raise UsageError(f"--timeout {timeout:g}: give seconds, more than 0")


def _check_overwrite(*, overwrite: bool, files: bool, update: bool) -> None:
    """Refuses an ``--overwrite`` that cannot be meant.

    Raises:
        UsageError: saying why.
    """
    if overwrite and update:
        raise UsageError("--overwrite starts anew, --update adds to what is there; give one of them")
    if overwrite and not files:
        raise UsageError("--overwrite is for files; name one with --out or --summary")


def _places(
    out: list[Path], summary: Path | None, journal: Path | None, log: Path | None
) -> tuple[list[Target], Destination | None]:
    """The outputs, and where they are to be files that a run goes on with.

    Raises:
        UsageError: where a file would be two things at once.
    """
    from sertag.outputs import Destination, refuse_same, summary_target, target_of

    targets = [target_of(path) for path in out] + ([summary_target(summary)] if summary else [])
    destination = Destination.of(targets, journal) if out else None
    files = destination.named() if destination else [("an output", target.path) for target in targets]
    refuse_same([*files, *([("the log", log)] if log else [])])
    return targets, destination


@contextmanager
def _read_to_the_end(targets: list[Target]) -> Iterator[None]:
    """Tells what files are not written where whoever reads standard output has had enough.

    Raises:
        SertagError: ``output_failed``; without files it is no matter.
    """
    from sertag.cli.streams import drop

    try:
        yield
    except BrokenPipeError:
        if not targets:
            raise
        drop(sys.stdout)
        raise SertagError(
            "output_failed", f"{targets[0].path}: not written, as nobody reads standard output any more"
        ) from None


def _leaves_room(format: Format | None) -> bool:
    """Whether data on standard output and a bar would not run into each other on one terminal."""
    if sys.stdout.isatty():
        return format is None
    # What reads a pipe may print there too.
    return not stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)


def _spare(given: list[str], targets: list[Target], others: list[Path | None]) -> None:
    """Refuses to write over recordings, or over their list.

    Raises:
        UsageError: saying which.
    """
    from sertag.discovery import EXTENSIONS

    for path in others:
        # It may lie in a folder that is given.
        if path and path.exists() and path.suffix.lower() in EXTENSIONS:
            raise UsageError(f"{path}: is a recording")
    for path in [*(target.path for target in targets), *others]:
        if path and path.exists() and any(os.path.exists(g) and os.path.samefile(path, g) for g in given):
            raise UsageError(f"{path}: is one of the recordings, or their list")


def _source(
    paths: list[str] | None, list_file: str | None, include: list[str], exclude: list[str]
) -> tuple[Callable[[], Iterable[Recording]], tuple[str, ...]]:
    """What finds the recordings, as often as is wanted, and the columns that come with them."""
    from sertag.discovery import find_recordings
    from sertag.listing import RecordingList

    if list_file is not None:
        if paths:
            raise UsageError("--list: give recordings by name or in a list, not both")
        listed = RecordingList(list_file, include=include, exclude=exclude)
        return listed.__iter__, listed.carried
    if not paths:
        raise UsageError("Missing argument 'PATH...', or --list.")
    # Paths that do not exist are told at once.
    find_recordings(paths)
    return partial(find_recordings, paths, include=include, exclude=exclude), ()
