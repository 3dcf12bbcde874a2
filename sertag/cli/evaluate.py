"""``sertag evaluate``: how accurate is a model on voices it has never heard?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sertag.errors import InterruptedRunError

if TYPE_CHECKING:
    from model_build.evaluate import CorpusEvaluation, Evaluation


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A shipped model or a file.")],
    corpora: Annotated[
        list[Path], typer.Argument(metavar="CORPUS...", help="Folders of labelled recordings, or CSVs.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress.")] = False,
) -> None:
    """Measure a model with the code that scan runs, one clip at a time, clean and through a telephone.

    Known by their names: CREMA-D, EMO-DB, RAVDESS, SAVEE, TESS, folders emotion/speaker, and a CSV with
    file, emotion, speaker. Speakers whom the model was trained on are left out.
    """
    from model_build.corpora import read_corpora
    from model_build.evaluate import evaluate_corpora
    from sertag.cli.build_progress import BuildProgress
    from sertag.tagger import Tagger

    tagger = Tagger(model)
    found = read_corpora(corpora)
    with BuildProgress(quiet=quiet) as progress:
        try:
            results = evaluate_corpora(tagger, found, progress)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted") from None
    if as_json:
        print(json.dumps([_object(result) for result in results], indent=1))
    else:
        _print(results)


def _object(result: CorpusEvaluation) -> dict[str, Any]:
    return {
        "corpus": result.corpus,
        "protocol": "unseen speakers, one clip at a time, 95 % intervals over speakers",
        "clean": _figures(result.clean),
        "telephone": _figures(result.telephone),
        "left_out": result.left_out,
    }


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    from model_build.metrics import rounded

    return {
        "clips": evaluation.clips,
        "speakers": evaluation.speakers,
        "uar": evaluation.uar.rounded(),
        "accuracy": evaluation.accuracy.rounded(),
        "calibration_error": rounded(evaluation.calibration_error),
        "recalls": {label: round(recall, 4) for label, recall in evaluation.recalls.items()},
        "uar_by_sex": {sex: round(figure, 4) for sex, figure in evaluation.uar_by_sex.items()},
        "confusion": evaluation.confusion.tolist(),
    }


def _print(results: list[CorpusEvaluation]) -> None:
    from rich.console import Console
    from rich.table import Table

    title = "Unseen speakers, one clip at a time; 95 % intervals over speakers"
    table = Table(box=None, title=title, title_justify="left", padding=(0, 1, 0, 0))
    for heading in ("corpus", "", "clips", "speakers", "UAR", "accuracy", "ECE"):
        table.add_column(heading, justify="left" if heading in ("corpus", "") else "right", no_wrap=True)
    for result in results:
        for name, evaluation in (("clean", result.clean), ("phone", result.telephone)):
            table.add_row(
                result.corpus if name == "clean" else "",
                name,
                f"{evaluation.clips:,}",
                str(evaluation.speakers),
                str(evaluation.uar),
                str(evaluation.accuracy),
                f"{evaluation.calibration_error:.3f}",
            )
    console = Console(highlight=False)
    console.print(table, markup=False)
    for result in results:
        for reason, count in result.left_out.items():
            console.print(f"{result.corpus}: {count:,} clips left out: {reason}", markup=False)
