from __future__ import annotations

import numpy as np
import pytest
from librosa import mel_frequencies, power_to_db
from librosa.feature import melspectrogram
from librosa.filters import mel
from soxr import resample

from sertag.features import (
    FeatureSettings,
    FrameStream,
    frames_of,
    mean_level,
    mel_filters,
    telephone_bands,
)
from sertag.types import FloatArray

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


def test_bands_of_a_telephone_lie_from_200_to_3400_hz() -> None:
    centres = mel_frequencies(SETTINGS.mels + 2, fmin=60, fmax=7_600)[1:-1]
    expected = np.flatnonzero((centres > 200) & (centres < 3_400))
    assert np.arange(SETTINGS.mels)[telephone_bands(SETTINGS)].tolist() == expected.tolist()


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


def analysed(samples: FloatArray, rate: int) -> FloatArray:
    stream = FrameStream(SETTINGS, rate)
    return np.concatenate([stream.push(samples), stream.finish()])


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_frames_do_not_depend_on_the_blocks(rate: int) -> None:
    samples = voice(9.3, rate=rate)
    random = np.random.default_rng(1)
    stream, parts, at = FrameStream(SETTINGS, rate), [], 0
    while at < len(samples):
        size = int(random.integers(1, 40_000))
        parts.append(stream.push(samples[at : at + size]))
        at += size
    parts.append(stream.finish())
    assert np.concatenate(parts).tobytes() == analysed(samples, rate).tobytes()


def test_what_is_analysed_at_its_own_rate() -> None:
    rates = {rate: SETTINGS.analysis_rate(rate) for rate in (4_000, 8_000, 11_025, 16_000, 44_100)}
    assert rates == {4_000: 16_000, 8_000: 8_000, 11_025: 16_000, 16_000: 16_000, 44_100: 16_000}
    assert FeatureSettings(frame_length=641).analysis_rate(8_000) == 16_000


@pytest.mark.parametrize("pitch", [90.0, 140.0, 320.0])
def test_at_half_the_rate_frames_are_those_of_the_resampled_recording(pitch: float) -> None:
    samples = voice(6.0, rate=8_000, pitch=pitch)
    frames, expected = analysed(samples, 8_000), frames_of(resample(samples, 8_000, 16_000), SETTINGS)
    np.testing.assert_allclose(
        frames[:, SETTINGS.pitch : SETTINGS.level + 1],
        expected[:, SETTINGS.pitch : SETTINGS.level + 1],
        atol=0.01,
    )
    # Everything further below the speech counts as silence.
    silence = mean_level(expected[:, SETTINGS.level]) - 90.0
    difference = np.maximum(frames, silence) - np.maximum(expected, silence)
    highest = np.array([np.flatnonzero(band)[-1] for band in mel_filters(SETTINGS).T]) * 16_000 / 1_024
    at_border = (highest > 3_600) & (highest < 4_300)
    # Through a window, the resampler's steep edge between 3,650 and 4,000 Hz is blurred.
    clear, border = (
        difference[:, : SETTINGS.mels][:, ~at_border],
        difference[:, : SETTINGS.mels][:, at_border],
    )
    assert np.quantile(np.abs(clear), 0.999) < 0.05
    assert np.abs(border).mean() < 0.5


@pytest.mark.parametrize("count", [1, 159, 160, 161, 320, 8_000, 8_001])
def test_every_sample_at_half_the_rate_has_a_frame(count: int) -> None:
    assert analysed(np.ones(count, dtype=np.float32), 8_000).shape == (-(-count // 160), SETTINGS.columns)


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
