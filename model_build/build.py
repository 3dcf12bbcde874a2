"""A labelled corpus to a finished model file and its card: the whole of training, top to bottom."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from model_build.architectures import NetworkSettings
from model_build.card import model_card
from model_build.convert import QUANTISATION, check_operators, check_runs, convert
from model_build.corpora import Corpora, Utterance, read_corpora
from model_build.dataset import Example, Windower, fit_normalisation, make_examples
from model_build.evaluate import Evaluation, evaluate_file
from model_build.metrics import fit_temperature, rounded
from model_build.observer import Observer
from model_build.split import Split, split_speakers
from model_build.train import Training, TrainingObserver, TrainingSettings, clip_logits, evaluate, train
from sertag import __version__
from sertag.errors import RecordingError, UsageError
from sertag.features import FeatureSettings
from sertag.labels import VALENCE, in_order
from sertag.metadata import ModelMetadata, pack
from sertag.model import Model
from sertag.tagger import Tagger

AUGMENTED = 5
"""Augmented takes per training utterance, beside the clean one."""


@dataclass(frozen=True)
class Built:
    """What a build came to."""

    metadata: ModelMetadata
    corpora: Corpora
    evaluation: Evaluation
    float_uar: float
    size: int
    interrupted: bool


def build(
    folders: Sequence[Path], out: Path, *, window: float, epochs: int, seed: int, observer: TrainingObserver
) -> Built:
    """Trains, converts and measures a model; writes ``out`` and the card beside it.

    Args:
        folders: folders of labelled recordings.
        out: the model file to write.
        window: length of the model's window in seconds.
        epochs: how long to train at most.
        seed: of everything random but the split.
        observer: is told how it goes.

    Raises:
        SertagError: where there is nothing to train on, or the result is not what it should be.
        KeyboardInterrupt: before the first epoch was over; later it ends the training only.
    """
    features = FeatureSettings()
    corpora = read_corpora(folders)
    labels = in_order(utterance.emotion for utterance in corpora.utterances)
    split = split_speakers(corpora.utterances)
    examples, skipped = _read(corpora, split, labels, features, seed, observer)
    corpora = corpora.only(example.utterance for example in examples)
    training, validation, test = (
        [example for example in examples if example.utterance.speaker in side]
        for side in (split.training, split.validation, split.test)
    )
    for name, side in (("training", training), ("validation", validation), ("test", test)):
        if not any(example.has_speech for example in side):
            raise UsageError(f"no recording of the {name} speakers holds speech that can be decoded")
    described = _describe(corpora)
    length = features.frames_in(window)
    windower = Windower(features, fit_normalisation(training, features), length, length // 2)
    settings = TrainingSettings(epochs=epochs, seed=seed)
    network_settings = NetworkSettings()
    trained = train(
        training, validation, windower, len(labels), settings, network_settings, observer=observer
    )
    if trained.best is None:
        raise KeyboardInterrupt
    metadata = ModelMetadata(
        name=out.stem,
        version=__version__,
        labels=labels,
        valence=tuple(VALENCE.get(label, 0) for label in labels),
        features=features,
        normalisation=windower.normalisation,
        window=window,
        temperature=_temperature(trained, validation, windower),
        about={
            "corpora": described,
            "skipped": skipped,
            "split": asdict(split),
            "command": {"window": window, "epochs": epochs, "seed": seed},
            "training": {**asdict(settings), **asdict(network_settings), "augmented": AUGMENTED},
            "epoch": trained.best.number,
            "interrupted": trained.interrupted,
            "validation_uar": round(trained.best.validation_uar, 4),
            "parameters": int(trained.network.count_params()),
            "quantisation": QUANTISATION,
        },
    )
    float_uar = evaluate(trained.network, test, windower, len(labels))
    return _finish(
        trained, metadata, corpora, [example.utterance for example in test], float_uar, out, observer
    )


def _read(
    corpora: Corpora,
    split: Split,
    labels: Sequence[str],
    features: FeatureSettings,
    seed: int,
    observer: Observer,
) -> tuple[list[Example], dict[str, int]]:
    """Examples of all usable utterances, and how many were left out, by reason.

    Silence teaches nothing; where nothing is learnt it stays, to count as wrong.
    """
    skipped = Counter(corpora.skipped)
    examples = []
    observer.stage("reading", len(corpora.utterances))
    for augmented, speakers in ((AUGMENTED, split.training), (0, split.validation + split.test)):
        chosen = [utterance for utterance in corpora.utterances if utterance.speaker in speakers]
        for result in make_examples(
            chosen, labels, features, augmented=augmented, seed=seed, workers=os.cpu_count() or 1
        ):
            if isinstance(result, RecordingError):
                skipped[result.code] += 1
            elif speakers is split.training and not result.has_speech:
                skipped["no_speech"] += 1
            else:
                examples.append(result)
            observer.step()
    return examples, dict(skipped)


def _temperature(trained: Training, validation: Sequence[Example], windower: Windower) -> float:
    clips = clip_logits(trained.network, validation, windower)
    heard = [(clip, example.target) for clip, example in zip(clips, validation, strict=True) if len(clip[0])]
    return fit_temperature([clip for clip, _ in heard], np.array([target for _, target in heard]))


def _describe(corpora: Corpora) -> list[dict[str, Any]]:
    return [
        {
            "name": corpus.name,
            "licence": corpus.licence,
            "clips": len(corpus.utterances),
            "speakers": len({utterance.speaker for utterance in corpus.utterances}),
            "sha256": corpus.digest(),
        }
        for corpus in corpora.corpora
    ]


def _finish(
    trained: Training,
    metadata: ModelMetadata,
    corpora: Corpora,
    test: Sequence[Utterance],
    float_uar: float,
    out: Path,
    observer: Observer,
) -> Built:
    """Converts, checks and measures; the files appear under their names when all of it is done."""
    flatbuffer = convert(trained.network)
    check_operators(flatbuffer)
    with tempfile.TemporaryDirectory(prefix=".sertag-", dir=out.parent) as folder:
        aside = Path(folder, out.name)
        aside.write_bytes(pack(flatbuffer, metadata))
        interpreters = check_runs(aside)
        observer.stage("measuring", len(test))
        evaluation = evaluate_file(Tagger(Model(str(aside))), test, on_clip=observer.step)
        about = {**metadata.about, "interpreters": interpreters, "accuracy": _accuracy(evaluation, float_uar)}
        metadata = replace(metadata, about=about)
        content = pack(flatbuffer, metadata)
        aside.write_bytes(content)
        card = Path(folder, "card.md")
        card.write_text(model_card(metadata, evaluation, float_uar, len(content)), encoding="utf-8")
        os.replace(aside, out)
        os.replace(card, out.with_suffix(".md"))
    return Built(metadata, corpora, evaluation, float_uar, len(content), trained.interrupted)


def _accuracy(evaluation: Evaluation, float_uar: float) -> dict[str, Any]:
    return {
        "protocol": "unseen speakers, one clip at a time, quantised file",
        "clips": evaluation.clips,
        "speakers": evaluation.speakers,
        "uar": round(evaluation.uar.value, 4),
        "uar_95": evaluation.uar.rounded()[1:],
        "accuracy": round(evaluation.accuracy.value, 4),
        "calibration_error": rounded(evaluation.calibration_error),
        "float_uar": round(float_uar, 4),
        "recalls": {label: round(recall, 4) for label, recall in evaluation.recalls.items()},
    }
