"""``sertag scan``: tags files and folders."""

from __future__ import annotations

import sys
from copy import deepcopy
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sertag.errors import NothingFoundError, UsageError

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
    from sertag.cli.asked import check_options, check_overwrite, own_files, places_of, source_of, spare
    from sertag.cli.logs import open_log
    from sertag.cli.progress import ScanProgress
    from sertag.cli.streams import data_output, leaves_room, read_to_the_end
    from sertag.engines.local import LocalEngine, processors
    from sertag.outputs import FileOutputs
    from sertag.tagger import Tagger
    from sertag.writers import FORMATS
    from sertag.writers.table import TableWriter

    check_options(
        out or [], formatted=bool(format), journal=journal, resumes=update or retry_failed, timeout=timeout
    )
    check_overwrite(overwrite=overwrite, files=bool(out or summary), update=update)
    targets, destination = places_of(out or [], summary, journal, log)
    own = own_files(targets, destination, log)
    find, carried = source_of(paths, list_file, include or [], exclude or [], own)
    spare([*(paths or []), *([list_file] if list_file else [])], targets, [journal, log])
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
        bar=not quiet and (bool(out) or leaves_room(table=format is None)),
        logged=verbose,
        failures_path=destination.failures if destination else None,
    ) as progress:
        open_log(log, verbose=verbose)
        engine = LocalEngine(partial(deepcopy, tagger), workers=processes, timeout=timeout, observer=progress)
        settings = fingerprint(run, tagger, paths or [])
        progress.begin(settings, processes)
        with progress.ending(destination.journal if destination else None, overwrite=overwrite):
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
                with (
                    read_to_the_end([target.path for target in targets]),
                    FileOutputs(targets, None, run) as outputs,
                ):
                    totals = scan_to_stream(
                        find(), engine, writer, outputs, run, fail_fast=fail_fast, observer=progress
                    )
                    sys.stdout.flush()
    progress.conclude(totals)
    raise typer.Exit(3 if totals.failed else 0)
