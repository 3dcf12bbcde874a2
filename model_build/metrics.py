"""Figures of merit of a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def uar(targets: IntArray, predicted: IntArray, classes: int) -> float:
    """Unweighted average recall: the mean of the recalls of the classes that occur."""
    counts = np.bincount(targets, minlength=classes)
    hits = np.bincount(targets[targets == predicted], minlength=classes)
    occurs = counts > 0
    return float(np.mean(hits[occurs] / counts[occurs]))


def rounded(figure: float) -> float | None:
    """A figure with 4 decimals; None for NaN, which JSON does not know."""
    return None if np.isnan(figure) else round(figure, 4)


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % confidence interval; the ends are NaN where one speaker gives none."""

    value: float
    low: float
    high: float

    def rounded(self) -> list[float | None]:
        """Value, lower and upper end, with 4 decimals; None where there is none."""
        return [rounded(end) for end in (self.value, self.low, self.high)]

    def __str__(self) -> str:
        if np.isnan(self.low):
            return f"{self.value:.3f} (one speaker)"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    statistic: Callable[[IntArray], float], speakers: Sequence[str], *, draws: int = 2_000
) -> Interval:
    """A figure with the percentile bootstrap over speakers, who are what a new sample would change.

    Args:
        statistic: the figure on some of the clips, given by their numbers.
        speakers: who speaks in each clip.
        draws: how many samples of speakers to draw.
    """
    value = statistic(np.arange(len(speakers)))
    if len(set(speakers)) < 2:
        return Interval(value, np.nan, np.nan)
    names = np.array(speakers)
    clips = [np.flatnonzero(names == speaker) for speaker in sorted(set(speakers))]
    random = np.random.default_rng(0)
    figures = [
        statistic(np.concatenate([clips[index] for index in random.integers(0, len(clips), len(clips))]))
        for _ in range(draws)
    ]
    low, high = np.percentile(figures, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def calibration_error(confidence: FloatArray, right: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over equal bins.

    NaN where there is no clip.
    """
    if not len(confidence):
        return float("nan")
    number = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = [
        np.abs(confidence[number == index].mean() - right[number == index].mean()) * np.mean(number == index)
        for index in range(bins)
        if np.any(number == index)
    ]
    return float(np.sum(gaps))


def fit_temperature(clips: Sequence[tuple[FloatArray, FloatArray]], targets: IntArray) -> float:
    """Temperature with the smallest negative log-likelihood (Guo et al. 2017).

    Args:
        clips: per clip, the logits of its windows, shape ``(windows, classes)``, and their durations,
            ``(windows,)``; a clip's probability is the duration-weighted mean over its windows.
        targets: the clips' classes.
    """

    def loss(temperature: float) -> float:
        chosen = [
            (durations @ softmax(logits / temperature))[target] / durations.sum()
            for (logits, durations), target in zip(clips, targets, strict=True)
        ]
        return -float(np.mean(np.log(np.maximum(chosen, 1e-12))))

    return float(min(np.geomspace(0.25, 4.0, 97), key=loss))


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)
