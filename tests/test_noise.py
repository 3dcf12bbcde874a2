from __future__ import annotations

import numpy as np
import pytest

from model_build import sounds
from model_build.augment import telephone
from model_build.noise import added, in_noise, in_unheard_noise
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
        assert max(gaps) - min(gaps) < 18
    assert 10 <= noisy <= 30


def test_by_telephone_noise_comes_over_the_line_or_from_behind_it() -> None:
    over, behind = 0, 0
    for line in range(4):
        heard = telephone(clips(), RATE, np.random.default_rng(line))
        for seed in range(12):
            before, after = session(heard, seed)
            if after is None:
                continue
            speech = np.concatenate(before)[:, : SETTINGS.mels].mean(axis=0)
            assert speech[-8:].max() < -110
            bands = np.concatenate(after)[:, : SETTINGS.mels].mean(axis=0)
            if bands[-8:].max() < bands[20:40].mean() - 25:
                over += 1
            else:
                behind += 1
    assert over > behind > 3


@pytest.mark.parametrize("number", range(8))
def test_noise_to_be_measured_in_is_so_far_below_the_voice(number: int) -> None:
    samples = clips()
    frames = [frames_of(clip, SETTINGS) for clip in samples]
    spoken = np.concatenate([rows[speech_frames(rows, SETTINGS)] for rows in frames])
    louder, softer, again, other = (
        in_unheard_noise(samples, spoken, SETTINGS, f"speaker {speaker}", snr)
        for speaker, snr in ((number, 10.0), (number, 20.0), (number, 10.0), (number + 8, 10.0))
    )
    noise = [loud - clip for loud, clip in zip(louder, samples, strict=True)]
    for heard, loud, soft, clip in zip(noise, louder, softer, samples, strict=True):
        assert loud.dtype == np.float32
        np.testing.assert_allclose(soft - clip, heard / np.sqrt(10), atol=1e-6)
    assert all(map(np.array_equal, louder, again))
    assert not any(map(np.array_equal, louder, other))
    level = mean_level(np.concatenate([frames_of(heard, SETTINGS) for heard in noise])[:, SETTINGS.level])
    # Gusts are not always as strong.
    assert 4 < mean_level(spoken[:, SETTINGS.level]) - level < 16


def test_silence_stays_silent() -> None:
    silent = [np.zeros(RATE, dtype=np.float32)]
    assert all(session(silent, seed)[1] is None for seed in range(8))
