from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_build.calibrate import calibrate, calibrations_by_others, mean_calibration
from model_build.dataset import Example
from sertag.adaptation import EmotionEffects
from sertag.listener import Calibration, Listener
from sertag.mix import EvenCalls, softmax
from sertag.types import FloatArray

from conftest import SETTINGS, made_example, made_take, plain_listener

NONE = Calibration(1.0, 1.0)


def listener(first: float, second: float) -> Listener:
    """Logits that are too large by these factors: in a call that is hardly trusted, and in a longer one."""

    def run(inputs: FloatArray) -> FloatArray:
        # The voicing of the first view holds what is to be known.
        known = 10 * (inputs[:, 25, SETTINGS.voicing, 0] - 0.5)
        deviations = inputs[:, 4:50, : SETTINGS.mels].std(axis=(1, 2))
        trusted = deviations[:, 1] < deviations[:, 0] / 3
        known = known * np.where(trusted, second, first)
        return np.asarray(np.stack([known, np.zeros_like(known)], axis=1), dtype=np.float32)

    return plain_listener(run, 2, NONE)


@pytest.fixture(scope="module")
def validation() -> list[Example]:
    """Four speakers with clips that are as likely to be angry as their voicing says."""
    random = np.random.default_rng(0)
    out = []
    for number in range(300):
        logit = random.normal(0, 2)
        angry = random.random() < 1 / (1 + np.exp(-logit))
        take = made_take(1.0, voicing=0.5 + logit / 10, seed=number)
        out.append(made_example(f"{number % 4}", "angry" if angry else "sad", 0 if angry else 1, take))
    return out


@pytest.mark.parametrize("factor", [0.6, 2.5])
def test_overconfident_logits_are_cooled(validation: list[Example], factor: float) -> None:
    found = calibrate(listener(factor, factor), validation).calibration
    assert found.one_clip == pytest.approx(factor, rel=0.3)
    assert found.adapted == pytest.approx(factor, rel=0.4)


def test_calls_have_their_own_temperature(validation: list[Example]) -> None:
    found = calibrate(listener(0.6, 2.5), validation).calibration
    assert found.one_clip < 1
    assert found.adapted > 1.25


def test_everything_else_stays(validation: list[Example]) -> None:
    before = listener(2.0, 2.0)
    after = calibrate(before, validation[:80])
    assert (after.run, after.normalisation, after.effects) == (
        before.run,
        before.normalisation,
        before.effects,
    )
    assert after.calibration != before.calibration


def test_without_validation_speakers_temperatures_stay() -> None:
    assert calibrate(listener(2.5, 2.5), []).calibration == NONE


def test_even_calls_are_those_of_speakers_as_if_their_emotions_were_even(validation: list[Example]) -> None:
    fair = calibrate(listener(1.0, 1.0), validation).calibration.even
    assert fair is not None
    assert np.log(2) < fair.variety < 2 * np.log(2)
    # Windows of an emotion are heard as it, on average.
    assert fair.answers.shape == (2, 2)
    assert fair.answers.argmax(axis=1).tolist() == [0, 1]
    angry = [example for example in validation if example.target == 0]
    sad = [example for example in validation if example.target == 1]
    # Speakers of one emotion do not count, and a frequent one no more than another.
    assert calibrate(listener(1.0, 1.0), angry).calibration.even is None
    skewed = calibrate(listener(1.0, 1.0), angry + sad[:12]).calibration.even
    assert skewed is not None
    assert skewed.variety == pytest.approx(fair.variety, rel=0.1)
    np.testing.assert_allclose(skewed.answers[0], fair.answers[0], rtol=1e-3)


def test_an_emotion_that_no_validation_speaker_has_is_as_the_others_are(validation: list[Example]) -> None:
    three = replace(
        listener(1.0, 1.0),
        effects=EmotionEffects(np.zeros((3, 66)), np.zeros(3), np.zeros((3, 66))),
        run=lambda inputs: np.pad(listener(1.0, 1.0).run(inputs), ((0, 0), (0, 1)), constant_values=-1.0),
    )
    even = calibrate(three, validation).calibration.even
    assert even is not None
    np.testing.assert_allclose(even.answers[2], even.answers[:2].mean(axis=0))
    assert even.powers[2] == pytest.approx(even.powers[:2].mean())


def test_the_less_surely_an_emotion_is_told_the_greater_is_its_power(validation: list[Example]) -> None:
    def hesitant(inputs: FloatArray) -> FloatArray:
        logits = listener(1.0, 1.0).run(inputs)
        return np.where(logits < 0, logits / 4, logits)

    found = calibrate(plain_listener(hesitant, 2, NONE), validation).calibration
    assert found.even is not None
    surely = np.diagonal(softmax(found.even.answers / found.one_clip))
    assert surely[0] > surely[1] + 0.1
    np.testing.assert_allclose(found.even.powers, 2 * (0.85 - surely))


def test_the_mean_of_calibrations_is_geometric_but_of_even_calls() -> None:
    one, other = (EvenCalls(np.full((2, 2), value), value, np.full(2, value)) for value in (2.0, 3.0))
    found = mean_calibration([Calibration(1.0, 0.5, one), Calibration(4.0, 2.0, other)])
    assert (found.one_clip, found.adapted) == pytest.approx((2.0, 1.0))
    assert found.even is not None
    assert found.even.variety == pytest.approx(2.5)
    np.testing.assert_allclose(found.even.answers, 2.5)
    np.testing.assert_allclose(found.even.powers, 2.5)


def test_where_even_calls_are_not_known_they_have_no_part_in_the_mean() -> None:
    even = EvenCalls(np.ones((2, 2)), 2.0, np.zeros(2))
    found = mean_calibration([Calibration(1.0, 1.0, even), NONE]).even
    assert found is not None
    assert found.variety == 2.0
    assert mean_calibration([NONE, NONE]).even is None


def test_a_fold_is_calibrated_by_the_speakers_of_the_others(validation: list[Example]) -> None:
    cold, warm, hot = (listener(factor, factor) for factor in (0.5, 1.0, 2.0))
    tests = [validation[:100], validation[100:200], validation[200:]]
    own = [calibrate(*each).calibration for each in zip((cold, warm, hot), tests, strict=True)]
    found = calibrations_by_others([cold, warm, hot], tests)
    for number, each in enumerate(found):
        others = mean_calibration(own[:number] + own[number + 1 :])
        assert (each.one_clip, each.adapted) == (others.one_clip, others.adapted)
    # The mean of all is what the network has that everybody trains.
    assert mean_calibration(found).one_clip == pytest.approx(mean_calibration(own).one_clip)


def test_a_fold_alone_has_nobody_to_be_calibrated_by(validation: list[Example]) -> None:
    # As where the build was stopped.
    assert calibrations_by_others([listener(2.0, 2.0)], [validation, validation]) == [NONE]


def test_clips_without_speech_say_nothing(validation: list[Example]) -> None:
    take = validation[0].takes[0]
    silent = replace(validation[0], takes=(replace(take, speech=np.zeros_like(take.speech)),))
    found = calibrate(listener(2.0, 2.0), [*validation, silent]).calibration
    assert found.one_clip == calibrate(listener(2.0, 2.0), validation).calibration.one_clip
    assert calibrate(listener(2.0, 2.0), [silent]).calibration == NONE
