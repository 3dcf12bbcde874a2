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

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft
import soxr

from sertag.pitch import Autocorrelation, octaves
from sertag.types import FloatArray

FLOOR = 1e-12
"""Power below which everything is silence (-120 dB), so that no logarithm meets 0."""
BATCH = 128
"""Frames that are analysed together: as many as fit the processor's caches."""

_GROUP = 16
_TELEPHONE_BAND = 200.0, 3_400.0
_DECIBELS = np.float32(10.0 / np.log(10.0))


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

    def analysis_rate(self, rate: int) -> int:
        """The rate in Hz at which recordings of some rate are analysed.

        Those of half the model's rate are analysed as they are, with every second sample of the window: the
        same bins, up to half their rate, at half the cost.
        """
        lengths = self.frame_length, self.hop_length, self.fft_length
        if 2 * rate == self.sample_rate and not any(length % 2 for length in lengths):
            return rate
        return self.sample_rate

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


@cache
def telephone_bands(settings: FeatureSettings) -> slice:
    """The mel bands whose centres any telephone lets through."""
    centres = np.argmax(mel_filters(settings), axis=0) * (settings.sample_rate / settings.fft_length)
    low, high = np.searchsorted(centres, _TELEPHONE_BAND)
    return slice(int(low), int(high))


