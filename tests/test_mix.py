from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sertag.mix import Explanations, estimate_mix, explain, softmax
from sertag.types import DoubleArray

USUAL = 4.0 * np.eye(4) - 1.0
"""Mean answers to windows of four emotions."""
VOICE = np.array([0.9, 0.3, -0.3, -0.9])
NOBODY = np.zeros(4)
EVEN, RULED = [20] * 4, [8, 64, 4, 4]


def probabilities(targets: Sequence[int], sure: float) -> DoubleArray:
    out = np.full((len(targets), 4), (1 - sure) / 3)
    out[np.arange(len(targets)), targets] = sure
    return out


def spoken(counts: Sequence[int], voice: DoubleArray = VOICE, noise: float = 1.4) -> DoubleArray:
    """Answers to so many windows of each emotion, by a voice that adds to all of them."""
    targets = np.repeat(np.arange(4), counts)
    return np.asarray(USUAL[targets] + voice + np.random.default_rng(1).normal(0, noise, (len(targets), 4)))


def told(answers: DoubleArray, familiarity: float = 1.0) -> Explanations:
    return explain(answers, np.ones(len(answers)), USUAL, NOBODY, familiarity)


def right(answers: DoubleArray, counts: Sequence[int], found: DoubleArray) -> float:
    """How often what rules is found, on average over windows."""
    assert answers.shape == found.shape
    np.testing.assert_allclose(found.sum(axis=1), 1)
    return float(found[np.arange(len(found)), np.repeat(np.arange(4), counts)].mean())


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


def test_whether_an_emotion_rules_is_told_whatever_the_voice() -> None:
    for voice in (NOBODY, VOICE, -VOICE):
        even, ruled = (told(spoken(counts, voice)) for counts in (EVEN, RULED))
        assert even.ruled < 0.1
        assert ruled.ruled > 0.9
        # The four emotions' shares, by the one that rules.
        np.testing.assert_allclose(ruled.mix, np.array(RULED) / 80, atol=0.1)
        assert ruled.mix.sum() == pytest.approx(1)


def test_of_what_is_heard_all_the_time_the_voice_and_the_emotion_have_their_parts() -> None:
    even, ruled = (told(spoken(counts)) for counts in (EVEN, RULED))
    for found in (even, ruled):
        offsets = found.posterior @ found.offsets
        assert 0.6 < offsets @ VOICE / (VOICE @ VOICE) < 1.1
    # Had nothing ruled in the call, the voice would have added its emotion.
    assert ruled.offsets[0, 1] > ruled.offsets[ruled.posterior.argmax(), 1] + 1


def test_windows_that_overlap_say_no_more() -> None:
    answers = spoken(RULED)
    twice = explain(np.repeat(answers, 2, axis=0), np.full(160, 0.5), USUAL, NOBODY, 1.0)
    once = told(answers)
    np.testing.assert_allclose(twice.posterior, once.posterior)
    np.testing.assert_allclose(twice.offsets, once.offsets)
    np.testing.assert_allclose(twice.mixes, once.mixes)


def test_little_is_said_by_a_sentence() -> None:
    found = told(spoken([1, 0, 0, 0], NOBODY, noise=0.0))
    assert 0.1 < found.ruled < 0.9
    assert np.abs(found.offsets).max() < 1


def test_what_the_mean_of_answers_is_has_no_say() -> None:
    answers = spoken(RULED)
    np.testing.assert_allclose(told(answers + 7.0).posterior, told(answers).posterior)


@pytest.mark.parametrize("counts", [EVEN, RULED])
def test_answers_are_better_understood_by_what_explains_them(counts: list[int]) -> None:
    answers = spoken(counts, 1.5 * VOICE)
    weights = np.ones(80)
    heard = told(answers).probabilities(answers, weights, 1.0)
    assert right(answers, counts, heard) > right(answers, counts, softmax(answers)) + 0.03
    # Cooled is surer.
    surer = told(answers).probabilities(answers, weights, 1.5)
    assert surer.max(axis=1).mean() > heard.max(axis=1).mean()


def test_what_rules_becomes_more_likely_and_what_is_frequent_elsewhere_less() -> None:
    answers = spoken(RULED, NOBODY)
    weights = np.ones(80)
    nothing = np.zeros((2, 4))
    mixes = np.array([[0.25] * 4, np.array(RULED) / 80])
    unruled, ruled = (
        Explanations(np.array(posterior), nothing, mixes).probabilities(answers, weights, 1.0).mean(axis=0)
        for posterior in ((1.0, 0.0), (0.0, 1.0))
    )
    plain = softmax(answers).mean(axis=0)
    assert ruled[1] > plain[1] + 0.01 > unruled[1] + 0.02


def test_on_a_foreign_line_less_is_said_of_emotions() -> None:
    """As networks do there: fainter answers, and more alike."""
    for line in (0.0, 1.0, 3.0):
        even, ruled = (0.4 * spoken(counts, line * VOICE, noise=1.5) for counts in (EVEN, RULED))
        assert told(even, 0.0).ruled < 0.1
        assert told(ruled, 0.0).ruled > 0.9
        np.testing.assert_allclose(told(ruled, 0.0).mix, np.array(RULED) / 80, atol=0.1)
        # As if known, they are too much alike for more than one emotion.
        assert told(even, 1.0).ruled > 0.9


def test_what_foreign_lines_are_known_to_add_is_taken_away() -> None:
    sentence = USUAL[3:] * 0.4 + 3.0 * VOICE
    weights = np.ones(1)

    def heard(familiarity: float, foreign: DoubleArray) -> DoubleArray:
        found = explain(sentence, weights, USUAL, foreign, familiarity)
        return np.asarray(found.probabilities(sentence, weights, 1.0)[0])

    # Of a sentence alone nothing tells what the line adds.
    assert heard(0.0, NOBODY).argmax() == 0
    assert heard(0.0, 3.0 * VOICE).argmax() == 3
    assert 0 < heard(0.1, 3.0 * VOICE)[3] - heard(0.1, NOBODY)[3] < heard(0.0, 3.0 * VOICE)[3]
    for familiarity in (0.2, 1.0):
        np.testing.assert_array_equal(heard(familiarity, 3.0 * VOICE), heard(familiarity, NOBODY))
    # A call tells by itself.
    call, weights_of_call = 0.4 * spoken(RULED, VOICE, noise=1.5), np.ones(80)
    without, expected = (
        explain(call, weights_of_call, USUAL, foreign, 0.0).probabilities(call, weights_of_call, 1.0)
        for foreign in (NOBODY, VOICE)
    )
    np.testing.assert_allclose(without, expected, atol=0.05)


def test_extreme_answers_stay_probabilities() -> None:
    for answers in (1e3 * np.eye(4)[[0, 0, 1]], np.full((3, 4), -1e3), 1e3 * spoken([1, 1, 1, 1])):
        for usual in (USUAL, 100 * USUAL, 0 * USUAL):
            for familiarity in (0.0, 1.0):
                weights = np.ones(len(answers))
                found = explain(answers, weights, usual, VOICE, familiarity)
                heard = found.probabilities(answers, weights, 1.0)
                assert np.isfinite(heard).all()
                np.testing.assert_allclose(heard.sum(axis=1), 1)
