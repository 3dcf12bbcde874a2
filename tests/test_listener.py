from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sertag.adaptation import Call, EmotionEffects
from sertag.call_statistics import CallStatistics
from sertag.familiarity import outline
from sertag.listener import Calibration, CallLogits, Listener, call_probabilities, coverage
from sertag.mix import EvenCalls, estimate_mix, softmax, variety
from sertag.model import Model
from sertag.types import FloatArray
from sertag.windows import FrameWindow, WindowStream

from conftest import EVERY_LINE, SETTINGS, made_take, plain_listener

WARM = Calibration(2.0, 1.25)
BANDS = SETTINGS.mels


def by_bands(inputs: FloatArray) -> FloatArray:
    """Logits of three labels that differ with the window, and with the second view."""
    means = inputs[:, :, :BANDS].reshape(len(inputs), -1, 4, BANDS // 4, 2).mean(axis=(1, 3))
    return np.asarray(means[:, :3, 0] + 2 * means[:, 1:, 1], dtype=np.float32)


def counting(heard: list[int]) -> Callable[[FloatArray], FloatArray]:
    """Hears by bands, and keeps how many windows it hears at a time."""

    def run(inputs: FloatArray) -> FloatArray:
        heard.append(len(inputs))
        return by_bands(inputs)

    return run


def sure_of_the_first(inputs: FloatArray) -> FloatArray:
    """Logits of three labels, of which the first always wins; the third tells of the second view's bands."""
    sure = np.tile(np.array([9, 0, 0], dtype=np.float32), (len(inputs), 1))
    sure[:, 2] = inputs[..., :BANDS, 1].mean(axis=(1, 2))
    return sure


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


def test_alone_is_the_softmax_at_the_temperature_of_one_clip() -> None:
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


def test_a_call_that_is_not_trusted_leaves_the_logits_and_lifts_what_rules() -> None:
    call = windows(12)
    nobody = made_take(3.0, speech=False).statistics
    heard = listener().listen(call, nobody)
    assert heard.trust == 0
    np.testing.assert_allclose(heard.logits, listener().logits(call), atol=1e-4)
    plain = listener().alone(call)
    mix = estimate_mix(plain, np.ones(12), 10.0)
    lifted = np.log(listener().in_call(call, nobody) / plain)
    assert heard.ruled == 1
    # As a prior would that goes with a power of the mix: labels gain by their share in the call alone.
    gain = lifted - lifted.mean(axis=1, keepdims=True)
    wanted = np.log(mix) - np.log(mix).mean()
    power = (gain @ wanted) / (wanted @ wanted)
    assert 0 < power.min() <= power.max() < 1
    np.testing.assert_allclose(gain, power[:, None] * wanted, atol=1e-4)
    assert np.ptp(power) < 0.01
    assert np.ptp(mix) > 0.01


def test_a_trusted_call_is_what_the_network_hears_of_its_voice() -> None:
    call = windows(12)
    statistics = sums(call)
    voice = statistics.voice(listener().normalisation.mean, listener().normalisation.deviation)
    heard = listener().listen(call, statistics)
    assert heard.trust == pytest.approx(36 / 56)
    assert (heard.familiarity, heard.ruled) == (1, 1)
    np.testing.assert_allclose(
        heard.logits, listener().logits(call, Call(voice, heard.trust, 1.0)), rtol=1e-5
    )
    assert not np.allclose(heard.logits, listener().logits(call), atol=0.1)
    np.testing.assert_allclose(
        listener().in_call(call, statistics),
        call_probabilities(heard, np.ones(12), WARM),
    )


def test_only_windows_that_do_not_overlap_are_heard_for_the_mix() -> None:
    heard: list[int] = []
    first, _, third, fourth = WindowStream(150, 75).push(*overlapping(), last=True)
    call = [first, third, fourth]
    plain_listener(counting(heard), 3, WARM).in_call(call, sums(call))
    # All plainly, then for the mix the first and the third, as the fourth begins within the third.
    assert heard == [3, 2, 3]


def test_a_call_that_no_emotion_rules_is_heard_once() -> None:
    heard: list[int] = []
    call = windows(12)
    plain = plain_listener(counting(heard), 3, by_bands_in_calls())
    assert plain.listen(call, sums(call)).ruled == 0
    assert heard == [12]


def test_windows_that_all_overlap_are_heard_twice_and_believed_little_of() -> None:
    heard: list[int] = []
    call = list(WindowStream(150, 75).push(*overlapping(), last=True))[:2]
    plain = plain_listener(counting(heard), 3, WARM)
    told = plain.listen(call, sums(call))
    assert heard == [2, 2]
    assert told.ruled == told.familiarity == 1
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


def test_the_effects_of_the_mix_heard_apart_are_taken_out() -> None:
    # The first label always wins; its speakers' bands are known to lie higher.
    call = windows(12)
    unknowing = plain_listener(sure_of_the_first, 3, Calibration(1, 1))
    nothing = np.zeros((3, SETTINGS.inputs))
    effects = EmotionEffects(nothing + np.array([[0.5], [-0.25], [-0.25]]), np.zeros(3), nothing)
    before, after = (
        each.listen(call, sums(call)).logits[:, 2]
        for each in (unknowing, replace(unknowing, effects=effects))
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
    nothing = np.zeros((3, SETTINGS.inputs))
    effects = EmotionEffects(nothing + np.array([[0.5], [-0.25], [-0.25]]), np.zeros(3), nothing)
    plain = plain_listener(sure_of_the_first, 3, Calibration(1, 1))
    changes = []
    for familiarity in (0.0, 0.5, 1.0):
        without, believed = (
            on_a_line(each, call, familiarity).listen(call, sums(call))
            for each in (plain, replace(plain, effects=effects))
        )
        assert believed.familiarity == pytest.approx(familiarity, abs=1e-6)
        changes.append(float((believed.logits - without.logits)[:, 2].min()))
    assert changes[0] == 0 < changes[1] < changes[2]


def test_on_a_foreign_line_windows_are_heard_once() -> None:
    heard: list[int] = []
    call = windows(12)
    on_a_line(plain_listener(counting(heard), 3, WARM), call, 0.0).in_call(call, sums(call))
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


def test_what_is_frequent_becomes_less_likely_but_where_it_rules() -> None:
    logits = np.tile([2.0, 1.0, 0.0], (100, 1))
    ruled, even, foreign = (
        call_probabilities(CallLogits(logits, 1.0, *call), np.ones(100), Calibration(1.0, 1.0))
        for call in ((1.0, 1.0), (1.0, 0.0), (0.0, 0.0))
    )
    plain = softmax(logits)
    assert ruled[0, 0] > plain[0, 0] > even[0, 0] > foreign[0, 0]
    assert foreign[0, 2] > even[0, 2] > plain[0, 2] > ruled[0, 2]


def test_what_rules_becomes_more_likely_by_its_own_power() -> None:
    logits = np.random.default_rng(3).normal([2.0, 1.0, 0.0], 1.0, (100, 3))
    usual = 3.0 * np.eye(3) - 1.0
    weak, strong, other = (
        call_probabilities(
            CallLogits(logits, 1.0, 1.0, 1.0),
            np.ones(100),
            Calibration(1.0, 1.0, EvenCalls(usual, 2.0, np.array(powers))),
        ).mean(axis=0)
        for powers in ((0.0, 0.0, 0.0), (0.6, 0.0, 0.0), (0.0, 0.0, 0.6))
    )
    assert strong[0] > weak[0] + 0.02
    assert other[0] == pytest.approx(weak[0], abs=0.01)


def test_what_a_voice_or_a_line_adds_to_all_answers_is_taken_away() -> None:
    usual = 3.0 * np.eye(3) - 1.0
    plain = np.tile(usual, (40, 1)) + np.random.default_rng(2).normal(0, 0.5, (120, 3))
    calibration = Calibration(1.0, 0.7, EvenCalls(usual, 2.0, np.full(3, 0.3)))
    for familiarity, ruled, least, most in (
        (1.0, 0.0, 0.9, 1.0),
        (1.0, 1.0, 0.1, 0.8),
        (0.0, 0.0, 0.9, 1.0),
        (0.5, 0.0, 0.9, 1.0),
    ):
        without, heard, unknowing = (
            call_probabilities(CallLogits(logits, 1.0, familiarity, ruled), np.ones(120), each)
            for logits, each in (
                (plain, calibration),
                (plain + np.array([1.0, 0.0, -1.0]), calibration),
                (plain + np.array([1.0, 0.0, -1.0]), Calibration(1.0, 0.7)),
            )
        )
        gone = 1 - np.abs(heard - without).mean() / np.abs(unknowing - without).mean()
        assert least <= gone <= most, (familiarity, ruled)


def test_where_one_emotion_may_rule_on_a_foreign_line_it_is_not_taken_for_the_line() -> None:
    usual = 3.0 * np.eye(3) - 1.0
    random = np.random.default_rng(2)
    known, unknown = Calibration(1.0, 1.0, EvenCalls(usual, 2.0, np.full(3, 0.3))), Calibration(1.0, 1.0)
    ruled = 0.5 * usual[np.repeat([0, 1, 2], [100, 10, 10])] + random.normal(0, 0.2, (120, 3))
    for logits in (ruled, ruled[:1]):
        heard = CallLogits(logits, 1.0, 0.0, 0.0)
        np.testing.assert_allclose(
            call_probabilities(heard, np.ones(len(logits)), known),
            call_probabilities(heard, np.ones(len(logits)), unknown),
        )


def test_what_rules_by_the_known_half_of_a_line_is_doubted_on_the_other() -> None:
    usual = 3.0 * np.eye(3) - 1.0
    calibration = Calibration(1.0, 1.0, EvenCalls(usual, 2.0, np.zeros(3)))
    # As usual in an even call, so that nothing but the temperature tells.
    for ruled, doubt in ((0.0, 0.0), (0.5, 0.25)):
        heard = CallLogits(np.tile(usual, (40, 1)), 1.0, 0.5, ruled)
        np.testing.assert_allclose(
            call_probabilities(heard, np.ones(120), calibration),
            softmax(heard.logits / calibration.temperature(1.0, doubt)),
        )


def by_bands_in_calls() -> Calibration:
    """What is usual where the call of :func:`windows` is even to one who hears by bands."""
    call = windows(12)
    plainly = plain_listener(by_bands, 3, Calibration(1, 1)).hear_plainly(call, sums(call))
    usual = np.zeros((3, 3))
    return Calibration(1, 1, EvenCalls(usual, variety(plainly.logits, np.ones(12), usual[0]), np.zeros(3)))


def test_a_call_that_one_emotion_rules_is_trusted_later() -> None:
    call = windows(12)
    even, ruled = (
        plain_listener(network, 3, by_bands_in_calls()).listen(call, sums(call))
        for network in (by_bands, sure_of_the_first)
    )
    assert (even.ruled, ruled.ruled) == (0, 1)
    assert (even.trust, ruled.trust) == pytest.approx((36 / 44, 36 / 56))


def test_whether_an_emotion_rules_is_told_in_terms_of_the_calls_own_voice() -> None:
    def sure_alone(inputs: FloatArray) -> FloatArray:
        alone = np.allclose(inputs[..., 0], inputs[..., 1])
        return sure_of_the_first(inputs) if alone else by_bands(inputs)

    call = windows(12)
    assert plain_listener(sure_alone, 3, by_bands_in_calls()).listen(call, sums(call)).ruled == 0


@pytest.mark.parametrize("count", [1, 12])
def test_a_foreign_lines_own_statistics_count_soon_but_never_fully(count: int) -> None:
    call = windows(count)
    heard = on_a_line(plain_listener(by_bands, 3, WARM), call, 0.0).listen(call, sums(call))
    assert heard.familiarity == heard.ruled == 0
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
    calibration = Calibration(2.0, 0.5)
    assert calibration.temperature(0.0, 0.0) == 2.0
    assert calibration.temperature(1.0, 0.0) == 0.5
    assert calibration.temperature(0.5, 0.0) == pytest.approx(1.0)
    assert calibration.temperature(0.25, 0.0) == pytest.approx(2**0.5)


def test_the_less_is_known_of_a_call_the_warmer() -> None:
    calibration = Calibration(2.0, 0.5)
    found = [calibration.temperature(1.0, doubt) for doubt in (0.0, 0.5, 1.0)]
    assert found == sorted(set(found))
    # Where the call is not trusted, nothing is known of its line either.
    assert calibration.temperature(0.0, 1.0) == 2.0


def test_softmax_of_large_logits() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4, 0.0]])), [[0.5, 0.5, 0.0]])


def test_the_shipped_model_listens_like_this_too() -> None:
    shipped = Model().listener
    call = windows(6)
    heard = shipped.in_call(call, sums(call))
    np.testing.assert_allclose(heard.sum(axis=1), 1)
    assert not np.allclose(heard, shipped.alone(call), atol=0.001)
