"""Samples to feature frames: the one definition that training and run time share.

A frame is one row of a float32 array of shape ``(frames, settings.columns)``:

* ``mels`` columns of log-mel power in dB re full scale (Slaney mel scale and area
  normalisation, as ``librosa.filters.mel`` makes them),
* ``pitch``: octaves above 170 Hz where the frame is voiced, else 0,
* ``voicing``: height of the autocorrelation peak, 0 (noise) to 1 (periodic),
* ``level``: power of the telephone band (200 to 3,400 Hz) in dB re full scale.

Frame ``t`` covers the samples from ``t * hop_length`` on, without centring, so that a stream
needs no look-ahead; the last frames are filled up with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.fft

from sertag.types import FloatArray

PITCH_LOW = 65.0
"""Lowest fundamental looked for, in Hz."""
PITCH_HIGH = 450.0
"""Highest fundamental looked for, in Hz."""
VOICED = 0.45
"""Autocorrelation peak from which a frame counts as voiced (Boersma 1993)."""
FLOOR = 1e-12
"""Power below which everything is silence (-120 dB), so that no logarithm meets 0."""
BATCH = 256
"""Frames that are analysed together."""

_PITCH_BAND = 2_000.0
_LAG_RATE = 8_000.0
_PITCH_REFERENCE = 170.0


@dataclass(frozen=True)
class FeatureSettings:
    """What fixes the frames of a model; travels in its metadata.

    Lengths are in samples at ``sample_rate`` (Hz), mel edges in Hz.
    """

    sample_rate: int = 16_000
    frame_length: int = 640
    hop_length: int = 320
    fft_length: int = 1_024
    mels: int = 64
    mel_low: float = 60.0
    mel_high: float = 7_600.0

    def __post_init__(self) -> None:
        """Refuses settings that cannot be.

        Raises:
            ValueError: saying which.
        """
        for name in ("sample_rate", "frame_length", "hop_length", "fft_length", "mels"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name} must be a positive whole number")
        if (
            self.frame_length > self.fft_length
            or not 0 <= self.mel_low < self.mel_high <= self.sample_rate / 2
        ):
            raise ValueError("fft_length, mel_low or mel_high does not fit")

    @property
    def hop_seconds(self) -> float:
        """Time from one frame to the next, in seconds."""
        return self.hop_length / self.sample_rate

    @property
    def columns(self) -> int:
        """Width of a frame."""
        return self.mels + 3

    @property
    def inputs(self) -> int:
        """How many of a frame's columns the network sees: all but the level."""
        return self.mels + 2

    @property
    def pitch(self) -> int:
        """The column of the pitch."""
        return self.mels

    @property
    def voicing(self) -> int:
        """The column of the voicing."""
        return self.mels + 1

    @property
    def level(self) -> int:
        """The column of the level."""
        return self.mels + 2

    def frames_in(self, seconds: float) -> int:
        """Number of frames in a stretch of time, rounded to the nearest."""
        return round(seconds / self.hop_seconds)


def mel_filters(settings: FeatureSettings) -> FloatArray:
    """Triangular mel filters on the power spectrum, shape ``(fft_length // 2 + 1, mels)``.

    Slaney's Auditory Toolbox scale: linear below 1 kHz, logarithmic above, each filter of unit area.
    """
    linear_step, knee, log_step = 200.0 / 3, 1_000.0, np.log(6.4) / 27.0

    def to_mel(hz: float) -> float:
        return hz / linear_step if hz < knee else knee / linear_step + float(np.log(hz / knee)) / log_step

    mel = np.linspace(to_mel(settings.mel_low), to_mel(settings.mel_high), settings.mels + 2)
    edges = np.where(
        mel < knee / linear_step, mel * linear_step, knee * np.exp(log_step * (mel - knee / linear_step))
    )
    bins = np.fft.rfftfreq(settings.fft_length, 1 / settings.sample_rate)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (edges[2:] - edges[:-2])), dtype=np.float32)


