"""What training recordings lack: other rooms, microphones, tempi, noises, telephones and speakers.

Conditions are drawn once for a whole session of a speaker, as a call has one line and one room: only
then do the session's clips add up to calls whose statistics mean something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import scipy.ndimage
import scipy.signal
import soxr

from sertag.adaptation import Call
from sertag.features import FeatureSettings
from sertag.types import DoubleArray, FloatArray

TELEPHONE_RATE = 8_000

Values = TypeVar("Values", FloatArray, DoubleArray)

_MU = 255.0
_SEGMENT, _OVERLAP = 512, 384
_EQUALISER_HZ = np.array([50.0, 200.0, 500.0, 1_200.0, 2_500.0, 4_500.0, 8_000.0])


def augment(clips: Sequence[FloatArray], rate: int, random: np.random.Generator) -> list[FloatArray]:
    """A random variant of a speaker's clips (1-D, full scale 1.0, at ``rate`` Hz), the same for all."""
    out = [clip for clip in clips if len(clip)]
    if not out:
        return list(clips)
    if random.random() < 0.5:
        out = quieten(out, rate, random)
    if random.random() < 0.5:
        gains = random.normal(0.0, 3.0, len(_EQUALISER_HZ))
        out = [_equalised(clip, rate, gains) for clip in out]
    if random.random() < 0.7:
        speed = random.uniform(0.88, 1.14)
        out = [change_speed(clip, speed * random.uniform(0.98, 1.02)) for clip in out]
    if random.random() < 0.2:
        response = _room(rate, random.uniform(0.15, 0.5), random.uniform(0.1, 0.5), random)
        out = [scipy.signal.fftconvolve(clip, response)[: len(clip)] for clip in out]
    power = float(np.mean([np.mean(np.square(clip, dtype=np.float64)) for clip in out]))
    if random.random() < 0.45:
        deviation = np.sqrt(power / 10.0 ** (random.uniform(5.0, 35.0) / 10.0))
        slope = random.uniform(0.0, 1.0)
        out = [clip + deviation * coloured_noise(len(clip), slope, random) for clip in out]
    if random.random() < 0.4:
        out = telephone(out, rate, random)
    else:
        gain = 10.0 ** (random.uniform(-12.0, 6.0) / 20.0)
        out = [clip * gain for clip in out]
    varied = iter(out)
    return [np.asarray(next(varied) if len(clip) else clip, dtype=np.float32) for clip in clips]


def quieten(clips: Sequence[FloatArray], rate: int, random: np.random.Generator) -> list[FloatArray]:
    """As recorded in a quieter room: spectral gating (Boll 1979) with the clips' own noise, and a high-pass.

    Without it the network takes a studio's silence for a voice raised over the noise of a room.
    """
    spectra = [
        scipy.signal.stft(_at_least(clip, _SEGMENT), rate, nperseg=_SEGMENT, noverlap=_OVERLAP)[2]
        for clip in clips
    ]
    powers = [np.abs(spectrum) ** 2 for spectrum in spectra]
    floor = 1.6 * np.mean([np.percentile(power, 12, axis=1) for power in powers], axis=0)[:, None]
    depth, lowest = random.uniform(1.0, 4.0), 10.0 ** (-random.uniform(8.0, 30.0) / 20.0)
    high_pass = scipy.signal.butter(2, random.uniform(40.0, 140.0), "highpass", fs=rate, output="sos")
    out = []
    for clip, spectrum, power in zip(clips, spectra, powers, strict=True):
        smooth = scipy.ndimage.uniform_filter(power, (3, 3))
        gain = np.maximum(1.0 - depth * floor / np.maximum(smooth, 1e-20), lowest)
        quiet = scipy.signal.istft(spectrum * gain, rate, nperseg=_SEGMENT, noverlap=_OVERLAP)[1]
        out.append(scipy.signal.sosfilt(high_pass, quiet[: len(clip)]))
    return out


def change_speed(samples: FloatArray, factor: float) -> FloatArray:
    """Plays ``factor`` times as fast: tempo, pitch and formants together."""
    return np.asarray(soxr.resample(samples, factor, 1.0, quality="MQ"), dtype=np.float32)


