from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from model_build.dataset import Example
from model_build.simulate import (
    DRAWS,
    EVEN,
    MIXES,
    RULING,
    SECONDS,
    TWO_VOICES,
    CallClips,
    CallFigures,
    simulate_calls,
)
from sertag.listener import Calibration, Listener
from sertag.types import FloatArray

from conftest import SETTINGS, Counting, made_example, made_take, plain_listener

LABELS = ("angry", "fearful", "happy", "neutral", "sad")
CLIP = 2.0
# The voicing tells the speaker and the emotion.
SPEAKERS = {"ann": 0.15, "bob": 0.55, "cy": 0.75}


class Ear:
    """A network that keeps what it is given, call by call, and answers with the emotion."""

    def __init__(self) -> None:
        self.calls: list[FloatArray] = []

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """Logits that are certain of one emotion."""
        # Even calls are not known here, so that one emotion is taken to rule: each call is heard in its
        # voice, without it, when both views are the same, and in its voice again.
        again = self.calls and np.array_equal(self.calls[-1], inputs[..., 0])
        if not again and not np.array_equal(inputs[..., 0], inputs[..., 1]):
            self.calls.append(inputs[..., 0].copy())
        hundredths = np.round(100 * inputs[:, 0, SETTINGS.voicing, 0]).astype(int)
        return np.asarray(20 * np.eye(5)[hundredths % 5], dtype=np.float32)


def clips(speaker: str, each: int, emotions: Iterable[str] = LABELS, *, speech: bool = True) -> list[Example]:
    return [
        made_example(
            speaker,
            emotion,
            LABELS.index(emotion),
            made_take(
                CLIP, voicing=SPEAKERS[speaker] + LABELS.index(emotion) / 100, seed=number, speech=speech
            ),
        )
        for emotion in emotions
        for number in range(each)
    ]


def listener(ear: Ear) -> Listener:
    return plain_listener(ear, 5, Calibration(1.0, 1.0, 1.0, 4.0 * np.eye(5), np.zeros(5)))


def speakers_of(call: FloatArray) -> list[str]:
    starts = np.array(list(SPEAKERS.values()))
    found = np.searchsorted(starts, call[:, 0, SETTINGS.voicing] + 1e-4) - 1
    return [list(SPEAKERS)[row] for row in found]


def in_order(ear: Ear) -> list[tuple[str, int, FloatArray]]:
    """The calls with their mixes and seconds, as one speaker after the other has them."""
    plan = [(mix, seconds) for mix in MIXES for seconds in SECONDS for _ in range(DRAWS)]
    assert len(ear.calls) % len(plan) == 0
    plan *= len(ear.calls) // len(plan)
    return [(mix, seconds, call) for (mix, seconds), call in zip(plan, ear.calls, strict=True)]


@pytest.fixture(scope="module")
def simulated() -> tuple[Ear, dict[tuple[str, int], CallClips]]:
    ear = Ear()
    examples = [clip for speaker in SPEAKERS for clip in clips(speaker, 6)]
    return ear, simulate_calls(listener(ear), examples, Counting())


Simulated = tuple[Ear, dict[tuple[str, int], CallClips]]


def test_there_are_calls_of_every_mix_and_length(simulated: Simulated) -> None:
    ear, found = simulated
    assert set(found) == {(mix, seconds) for mix in MIXES for seconds in SECONDS}
    assert len(ear.calls) == len(SPEAKERS) * len(found) * DRAWS
    for heard in found.values():
        assert set(heard.speakers) == {f"made {speaker}" for speaker in SPEAKERS}
        assert len(heard.targets) == len(heard.adapted) == len(heard.alone) == len(heard.speakers)


def test_one_emotion_rules_four_fifths(simulated: Simulated) -> None:
    _, found = simulated
    for mix in RULING:
        targets = np.concatenate([found[mix, seconds].targets for seconds in SECONDS])
        assert len(targets) > 1_000
        shares = np.bincount(targets, minlength=5) / len(targets)
        assert shares[LABELS.index(mix)] == pytest.approx(0.8, abs=0.04)
        assert np.delete(shares, LABELS.index(mix)) == pytest.approx(np.full(4, 0.05), abs=0.02)


@pytest.mark.parametrize("mix", [EVEN, TWO_VOICES])
def test_the_other_calls_are_even(simulated: Simulated, mix: str) -> None:
    targets = np.concatenate([simulated[1][mix, seconds].targets for seconds in SECONDS])
    assert np.bincount(targets, minlength=5) / len(targets) == pytest.approx(np.full(5, 0.2), abs=0.05)


def test_a_call_has_as_much_speech_as_it_should(simulated: Simulated) -> None:
    for _, seconds, call in in_order(simulated[0]):
        spoken = np.count_nonzero(call[..., SETTINGS.voicing]) * SETTINGS.hop_seconds
        assert seconds <= spoken < seconds + 1.1 * CLIP + 0.05


