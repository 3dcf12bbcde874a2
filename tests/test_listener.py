from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sertag.adaptation import Call, EmotionEffects
from sertag.call_statistics import CallStatistics
from sertag.familiarity import outline
from sertag.listener import (
    Calibration,
    CallLogits,
    Listener,
    call_probabilities,
    coverage,
    explain_call,
)
from sertag.mix import explain, softmax
from sertag.model import Model
from sertag.types import FloatArray
from sertag.windows import FrameWindow, WindowStream

from conftest import EVERY_LINE, SETTINGS, made_take, plain_listener

BANDS = SETTINGS.mels
USUAL = 4.0 * np.eye(3) - 4 / 3
COOL = Calibration(1.0, 1.0, 1.0, USUAL, np.zeros(3))
WARM = Calibration(2.0, 2.0, 1.25, 2.0 * USUAL, np.zeros(3))


def by_bands(inputs: FloatArray) -> FloatArray:
    """Logits of three labels that differ with the window, and with the second view."""
    means = inputs[:, :, :BANDS].reshape(len(inputs), -1, 4, BANDS // 4, 2).mean(axis=(1, 3))
    return np.asarray(means[:, :3, 0] + 2 * means[:, 1:, 1], dtype=np.float32)


def counting(
    heard: list[int], network: Callable[[FloatArray], FloatArray]
) -> Callable[[FloatArray], FloatArray]:
    """The network; keeps how many windows it hears at a time."""

    def run(inputs: FloatArray) -> FloatArray:
        heard.append(len(inputs))
        return network(inputs)

    return run


def in_turn(inputs: FloatArray) -> FloatArray:
    """Usual answers to each of three emotions in its turn."""
    return np.asarray(np.resize(USUAL, (len(inputs), 3)), dtype=np.float32)


def sure_of_the_first(inputs: FloatArray) -> FloatArray:
    """Logits of three labels, of which the first always wins; the third tells of the second view's bands."""
    sure = np.tile(np.array([9, 0, 0], dtype=np.float32), (len(inputs), 1))
    sure[:, 2] = inputs[..., :BANDS, 1].mean(axis=(1, 2))
    return sure


_NOTHING = np.zeros((3, SETTINGS.inputs))
HIGHER = EmotionEffects(_NOTHING + np.array([[0.5], [-0.25], [-0.25]]), np.zeros(3), _NOTHING)
"""The first of three emotions lifts all inputs."""


def windows(count: int, seed: int = 0) -> list[FrameWindow]:
    takes = [made_take(3.0, seed=seed + number) for number in range(count)]
    for number, take in enumerate(takes):
        take.frames[:, number % BANDS] += 20
    return [FrameWindow(150 * number, take.frames, take.speech) for number, take in enumerate(takes)]


def sums(of: Sequence[FrameWindow]) -> CallStatistics:
    return CallStatistics.of(
        np.concatenate([window.frames for window in of]),
        np.concatenate([window.speech for window in of]),
        SETTINGS,
    )


def listener() -> Listener:
    return plain_listener(by_bands, 3, WARM)


def test_alone_is_the_softmax_at_its_temperature() -> None:
    call = windows(5)
    heard = listener().alone(call)
    logits = listener().logits(call)
    np.testing.assert_allclose(heard, np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True))
    # A window alone is the same whatever else is listened to.
    assert np.array_equal(listener().alone(call[2:3])[0], heard[2])


def test_in_a_call_a_window_is_heard_otherwise_than_alone() -> None:
    call = windows(20)
    heard = listener().in_call(call, sums(call))
    assert heard.shape == (20, 3)
    assert not np.allclose(heard, listener().alone(call), atol=0.01)


@pytest.mark.parametrize("count", [1, 7, 300])
def test_probabilities_add_up_to_1(count: int) -> None:
    call = windows(count)
    for heard in (listener().alone(call), listener().in_call(call, sums(call))):
        assert heard.shape == (count, 3)
        assert (heard > 0).all()
        np.testing.assert_allclose(heard.sum(axis=1), 1)


def test_statistics_of_nobody_change_no_logits() -> None:
    call = windows(12)
    heard = listener().listen(call, made_take(3.0, speech=False).statistics)
    assert heard.trust == 0
    np.testing.assert_allclose(heard.logits, listener().logits(call), atol=1e-4)


