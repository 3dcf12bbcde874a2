from __future__ import annotations

import time

import numpy as np
import pytest

from model_build.metrics import (
    AGE_GROUPS,
    SEXES,
    IntArray,
    age_group,
    bootstrap,
    brier_scores,
    by_group,
    calibration_error,
    confusion,
    difference,
    fit_temperature,
    precision_at,
    recall,
    uar,
)
from sertag.mix import softmax

TARGETS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 0, 2, 3])


def test_uar_is_the_mean_of_the_recalls() -> None:
    assert uar(TARGETS, PREDICTED, 3) == pytest.approx(1.75 / 3)


def test_a_class_that_does_not_occur_does_not_count() -> None:
    assert uar(np.array([0, 0]), np.array([0, 1]), 3) == 0.5


def test_confusion() -> None:
    assert confusion(TARGETS, PREDICTED, 4)[:3].tolist() == [[3, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]]


def test_interval_over_speakers() -> None:
    random = np.random.default_rng(0)
    targets = random.integers(0, 3, 600)
    speakers = [f"speaker {number % 20}" for number in range(600)]
    predicted = np.where(random.random(600) < 0.7, targets, (targets + 1) % 3)

    def figure(rows: IntArray) -> float:
        return uar(targets[rows % 600], predicted[rows % 600], 3)

    interval = bootstrap(figure, speakers)
    assert interval.low < interval.value < interval.high
    assert interval.value == pytest.approx(0.7, abs=0.05)
    assert 0.04 < interval.high - interval.low < 0.12
    # Hearing the same clips twice tells nothing new; an interval over clips would narrow.
    twice = bootstrap(figure, speakers * 2)
    assert (twice.low, twice.high) == pytest.approx((interval.low, interval.high))


def test_one_speaker_gives_no_interval() -> None:
    interval = bootstrap(lambda rows: float(rows.mean()), ["ann"] * 5)
    assert interval.rounded() == [2.0, None, None]
    assert str(interval) == "2.000 (one speaker)"


def test_brier_scores() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [1, 0, 0], [1, 0, 0], [0, 0, 0]], dtype=np.float32)
    scores = brier_scores(np.array([0, 0, 1, 2]), probabilities)
    assert scores == pytest.approx([0.09 + 0.04 + 0.01, 0, 2, 1])
    assert probabilities[0, 0] == np.float32(0.7)


def test_precision_where_a_class_is_rare() -> None:
    # Of 4 angry clips 3 are found, of 8 others 2 are taken for angry.
    targets = np.array([0] * 4 + [1] * 8)
    predicted = np.array([0, 0, 0, 1] + [0, 0] + [1] * 6)
    assert recall(targets, predicted, 0) == 0.75
    assert precision_at(targets, predicted, 0, 4 / 12) == pytest.approx(3 / 5)
    assert precision_at(targets, predicted, 0, 0.05) == pytest.approx(
        0.05 * 0.75 / (0.05 * 0.75 + 0.95 * 0.25)
    )
    # The same by repeating the others until the class makes up 5 %: 76 of 80, of which 19 are false alarms.
    others = np.tile(np.arange(4, 12), 19)
    rare = np.concatenate([np.tile(np.arange(4), 2), others])
    assert precision_at(targets[rare], predicted[rare], 0, 0.05) == pytest.approx(6 / (6 + 38))


def test_precision_and_recall_that_are_not_defined() -> None:
    targets, predicted = np.array([0, 1]), np.array([1, 1])
    assert np.isnan(recall(targets, predicted, 2))
    assert np.isnan(precision_at(targets, predicted, 0, 0.05))
    assert np.isnan(precision_at(targets, predicted, 2, 0.05))
    interval = bootstrap(lambda rows: recall(targets[rows], predicted[rows], 2), ["ann", "bob"])
    assert (interval.rounded(), str(interval)) == ([None, None, None], "undefined")
    # Where only some draws are not, the others make the interval.
    some = bootstrap(lambda rows: recall(targets[rows], predicted[rows], 1), ["ann", "bob"])
    assert some.rounded() == [1.0, 1.0, 1.0]


def test_a_paired_difference_is_narrower_than_either_figure() -> None:
    random = np.random.default_rng(0)
    speakers = [f"speaker {number % 20}" for number in range(2_000)]
    # Voices differ much in how well they are understood, and one model is always a little better.
    ease = np.repeat(np.linspace(0.3, 0.9, 20)[None], 100, axis=0).ravel()
    chance = random.random(2_000)
    first, second = chance < ease, chance < ease - 0.05
    alone = bootstrap(lambda rows: float(first[rows].mean()), speakers)
    other = bootstrap(lambda rows: float(second[rows].mean()), speakers)
    gap = difference(
        lambda rows: float(first[rows].mean()), lambda rows: float(second[rows].mean()), speakers
    )
    assert gap.value == pytest.approx(alone.value - other.value)
    assert alone.low < other.high
    assert 0 < gap.low < gap.value < gap.high < 0.1
    assert gap.high - gap.low < 0.3 * (alone.high - alone.low)


def test_figures_by_group() -> None:
    sexes = ["male", "male", "female", "", "female", "female"]
    speakers = ["bob", "bob", "ann", "x", "eve", "ann"]
    right = np.array([1, 0, 1, 0, 0, 1], dtype=bool)
    figures = by_group(lambda rows: float(right[rows].mean()), sexes, SEXES, speakers)
    assert list(figures) == ["female", "male"]
    assert figures["male"].rounded() == [0.5, None, None]
    assert figures["female"].rounded() == [0.6667, 0.0, 1.0]
    assert by_group(lambda rows: float(right[rows].mean()), [""] * 6, AGE_GROUPS, speakers) == {}


def test_age_groups() -> None:
    ages = [None, 18, 29, 30, 44, 45, 59, 60, 99]
    assert [age_group(age) for age in ages] == [
        "",
        *("<30", "<30", "30-44", "30-44", "45-59", "45-59", "60+", "60+"),
    ]


def test_intervals_are_quick() -> None:
    random = np.random.default_rng(0)
    targets = random.integers(0, 6, 6_000)
    predicted = np.where(random.random(6_000) < 0.6, targets, (targets + 1) % 6)
    speakers = [f"speaker {number % 80}" for number in range(6_000)]
    # Time of this process alone, whatever else the machine does.
    before = time.process_time()
    bootstrap(lambda rows: uar(targets[rows], predicted[rows], 6), speakers)
    assert time.process_time() - before < 1


def test_calibration_error() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.2, 1.0, 20_000).astype(np.float32)
    assert calibration_error(confidence, random.random(20_000) < confidence) < 0.02
    assert calibration_error(confidence, random.random(20_000) < confidence - 0.2) == pytest.approx(
        0.2, abs=0.02
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_is_found(temperature: float) -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (4_000, 4))
    targets = np.array([random.choice(4, p=row) for row in softmax(logits)])
    found = fit_temperature(lambda tried: softmax(logits * temperature / tried), targets)
    assert found == pytest.approx(temperature, rel=0.1)


def test_of_few_clips_no_extreme_temperature_is_found() -> None:
    def found(clips: int) -> float:
        sure = np.tile([4.0, 0.0], (clips, 1))
        return fit_temperature(lambda tried: softmax(sure / tried), np.zeros(clips, dtype=np.int64))

    assert 0.9 < found(2) < 1.05
    assert 0.5 < found(20) < found(2)
    # Were they so many, they would tell.
    assert found(20_000) < 0.5