def test_a_clip_that_comes_again_is_said_otherwise(simulated: Simulated) -> None:
    varied = 0
    for mix, seconds, call in in_order(simulated[0]):
        assert len({window.tobytes() for window in call}) == len(call)
        lengths = np.count_nonzero(call[..., SETTINGS.voicing], axis=1)
        assert lengths.min() >= 90
        assert lengths.max() <= 110
        varied += np.count_nonzero(lengths != 100)
        # Speaker and emotion stay what they were: each speaker has but five voicings.
        voices = 1 + (mix == TWO_VOICES)
        assert len(np.unique(call[:, 0, SETTINGS.voicing])) <= 5 * voices
        if (mix, seconds) == (EVEN, 30):
            # Thirty clips are enough for fifteen without one coming twice, if emotions come evenly.
            assert np.count_nonzero(lengths == 100) > 8
    assert varied > 100


def test_two_voices_alternate(simulated: Simulated) -> None:
    both = 0
    for number, (mix, _, call) in enumerate(in_order(simulated[0])):
        turns = speakers_of(call)
        own = list(SPEAKERS)[number // (len(simulated[0].calls) // len(SPEAKERS))]
        assert turns[0] == own
        if mix == TWO_VOICES:
            both += 1
            assert len(set(turns)) == 2
            assert all(one != other for one, other in pairwise(turns))
        else:
            assert set(turns) == {own}
    assert both == len(SPEAKERS) * len(SECONDS) * DRAWS


def test_every_clip_is_of_who_says_it(simulated: Simulated) -> None:
    ear, found = simulated
    turns: dict[tuple[str, int], list[str]] = {}
    for mix, seconds, call in in_order(ear):
        turns.setdefault((mix, seconds), []).extend(f"made {speaker}" for speaker in speakers_of(call))
    assert {key: list(heard.speakers) for key, heard in found.items()} == turns


def test_answers_are_those_of_the_network(simulated: Simulated) -> None:
    for heard in simulated[1].values():
        assert np.array_equal(heard.alone, heard.targets)
        assert np.array_equal(heard.adapted, heard.targets)


def test_who_lacks_a_ruling_emotion_or_is_silent_is_left_out() -> None:
    observer = Counting()
    found = simulate_calls(
        listener(Ear()),
        [
            *clips("ann", 3),
            *clips("bob", 3, ("angry", "neutral", "sad")),
            *clips("cy", 3, ("angry", "neutral", "sad")),
            *clips("cy", 3, ("happy",), speech=False),
        ],
        observer,
    )
    assert {speaker for heard in found.values() for speaker in heard.speakers} == {"made ann"}
    # There is nobody else to speak on her channel.
    assert {mix for mix, _ in found} == {*MIXES} - {TWO_VOICES}
    assert (observer.steps, observer.total) == (1, 1)


def test_nobody_to_simulate() -> None:
    assert simulate_calls(listener(Ear()), clips("ann", 3, ("angry",)), Counting()) == {}


def test_the_same_calls_twice(simulated: Simulated) -> None:
    examples = [clip for speaker in SPEAKERS for clip in clips(speaker, 6)]
    again = simulate_calls(listener(Ear()), examples, Counting())
    for key, heard in simulated[1].items():
        assert np.array_equal(again[key].targets, heard.targets)


def test_the_change_is_adapted_minus_alone() -> None:
    targets = np.array([0, 0, 0, 1] * 2)
    alone = np.array([0, 1, 1, 1] * 2)
    adapted = np.array([0, 0, 1, 1, 0, 0, 0, 0])
    figures = CallFigures.of(CallClips(targets, adapted, alone, ("ann",) * 4 + ("bob",) * 4), 2)
    assert (figures.accuracy_alone, figures.accuracy_adapted) == (0.5, 0.75)
    assert (figures.uar_alone, figures.uar_adapted) == pytest.approx((2 / 3, (5 / 6 + 1 / 2) / 2))
    assert figures.accuracy_change.value == 0.25
    assert figures.uar_change.value == pytest.approx(figures.uar_adapted - figures.uar_alone)
    # Both gain as much in accuracy; in UAR Ann gains and Bob loses.
    assert (figures.accuracy_change.low, figures.accuracy_change.high) == (0.25, 0.25)
    assert figures.uar_change.low < 0 < figures.uar_change.high


def test_clips_of_calls_add_up() -> None:
    one = CallClips(np.array([0]), np.array([1]), np.array([2]), ("ann",))
    both = one + CallClips(np.array([3]), np.array([4]), np.array([5]), ("bob",))
    assert [both.targets.tolist(), both.adapted.tolist(), both.alone.tolist()] == [[0, 3], [1, 4], [2, 5]]
    assert both.speakers == ("ann", "bob")
