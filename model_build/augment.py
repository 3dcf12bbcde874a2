"""What training utterances lack: other tempi, noise, telephones, and other speakers."""

from __future__ import annotations

import numpy as np
import scipy.signal
import soxr

from sertag.features import FeatureSettings
from sertag.types import FloatArray

TELEPHONE_RATE = 8_000

_MU = 255.0


def augment(samples: FloatArray, rate: int, random: np.random.Generator) -> FloatArray:
    """A random variant of an utterance (1-D, full scale 1.0, at ``rate`` Hz)."""
    if random.random() < 0.6:
        samples = change_speed(samples, random.uniform(0.88, 1.14))
    if random.random() < 0.4:
        samples = add_noise(samples, random.uniform(5.0, 30.0), random)
    if random.random() < 0.4:
        samples = telephone(samples, rate, random)
    return np.asarray(samples * 10.0 ** (random.uniform(-12.0, 6.0) / 20.0), dtype=np.float32)


def change_speed(samples: FloatArray, factor: float) -> FloatArray:
    """Plays ``factor`` times as fast: tempo, pitch and formants together."""
    return np.asarray(soxr.resample(samples, factor, 1.0, quality="MQ"), dtype=np.float32)


def add_noise(samples: FloatArray, snr: float, random: np.random.Generator) -> FloatArray:
    """Adds coloured noise, white to brown, at a signal-to-noise ratio in dB."""
    spectrum = np.fft.rfft(random.standard_normal(len(samples)))
    slope = random.uniform(0.0, 1.0)
    spectrum /= np.maximum(np.arange(len(spectrum)), 1.0) ** slope
    noise = np.fft.irfft(spectrum, n=len(samples))
    signal_power, noise_power = np.mean(samples.astype(np.float64) ** 2), np.mean(noise**2)
    gain = np.sqrt(signal_power / max(noise_power, 1e-20) / 10.0 ** (snr / 10.0))
    return np.asarray(samples + gain * noise, dtype=np.float32)


def telephone(samples: FloatArray, rate: int, random: np.random.Generator) -> FloatArray:
    """Sends an utterance through a telephone: band-pass, 8 kHz, mu-law (ITU-T G.711), and back."""
    narrow = soxr.resample(samples, rate, TELEPHONE_RATE, quality="HQ")
    if random.random() < 0.5:
        band = (random.uniform(150.0, 350.0), random.uniform(3_200.0, 3_700.0))
        narrow = scipy.signal.sosfilt(
            scipy.signal.butter(3, band, "bandpass", fs=TELEPHONE_RATE, output="sos"), narrow
        )
    peak = max(float(np.max(np.abs(narrow), initial=0.0)), 1e-9)
    narrow = mu_law(narrow / peak * random.uniform(0.1, 1.0))
    return np.asarray(soxr.resample(narrow, TELEPHONE_RATE, rate, quality="HQ"), dtype=np.float32)


def vary_speaker(frames: FloatArray, settings: FeatureSettings, random: np.random.Generator) -> FloatArray:
    """Frames as another speaker might have said them: other formants and another pitch.

    Formants move as a vocal tract of another length moves them (Jaitly and Hinton 2013), by
    stretching the mel axis; the pitch moves by a tenth of an octave or so.
    """
    mels = settings.mels
    out = frames.copy()
    position = np.clip(np.arange(mels) * np.exp(random.normal(0.0, 0.03)), 0, mels - 1)
    below = np.minimum(position.astype(np.int64), mels - 2)
    share = (position - below).astype(np.float32)
    out[:, :mels] = frames[:, below] * (1 - share) + frames[:, below + 1] * share
    voiced = frames[:, settings.pitch] != 0
    out[voiced, settings.pitch] += np.float32(random.normal(0.0, 0.1))
    return out


def mu_law(samples: FloatArray) -> FloatArray:
    """Rounds samples (full scale 1.0) to the 256 steps of continuous mu-law companding."""
    companded = np.sign(samples) * np.log1p(_MU * np.minimum(np.abs(samples), 1.0)) / np.log1p(_MU)
    steps = np.round(companded * 127.5 - 0.5) + 0.5
    expanded = np.sign(steps) * np.expm1(np.abs(steps) / 127.5 * np.log1p(_MU)) / _MU
    return np.asarray(expanded, dtype=np.float32)
