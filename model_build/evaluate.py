"""Accuracy of a finished model file, measured with the code that tags recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from model_build.corpora import Utterance
from model_build.metrics import IntArray, Interval, confusion, uar_interval
from sertag.tagger import Tagger
from sertag.timeline import Timeline


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures one clip at a time.

    ``confusion`` has a row per true label and, behind the labels' columns, one for clips that were
    all ``no_speech``.
    """

    labels: tuple[str, ...]
    uar: Interval
    accuracy: float
    confusion: IntArray
    speakers: int

    @property
    def clips(self) -> int:
        """How many clips there were."""
        return int(self.confusion.sum())

    @property
    def recalls(self) -> dict[str, float]:
        """Share of each label's clips that was found."""
        counts = self.confusion.sum(axis=1)
        return {
            label: float(self.confusion[index, index] / counts[index])
            for index, label in enumerate(self.labels)
            if counts[index]
        }


def evaluate_file(
    tagger: Tagger, utterances: Sequence[Utterance], *, on_clip: Callable[[], None] = lambda: None
) -> Evaluation:
    """Tags every utterance as `sertag scan` would, and compares.

    A clip that is all ``no_speech`` counts as wrong.
    """
    labels = tagger.model.metadata.labels
    classes = len(labels)
    targets = np.array([labels.index(utterance.emotion) for utterance in utterances])
    predicted: IntArray = np.empty(len(utterances), dtype=np.int64)
    for row, utterance in enumerate(utterances):
        label = clip_label(tagger.tag(utterance.path))
        predicted[row] = classes if label is None else labels.index(label)
        on_clip()
    speakers = [utterance.speaker for utterance in utterances]
    return Evaluation(
        labels=labels,
        uar=uar_interval(targets, predicted, speakers, classes),
        accuracy=float(np.mean(targets == predicted)),
        confusion=confusion(targets, predicted, classes + 1)[:classes],
        speakers=len(set(speakers)),
    )


def clip_label(timeline: Timeline) -> str | None:
    """The label of a clip: its largest duration-weighted mean probability; None where nobody speaks."""
    tagged = [
        (window.end - window.start, window.probabilities)
        for channel in timeline.channels
        for window in channel.windows
        if window.probabilities is not None
    ]
    if not tagged:
        return None
    durations, probabilities = map(np.array, zip(*tagged, strict=True))
    return timeline.labels[int(np.argmax(durations @ probabilities))]
