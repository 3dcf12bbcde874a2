from __future__ import annotations

import numpy as np
import pytest

from model_build import sounds
from model_build.augment import telephone
from model_build.noise import added, in_noise
from model_build.scenes import at_level
from sertag.features import FeatureSettings, frames_of, mean_level
from sertag.speech import speech_frames
from sertag.types import FloatArray

from conftest import voice

SETTINGS = FeatureSettings()
RATE = SETTINGS.sample_rate


def clips() -> list[FloatArray]:
    return [
        at_level(voice(2.0 + number / 2, pitch=100.0 + 40 * number, seed=number), -25.0)
        for number in range(3)
    ]


def session(samples: list[FloatArray], seed: int) -> tuple[list[FloatArray], list[FloatArray] | None]:
    frames = [frames_of(clip, SETTINGS) for clip in samples]
    speech = [speech_frames(rows, SETTINGS) for rows in frames]
    return frames, in_noise(frames, speech, SETTINGS, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", ["white", "brown", "car", "buzz"])
@pytest.mark.parametrize("gain", [-20.0, 0.0])
def test_frames_of_two_sounds_are_those_of_their_mixture(kind: str, gain: float) -> None:
    for number, clip in enumerate(clips()):
        sound = sounds.NOISES[kind](len(clip) / RATE, RATE, np.random.default_rng(number))
        noise = at_level(sound[: len(clip)], -25.0)
        mixed = frames_of(clip + np.float32(10 ** (gain / 20)) * noise, SETTINGS)
        told = added(frames_of(clip, SETTINGS), frames_of(noise, SETTINGS), gain, SETTINGS)
        error = (told - mixed)[:, : SETTINGS.mels]
        assert abs(error.mean()) < 0.4
        assert error.std() < 2.0
        assert abs(np.mean((told - mixed)[:, SETTINGS.level])) < 0.4
        assert abs(np.mean((told - mixed)[:, SETTINGS.voicing])) < 0.12


def test_half_of_the_sessions_are_heard_in_noise_as_loud_in_all_their_clips() -> None:
    noisy = 0
    for seed in range(40):
        before, after = session(clips(), seed)
        if after is None:
            continue
        noisy += 1
        gaps = []
        for rows, louder in zip(before, after, strict=True):
            assert louder.shape == rows.shape
            assert louder.dtype == np.float32
            assert np.all(louder[:, : SETTINGS.mels] >= rows[:, : SETTINGS.mels] - 1e-3)
            pauses = np.argsort(rows[:, SETTINGS.level])[:5]
            spoken = rows[speech_frames(rows, SETTINGS), SETTINGS.level]
            gaps.append(mean_level(spoken) - mean_level(louder[pauses, SETTINGS.level]))
        assert min(gaps) > -3
        assert max(gaps) < 45
        # Gusts are not always as strong.
        assert max(gaps) - min(gaps) < 12
    assert 10 <= noisy <= 30


@pytest.mark.parametrize("line", range(4))
def test_a_telephone_lets_no_more_of_the_noise_through_than_of_the_voice(line: int) -> None:
    heard = telephone(clips(), RATE, np.random.default_rng(line))
    noisy = [after for seed in range(12) if (after := session(heard, seed)[1]) is not None]
    assert noisy
    for after in noisy:
        bands = np.concatenate(after)[:, : SETTINGS.mels].mean(axis=0)
        assert bands[-8:].max() < bands[20:40].mean() - 25


def test_silence_stays_silent() -> None:
    silent = [np.zeros(RATE, dtype=np.float32)]
    assert all(session(silent, seed)[1] is None for seed in range(8))
