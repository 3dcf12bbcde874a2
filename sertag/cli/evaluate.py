"""``sertag evaluate``: how accurate is a model on voices it has never heard?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sertag.errors import InterruptedRunError

if TYPE_CHECKING:
    from model_build.evaluate import Evaluations

_PROTOCOL = "speakers whom the model was not trained on"


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A shipped model or a file.")],
    corpora: Annotated[
        list[Path], typer.Argument(metavar="CORPUS...", help="Folders of labelled recordings, or CSVs.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress.")] = False,
) -> None:
    """Measure a model: one clip at a time and adapted to the speaker, clean, by telephone and in noise.

    Known by their names: CREMA-D, EMO-DB, RAVDESS, SAVEE, TESS, folders emotion/speaker, and a CSV with
    file, emotion, speaker. Speakers whom the model was trained on are left out; one's own are known by the
    name of their folder or table, and theirs.
    """
    from model_build.corpora import read_corpora
    from model_build.evaluate import evaluate_corpora, figures_object
    from sertag.cli.build_progress import BuildProgress
    from sertag.model import Model

    loaded = Model(model)
    found = read_corpora(corpora)
    with BuildProgress(quiet=quiet) as progress:
        try:
            results = evaluate_corpora(loaded, found, progress)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted") from None
    if as_json:
        objects = [
            {
                "corpus": result.corpus,
                "protocol": _PROTOCOL,
                "figures": [
                    {"mode": mode, "condition": condition, **figures_object(evaluation)}
                    for (mode, condition), evaluation in result.evaluations.items()
                ],
                "left_out": result.left_out,
                "skipped": found.skipped,
            }
            for result in results
        ]
        print(json.dumps(objects, indent=1))
        return
    print_figures([(result.corpus, result.evaluations) for result in results], _PROTOCOL)
    for result in results:
        for reason, count in result.left_out.items():
            print(f"{result.corpus}: {count:,} clips left out: {reason}")
    for reason, count in found.skipped.items():
        print(f"Left out: {count:,} ({reason})")


def print_figures(figures: list[tuple[str, Evaluations]], title: str) -> None:
    """Prints a table of figures by corpus, mode and condition."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    from model_build.metrics import shown

    table = Table(box=None, title=f"{title}; 95 % intervals", title_justify="left", padding=(0, 1, 0, 0))
    for heading in ("corpus", "", "", "clips", "speakers", "UAR", "accuracy", "ECE"):
        table.add_column(heading, justify="left" if heading in ("corpus", "") else "right", no_wrap=True)
    for corpus, evaluations in figures:
        for number, ((mode, condition), evaluation) in enumerate(evaluations.items()):
            table.add_row(
                "" if number else corpus,
                mode,
                condition,
                f"{evaluation.clips:,}",
                str(evaluation.speakers),
                str(evaluation.uar),
                str(evaluation.accuracy),
                shown(evaluation.calibration_error),
            )
    # All of it, whatever a narrow terminal makes of the lines.
    wide = Console(width=1_000)
    needed = Measurement.get(wide, wide.options, table).maximum
    Console(highlight=False, width=needed).print(table, markup=False)
