"""``sertag build-model``: trains, converts and measures a model."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sertag.errors import InterruptedRunError, ModelError, SertagError, UsageError

if TYPE_CHECKING:
    from model_build.build import Built


class ProtocolName(StrEnum):
    """The protocols of ``model_build.protocol``, which is too heavy to import for the help."""

    one_split = "split"
    folds = "folds"
    one_corpus_out = "one-corpus-out"
    random = "random"


def build_model(
    corpora: Annotated[
        list[Path], typer.Argument(metavar="CORPUS...", help="Folders of labelled recordings, or CSVs.")
    ],
    out: Annotated[Path, typer.Option(metavar="M.tflite", help="The model; its card (.md) goes beside it.")],
    window: Annotated[float, typer.Option(metavar="SECONDS", help="Length of the model's window.")] = 3.0,
    epochs: Annotated[int, typer.Option(min=1, help="How long to train.")] = 250,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of everything random; the split never changes.")
    ] = 1,
    protocol: Annotated[
        ProtocolName,
        typer.Option(
            help="How to measure: one split by speaker; folds by speaker; every corpus in turn left out; or"
            " a random split, whose test voices are known. After all but the first, the model is trained"
            " once more, on every speaker."
        ),
    ] = ProtocolName.one_split,
    teacher: Annotated[
        bool,
        typer.Option(
            "--teacher",
            help="Let a large speech encoder teach a larger network beside the labels; for CREMA-D half an"
            ' hour and 5 GB of memory more. Needs the extra "teacher" (Linux, x86-64).',
        ),
    ] = False,
    unlabelled: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="More voices, whose emotions the teacher tells: recordings of a sentence or so in folders"
            " collection/voice; those of a collection came over one line.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress.")] = False,
) -> None:
    """Train a model, quantise and convert it, and measure it on speakers that it has never heard.

    Corpora are CREMA-D, EMO-DB, RAVDESS, SAVEE and TESS, known by their file names, or your own: folders
    emotion/speaker, or a CSV with file, emotion, speaker (and, if you like, sex and age), where a name is one
    person's within its folder or CSV: whoever comes in several counts as several speakers. CREMA-D's tables
    VideoDemographics.csv and tabulatedVotes.csv are read where they lie among them. Needs the extra
    "build". Ctrl-C ends the training; the weights of the last whole epoch are converted. Of a protocol with
    several trainings those that are finished are kept beside M.tflite until it is: after a power cut the same
    command goes on after the last of them.
    """
    _check_place(out)
    if not 0.5 <= window <= 30 or round(window * 50) % 2 or abs(window * 50 - round(window * 50)) > 1e-6:
        raise UsageError(f"--window {window:g}: give a multiple of 0.04 s, from 0.52 to 30")
    if unlabelled and not teacher:
        raise UsageError(f"--unlabelled {unlabelled}: who is to label it? add --teacher")
    # Its start-up notes are for developers of TensorFlow.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow
    except ImportError:
        raise UsageError(
            "build-model needs TensorFlow 2.15 (Python 3.11): pip install 'sertag[build]'"
        ) from None

    tensorflow.get_logger().setLevel("ERROR")
    if teacher:
        try:
            from model_build.encoder import encoder_file

            encoder_file()
        except ImportError as error:
            raise UsageError(
                f"--teacher needs a speech encoder ({error}): pip install 'sertag[teacher]'"
            ) from None
    from model_build.build import build, kept_folder
    from model_build.protocol import DESCRIPTIONS
    from model_build.recipe import Recipe
    from sertag.cli.build_progress import BuildProgress
    from sertag.cli.evaluate import print_figures

    recipe = Recipe(protocol.value, window, epochs, seed, teacher)
    with BuildProgress(quiet=quiet) as progress:
        try:
            built = build(corpora, out, recipe, progress, unlabelled)
        except KeyboardInterrupt:
            goes_on = "; the same command goes on after the last finished training"
            kept = goes_on if kept_folder(out).is_dir() else ""
            raise InterruptedRunError(f"interrupted; nothing was written{kept}") from None
    print_figures(
        [(corpus.corpus, corpus.evaluations) for corpus in built.figures.corpora],
        DESCRIPTIONS[protocol.value],
    )
    _tell(out, built)
    if built.interrupted:
        raise InterruptedRunError(f"interrupted; the model is that of epoch {built.metadata.about['epochs']}")
    if kept_folder(out).is_dir():
        others = "holds networks of other builds of this name; delete it if none of them is to go on"
        print(f"{kept_folder(out)}: {others}")


def _check_place(out: Path) -> None:
    """Finds out before hours of training whether a model can be written.

    Raises:
        UsageError: for a name that cannot be a model's, or a card's.
        SertagError: ``output_failed``.
    """
    from sertag.metadata import LONGEST_NAME, unpack
    from sertag.model import read

    if out.suffix != ".tflite":
        raise UsageError(f"--out {out}: a model's name ends in .tflite")
    if len(out.stem) > LONGEST_NAME or not out.stem.isprintable():
        raise UsageError(f"--out {out}: a model's name has {LONGEST_NAME} printable characters at most")
    folder = out.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK) or out.is_dir():
        raise SertagError("output_failed", f"{out}: cannot be written; is its folder there, and yours?")
    card = out.with_suffix(".md")
    if card.is_dir() or (card.exists() and not out.exists()):
        raise UsageError(f"{card}: is there, and no model's card; call the model otherwise")
    if out.exists():
        try:
            unpack(read(out), out)
        except ModelError:
            raise UsageError(f"{out}: is there, and no model of sertag's; call this one otherwise") from None


def _tell(out: Path, built: Built) -> None:
    """Prints what was made of what."""
    corpora = built.corpora.corpora
    names = ", ".join(corpus.name for corpus in corpora)
    print(f"{out}: {built.size / 1000:,.0f} kB, trained on {names}; card: {out.with_suffix('.md')}")
    for reason, count in built.metadata.about["skipped"].items():
        print(f"Left out: {count} ({reason})")
    if "CREMA-D" in names and not any(clip.perceived for corpus in corpora for clip in corpus.utterances):
        print(
            "CREMA-D: its table tabulatedVotes.csv was not there; networks that learn what listeners heard as"
            " well tell new voices better"
        )
