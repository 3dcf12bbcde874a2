"""Labelled corpora to a finished model file and its card: the whole of training, top to bottom."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_build.calibrate import calibrations_by_others, mean_calibration
from model_build.card import model_card
from model_build.convert import QUANTISATION, check_operators, check_runs, convert
from model_build.corpora import Corpora, Utterance, read_corpora, read_unlabelled
from model_build.dataset import Example, make_examples
from model_build.figures import Figures, measure_part
from model_build.fitted import Fitted, fit_part
from model_build.kept import KeptNetworks
from model_build.observer import Observer
from model_build.protocol import Part, parts_of
from model_build.recipe import SESSIONS, Recipe
from model_build.train import TrainingObserver
from sertag import __version__
from sertag.engines.local import processors
from sertag.errors import RecordingError, UsageError
from sertag.features import FeatureSettings
from sertag.files import Move, put_in_place
from sertag.labels import VALENCE, in_order
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
    features = FeatureSettings()
    corpora = read_corpora(folders)
    voices = read_unlabelled(unlabelled)
    labels = in_order(utterance.emotion for utterance in corpora.utterances)
    parts = parts_of(recipe.protocol, corpora.utterances)
    if len(labels) < 2:
        raise UsageError(f"every recording is labelled {labels[0]}; training needs two emotions at least")
    heard, undecoded = _read((*corpora.utterances, *voices.utterances), labels, features, recipe, observer)
    spoken_labels = {item.emotion for item, example in heard.items() if example.has_speech}
    if mute := [label for label in labels if label not in spoken_labels]:
        raise UsageError(f"no recording labelled {mute[0]} holds speech that can be decoded; leave them out")
    for part in parts:
        _check_heard(part, heard)
    skipped = {**corpora.skipped, **undecoded}
    corpora, voices = corpora.only(heard), voices.only(heard)
    described = {
        "corpora": [corpus.describe() for corpus in corpora.corpora],
        "unlabelled": [collection.describe() for collection in voices.corpora],
    }
    spoken = [heard[utterance] for utterance in voices.utterances if heard[utterance].has_speech]

    kept = KeptNetworks(
        kept_folder(out),
        {
            **described,
            "version": __version__,
            "labels": labels,
            "features": asdict(features),
            "window": recipe.window,
            "training": recipe.describe(),
        },
    )

    def fit(part: Part) -> Fitted:
        return fit_part(part, heard, spoken, labels, features, recipe, kept, observer)

    def test(part: Part) -> list[Example]:
        return [heard[utterance] for utterance in part.test if utterance in heard]

    def describe(part: Part, fitted: Fitted) -> ModelMetadata:
        return _metadata(out.stem, labels, fitted, part, recipe, described, skipped)

    with tempfile.TemporaryDirectory(prefix=".sertag-", dir=out.parent) as folder:
        aside = Path(folder, out.name)
        fits = []
        for part in parts:
            fits.append(fit(part))
            if fits[-1].interrupted:
                break
        if recipe.protocol == "folds":
            found = calibrations_by_others([each.listener for each in fits], [test(part) for part in parts])
            fits = [fitted.calibrated(each) for fitted, each in zip(fits, found, strict=True)]
        tested = []
        for fitted, part in zip(fits, parts, strict=False):
            aside.write_bytes(pack(_converted(fitted.network), describe(part, fitted)))
            quantised = Model(str(aside)).listener
            tested.append(measure_part(part.name, quantised, fitted.listener, test(part), labels, observer))
        if recipe.protocol != "split" and not fitted.interrupted:
            part = Part("everybody", corpora.utterances, (), ())
            fitted = fit(part).calibrated(mean_calibration([each.calibration for each in tested]))
        figures = Figures.of(recipe.protocol, tested)
        network, metadata = _converted(fitted.network), describe(part, fitted)
        aside.write_bytes(pack(network, metadata))
        measured = {"interpreters": check_runs(aside), "accuracy": figures.summary()}
        metadata = replace(metadata, about={**metadata.about, **measured})
        content = pack(network, metadata)
        _publish(out, content, model_card(metadata, figures, len(content)), Path(folder))
    if not fitted.interrupted:
        kept.clear()
    return Built(metadata, corpora, figures, len(content), fitted.interrupted)


def kept_folder(out: Path) -> Path:
    """Where a build that is cut off leaves its finished trainings."""
    return out.with_name(f"{out.name}.trained")


def _read(
    utterances: Sequence[Utterance],
    labels: Sequence[str],
    features: FeatureSettings,
    recipe: Recipe,
    observer: Observer,
) -> tuple[dict[Utterance, Example], dict[str, int]]:
    """Examples of all usable utterances, and how many could not be decoded, by reason."""
    skipped: Counter[str] = Counter()
    heard: dict[Utterance, Example] = {}
    observer.stage("reading", len(utterances))
    for result in make_examples(
        utterances,
        labels,
        features,
        sessions=SESSIONS,
        seed=recipe.seed,
        workers=processors(),
        teacher=recipe.teacher,
    ):
        if isinstance(result, RecordingError):
            skipped[result.code] += 1
        else:
            heard[result.utterance] = result
        observer.step()
    return heard, dict(skipped)


def _check_heard(part: Part, heard: Mapping[Utterance, Example]) -> None:
    """Finds out before hours of training that nobody is left on a side.

    Raises:
        UsageError: saying on which.
    """
    for name in ("training", "validation", "test"):
        side = getattr(part, name)
        if side and not any(item in heard and heard[item].has_speech for item in side):
            raise UsageError(f"no recording of the {name} speakers holds speech that can be decoded")


def _publish(out: Path, content: bytes, card: str, folder: Path) -> None:
    """Puts a model and its card in their places; when it returns, they are on the disk itself."""
    files = {out: content, out.with_suffix(".md"): card.encode("utf-8", "backslashreplace")}
    for path, written in files.items():
        with open(folder / path.name, "wb") as file:
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
    put_in_place(Move(str(folder / path.name), str(path)) for path in files)


def _converted(network: tf.keras.Model) -> bytes:
    flatbuffer = convert(network)
    check_operators(flatbuffer)
    return flatbuffer


def _metadata(
    name: str,
    labels: tuple[str, ...],
    fitted: Fitted,
    part: Part,
    recipe: Recipe,
    described: dict[str, list[dict[str, Any]]],
    skipped: dict[str, int],
) -> ModelMetadata:
    listener = fitted.listener
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
            **described,
            "skipped": {**skipped, **({"no_speech": fitted.silent} if fitted.silent else {})},
            "split": part.speakers,
            "command": asdict(recipe),
            "training": recipe.describe(),
            "epochs": fitted.epochs,
            "interrupted": fitted.interrupted,
            "parameters": int(fitted.network.count_params()),
            "quantisation": QUANTISATION,
        },
    )