def coloured_noise(length: int, slope: float, random: np.random.Generator) -> FloatArray:
    """Noise of power 1 whose spectrum's amplitude falls as frequency to the ``slope``: 0 white, 1 brown."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1.0) ** slope
    noise = np.fft.irfft(spectrum, n=length)
    return np.asarray(noise / np.sqrt(np.mean(noise**2) + 1e-20), dtype=np.float32)


def telephone(clips: Sequence[FloatArray], rate: int, random: np.random.Generator) -> list[FloatArray]:
    """Sends clips through one telephone: band-pass, 8 kHz, mu-law (ITU-T G.711), and back."""
    low, high, filtered = (
        random.uniform(150.0, 350.0),
        random.uniform(3_200.0, 3_700.0),
        random.random() < 0.5,
    )
    band = scipy.signal.butter(3, (low, high), "bandpass", fs=TELEPHONE_RATE, output="sos")
    peak = max(float(np.percentile([np.abs(clip).max() for clip in clips], 95)), 1e-6)
    gain = random.uniform(0.1, 1.0) / peak
    out = []
    for clip in clips:
        narrow = soxr.resample(clip, rate, TELEPHONE_RATE, quality="HQ")
        narrow = scipy.signal.sosfilt(band, narrow) if filtered else narrow
        out.append(soxr.resample(mu_law(narrow * gain), TELEPHONE_RATE, rate, quality="HQ"))
    return out


def vary_speaker(
    frames: FloatArray, call: Call | None, settings: FeatureSettings, random: np.random.Generator
) -> tuple[FloatArray, Call | None]:
    """Frames, and the call that they are from, as another speaker might have said them.

    Formants move as a vocal tract of another length moves them (Jaitly and Hinton 2013), by
    stretching the mel axis; the pitch moves by a tenth of an octave or so.
    """
    mels = settings.mels
    position = np.clip(np.arange(mels) * np.exp(random.normal(0.0, 0.03)), 0, mels - 1)
    below = np.minimum(position.astype(np.int64), mels - 2)
    share = position - below
    stretch = np.zeros((mels, mels), dtype=np.float32)
    stretch[below, np.arange(mels)] = 1 - share
    stretch[below + 1, np.arange(mels)] = share
    shift = random.normal(0.0, 0.1)

    out = frames.copy()
    np.matmul(frames[:, :mels], stretch, out=out[:, :mels])
    out[frames[:, settings.pitch] != 0, settings.pitch] += np.float32(shift)
    if call is None:
        return out, None
    mean, deviation = call.voice.mean.copy(), call.voice.deviation.copy()
    mean[:mels] = call.voice.mean[:mels] @ stretch
    mean[settings.pitch] += shift
    deviation[:mels] = call.voice.deviation[:mels] @ stretch
    return out, replace(call, voice=replace(call.voice, mean=mean, deviation=deviation))


def mu_law(samples: FloatArray) -> FloatArray:
    """Rounds samples (full scale 1.0) to the 256 steps of continuous mu-law companding."""
    companded = np.sign(samples) * np.log1p(_MU * np.minimum(np.abs(samples), 1.0)) / np.log1p(_MU)
    steps = np.round(companded * 127.5 - 0.5) + 0.5
    expanded = np.sign(steps) * np.expm1(np.abs(steps) / 127.5 * np.log1p(_MU)) / _MU
    return np.asarray(expanded, dtype=np.float32)


def _equalised(samples: FloatArray, rate: int, gains: DoubleArray) -> FloatArray:
    """Another microphone's response: ``gains`` in dB at ``_EQUALISER_HZ``, straight between them."""
    spectrum = np.fft.rfft(samples)
    hz = np.maximum(np.fft.rfftfreq(len(samples), 1 / rate), _EQUALISER_HZ[0])
    decibels = np.interp(np.log(hz), np.log(_EQUALISER_HZ), gains)
    return np.asarray(np.fft.irfft(spectrum * 10.0 ** (decibels / 20.0), n=len(samples)))


def _room(rate: int, seconds: float, share: float, random: np.random.Generator) -> FloatArray:
    """An impulse response: the direct sound, then noise that falls by 60 dB in ``seconds``."""
    length = round(seconds * rate)
    tail = random.standard_normal(length) * 10.0 ** (-3.0 * np.arange(length) / length)
    response = share * tail / np.sqrt(np.sum(tail**2))
    response[0] += 1.0
    return np.asarray(response)


def _at_least(samples: FloatArray, length: int) -> FloatArray:
    return np.pad(samples, (0, max(0, length - len(samples))))
