"""``sertag benchmark``: how fast it is here, and where the time goes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sertag.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from sertag.benchmark.measure import Benchmark, Case, Point

_PIPED_WIDTH = 200


def benchmark(
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="In the sizes of real archives, and how cost grows; 20 minutes to an hour, 3 GB."
        ),
    ] = False,
    recordings: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Measure with these, not with made ones.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Processes.  [default: one per processor]", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Measure how fast sertag is on this machine, with recordings that it makes: in some three minutes.

    Speeds are in seconds of audio per second, of all channels together. The floor is what the same recordings
    cost any tool: decoding them, and a short Fourier transform every 20 ms.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from sertag.benchmark.document import document
    from sertag.benchmark.measure import measure, steps
    from sertag.engines.local import processors

    if recordings is not None and full:
        raise UsageError("--full: is for recordings that are made; leave --recordings or --full away")
    if recordings is not None and not recordings.exists():
        raise UsageError(f"--recordings {recordings}: no such file or folder")
    processes = workers or processors()
    stderr = Console(stderr=True)
    bar = Progress(
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=stderr,
        disable=not stderr.is_terminal,
        transient=True,
    )
    task = bar.add_task(
        "", total=steps(workers=processes, full=full, own=recordings is not None), completed=-1
    )

    def step(what: str) -> None:
        bar.update(task, advance=1, description=what)

    try:
        with bar:
            results = measure(workers=processes, full=full, own=recordings, step=step)
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted; nothing is left behind") from None
    if results.machine.busy:
        print(
            f"sertag: the machine was busy before ({results.machine.load:.1f} processes): it can do better",
            file=sys.stderr,
        )
    if as_json:
        print(json.dumps(document(results), indent=1))
    else:
        _print(results)


def _print(results: Benchmark) -> None:
    from rich.console import Console

    console = (
        Console(highlight=False) if sys.stdout.isatty() else Console(width=_PIPED_WIDTH, highlight=False)
    )
    machine = results.machine
    console.print(
        f"{machine.processor}, {machine.processors} processors, {machine.memory / 2**30:.0f} GB;"
        f" {machine.system}; Python {machine.python}; {machine.versions['interpreter']}",
        f"start-up: sertag --help {results.help_seconds:.2f} s,"
        f" sertag scan of a clip of 2 s {results.scan_seconds:.2f} s",
        "",
        *(f"{case.name:<6} {case.about}" for case in results.cases),
        "",
        sep="\n",
        markup=False,
    )
    console.print(_speeds(results))
    console.print(_stages(results.cases))
    for title, points in (("recordings of", results.lengths), ("archive of", results.sizes)):
        if points:
            console.print(_points(title, points))


def _speeds(results: Benchmark) -> Table:
    many = results.workers > 1
    gains = (f"{results.workers} workers", "gain") if many else ()
    headings = (
        *("", "files", "hours", "speech", "heard", "1 worker", *gains, "× floor"),
        *("files/s", "windows/s", "MB worker", "MB run"),
    )
    table = _table(headings)
    for case in results.cases:
        walk, last = case.walk, case.scans[-1]
        table.add_row(
            case.name,
            f"{walk.recordings:,}",
            f"{walk.audio_seconds / 3_600:,.2f}",
            f"{walk.speech_share:.0%}",
            f"{walk.heard / max(walk.windows, 1):.0%}",
            *(f"{case.times_real_time(scan.seconds):,.0f} ×" for scan in case.scans),
            *((f"{case.gain:.2f}",) if many else ()),
            f"{case.floor_ratio:.1f}",
            f"{walk.recordings / last.seconds:,.1f}",
            f"{walk.windows / last.seconds:,.0f}",
            *("" if size is None else f"{size:.0f}" for size in (last.worker_megabytes, last.run_megabytes)),
        )
    return table


def _stages(cases: tuple[Case, ...]) -> Table:
    """A row per stage, a column per case: times real time, and the share of all stages."""
    table = _table(("one process", *(case.name for case in cases)))
    for stage in cases[0].walk.stages:
        table.add_row(stage, *(_cell(case, case.walk.stages[stage]) for case in cases))
    table.add_row("all stages", *(_cell(case, case.walk.seconds) for case in cases))
    table.add_row("of the scan", *(f"{case.walk.seconds / case.scans[0].seconds:.0%}" for case in cases))
    return table


def _cell(case: Case, seconds: float) -> str:
    return f"{case.times_real_time(seconds):,.0f} × {seconds / case.walk.seconds:4.0%}" if seconds else "-"


def _points(title: str, points: tuple[Point, ...]) -> Table:
    table = _table((title, "files", "hours", "seconds per hour", "× real time", "MB worker", "MB run"))
    for point in points:
        scan = point.scan
        table.add_row(
            point.name,
            f"{point.recordings:,}",
            f"{point.audio_seconds / 3_600:,.1f}",
            f"{scan.seconds / point.audio_seconds * 3_600:.2f}",
            f"{point.audio_seconds / scan.seconds:,.0f} ×",
            *("" if size is None else f"{size:.0f}" for size in (scan.worker_megabytes, scan.run_megabytes)),
        )
    return table


def _table(headings: tuple[str, ...]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table
