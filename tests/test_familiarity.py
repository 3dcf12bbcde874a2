from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sertag.call_statistics import CallStatistics
from sertag.familiarity import KnownLines, outline
from sertag.features import telephone_bands
from sertag.types import DoubleArray

from conftest import SETTINGS

BANDS = telephone_bands(SETTINGS)
COUNT = BANDS.stop - BANDS.start
SIZE = 3 * COUNT


def call(
    *, gain: float = 0.0, moving: float = 6.0, quiet: float = -50.0, speech: int = 40, rests: int = 20
) -> CallStatistics:
    """One whose bands swing by so many dB from frame to frame of speech, and fall to a level between."""
    frames = np.zeros((speech + rests, SETTINGS.columns), dtype=np.float32)
    spoken = np.arange(len(frames)) < speech
    frames[:, : SETTINGS.mels] = np.where(spoken[:, None], -25.0, quiet) + gain
    frames[:speech:2, : SETTINGS.mels] += np.float32(moving)
    frames[:, SETTINGS.level] = -20.0 + gain
    return CallStatistics.of(frames, spoken, SETTINGS)


def lines_about(*centres: DoubleArray) -> KnownLines:
    count = len(centres)
    return KnownLines(np.array(centres), np.ones(count), np.zeros(count), np.eye(1, SIZE), np.zeros(1))


def test_an_outline_is_how_much_and_how_fast_bands_move_and_how_far_they_fall() -> None:
    moves, steps, rests = outline(call(), SETTINGS).reshape(3, COUNT)
    # Half of the frames at each of two values.
    np.testing.assert_allclose(moves, np.log(3.0), atol=1e-4)
    np.testing.assert_allclose(steps, np.log(6.0), atol=1e-4)
    np.testing.assert_allclose(rests, -3.0, atol=1e-4)


def test_an_outline_is_the_same_at_any_level() -> None:
    np.testing.assert_allclose(outline(call(gain=17.0), SETTINGS), outline(call(), SETTINGS), atol=1e-4)


def test_what_no_telephone_lets_through_is_not_in_the_outline() -> None:
    usual, odd = call(), call()
    for sums in (odd.totals, odd.squares, odd.steps, odd.quiet):
        sums[: BANDS.start] += 9
        sums[BANDS.stop : SETTINGS.mels] -= 9
    np.testing.assert_array_equal(outline(odd, SETTINGS), outline(usual, SETTINGS))


def test_a_call_without_gaps_tells_nothing_of_them_and_is_no_stranger_for_it() -> None:
    usual, gapless = (outline(call(rests=rests), SETTINGS) for rests in (20, 9))
    assert np.isnan(gapless[2 * COUNT :]).all()
    lines = lines_about(usual)
    assert lines.distances(gapless) == pytest.approx([0.0], abs=1e-3)
    breathless = outline(call(speech=10), SETTINGS)
    assert np.isnan(breathless[COUNT : 2 * COUNT]).all()
    assert not np.isnan(breathless[:COUNT]).any()


def test_what_voices_and_emotions_do_makes_less_of_a_distance() -> None:
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(SIZE, 3)))[0].T
    centre = np.random.default_rng(1).normal(size=SIZE)
    known = replace(lines_about(centre), directions=directions[:2], excess=np.array([1.0, 0.75]))
    assert known.distances(centre + 5 * directions[0]) == pytest.approx([0.0], abs=1e-6)
    assert known.distances(centre - 4 * directions[1]) == pytest.approx([2 / np.sqrt(SIZE)])
    odd = known.distances(centre + 5 * directions[0] + 3 * directions[2])
    assert odd == pytest.approx([3 / np.sqrt(SIZE)])


def test_the_nearest_line_counts_in_its_own_spread() -> None:
    tight, loose = np.zeros(SIZE), np.full(SIZE, 10.0)
    lines = replace(lines_about(tight, loose), spreads=np.array([1.0, 4.0]))
    # 4 off the one, 6 off the other.
    assert lines.distances(np.full(SIZE, 4.0)) == pytest.approx([4.0, 6.0])
    assert lines.familiarity(np.full(SIZE, 4.0), 30.0) == 0.0
    assert lines.familiarity(np.full(SIZE, 5.3), 30.0) == 1.0
    assert lines.familiarity(np.full(SIZE, 1.1), 30.0) == 1.0
    assert lines.familiarity(np.full(SIZE, 2.0), 30.0) == 0.0


@pytest.mark.parametrize(
    ("spreads", "familiar"), [(0.0, 1.0), (1.2, 1.0), (1.325, 0.5), (1.45, 0.0), (9.0, 0.0)]
)
def test_lines_are_familiar_by_the_spread_of_the_training_speakers(spreads: float, familiar: float) -> None:
    off = np.full(SIZE, 0.4)
    lines = replace(lines_about(np.zeros(SIZE)), spreads=np.array([0.4 / max(spreads, 1e-9)]))
    assert lines.familiarity(off, 30.0) == pytest.approx(familiar, abs=1e-3)


def test_the_less_was_said_the_further_off_a_known_line_may_be() -> None:
    off = np.full(SIZE, 1.0)
    lines = replace(lines_about(np.zeros(SIZE)), spreads=np.array([0.5]), unrests=np.array([1.0]))
    # Expected after a second: 1.118, after four 0.707; foreign from 1.45 times that on.
    found = [lines.familiarity(off, seconds) for seconds in (0.0, 1.0, 4.0, 1e6)]
    assert found == pytest.approx([1.0, 1.0, (1.45 - 2**0.5) / 0.25, 0.0])
