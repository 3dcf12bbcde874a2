from __future__ import annotations

import numpy as np
import pytest

from model_build.augment import (
    augment,
    change_speed,
    coloured_noise,
    mu_law,
    quieten,
    telephone,
    vary_speaker,
)
from sertag.adaptation import Call
from sertag.call_statistics import Voice
from sertag.features import FeatureSettings, frames_of
from sertag.types import FloatArray

from conftest import voice

SETTINGS = FeatureSettings()


def decibels(samples: FloatArray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2)))


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_moves_length_and_pitch(factor: float) -> None:
    # Pulses about 150 times a second.
    wander = 1 + 0.05 * np.sin(np.arange(32_000) / 800)
    samples = np.diff(np.floor(np.cumsum(150 * wander) / 16_000), prepend=0.0).astype(np.float32)
    faster = change_speed(samples, factor)
    assert len(faster) == pytest.approx(len(samples) / factor, abs=2)
    pitches = [np.median(frames_of(part, SETTINGS)[:, SETTINGS.pitch]) for part in (samples, faster)]
    assert pitches[1] - pitches[0] == pytest.approx(np.log2(factor), abs=0.03)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_noise_has_power_1_and_the_slope_asked_for(slope: float) -> None:
    noise = coloured_noise(2**16, slope, np.random.default_rng(0))
    assert np.mean(noise**2) == pytest.approx(1, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    low, high = spectrum[1_000:2_000].mean(), spectrum[16_000:32_000].mean()
    assert 10 * np.log10(low / high) == pytest.approx(slope * 20 * np.log10(16), abs=1)


def test_a_telephone_has_no_high_frequencies() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 32_000)).astype(np.float32)
    for clip in telephone(list(noise), 16_000, np.random.default_rng(1)):
        spectrum = np.abs(np.fft.rfft(clip)) ** 2
        below, above = spectrum[: len(spectrum) // 2], spectrum[len(spectrum) * 9 // 16 :]
        assert above.mean() < 1e-3 * below.mean()


def test_mu_law_is_logarithmic() -> None:
    for level in (0.9, 0.1, 0.01):
        sine = level * np.sin(np.arange(8_000) * 0.05)
        assert 10 * np.log10(np.mean(sine**2) / np.mean((mu_law(sine.astype(np.float32)) - sine) ** 2)) > 25


def test_a_quieter_room_has_less_noise_and_the_same_voice() -> None:
    noise = 0.003 * np.random.default_rng(1).standard_normal(48_000).astype(np.float32)
    clips = [np.concatenate([np.zeros(16_000), voice(2.0, seed=seed)]) + noise for seed in (1, 2)]
    for before, after in zip(clips, quieten(clips, 16_000, np.random.default_rng(0)), strict=True):
        assert len(after) == len(before)
        assert decibels(after[4_000:12_000]) < decibels(before[4_000:12_000]) - 5
        assert decibels(after[16_000:]) == pytest.approx(decibels(before[16_000:]), abs=3)


def test_another_speaker_is_another_and_silence_stays_unvoiced() -> None:
    frames = frames_of(voice(2.0), SETTINGS)
    varied, nobody = vary_speaker(frames, None, SETTINGS, np.random.default_rng(0))
    voiced = frames[:, SETTINGS.pitch] != 0
    assert nobody is None
    assert not np.array_equal(varied[:, : SETTINGS.mels], frames[:, : SETTINGS.mels])
    moved = varied[:, SETTINGS.pitch] - frames[:, SETTINGS.pitch]
    assert (moved[~voiced] == 0).all()
    assert np.ptp(moved[voiced]) == pytest.approx(0, abs=1e-5)
    assert np.array_equal(varied[:, SETTINGS.voicing :], frames[:, SETTINGS.voicing :])


def test_the_voice_of_the_call_moves_with_its_frames() -> None:
    frames = frames_of(voice(2.0), SETTINGS)
    frames = frames[frames[:, SETTINGS.pitch] != 0]
    said = Voice(
        -20.0, frames[:, : SETTINGS.inputs].mean(axis=0).astype(float), np.ones(SETTINGS.inputs), 40.0
    )
    caller = Call(said, 0.8, 0.9)
    varied, moved = vary_speaker(frames, caller, SETTINGS, np.random.default_rng(0))
    assert moved is not None
    np.testing.assert_allclose(moved.voice.mean, varied[:, : SETTINGS.inputs].mean(axis=0), atol=1e-3)
    assert not np.allclose(moved.voice.mean, said.mean, atol=1e-3)
    assert (moved.voice.level, moved.voice.seconds) == (-20.0, 40.0)
    assert (moved.trust, moved.familiarity) == (0.8, 0.9)


def test_a_seed_gives_the_same_variant() -> None:
    samples = voice(1.0)
    one, same, other = (augment([samples], 16_000, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one[:1_000], other[:1_000])


def test_a_session_has_one_line() -> None:
    loud = voice(1.0)
    changes = []
    for seed in range(12):
        first, second = augment([loud, loud / 2], 16_000, np.random.default_rng(seed))
        # What was twice as loud stays about so; only its tempo, noise and mu-law differ.
        assert decibels(first) - decibels(second) == pytest.approx(6, abs=2)
        changes.append(decibels(first) - decibels(loud))
    assert np.ptp(changes) > 6


def test_clips_without_samples_stay_where_they_are() -> None:
    nothing, something = np.zeros(0, dtype=np.float32), voice(0.5)
    for seed in range(6):
        out = augment([nothing, something, nothing], 16_000, np.random.default_rng(seed))
        assert [len(clip) > 0 for clip in out] == [False, True, False]
    assert [len(clip) for clip in augment([nothing], 16_000, np.random.default_rng(0))] == [0]