class FrameStream:
    """Turns one channel's samples, block by block, into frames.

    Frames are analysed in batches of fixed shape, so that their bits do not depend on how the
    samples were divided into blocks.

    Args:
        settings: what the frames are.
        rate: of the samples in Hz: ``settings.sample_rate``, or a rate that
            :meth:`FeatureSettings.analysis_rate` gave.
    """

    def __init__(self, settings: FeatureSettings, rate: int | None = None) -> None:
        self._settings = settings
        self._analysis = _Analysis.of(settings, rate or settings.sample_rate)
        factor = settings.sample_rate // (rate or settings.sample_rate)
        self._hop, self._length = settings.hop_length // factor, settings.frame_length // factor
        # What lies behind a frame stays 0.
        self._padded = np.zeros((BATCH, settings.fft_length // factor), dtype=np.float32)
        self._pending = np.zeros(0, dtype=np.float32)

    def push(self, samples: FloatArray) -> FloatArray:
        """The batches of frames that are complete after ``samples`` (1-D, full scale 1.0)."""
        self._pending = np.concatenate([self._pending, samples])
        complete = max(0, (len(self._pending) - self._length) // self._hop + 1)
        batches = complete // BATCH
        frames = self._analyse(self._pending, batches)
        self._pending = self._pending[batches * BATCH * self._hop :]
        return frames

    def finish(self) -> FloatArray:
        """The frames left, the last ones filled up with zeros: ``ceil(samples / hop_length)`` in all."""
        count = -(-len(self._pending) // self._hop)
        batches = -(-count // BATCH)
        filling = batches * BATCH * self._hop + self._length - len(self._pending)
        padded = np.concatenate([self._pending, np.zeros(filling, dtype=np.float32)])
        self._pending = self._pending[:0]
        return self._analyse(padded, batches)[:count]

    def _analyse(self, samples: FloatArray, batches: int) -> FloatArray:
        analysis, settings = self._analysis, self._settings
        out = np.zeros((batches * BATCH, settings.columns), dtype=np.float32)
        if batches == 0:
            return out
        lags, heights = np.empty(len(out), dtype=np.float32), np.empty(len(out), dtype=np.float32)
        framed = np.lib.stride_tricks.sliding_window_view(samples, self._length)[:: self._hop]
        for at in range(0, len(out), BATCH):
            batch = slice(at, at + BATCH)
            np.multiply(framed[batch], analysis.window, out=self._padded[:, : self._length])
            power = _power(self._padded)
            for columns, bins, weights in analysis.filters:
                np.matmul(power[:, bins], weights, out=out[batch, columns])
            lags[batch], heights[batch] = analysis.autocorrelation.peaks(power)
        np.maximum(out, np.float32(FLOOR), out=out)
        np.log(out, out=out)
        out *= _DECIBELS
        out[:, settings.pitch] = octaves(lags, heights)
        out[:, settings.voicing] = np.clip(heights, 0.0, 1.0)
        return out


def frames_of(samples: FloatArray, settings: FeatureSettings) -> FloatArray:
    """All frames of one channel held in memory, shape ``(ceil(samples / hop), columns)``."""
    stream = FrameStream(settings)
    return np.concatenate([stream.push(samples), stream.finish()])


def mean_level(levels: npt.ArrayLike) -> float:
    """Level in dB of the mean power of some levels in dB."""
    powers = 10.0 ** (np.asarray(levels, dtype=np.float64) / 10.0)
    return 10.0 * math.log10(powers.sum() / powers.size)


@dataclass(frozen=True, eq=False)
class _Analysis:
    """The constants of the spectral analysis.

    Attributes:
        window: what frames are multiplied by, shape ``(frame_length,)``.
        filters: for groups of columns, which bins of the power spectrum add up to them, and how; shapes
            ``(bins, columns)``.
        autocorrelation: for the pitch.
    """

    window: FloatArray
    filters: tuple[tuple[slice, slice, FloatArray], ...]
    autocorrelation: Autocorrelation

    @classmethod
    @cache
    def of(cls, settings: FeatureSettings, rate: int) -> _Analysis:
        """For samples of some rate in Hz."""
        window = _hann(settings.frame_length)
        filters = np.zeros((settings.fft_length // 2 + 1, settings.columns), dtype=np.float32)
        # Power relative to a full-scale sine in the bin, whatever the frame's length.
        filters[:, : settings.mels] = mel_filters(settings) * float(2.0 / window.sum()) ** 2
        # Parseval: a full-scale sine has level 0 dB.
        low, high = (round(hz * settings.fft_length / settings.sample_rate) for hz in _TELEPHONE_BAND)
        filters[low:high, settings.level] = 4.0 / (settings.fft_length * float(np.sum(window**2)))
        factor = settings.sample_rate // rate
        if factor > 1:
            passband = _passband(settings, rate)
            filters = filters[: len(passband)] * passband[:, None]
        edges = [*range(0, settings.mels, _GROUP), settings.mels]
        groups = [*map(slice, edges[:-1], edges[1:]), slice(settings.level, settings.level + 1)]
        return cls(
            window[::factor] * np.float32(factor),
            tuple(_weights(filters, columns) for columns in groups),
            Autocorrelation.of(window, settings.fft_length, settings.sample_rate),
        )


def _weights(filters: FloatArray, columns: slice) -> tuple[slice, slice, FloatArray]:
    """Some columns, the bins that have a weight in them, and these weights."""
    weighty = np.flatnonzero(filters[:, columns].any(axis=1))
    bins = slice(weighty[0], weighty[-1] + 1) if len(weighty) else slice(0)
    return columns, bins, np.ascontiguousarray(filters[bins, columns])


def _power(samples: FloatArray) -> FloatArray:
    """Power spectra of rows of samples."""
    spectrum = scipy.fft.rfft(samples)
    power: FloatArray = spectrum.real**2
    power += spectrum.imag**2
    return power


def _passband(settings: FeatureSettings, rate: int) -> FloatArray:
    """Power that the resampler from ``rate`` leaves of each bin, 0 Hz to half that rate.

    The network knows recordings of that rate as they sound after resampling: their upper end is lost.
    """
    impulse = np.zeros(settings.fft_length * rate // settings.sample_rate, dtype=np.float32)
    impulse[len(impulse) // 2] = rate / settings.sample_rate
    response = np.fft.rfft(soxr.resample(impulse, rate, settings.sample_rate))
    return np.asarray(np.abs(response[: len(impulse) // 2 + 1]) ** 2, dtype=np.float32)


def _hann(length: int) -> FloatArray:
    """Periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length), dtype=np.float32)
