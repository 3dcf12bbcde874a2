"""``sertag scan``: tags files and folders."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from sertag.errors import InterruptedRunError, NothingFoundError, UsageError


class Format(StrEnum):
    """What standard output may hold."""

    csv = "csv"
    json = "json"
    jsonl = "jsonl"


def scan(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Recordings, and folders that hold some.")
    ],
    out: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write here instead of to standard output; .csv, .json or .jsonl. May be repeated.",
        ),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(help="Format of standard output; jsonl unless it is a terminal.", show_default=False),
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME|FILE", help="A shipped model or a file.")] = "default",
    channels: Annotated[
        str,
        typer.Option(metavar="mix|split|left=ROLE,right=ROLE", help="Mix channels down, or tag each."),
    ] = "mix",
    hop: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="From one window to the next.  [default: half a window]"),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(metavar="P", help="Below this probability a window is 'uncertain'.")
    ] = 0.0,
    no_adapt: Annotated[
        bool, typer.Option("--no-adapt", help="Do not adapt to the voice in each channel.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Tag recordings: when does a voice sound angry, happy, sad, afraid, disgusted or neutral?

    Exit status: 0 all tagged, 1 fatal, 2 usage, 3 some recordings failed, 4 none found, 130 interrupted.
    """
    from sertag.archive import run_of
    from sertag.archive import scan as scan_archive
    from sertag.cli.progress import ScanProgress
    from sertag.discovery import find_recordings
    from sertag.outputs import FileOutputs, format_of
    from sertag.tagger import Tagger
    from sertag.writers import FORMATS
    from sertag.writers.table import TableWriter

    recordings = find_recordings(paths)
    if out and format:
        raise UsageError("--format is for standard output; with --out the extension names the format")
    for path in out or []:
        format_of(path)
        if path.exists() and any(os.path.samefile(path, recording) for recording in paths):
            raise UsageError(f"--out {path}: is one of the recordings")
    tagger = Tagger(model, channels=channels, hop=hop, min_confidence=min_confidence, adapt=not no_adapt)
    first = next(recordings, None)
    if first is None:
        raise NothingFoundError(f"{', '.join(paths)}: no recording found; nothing was written")
    run = run_of(tagger)
    with ScanProgress(find_recordings(paths), quiet=quiet) as progress:
        try:
            if out:
                with FileOutputs(out, run) as outputs:
                    progress.failures_path = outputs.failures_path
                    totals = scan_archive(chain([first], recordings), tagger, outputs, observer=progress)
            else:
                person = sys.stdout.isatty() and format is None
                writer = TableWriter(sys.stdout) if person else FORMATS[format or "jsonl"](sys.stdout, run)
                totals = scan_archive(chain([first], recordings), tagger, writer, observer=progress)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted" + ("; nothing was written" if out else "")) from None
        except BrokenPipeError:
            # Whoever reads our output has had enough; what is left in the buffer goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit from None
    progress.conclude(totals)
    raise typer.Exit(3 if totals.failed else 0)
