from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sertag.adaptation import Voice
from sertag.familiarity import KnownLines, outline
from sertag.features import telephone_bands
from sertag.normalisation import Normalisation

from conftest import SETTINGS

TRAINING = Normalisation(
    np.linspace(-60, -20, SETTINGS.inputs, dtype=np.float32),
    np.linspace(5, 15, SETTINGS.inputs, dtype=np.float32),
)
BANDS = telephone_bands(SETTINGS)
SIZE = BANDS.stop - BANDS.start


def told_apart(mean: float, tilt: float, deviation: float) -> Voice:
    """A voice whose spectrum is louder, tilted, and moves otherwise than the training speakers'."""
    means = TRAINING.mean + TRAINING.deviation * (mean + tilt * np.linspace(-1, 1, SETTINGS.inputs))
    return Voice(-25.0, means.astype(float), TRAINING.deviation * deviation, 30.0)


def test_an_outline_is_the_shape_of_the_spectrum_and_how_it_moves() -> None:
    np.testing.assert_allclose(outline(told_apart(0.0, 0.0, 1.0), TRAINING, SETTINGS), 0, atol=1e-4)
    louder = outline(told_apart(0.7, 0.0, 1.0), TRAINING, SETTINGS)
    np.testing.assert_allclose(louder, 0, atol=1e-4)
    tilted = outline(told_apart(0.7, 0.5, np.exp(0.3)), TRAINING, SETTINGS)
    assert tilted.shape == (2 * SIZE,)
    np.testing.assert_allclose(np.diff(tilted[:SIZE]), 0.5 * 2 / (SETTINGS.inputs - 1), atol=1e-4)
    assert tilted[:SIZE].mean() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(tilted[SIZE:], 0.3, atol=1e-4)


def test_what_no_telephone_lets_through_is_not_in_the_outline() -> None:
    odd = told_apart(0.0, 0.0, 1.0)
    odd.mean[: BANDS.start] += 9
    odd.mean[BANDS.stop :] -= 9
    np.testing.assert_allclose(outline(odd, TRAINING, SETTINGS), 0, atol=1e-4)


def test_what_voices_and_emotions_do_makes_no_distance() -> None:
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(2 * SIZE, 3)))[0].T
    centre = np.random.default_rng(1).normal(size=2 * SIZE)
    lines = KnownLines(centre, directions[:2], 1.0, 0.0)
    assert lines.distance(centre + 5 * directions[0] - 7 * directions[1]) == pytest.approx(0, abs=1e-9)
    odd = lines.distance(centre + 5 * directions[0] + 3 * directions[2])
    assert odd == pytest.approx(3 / np.sqrt(2 * SIZE))
    before = centre.copy()
    assert lines.distance(centre) == 0
    assert np.array_equal(centre, before)


@pytest.mark.parametrize(
    ("spreads", "familiar"), [(0.0, 1.0), (1.2, 1.0), (1.325, 0.5), (1.45, 0.0), (9.0, 0.0)]
)
def test_lines_are_familiar_by_the_spread_of_the_training_speakers(spreads: float, familiar: float) -> None:
    lines = KnownLines(np.zeros(2 * SIZE), np.eye(1, 2 * SIZE), 1.0, 0.0)
    off = np.zeros(2 * SIZE)
    off[1] = 0.4
    lines = replace(lines, spread=lines.distance(off) / max(spreads, 1e-9))
    assert lines.familiarity(off, 30.0) == pytest.approx(familiar, abs=1e-3)


def test_the_less_was_said_the_further_off_a_known_line_may_be() -> None:
    off = np.zeros(2 * SIZE)
    off[1] = 0.4
    lines = KnownLines(np.zeros(2 * SIZE), np.eye(1, 2 * SIZE), 1.0, 0.0)
    distance = lines.distance(off)
    lines = replace(lines, spread=distance / 2, unrest=distance)
    # Expected after a second: 1.118 of it, after four 0.707; foreign from 1.45 times that on.
    found = [lines.familiarity(off, seconds) for seconds in (0.0, 1.0, 4.0, 1e6)]
    assert found == pytest.approx([1.0, 1.0, (1.45 - 2**0.5) / 0.25, 0.0])
