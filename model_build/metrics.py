"""Figures of merit of a classifier."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sertag.types import FloatArray

IntArray = npt.NDArray[np.int64]
Statistic = Callable[[IntArray], float]
"""A figure on some of the clips, given by their numbers; NaN where they don't define it."""

_FEW_CLIPS = 10.0
"""Half-way between what so many clips say of a temperature and that it is 1."""

SEXES = ("female", "male")
AGE_GROUPS = ("<30", "30-44", "45-59", "60+")


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


def recall(targets: IntArray, predicted: IntArray, label: int) -> float:
    """Share of one class's clips that was found; NaN where it does not occur."""
    return _share(predicted[targets == label] == label)


def precision_at(targets: IntArray, predicted: IntArray, label: int, prevalence: float) -> float:
    """Share of a class's predictions that is right where the class is as rare as in real speech.

    Clips are weighted so that the class makes up ``prevalence`` of them and the others keep their
    proportions. The recall does not depend on it. NaN where the class is never predicted, or either it or
    all others don't occur.
    """
    hits = prevalence * recall(targets, predicted, label)
    alarms = (1 - prevalence) * _share(predicted[targets != label] == label)
    return hits / (hits + alarms) if hits + alarms else float("nan")


def brier_scores(targets: IntArray, probabilities: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Per clip, the sum over classes of the squared distance of probability and truth (Brier 1950).

    Their mean is the Brier score: 0 for certain and right, 2 for certain and wrong. A clip without an answer,
    all of whose probabilities are 0, has 1.

    Args:
        targets: the clips' classes.
        probabilities: shape ``(clips, classes)``.
    """
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(targets)), targets] -= 1
    return np.asarray((distance**2).sum(axis=1))


def rounded(figure: float) -> float | None:
    """A figure with 4 decimals; None for NaN, which JSON does not know."""
    return None if np.isnan(figure) else round(figure, 4)


def shown(figure: float) -> str:
    """A figure with 3 decimals; in words for NaN, which clips give that do not define it."""
    return "undefined" if np.isnan(figure) else f"{figure:.3f}"


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % confidence interval.

    The ends are NaN where one speaker gives none, the figure too where the clips don't define it.
    """

    value: float
    low: float
    high: float

    def rounded(self) -> list[float | None]:
        """Value, lower and upper end, with 4 decimals; None where there is none."""
        return [rounded(end) for end in (self.value, self.low, self.high)]

    def __str__(self) -> str:
        if np.isnan(self.value):
            return shown(self.value)
        if np.isnan(self.low):
            return f"{shown(self.value)} (one speaker)"
        return f"{shown(self.value)} [{shown(self.low)}, {shown(self.high)}]"


def bootstrap(statistic: Statistic, speakers: Sequence[str], *, draws: int = 2_000) -> Interval:
    """A figure with the percentile bootstrap over speakers, who are what a new sample would change.

    Args:
        statistic: the figure; draws that don't define it are passed over.
        speakers: who speaks in each clip.
        draws: how many samples of speakers to draw.
    """
    value = statistic(np.arange(len(speakers)))
    names = sorted(set(speakers))
    if len(names) < 2 or np.isnan(value):
        return Interval(value, np.nan, np.nan)
    voices = np.array(speakers)
    clips = [np.flatnonzero(voices == name) for name in names]
    random = np.random.default_rng(0)
    figures = [
        statistic(np.concatenate([clips[index] for index in random.integers(0, len(clips), len(clips))]))
        for _ in range(draws)
    ]
    low, high = np.nanpercentile(figures, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def difference(
    first: Statistic, second: Statistic, speakers: Sequence[str], *, draws: int = 2_000
) -> Interval:
    """First minus second with the paired bootstrap: both are measured on the same speakers in every draw.

    Two models are only told apart by this; their own intervals overlap long before.
    """
    return bootstrap(lambda rows: first(rows) - second(rows), speakers, draws=draws)


def by_group(
    statistic: Statistic, groups: Sequence[str], names: Iterable[str], speakers: Sequence[str]
) -> dict[str, Interval]:
    """A figure for each group of clips.

    Args:
        statistic: the figure, on clips by their numbers among all.
        groups: which group each clip is of.
        names: the groups to tell, in their order; those without a clip are left out.
        speakers: who speaks in each clip.
    """
    member, voices = np.array(groups), np.array(speakers)
    figures = {}
    for name in names:
        clips = np.flatnonzero(member == name)
        if len(clips):
            figures[name] = bootstrap(partial(_among, statistic, clips), voices[clips].tolist())
    return figures


def age_group(age: int | None) -> str:
    """Which of :data:`AGE_GROUPS` an age is in; empty where it is unknown."""
    return "" if age is None else AGE_GROUPS[bisect_right((30, 45, 60), age)]


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


def fit_temperature(probabilities_at: Callable[[float], npt.NDArray[np.float64]], targets: IntArray) -> float:
    """Temperature with the smallest negative log-likelihood (Guo et al. 2017), and 1 for want of clips.

    Args:
        probabilities_at: what the clips' probabilities are at a temperature, shape ``(clips, classes)``.
        targets: the clips' classes.
    """

    def loss(temperature: float) -> float:
        chosen = probabilities_at(temperature)[np.arange(len(targets)), targets]
        likelihood = float(np.sum(np.log(np.maximum(chosen, 1e-12))))
        return _FEW_CLIPS * math.log(temperature) ** 2 - likelihood

    return float(min(np.geomspace(0.3, 3.0, 48), key=loss))


def _among(statistic: Statistic, clips: IntArray, rows: IntArray) -> float:
    return statistic(clips[rows])


def _share(true: npt.NDArray[np.bool_]) -> float:
    return float(true.mean()) if len(true) else float("nan")
