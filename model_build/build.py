"""Labelled corpora to a finished model file and its card: the whole of training, top to bottom."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import tensorflow as tf

from model_build.calibrate import calibrations_by_others, mean_calibration
from model_build.card import model_card
from model_build.convert import QUANTISATION, check_operators, check_runs, convert
from model_build.corpora import Corpora
from model_build.figures import Figures, measure_part
from model_build.fitted import Fitted, fit_part
from model_build.kept import KeptNetworks
from model_build.material import Material
from model_build.protocol import Part
from model_build.recipe import Recipe
from model_build.train import TrainingObserver
from sertag import __version__
from sertag.files import Move, put_in_place
from sertag.labels import VALENCE
from sertag.metadata import ModelMetadata, pack
from sertag.model import Model


@dataclass(frozen=True)
class Built:
    """What a build came to."""

    metadata: ModelMetadata
    corpora: Corpora
    figures: Figures
    size: int
    interrupted: bool


def build(
    folders: Sequence[Path],
    out: Path,
    recipe: Recipe,
    observer: TrainingObserver,
    unlabelled: Path | None = None,
) -> Built:
    """Trains, converts and measures a model; writes ``out`` and the card beside it.

    Under the protocol ``split`` the network that was measured is the one that is written. Under the
    others it is trained once more, on every speaker. A build that was cut off goes on after its last
    finished training.

    Args:
        folders: folders of labelled recordings.
        out: the model file to write.
        recipe: how.
        observer: is told how it goes.
        unlabelled: a folder of voices for the teacher to label.

    Raises:
        SertagError: where there is nothing to train on, or the result is not what it should be.
        KeyboardInterrupt: before the first epoch was over; later it ends the training only.
    """
    material = Material.read(folders, unlabelled, recipe, observer)
    kept = KeptNetworks(kept_folder(out), material.identity(recipe))

    def describe(part: Part, fitted: Fitted) -> ModelMetadata:
        return _metadata(out.stem, part, fitted, material, recipe)

    # What is killed leaves this behind: for hours it had better not be where the user's files are.
    with tempfile.TemporaryDirectory(prefix="sertag-") as folder:
        aside = Path(folder, out.name)
        tested = []
        for part, fitted in _fitted(material, recipe, kept, observer):
            aside.write_bytes(pack(_converted(fitted.network), describe(part, fitted)))
            quantised, test = Model(str(aside)).listener, material.of(part.test)
            tested.append(
                measure_part(part.name, quantised, fitted.listener, test, material.labels, observer)
            )
        if recipe.protocol != "split" and not fitted.interrupted:
            part = Part("everybody", material.corpora.utterances, (), ())
            fitted = fit_part(part, material, recipe, kept, observer)
            fitted = fitted.calibrated(mean_calibration([each.calibration for each in tested]))
        figures = Figures.of(recipe.protocol, tested)
        network, metadata = _converted(fitted.network), describe(part, fitted)
        aside.write_bytes(pack(network, metadata))
        measured = {"interpreters": check_runs(aside), "accuracy": figures.summary()}
        metadata = replace(metadata, about={**metadata.about, **measured})
        content = pack(network, metadata)
    _publish(out, content, model_card(metadata, figures, len(content)))
    if not fitted.interrupted:
        kept.clear()
    return Built(metadata, material.corpora, figures, len(content), fitted.interrupted)


def _fitted(
    material: Material, recipe: Recipe, kept: KeptNetworks, observer: TrainingObserver
) -> Iterator[tuple[Part, Fitted]]:
    """The protocol's trainings, up to one that was interrupted."""
    fits = []
    for part in material.parts:
        fits.append(fit_part(part, material, recipe, kept, observer))
        if fits[-1].interrupted:
            break
    if recipe.protocol == "folds":
        # Nobody validates: what suits a fold's network comes from the others'.
        tests = [material.of(part.test) for part in material.parts]
        found = calibrations_by_others([fitted.listener for fitted in fits], tests)
        fits = [fitted.calibrated(each) for fitted, each in zip(fits, found, strict=True)]
    yield from zip(material.parts, fits, strict=False)


def kept_folder(out: Path) -> Path:
    """Where a build that is cut off leaves its finished trainings."""
    return out.with_name(f"{out.name}.trained")


def _publish(out: Path, content: bytes, card: str) -> None:
    """Puts a model and its card in their places; when it returns, they are on the disk itself."""
    files = {out: content, out.with_suffix(".md"): card.encode("utf-8", "backslashreplace")}
    with tempfile.TemporaryDirectory(prefix=".sertag-", dir=out.parent) as folder:
        for path, written in files.items():
            with open(Path(folder, path.name), "wb") as file:
                file.write(written)
                file.flush()
                os.fsync(file.fileno())
        put_in_place(Move(str(Path(folder, path.name)), str(path)) for path in files)


def _converted(network: tf.keras.Model) -> bytes:
    flatbuffer = convert(network)
    check_operators(flatbuffer)
    return flatbuffer


def _metadata(name: str, part: Part, fitted: Fitted, material: Material, recipe: Recipe) -> ModelMetadata:
    listener, labels = fitted.listener, material.labels
    return ModelMetadata(
        name=name,
        version=__version__,
        labels=labels,
        valence=tuple(VALENCE.get(label, 0) for label in labels),
        features=listener.settings,
        normalisation=listener.normalisation,
        effects=listener.effects,
        lines=listener.lines,
        window=recipe.window,
        calibration=listener.calibration,
        about={
            **material.described,
            "skipped": {**material.skipped, **({"no_speech": fitted.silent} if fitted.silent else {})},
            "split": part.speakers,
            "command": asdict(recipe),
            "training": recipe.describe(),
            "epochs": fitted.epochs,
            "interrupted": fitted.interrupted,
            "parameters": int(fitted.network.count_params()),
            "quantisation": QUANTISATION,
        },
    )
