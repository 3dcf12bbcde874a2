"""Accuracy of a network on clips of speakers that it has never heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from model_build.corpora import Corpora
from model_build.dataset import make_examples
from model_build.metrics import (
    AGE_GROUPS,
    SEXES,
    IntArray,
    Interval,
    age_group,
    bootstrap,
    brier_scores,
    by_group,
    calibration_error,
    confusion,
    precision_at,
    recall,
    rounded,
    uar,
)
from model_build.observer import Observer
from model_build.predict import CONDITIONS, MODES, Predictions, predict_all
from sertag.engines.local import processors
from sertag.errors import RecordingError, UsageError
from sertag.model import Model

ANGRY, RARE = "angry", 0.05
"""Precision and recall are told of anger where it is 5 % of the speech, as in an archive."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures on clips; intervals over speakers.

    ``confusion`` has a row per true label and, behind the labels' columns, one for clips in which nobody
    was heard; these are wrong, and do not count in the calibration error.
    """

    labels: tuple[str, ...]
    speakers: int
    uar: Interval
    accuracy: Interval
    calibration_error: float
    brier: Interval
    confusion: IntArray
    recalls: dict[str, float]
    angry_recall: float
    angry_precision: float
    uar_by_sex: dict[str, Interval]
    uar_by_age: dict[str, Interval]

    @property
    def clips(self) -> int:
        """How many clips there were."""
        return int(self.confusion.sum())

    @classmethod
    def of(cls, predictions: Predictions) -> Evaluation:
        """The figures of some predictions."""
        labels, classes = predictions.labels, len(predictions.labels)
        targets, predicted, speakers = predictions.targets, predictions.predicted, predictions.speakers
        right, heard = predicted == targets, predictions.heard
        brier = brier_scores(targets, predictions.probabilities)
        angry = labels.index(ANGRY) if ANGRY in labels else -1

        def uar_of(rows: IntArray) -> float:
            return uar(targets[rows], predicted[rows], classes)

        return cls(
            labels=labels,
            speakers=len(set(speakers)),
            uar=bootstrap(uar_of, speakers),
            accuracy=bootstrap(lambda rows: float(right[rows].mean()), speakers),
            calibration_error=calibration_error(
                predictions.probabilities.max(axis=1)[heard].astype(np.float32), right[heard]
            ),
            brier=bootstrap(lambda rows: float(brier[rows].mean()), speakers),
            confusion=confusion(targets, predicted, classes + 1)[:classes],
            recalls={label: recall(targets, predicted, index) for index, label in enumerate(labels)},
            angry_recall=recall(targets, predicted, angry),
            angry_precision=precision_at(targets, predicted, angry, RARE),
            uar_by_sex=by_group(uar_of, [item.sex for item in predictions.utterances], SEXES, speakers),
            uar_by_age=by_group(
                uar_of, [age_group(item.age) for item in predictions.utterances], AGE_GROUPS, speakers
            ),
        )


Evaluations = dict[tuple[str, str], Evaluation]
"""Figures by mode and condition."""


@dataclass(frozen=True)
class CorpusEvaluation:
    """Figures on one corpus, none where no clip is left, and how many were left out, by reason."""

    corpus: str
    evaluations: Evaluations
    left_out: dict[str, int]


def evaluate_corpora(model: Model, corpora: Corpora, observer: Observer) -> list[CorpusEvaluation]:
    """Measures a model on each corpus: on clips as they are, through a telephone, and in noise.

    Speakers whom the model's training or validation saw are left out, as are clips whose label the
    model does not know.

    Raises:
        UsageError: where no clip is left.
    """
    metadata = model.metadata
    split = metadata.about["split"]
    met = {*split["training"], *split["validation"]}
    results = []
    for corpus in corpora.corpora:
        left_out: Counter[str] = Counter()
        usable = []
        for utterance in corpus.utterances:
            if utterance.speaker in met:
                left_out["the model was trained on the speaker"] += 1
            elif utterance.emotion not in metadata.labels:
                left_out[f"the model does not know the label {utterance.emotion}"] += 1
            else:
                usable.append(utterance)
        examples = []
        evaluations: Evaluations = {}
        observer.stage(f"reading {corpus.name}", len(usable))
        for result in make_examples(
            usable, metadata.labels, metadata.features, sessions=0, seed=0, workers=processors()
        ):
            observer.step()
            if isinstance(result, RecordingError):
                left_out["cannot be decoded"] += 1
            else:
                examples.append(result)
        if examples:
            observer.stage(f"listening to {corpus.name}", len(MODES) * len(CONDITIONS))
            predictions = predict_all(model.listener, examples, metadata.labels, observer)
            evaluations = {key: Evaluation.of(value) for key, value in predictions.items()}
        results.append(CorpusEvaluation(corpus.name, evaluations, dict(left_out)))
    if not any(result.evaluations for result in results):
        reasons = (
            f"{result.corpus}: {count:,} ({reason})"
            for result in results
            for reason, count in result.left_out.items()
        )
        raise UsageError(f"no clip is left to measure; left out of {', '.join(reasons)}")
    return results


def figures_object(evaluation: Evaluation) -> Mapping[str, object]:
    """An evaluation as JSON."""
    return {
        "clips": evaluation.clips,
        "speakers": evaluation.speakers,
        "labels": list(evaluation.labels),
        "uar": evaluation.uar.rounded(),
        "accuracy": evaluation.accuracy.rounded(),
        "calibration_error": rounded(evaluation.calibration_error),
        "brier": evaluation.brier.rounded(),
        "recalls": {label: rounded(figure) for label, figure in evaluation.recalls.items()},
        "angry_at_5_percent": {
            "precision": rounded(evaluation.angry_precision),
            "recall": rounded(evaluation.angry_recall),
        },
        "uar_by_sex": {group: figure.rounded() for group, figure in evaluation.uar_by_sex.items()},
        "uar_by_age": {group: figure.rounded() for group, figure in evaluation.uar_by_age.items()},
        "confusion": evaluation.confusion.tolist(),
    }
