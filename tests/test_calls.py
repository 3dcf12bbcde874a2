from __future__ import annotations

import numpy as np
import pytest

from model_build.calls import CallSampler
from model_build.dataset import Example
from sertag.adaptation import Call, EmotionEffects
from sertag.normalisation import Normalisation

from conftest import SETTINGS, made_example, made_take

NOTHING = np.zeros((3, SETTINGS.inputs))
NO_EFFECTS = EmotionEffects(NOTHING, np.zeros(3), NOTHING)
PLAIN = Normalisation(np.zeros(SETTINGS.inputs, dtype=np.float32), np.ones(SETTINGS.inputs, dtype=np.float32))
DRAWS = 3_000
CLIP = 1.0
CLIPS = 30


def speaker(
    name: str, *, base: float, step: float = 0.0, takes: int = 1, clips: int = CLIPS
) -> list[Example]:
    """Clips of three emotions in turn; the voicing tells speaker and emotion, the level tells the take."""
    return [
        made_example(
            name,
            f"{clip}",
            clip % 3,
            *(
                made_take(CLIP, level=-20.0 - 20 * take, voicing=base + step * (clip % 3), seed=clip)
                for take in range(takes)
            ),
        )
        for clip in range(clips)
    ]


def calls(
    sampler: CallSampler, example: Example, take: int = 0, draws: int = DRAWS
) -> tuple[list[Call], int]:
    """The calls drawn, and how often there was none."""
    random = np.random.default_rng(0)
    drawn = [sampler.draw(example, take, random) for _ in range(draws)]
    found = [each for each in drawn if each is not None]
    return found, draws - len(found)


def test_the_kinds_of_calls_have_their_shares() -> None:
    examples = speaker("ann", base=0.5, clips=60)
    found, nobody = calls(CallSampler(examples, NO_EFFECTS, PLAIN), examples[0])
    lengths = np.round([caller.voice.seconds for caller in found])
    assert nobody / DRAWS == pytest.approx(0.10, abs=0.02)
    assert np.mean(lengths == 1) * len(found) / DRAWS == pytest.approx(0.15, abs=0.025)
    # All of the speaker's clips; with a second voice on the channel a call may by chance be as long.
    assert np.mean(lengths == 60) * len(found) / DRAWS == pytest.approx(0.15, abs=0.03)
    others = lengths[(lengths != 1) & (lengths != 60)]
    assert others.min() == 5
    assert others.max() <= 79


def test_the_clip_alone_is_its_own_statistics() -> None:
    examples = speaker("ann", base=0.5)
    found, _ = calls(CallSampler(examples, NO_EFFECTS, PLAIN), examples[7], draws=100)
    own = examples[7].takes[0].statistics.voice(PLAIN.mean, PLAIN.deviation)
    assert (
        sum(np.allclose(caller.voice.mean, own.mean) and caller.voice.level == own.level for caller in found)
        > 5
    )


def test_a_call_is_of_the_takes_own_session() -> None:
    examples = [*speaker("ann", base=0.5, takes=3), *speaker("bob", base=0.5, takes=3)]
    for take in range(3):
        found, _ = calls(CallSampler(examples, NO_EFFECTS, PLAIN), examples[0], take, draws=300)
        assert {round(caller.voice.level, 6) for caller in found} == {-20.0 - 20 * take}


def test_another_speaker_is_only_ever_a_second_voice() -> None:
    ann, bob = speaker("ann", base=0.2), speaker("bob", base=0.8)
    found, _ = calls(CallSampler([*ann, *bob], NO_EFFECTS, PLAIN), ann[0])
    means = np.array([caller.voice.mean[SETTINGS.voicing] for caller in found])
    foreign = means > 0.2 + 1e-6
    # Of six calls in ten every eighth has a second voice, which is Bob's every second time.
    assert foreign.mean() * len(found) / DRAWS == pytest.approx(0.6 * 0.12 * 0.5, abs=0.015)
    assert means.max() < 0.5
    assert means[foreign].min() > 0.4


def test_in_some_calls_one_emotion_rules() -> None:
    examples = speaker("ann", base=0.1, step=0.4)
    found, _ = calls(CallSampler(examples, NO_EFFECTS, PLAIN), examples[1])
    long = [caller.voice.mean[SETTINGS.voicing] for caller in found if caller.voice.seconds > 15]
    assert np.mean(np.abs(np.array(long) - 0.5) < 0.1) > 0.4
    assert min(long) < 0.2
    assert max(long) > 0.8


def test_calls_are_trusted_as_far_as_they_speak() -> None:
    examples = speaker("ann", base=0.5)
    found, _ = calls(CallSampler(examples, NO_EFFECTS, PLAIN), examples[0], draws=100)
    for caller in found:
        assert caller.trust == pytest.approx(caller.voice.seconds / (caller.voice.seconds + 20))
        assert caller.familiarity == 1


def test_a_speaker_of_one_emotion_makes_calls_too() -> None:
    examples = [example for example in speaker("ann", base=0.5) if example.target == 2]
    found, _ = calls(CallSampler(examples, NO_EFFECTS, PLAIN), examples[0], draws=200)
    assert all(np.isfinite(caller.voice.mean).all() for caller in found)


def test_what_the_calls_emotions_do_is_taken_out_but_for_an_error() -> None:
    examples = [example for example in speaker("ann", base=0.5, clips=90) if example.target == 0]
    effects = EmotionEffects(NOTHING, np.array([6.0, -3.0, -3.0]), NOTHING)
    found, _ = calls(CallSampler(examples, effects, PLAIN), examples[0])
    removed = np.array([-20.0 - caller.voice.level for caller in found if caller.voice.seconds > 15])
    # All of the call is of the first emotion: 6 dB louder, less the belief in an even mix and the error.
    assert removed.max() < 6
    assert 2 < removed.mean() < 5
    assert removed.std() > 0.5


def test_clips_of_small_corpora_that_come_twice_count_once() -> None:
    examples = speaker("ann", base=0.5)
    once, _ = calls(CallSampler(examples, NO_EFFECTS, PLAIN), examples[0], draws=100)
    twice, _ = calls(CallSampler([*examples, *examples], NO_EFFECTS, PLAIN), examples[0], draws=100)
    assert max(call.voice.seconds for call in once) >= CLIPS
    assert [call.voice.seconds for call in twice] == [call.voice.seconds for call in once]
