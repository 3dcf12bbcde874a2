from __future__ import annotations

import numpy as np
import pytest

from model_build.metrics import (
    IntArray,
    bootstrap,
    calibration_error,
    confusion,
    fit_temperature,
    softmax,
    uar,
)

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
    logits = random.normal(0, 2, (4_000, 1, 4)).astype(np.float32)
    truth = softmax(logits[:, 0])
    targets = np.array([random.choice(4, p=row / row.sum()) for row in truth.astype(np.float64)])
    clips = [(row, np.ones(1, dtype=np.float32)) for row in logits * np.float32(temperature)]
    found = fit_temperature(clips, targets)
    assert found == pytest.approx(temperature, rel=0.1)
