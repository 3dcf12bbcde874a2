from __future__ import annotations

import numpy as np
import pytest
from librosa import power_to_db
from librosa.feature import melspectrogram
from librosa.filters import mel

from sertag.features import FeatureSettings, FrameStream, frames_of, mel_filters

from conftest import voice

SETTINGS = FeatureSettings()


def test_mel_filters_are_librosas() -> None:
    expected = mel(
        sr=SETTINGS.sample_rate,
        n_fft=SETTINGS.fft_length,
        n_mels=SETTINGS.mels,
        fmin=SETTINGS.mel_low,
        fmax=SETTINGS.mel_high,
    )
    np.testing.assert_allclose(mel_filters(SETTINGS).T, expected, atol=1e-7)


def test_log_mel_is_librosas() -> None:
    samples = voice(2.0)
    # librosa centres a short window in a longer FFT; the power is the same from a frame 192 samples earlier.
    early = (SETTINGS.fft_length - SETTINGS.frame_length) // 2
    power = melspectrogram(
        y=np.pad(samples, (early, SETTINGS.fft_length)),
        sr=SETTINGS.sample_rate,
        n_fft=SETTINGS.fft_length,
        win_length=SETTINGS.frame_length,
        hop_length=SETTINGS.hop_length,
        center=False,
        n_mels=SETTINGS.mels,
        fmin=SETTINGS.mel_low,
        fmax=SETTINGS.mel_high,
    )
    full_scale = (SETTINGS.frame_length / 4) ** 2  # of a sine, seen through a Hann window
    expected = power_to_db(power, ref=full_scale, amin=1e-12, top_db=None).T
    ours = frames_of(samples, SETTINGS)[:, : SETTINGS.mels]
    loud = ours > -90
    np.testing.assert_allclose(ours[loud], expected[: len(ours)][loud], atol=0.01)
    assert loud.mean() > 0.5


def test_frames_do_not_depend_on_the_blocks() -> None:
    samples = voice(9.3)
    random = np.random.default_rng(1)
    stream, parts, at = FrameStream(SETTINGS), [], 0
    while at < len(samples):
        size = int(random.integers(1, 40_000))
        parts.append(stream.push(samples[at : at + size]))
        at += size
    parts.append(stream.finish())
    assert np.concatenate(parts).tobytes() == frames_of(samples, SETTINGS).tobytes()


@pytest.mark.parametrize("count", [1, 319, 320, 321, 640, 16_000, 16_001])
def test_every_sample_has_a_frame(count: int) -> None:
    samples = np.ones(count, dtype=np.float32)
    assert frames_of(samples, SETTINGS).shape == (-(-count // 320), SETTINGS.columns)


@pytest.mark.parametrize("pitch", [80.0, 120.0, 150.0, 200.0, 300.0, 380.0, 430.0])
def test_pitch_of_a_pulse_train(pitch: float) -> None:
    pulses = np.diff(np.floor(np.arange(16_000) * pitch / 16_000), prepend=0.0).astype(np.float32)
    frames = frames_of(pulses, SETTINGS)[5:-5]
    heard = 170.0 * 2.0 ** frames[:, SETTINGS.pitch]
    np.testing.assert_allclose(np.median(heard), pitch, rtol=0.02)
    assert np.median(frames[:, SETTINGS.voicing]) > 0.8


def test_noise_is_hardly_voiced() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    voicing = frames_of(noise, SETTINGS)[:, SETTINGS.voicing]
    assert np.mean(voicing > 0.5) < 0.1


@pytest.mark.parametrize("decibels", [0.0, -20.0, -60.0])
def test_level_of_a_sine(decibels: float) -> None:
    sine = 10 ** (decibels / 20) * np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000)
    level = frames_of(sine.astype(np.float32), SETTINGS)[5:-5, SETTINGS.level]
    np.testing.assert_allclose(level, decibels, atol=0.1)


def test_digital_silence_is_finite() -> None:
    frames = frames_of(np.zeros(16_000, dtype=np.float32), SETTINGS)
    assert np.isfinite(frames).all()
    np.testing.assert_allclose(frames[:, SETTINGS.level], -120.0, atol=1e-3)