def test_a_trusted_call_is_what_the_network_hears_of_its_voice() -> None:
    call = windows(12)
    statistics = sums(call)
    voice = statistics.voice(listener().normalisation.mean, listener().normalisation.deviation)
    heard = listener().listen(call, statistics)
    assert 36 / 56 <= heard.trust <= 36 / 44
    assert heard.familiarity == 1
    np.testing.assert_allclose(
        heard.logits, listener().logits(call, Call(voice, heard.trust, 1.0)), rtol=1e-5
    )
    assert not np.allclose(heard.logits, listener().logits(call), atol=0.1)
    np.testing.assert_allclose(
        listener().in_call(call, statistics),
        call_probabilities(heard, np.ones(12), WARM),
    )


def test_calls_are_heard_again_where_an_emotion_may_rule() -> None:
    for network, times in ((in_turn, 1), (sure_of_the_first, 2)):
        heard: list[int] = []
        call = windows(12)
        plain_listener(counting(heard, network), 3, COOL).listen(call, sums(call))
        assert heard == [12] * times


def test_windows_that_all_overlap_are_heard_twice_and_believed_little_of() -> None:
    heard: list[int] = []
    call = list(WindowStream(150, 75).push(*overlapping(), last=True))[:2]
    told = plain_listener(counting(heard, by_bands), 3, COOL).listen(call, sums(call))
    assert heard == [2, 2]
    assert told.familiarity == 1
    assert told.trust == pytest.approx(sums(call).seconds / (sums(call).seconds + 20))


def test_a_window_that_is_heard_later_has_silence_before_it() -> None:
    given: list[FloatArray] = []

    def run(inputs: FloatArray) -> FloatArray:
        given.append(inputs.copy())
        return by_bands(inputs)

    plain = plain_listener(run, 3, WARM)
    call = windows(2)
    answers = plain.logits(call, delays=(0, 4))
    once, later = given
    np.testing.assert_array_equal(
        later[:, :4], np.tile(plain.normalisation.views(SETTINGS).silence, (2, 4, 1, 1))
    )
    np.testing.assert_allclose(later[:, 4:], once[:, :-4], atol=0.2)
    np.testing.assert_allclose(answers, (by_bands(once) + by_bands(later)) / 2)


def test_the_effects_of_what_rules_are_taken_out() -> None:
    # The first label always wins; its speakers' bands are known to lie higher.
    call = windows(12)
    unknowing = plain_listener(sure_of_the_first, 3, COOL)
    before, after = (
        each.listen(call, sums(call)).logits[:, 2] for each in (unknowing, replace(unknowing, effects=HIGHER))
    )
    # The bands of the calm voice lie lower, so that this call's stand out from them.
    assert (after > before + 0.1).all()


def on_a_line(plain: Listener, call: Sequence[FrameWindow], familiarity: float) -> Listener:
    """The listener, to whom a call's line is familiar so far."""
    # Familiar to 1.2 spreads, foreign from 1.45 on.
    spreads = EVERY_LINE.distances(outline(sums(call), SETTINGS)) / (1.45 - 0.25 * familiarity)
    return replace(plain, lines=replace(EVERY_LINE, spreads=spreads))


def test_on_a_line_like_none_of_the_training_no_mix_is_believed() -> None:
    call = windows(12)
    plain = plain_listener(sure_of_the_first, 3, COOL)
    changes = []
    for familiarity in (0.0, 0.5, 1.0):
        without, believed = (
            on_a_line(each, call, familiarity).listen(call, sums(call))
            for each in (plain, replace(plain, effects=HIGHER))
        )
        assert believed.familiarity == pytest.approx(familiarity, abs=1e-6)
        changes.append(float((believed.logits - without.logits)[:, 2].min()))
    assert changes[0] == 0 < changes[1] < changes[2]


def test_on_a_foreign_line_windows_are_heard_once() -> None:
    heard: list[int] = []
    call = windows(12)
    line = on_a_line(plain_listener(counting(heard, sure_of_the_first), 3, COOL), call, 0.0)
    line.in_call(call, sums(call))
    assert heard == [12]


def test_on_a_foreign_line_the_first_view_is_the_calls_too() -> None:
    call = windows(12)
    seen: list[FloatArray] = []

    def keeping(inputs: FloatArray) -> FloatArray:
        seen.append(inputs.copy())
        return by_bands(inputs)

    for familiarity in (1.0, 0.0):
        on_a_line(plain_listener(keeping, 3, WARM), call, familiarity).listen(call, sums(call))
    *_, known, foreign = seen
    assert not np.allclose(known[..., :BANDS, 0], foreign[..., :BANDS, 0], atol=0.1)
    np.testing.assert_allclose(foreign[..., BANDS:, 0], known[..., BANDS:, 0])
    # What all of the call has in common is gone from the bands' shape in both views alike.
    shapes = [view - view.mean() for view in np.moveaxis(foreign[..., :BANDS, :].mean(axis=(0, 1)), 1, 0)]
    np.testing.assert_allclose(shapes[0], shapes[1], atol=0.01)


