"""``sertag build-model``: trains, converts and measures a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sertag.errors import InterruptedRunError, SertagError, UsageError


def build_model(
    corpora: Annotated[
        list[Path], typer.Argument(metavar="CORPUS...", help="Folders of labelled recordings, or CSVs.")
    ],
    out: Annotated[Path, typer.Option(metavar="M.tflite", help="The model; its card (.md) goes beside it.")],
    window: Annotated[float, typer.Option(metavar="SECONDS", help="Length of the model's window.")] = 3.0,
    epochs: Annotated[int, typer.Option(min=1, help="How long to train at most.")] = 120,
    seed: Annotated[int, typer.Option(help="Of everything random; the split never changes.")] = 1,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress.")] = False,
) -> None:
    """Train a model, quantise and convert it, and measure it on speakers that it has never heard.

    Corpora are CREMA-D, EMO-DB, RAVDESS, SAVEE and TESS, known by their file names, or your own: folders
    emotion/speaker, or a CSV with file, emotion, speaker. Needs the extra "build". Ctrl-C ends the
    training; the best weights so far are converted.
    """
    if out.suffix != ".tflite":
        raise UsageError(f"--out {out}: a model's name ends in .tflite")
    folder = out.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK) or out.is_dir():
        raise SertagError("output_failed", f"{out}: cannot be written; is its folder there, and yours?")
    if not 0.5 <= window <= 30 or round(window * 50) % 2 or abs(window * 50 - round(window * 50)) > 1e-6:
        raise UsageError(f"--window {window:g}: give 0.5 to 30 s, in steps of 0.04 s")
    # Its start-up notes are for developers of TensorFlow.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow  # noqa: F401
    except ImportError:
        raise UsageError(
            "build-model needs TensorFlow 2.15 (Python 3.11): pip install 'sertag[build]'"
        ) from None

    from model_build.build import build
    from sertag.cli.build_progress import BuildProgress

    with BuildProgress(quiet=quiet) as progress:
        try:
            built = build(corpora, out, window=window, epochs=epochs, seed=seed, observer=progress)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted; nothing was written") from None
    accuracy = built.evaluation
    print(
        f"{out}: {built.size / 1000:,.0f} kB, trained on"
        f" {', '.join(corpus.name for corpus in built.corpora.corpora)};"
        f" card: {out.with_suffix('.md')}"
    )
    print(
        f"UAR {accuracy.uar} on {accuracy.clips:,} clips of {accuracy.speakers} unseen speakers, one clip"
        f" at a time, quantised (float: {built.float_uar:.3f})"
    )
    for reason, count in built.metadata.about["skipped"].items():
        print(f"Left out: {count} ({reason})")
    if built.interrupted:
        print(
            f"Interrupted; the model holds the best weights so far, of epoch {built.metadata.about['epoch']}."
        )
        raise typer.Exit(130)
