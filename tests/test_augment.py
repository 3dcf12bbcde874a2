from __future__ import annotations

import numpy as np
import pytest

from model_build.augment import add_noise, augment, change_speed, mu_law, telephone, vary_speaker
from sertag.features import FeatureSettings, frames_of

from conftest import voice

SETTINGS = FeatureSettings()


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_moves_length_and_pitch(factor: float) -> None:
    samples = voice(2.0, pitch=150.0)
    faster = change_speed(samples, factor)
    assert len(faster) == pytest.approx(len(samples) / factor, abs=2)
    columns = [frames_of(part, SETTINGS)[:, SETTINGS.pitch] for part in (samples, faster)]
    pitches = [np.median(column[column != 0]) for column in columns]
    assert pitches[1] - pitches[0] == pytest.approx(np.log2(factor), abs=0.05)


@pytest.mark.parametrize("snr", [0.0, 10.0, 30.0])
def test_noise_has_the_snr_asked_for(snr: float) -> None:
    samples = voice(2.0)
    noise = add_noise(samples, snr, np.random.default_rng(0)) - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.1)


def test_a_telephone_has_no_high_frequencies() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(telephone(noise, 16_000, np.random.default_rng(1)))) ** 2
    below, above = spectrum[: len(spectrum) // 2], spectrum[len(spectrum) * 9 // 16 :]
    assert above.mean() < 1e-3 * below.mean()


def test_mu_law_is_logarithmic() -> None:
    for level in (0.9, 0.1, 0.01):
        sine = level * np.sin(np.arange(8_000) * 0.05)
        assert 10 * np.log10(np.mean(sine**2) / np.mean((mu_law(sine.astype(np.float32)) - sine) ** 2)) > 25


def test_another_speaker_is_another_and_silence_stays_unvoiced() -> None:
    frames = frames_of(voice(2.0), SETTINGS)
    varied = vary_speaker(frames, SETTINGS, np.random.default_rng(0))
    voiced = frames[:, SETTINGS.pitch] != 0
    assert not np.array_equal(varied[:, : SETTINGS.mels], frames[:, : SETTINGS.mels])
    moved = varied[:, SETTINGS.pitch] - frames[:, SETTINGS.pitch]
    assert (moved[~voiced] == 0).all()
    assert np.ptp(moved[voiced]) == pytest.approx(0, abs=1e-5)
    assert np.array_equal(varied[:, SETTINGS.voicing :], frames[:, SETTINGS.voicing :])


def test_a_seed_gives_the_same_variant() -> None:
    samples = voice(1.0)
    one, same, other = (augment(samples, 16_000, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one[:1_000], other[:1_000])