@pytest.mark.parametrize("familiarity", [0.0, 0.5, 1.0])
def test_calls_are_heard_by_what_explains_them(familiarity: float) -> None:
    random = np.random.default_rng(2)
    logits = 3.0 * (np.repeat(USUAL, [100, 10, 10], axis=0) + random.normal([1.0, 0.0, -1.0], 1.0, (120, 3)))
    foreign = np.array([1.0, 0.0, -1.0])
    calibration, weights = Calibration(3.0, 3.5, 1.5, 3.0 * USUAL, foreign), np.full(120, 0.5)
    heard = CallLogits(logits, 0.5, familiarity)
    told = explain(logits / 3.0, weights, USUAL, foreign, familiarity)
    np.testing.assert_allclose(
        call_probabilities(heard, weights, calibration),
        told.probabilities(logits / 3.0, weights, 3.0 / calibration.temperature(0.5)),
    )
    # The temperature of calls is not what the voice is told by.
    surer = replace(calibration, adapted=0.75)
    same = explain_call(heard, weights, surer)
    np.testing.assert_allclose(same.posterior, told.posterior)
    found = call_probabilities(heard, weights, surer)
    assert found.max(axis=1).mean() > told.probabilities(logits / 3.0, weights, 1.0).max(axis=1).mean()


def test_a_call_that_one_emotion_rules_is_trusted_later() -> None:
    call = windows(12)
    even, ruled = (
        plain_listener(network, 3, COOL).listen(call, sums(call)).trust
        for network in (in_turn, sure_of_the_first)
    )
    assert even == pytest.approx(36 / 44)
    assert ruled == pytest.approx(36 / 56, abs=0.03)


def test_whether_an_emotion_rules_is_told_in_terms_of_the_calls_own_voice() -> None:
    def sure_alone(inputs: FloatArray) -> FloatArray:
        alone = np.allclose(inputs[..., 0], inputs[..., 1])
        return sure_of_the_first(inputs) if alone else in_turn(inputs)

    call = windows(12)
    heard = plain_listener(sure_alone, 3, COOL).listen(call, sums(call))
    np.testing.assert_allclose(heard.logits, np.resize(USUAL, (12, 3)), rtol=1e-6)
    assert heard.trust == pytest.approx(36 / 44)


@pytest.mark.parametrize("count", [1, 12])
def test_a_foreign_lines_own_statistics_count_soon_but_never_fully(count: int) -> None:
    call = windows(count)
    heard = on_a_line(plain_listener(by_bands, 3, WARM), call, 0.0).listen(call, sums(call))
    assert heard.familiarity == 0
    assert heard.trust == pytest.approx(0.65 * 3 * count / (3 * count + 3))


@pytest.mark.parametrize(
    ("seconds", "hop", "shares"),
    [
        (3.0, 150, [1.0]),
        (9.0, 150, [1, 1, 1]),
        (6.0, 75, [1, 0.5, 0.5]),
        (4.0, 150, [1, 1 / 3]),
        (1.0, 75, [1 / 3]),
    ],
)
def test_coverage_counts_every_frame_once(seconds: float, hop: int, shares: list[float]) -> None:
    take = made_take(seconds)
    cut = list(WindowStream(150, hop).push(take.frames, take.speech, last=True))
    found = coverage(cut, 150)
    assert found.tolist() == pytest.approx(shares)
    assert found.sum() * 150 == pytest.approx(len(take.frames))


def test_coverage_counts_all_of_a_window_after_a_gap() -> None:
    first, _, third, fourth = WindowStream(150, 75).push(*overlapping(), last=True)
    assert coverage([first, third, fourth], 150).tolist() == [1.0, 1.0, 0.5]


def overlapping() -> tuple[FloatArray, np.ndarray]:  # type: ignore[type-arg]
    take = made_take(7.5)
    return take.frames, take.speech


def test_the_temperature_goes_from_one_to_the_other() -> None:
    calibration = replace(COOL, one_clip=2.0, adapted=0.5)
    assert calibration.temperature(0.0) == 2.0
    assert calibration.temperature(1.0) == 0.5
    assert calibration.temperature(0.5) == pytest.approx(1.0)
    assert calibration.temperature(0.25) == pytest.approx(2**0.5)


def test_softmax_of_large_logits() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4, 0.0]])), [[0.5, 0.5, 0.0]])


def test_the_shipped_model_listens_like_this_too() -> None:
    shipped = Model().listener
    call = windows(6)
    heard = shipped.in_call(call, sums(call))
    np.testing.assert_allclose(heard.sum(axis=1), 1)
    assert not np.allclose(heard, shipped.alone(call), atol=0.001)
