from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from model_build.calibrate import calibrate, calibrations_by_others, mean_calibration, uncalibrated
from model_build.dataset import Example
from sertag.adaptation import EmotionEffects
from sertag.listener import Calibration, Listener
from sertag.types import FloatArray

from conftest import SETTINGS, made_example, made_take, plain_listener

PLAIN = uncalibrated(("angry", "sad"), {"made"})


def listener(first: float, second: float) -> Listener:
    """Logits that are too large by these factors: in a call that is hardly trusted, and in a longer one."""

    def run(inputs: FloatArray) -> FloatArray:
        # The voicing of the first view holds what is to be known.
        known = 10 * (inputs[:, 25, SETTINGS.voicing, 0] - 0.5)
        deviations = inputs[:, 4:50, : SETTINGS.mels].std(axis=(1, 2))
        trusted = deviations[:, 1] < deviations[:, 0] / 3
        known = known * np.where(trusted, second, first)
        return np.asarray(np.stack([known, np.zeros_like(known)], axis=1), dtype=np.float32)

    return plain_listener(run, 2, PLAIN)


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
    assert found.alone == pytest.approx(factor, rel=0.3)
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
    assert calibrate(listener(2.5, 2.5), []).calibration is PLAIN


def test_usual_answers_are_those_to_each_emotion(validation: list[Example]) -> None:
    fair = calibrate(listener(1.0, 1.0), validation).calibration.usual
    # Windows of an emotion are heard as it, on average.
    assert fair.shape == (2, 2)
    assert fair.argmax(axis=1).tolist() == [0, 1]
    angry = [example for example in validation if example.target == 0]
    sad = [example for example in validation if example.target == 1]
    # Speakers of one emotion do not count, and a frequent one no more than another.
    one = calibrate(listener(1.0, 1.0), angry).calibration
    np.testing.assert_allclose(one.usual, 4.0 * one.alone * np.eye(2))
    skewed = calibrate(listener(1.0, 1.0), angry + sad[:12]).calibration.usual
    np.testing.assert_allclose(skewed[0], fair[0])
    # They are the network's, before any temperature.
    twice = calibrate(listener(2.0, 2.0), validation).calibration.usual
    np.testing.assert_allclose(twice, 2 * fair, rtol=1e-5)


def test_an_emotion_that_no_validation_speaker_has_is_heard_as_any(validation: list[Example]) -> None:
    three = replace(
        listener(1.0, 1.0),
        effects=EmotionEffects(np.zeros((3, 66)), np.zeros(3), np.zeros((3, 66))),
        calibration=uncalibrated(("angry", "sad", "shy"), {"made"}),
        run=lambda inputs: np.pad(listener(1.0, 1.0).run(inputs), ((0, 0), (0, 1)), constant_values=-1.0),
    )
    usual = calibrate(three, validation).calibration.usual
    np.testing.assert_allclose(usual[2], usual[:2].mean(axis=0))


def test_to_networks_of_crema_d_foreign_lines_add_fear_and_take_peace() -> None:
    def foreign(*labels: str, corpora: Sequence[str] = ("CREMA-D",)) -> list[float]:
        added: list[float] = uncalibrated(labels, corpora).foreign.tolist()
        return added

    assert foreign("angry", "fearful", "neutral") == [0.0, 0.75, -0.75]
    # Of what is not known of all labels only the differences count.
    assert foreign("fearful", "shy", "sad") == [0.5, -0.25, -0.25]
    assert foreign("fearful", "neutral", corpora=("CREMA-D", "EMO-DB")) == [0.0, 0.0]
    assert foreign("fearful", "neutral", corpora=("own recordings",)) == [0.0, 0.0]


def test_the_mean_of_calibrations_is_geometric_but_of_usual_answers() -> None:
    found = mean_calibration(
        [
            Calibration(3.0, 1.0, 0.5, np.eye(2), np.array([1.0, -1.0])),
            Calibration(3.0, 4.0, 2.0, np.ones((2, 2)), np.zeros(2)),
        ]
    )
    assert (found.alone, found.one_clip, found.adapted) == pytest.approx((3.0, 2.0, 1.0))
    np.testing.assert_allclose(found.usual, [[1.0, 0.5], [0.5, 1.0]])
    np.testing.assert_allclose(found.foreign, [0.5, -0.5])


def test_a_fold_is_calibrated_by_the_speakers_of_the_others(validation: list[Example]) -> None:
    cold, warm, hot = (listener(factor, factor) for factor in (0.5, 1.0, 2.0))
    tests = [validation[:100], validation[100:200], validation[200:]]
    own = [calibrate(*each).calibration for each in zip((cold, warm, hot), tests, strict=True)]
    found = calibrations_by_others([cold, warm, hot], tests)
    for number, each in enumerate(found):
        others = mean_calibration(own[:number] + own[number + 1 :])
        assert (each.alone, each.one_clip, each.adapted) == (others.alone, others.one_clip, others.adapted)
    # The mean of all is what the network has that everybody trains.
    assert mean_calibration(found).one_clip == pytest.approx(mean_calibration(own).one_clip)


def test_a_fold_alone_has_nobody_to_be_calibrated_by(validation: list[Example]) -> None:
    # As where the build was stopped.
    assert calibrations_by_others([listener(2.0, 2.0)], [validation, validation]) == [PLAIN]


def test_clips_without_speech_say_nothing(validation: list[Example]) -> None:
    take = validation[0].takes[0]
    silent = replace(validation[0], takes=(replace(take, speech=np.zeros_like(take.speech)),))
    found = calibrate(listener(2.0, 2.0), [*validation, silent]).calibration
    assert found.one_clip == calibrate(listener(2.0, 2.0), validation).calibration.one_clip
    assert calibrate(listener(2.0, 2.0), [silent]).calibration is PLAIN
