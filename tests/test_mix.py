from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sertag.mix import (
    EvenCalls,
    estimate_mix,
    leaning,
    leaning_of_each,
    rule,
    rule_on_foreign_line,
    softmax,
    variety,
)
from sertag.types import DoubleArray

NOTHING = np.zeros(4)
USUAL = 3.0 * np.eye(4) - 0.75
"""Mean answers to windows of four emotions."""
VOICE = np.array([1.5, 0.5, -0.5, -1.5])


def probabilities(targets: Sequence[int], sure: float) -> DoubleArray:
    out = np.full((len(targets), 4), (1 - sure) / 3)
    out[np.arange(len(targets)), targets] = sure
    return out


def spoken(counts: Sequence[int], voice: DoubleArray = VOICE) -> DoubleArray:
    """Answers to so many windows of each emotion, by a voice that adds to all of them."""
    targets = np.repeat(np.arange(4), counts)
    return np.asarray(USUAL[targets] + voice + np.random.default_rng(1).normal(0, 0.7, (len(targets), 4)))


def test_a_skewed_mix_is_found() -> None:
    mix = estimate_mix(probabilities([0] * 160 + [1] * 20 + [2] * 20, 0.7), np.ones(200), 1.0)
    assert mix.sum() == pytest.approx(1)
    assert mix[0] > 0.75
    # Counting the windows' own shares would find no more than 0.58 of the first.
    assert mix[3] < 0.05


def test_windows_count_by_their_weights() -> None:
    twice = estimate_mix(probabilities([0, 0, 1, 1], 0.7), np.array([1.5, 0.5, 0.5, 0.5]), 1.0)
    once = estimate_mix(probabilities([0, 1], 0.7), np.array([2.0, 1.0]), 1.0)
    np.testing.assert_allclose(twice, once)


@pytest.mark.parametrize("windows", [0, 1, 50])
def test_no_evidence_is_an_even_mix(windows: int) -> None:
    mix = estimate_mix(np.full((windows, 4), 0.25), np.ones(windows), 5.0)
    np.testing.assert_allclose(mix, 0.25)


def test_a_belief_in_an_even_mix_holds_against_little_evidence() -> None:
    one, many = (estimate_mix(probabilities([0] * count, 0.9), np.ones(count), 5.0)[0] for count in (1, 100))
    assert 0.25 < one < 0.5
    assert many > 0.9


def test_calls_are_various_as_far_as_their_windows_differ() -> None:
    # Sure of one emotion each, so that what is left without the mean is sure of it too.
    sure = 200 * np.eye(4)
    assert variety(sure, np.ones(4), NOTHING) == pytest.approx(2 * np.log(4))
    # Nothing but the voice: as it is, nothing is various; without it, only what windows say of themselves
    # tells this from an even call.
    assert variety(sure[[0, 0, 0]], np.ones(3), NOTHING) == pytest.approx(np.log(4) / 2)
    assert variety(np.zeros((4, 4)), np.ones(4), NOTHING) == pytest.approx(np.log(4))
    # Windows count by their weights, whatever their sum.
    mild = np.eye(4)
    whole = variety(mild[[0, 0, 1]], np.ones(3), NOTHING)
    assert variety(mild[:2], np.array([2.0, 1.0]), NOTHING) == pytest.approx(whole)
    assert variety(mild[:2], np.array([0.2, 0.1]), NOTHING) == pytest.approx(whole)


def test_a_ruled_call_is_less_various_than_an_even_one_of_a_strange_voice() -> None:
    usual = USUAL.mean(axis=0)
    plain, strange = (variety(spoken([10] * 4) + more, np.ones(40), usual) for more in (-VOICE, VOICE))
    assert plain > strange > 1.1 * variety(spoken([34, 2, 2, 2], NOTHING), np.ones(40), usual)


@pytest.mark.parametrize(
    ("found", "rules"), [(0.0, 1.0), (0.88, 1.0), (0.915, 0.5), (0.95, 0.0), (1.0, 0.0), (1.2, 0.0)]
)
def test_one_emotion_rules_where_a_call_is_less_various_than_an_even_one(found: float, rules: float) -> None:
    assert rule(2.5 * found, 2.5) == pytest.approx(rules, abs=1e-9)


def test_on_a_foreign_line_one_emotion_rules_where_windows_differ_little() -> None:
    usual = USUAL.mean(axis=0)
    for line in (0.0, 1.0, 4.0):
        # On foreign lines networks are less sure.
        even, some, ruled, lone = (
            rule_on_foreign_line(0.5 * spoken(counts, line * VOICE), np.ones(sum(counts)), usual)
            for counts in ([20] * 4, [47, 11, 11, 11], [71, 3, 3, 3], [1, 0, 0, 0])
        )
        assert even == 0 < some < ruled == lone == 1


def test_an_even_call_tells_what_a_voice_adds() -> None:
    found = leaning(spoken([100] * 4), np.ones(400), USUAL)
    np.testing.assert_allclose(found, VOICE, atol=0.1)
    # Little is said of it by few windows, and nothing by none.
    few = leaning(spoken([1] * 4), np.ones(4), USUAL)
    assert 0.3 < (few @ VOICE) / (VOICE @ VOICE) < 0.7
    assert not leaning(np.zeros((0, 4)), np.zeros(0), USUAL).any()


def test_windows_that_overlap_say_no_more_of_a_voice() -> None:
    answers = spoken([5] * 4)
    twice, halves = np.repeat(answers, 2, axis=0), np.full(40, 0.5)
    np.testing.assert_allclose(leaning(twice, halves, USUAL), leaning(answers, np.ones(20), USUAL))
    np.testing.assert_allclose(
        leaning_of_each(twice, halves, USUAL, 10.0), leaning_of_each(answers, np.ones(20), USUAL, 10.0)
    )


def test_what_rules_is_not_taken_for_the_voice() -> None:
    answers = spoken([160, 14, 13, 13])
    assert softmax(answers - leaning(answers, np.ones(200), USUAL))[:160, 0].mean() < 0.7
    found = leaning_of_each(answers, np.ones(200), USUAL, 10.0)
    # The other emotions' few windows, of which some are taken for the ruling one's, say part of it.
    assert 0.2 < (found @ VOICE) / (VOICE @ VOICE) < 0.6
    assert softmax(answers - found)[:160, 0].mean() > 0.9


def test_the_power_is_that_of_what_rules() -> None:
    even = EvenCalls(np.zeros((3, 3)), 2.0, np.array([0.0, 0.6, 0.3]))
    assert even.power(np.array([1.0, 0.0, 0.0])) == 0.0
    assert even.power(np.array([0.0, 0.5, 0.5])) == pytest.approx(0.45)
    assert even.power(np.array([0.1, 0.8, 0.1])) == pytest.approx((0.64 * 0.6 + 0.01 * 0.3) / 0.66)