class FrameStream:
    """Turns one channel's samples, block by block, into frames.

    Frames are analysed in batches of fixed shape, so that their bits do not depend on how the
    samples were divided into blocks.
    """

    def __init__(self, settings: FeatureSettings) -> None:
        self._settings = settings
        self._pending = np.zeros(0, dtype=np.float32)
        self._analysis = _Analysis(settings)

    def push(self, samples: FloatArray) -> FloatArray:
        """The batches of frames that are complete after ``samples`` (1-D, full scale 1.0)."""
        self._pending = np.concatenate([self._pending, samples])
        hop, length = self._settings.hop_length, self._settings.frame_length
        complete = max(0, (len(self._pending) - length) // hop + 1)
        batches = complete // BATCH
        frames = self._analyse(self._pending, batches)
        self._pending = self._pending[batches * BATCH * hop :]
        return frames

    def finish(self) -> FloatArray:
        """The frames left, the last ones filled up with zeros: ``ceil(samples / hop_length)`` in all."""
        hop, length = self._settings.hop_length, self._settings.frame_length
        count = -(-len(self._pending) // hop)
        batches = -(-count // BATCH)
        filling = batches * BATCH * hop + length - len(self._pending)
        padded = np.concatenate([self._pending, np.zeros(filling, dtype=np.float32)])
        self._pending = self._pending[:0]
        return self._analyse(padded, batches)[:count]

    def _analyse(self, samples: FloatArray, batches: int) -> FloatArray:
        out = np.empty((batches * BATCH, self._settings.columns), dtype=np.float32)
        if batches:
            framed = np.lib.stride_tricks.sliding_window_view(samples, self._settings.frame_length)
            framed = framed[:: self._settings.hop_length]
            for at in range(0, len(out), BATCH):
                out[at : at + BATCH] = self._analysis(framed[at : at + BATCH])
        return out


def frames_of(samples: FloatArray, settings: FeatureSettings) -> FloatArray:
    """All frames of one channel held in memory, shape ``(ceil(samples / hop), columns)``."""
    stream = FrameStream(settings)
    return np.concatenate([stream.push(samples), stream.finish()])


def mean_level(levels: npt.ArrayLike) -> float:
    """Level in dB of the mean power of some levels in dB."""
    return float(10.0 * np.log10(np.mean(10.0 ** (np.asarray(levels, dtype=np.float64) / 10.0))))


@dataclass(frozen=True)
class _Analysis:
    """The spectral analysis of framed samples ``(frames, frame_length)``."""

    settings: FeatureSettings

    @cached_property
    def _window(self) -> FloatArray:
        return _hann(self.settings.frame_length).astype(np.float32)

    @cached_property
    def _mel(self) -> FloatArray:
        # Power relative to a full-scale sine in the bin, whatever the frame's length.
        return np.asarray(mel_filters(self.settings) * self._scale, dtype=np.float32)

    @cached_property
    def _scale(self) -> float:
        return float(2.0 / self._window.sum()) ** 2

    @cached_property
    def _band(self) -> slice:
        per_hz = self.settings.fft_length / self.settings.sample_rate
        return slice(round(200 * per_hz), round(3_400 * per_hz))

    @cached_property
    def _level_scale(self) -> float:
        return 4.0 / (self.settings.fft_length * float(np.sum(self._window**2)))

    @cached_property
    def _lag_correction(self) -> FloatArray:
        """One over the window's own autocorrelation, lag by lag."""
        spectrum = np.abs(np.fft.rfft(self._window, self.settings.fft_length)) ** 2
        correlation = np.fft.irfft(spectrum)
        lags = np.arange(int(_LAG_RATE / PITCH_LOW) + 4) * (self.settings.sample_rate / _LAG_RATE)
        at_lags = np.interp(lags, np.arange(len(correlation)), correlation) / correlation[0]
        return np.asarray(1.0 / np.maximum(at_lags, 0.1), dtype=np.float32)

    @cached_property
    def _lag_cost(self) -> FloatArray:
        """A small cost per octave keeps the choice among equal peaks from falling to the longest lag."""
        shortest, longest = int(_LAG_RATE / PITCH_HIGH), int(_LAG_RATE / PITCH_LOW) + 2
        return np.asarray(0.03 * np.log2(np.arange(shortest, longest) / shortest), dtype=np.float32)

    def __call__(self, framed: FloatArray) -> FloatArray:
        settings = self.settings
        spectrum = scipy.fft.rfft(framed * self._window, n=settings.fft_length)
        power = spectrum.real**2 + spectrum.imag**2
        out = np.empty((len(framed), settings.columns), dtype=np.float32)
        out[:, : settings.mels] = _decibels(power @ self._mel)
        out[:, settings.pitch], out[:, settings.voicing] = self._pitch(power)
        # Parseval: a full-scale sine has level 0 dB.
        level = power[:, self._band].sum(axis=1) * self._level_scale
        out[:, settings.level] = _decibels(level)
        return out

    def _pitch(self, power: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Boersma's (1993) autocorrelation method on the band below 2 kHz, frame by frame."""
        per_hz = self.settings.fft_length / self.settings.sample_rate
        band = power[:, : round(_PITCH_BAND * per_hz)].copy()
        band[:, : round(PITCH_LOW * per_hz)] = 0.0
        correlation = scipy.fft.irfft(band, n=round(_LAG_RATE * per_hz))
        shortest, longest = int(_LAG_RATE / PITCH_HIGH), int(_LAG_RATE / PITCH_LOW) + 2
        energy = np.maximum(correlation[:, :1], 1e-9)
        strength = correlation[:, shortest - 1 : longest + 1] * (
            self._lag_correction[shortest - 1 : longest + 1] / energy
        )
        # A parabola through each peak and its neighbours: peaks between lags are not worse for it,
        # else a high voice would be heard an octave too low.
        before, peak, after = strength[:, :-2], strength[:, 1:-1], strength[:, 2:]
        slope, bend = before - after, 2 * peak - before - after
        is_peak = (peak >= before) & (peak >= after) & (bend > 1e-6)
        height = np.where(is_peak, peak + slope * slope / (8 * np.maximum(bend, 1e-6)), 0.0)
        best = np.argmax(height - self._lag_cost, axis=1)
        rows = np.arange(len(power))
        voicing = np.clip(height[rows, best], 0.0, 1.0)
        lag = best + shortest - 0.5 * slope[rows, best] / np.maximum(bend[rows, best], 1e-6)
        octaves = np.log2(_LAG_RATE / (np.maximum(lag, 1.0) * _PITCH_REFERENCE))
        pitch = np.where(voicing >= VOICED, octaves, 0.0)
        return np.asarray(pitch, dtype=np.float32), np.asarray(voicing, dtype=np.float32)


def _decibels(power: FloatArray) -> FloatArray:
    return np.asarray(10.0 * np.log10(np.maximum(power, np.float32(FLOOR))), dtype=np.float32)


def _hann(length: int) -> FloatArray:
    """Periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length), dtype=np.float32)
