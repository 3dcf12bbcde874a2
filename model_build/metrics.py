"""Figures of merit of a classifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.types import FloatArray

IntArray = npt.NDArray[np.int64]


def confusion(targets: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """Counts of shape ``(classes, classes)``: rows are the truth; predictions outside count nowhere."""
    table = np.zeros((classes, classes), dtype=np.int64)
    inside = (predicted >= 0) & (predicted < classes)
    np.add.at(table, (targets[inside], predicted[inside]), 1)
    return table


def recalls(targets: IntArray, predicted: IntArray, classes: int) -> npt.NDArray[np.float64]:
    """Share of each class that was found; NaN for a class without examples."""
    return np.array(
        [np.mean(predicted[targets == c] == c) if np.any(targets == c) else np.nan for c in range(classes)]
    )


def uar(targets: IntArray, predicted: IntArray, classes: int) -> float:
    """Unweighted average recall: the mean of the recalls of the classes that occur."""
    return float(np.nanmean(recalls(targets, predicted, classes)))


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def uar_interval(
    targets: IntArray, predicted: IntArray, speakers: list[str], classes: int, *, draws: int = 2_000
) -> Interval:
    """UAR with the percentile bootstrap over speakers, who are what a new sample would change."""
    random = np.random.default_rng(0)
    tables = []
    for speaker in sorted(set(speakers)):
        rows = np.array([name == speaker for name in speakers])
        counts = np.bincount(targets[rows], minlength=classes)
        hits = np.bincount(targets[rows][targets[rows] == predicted[rows]], minlength=classes)
        tables.append((hits, counts))
    drawn = random.integers(0, len(tables), (draws, len(tables)))
    hits_of = np.array([table[0] for table in tables])[drawn].sum(axis=1)
    counts_of = np.array([table[1] for table in tables])[drawn].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        figures = np.nanmean(hits_of / counts_of, axis=1)
    low, high = np.percentile(figures, [2.5, 97.5])
    return Interval(uar(targets, predicted, classes), float(low), float(high))


def fit_temperature(logits: list[FloatArray], targets: IntArray) -> float:
    """Temperature with the smallest negative log-likelihood (Guo et al. 2017).

    Args:
        logits: per example, the logits of its windows, shape ``(windows, classes)``; an example's
            probability is the mean over its windows.
        targets: the examples' classes.
    """
    grid = np.geomspace(0.25, 4.0, 97)

    def loss(temperature: float) -> float:
        chosen = [
            softmax(example / temperature).mean(axis=0)[target]
            for example, target in zip(logits, targets, strict=True)
        ]
        return -float(np.mean(np.log(np.maximum(chosen, 1e-12))))

    return float(min(grid, key=loss))


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)
