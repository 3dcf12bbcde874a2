"""Pitch and voicing of frames by Boersma's (1993) autocorrelation method, on the band below 2 kHz."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sertag.types import FloatArray

PITCH_LOW = 65.0
"""Lowest fundamental looked for, in Hz."""
PITCH_HIGH = 450.0
"""Highest fundamental looked for, in Hz."""
VOICED = 0.45
"""Autocorrelation peak from which a frame counts as voiced."""

_BAND = 2_000.0
_LAG_RATE = 8_000.0
_REFERENCE = 170.0
_SHORTEST, _LONGEST = int(_LAG_RATE / PITCH_HIGH), int(_LAG_RATE / PITCH_LOW) + 2
_QUIETEST = np.float32(1e-9)
_FLATTEST = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class Autocorrelation:
    """The method's constants for frames of one make; see :meth:`of`.

    Attributes:
        bins: those of the power spectrum that are looked at.
        cosines: powers of these bins to the signal's own energy, and to its autocorrelation lag by lag over
            that of the window; shape ``(bins, 1 + lags)``.
        costs: what a peak's height counts less, by column of these; infinite where there can be none.
    """

    bins: slice
    cosines: FloatArray
    costs: FloatArray

    @classmethod
    def of(cls, window: FloatArray, fft_length: int, sample_rate: int) -> Autocorrelation:
        """For frames seen through a ``window``, with bins ``sample_rate / fft_length`` Hz apart."""
        per_hz = fft_length / sample_rate
        bins = slice(round(PITCH_LOW * per_hz), round(_BAND * per_hz))
        correlation = np.fft.irfft(np.abs(np.fft.rfft(window, fft_length)) ** 2)
        lags = np.arange(_SHORTEST - 1, _LONGEST + 1)
        at_lags = np.interp(lags * (sample_rate / _LAG_RATE), np.arange(len(correlation)), correlation)
        length = round(_LAG_RATE * per_hz)
        cosines = np.cos(2 * np.pi / length * np.outer(np.arange(bins.start, bins.stop), np.append(0, lags)))
        cosines *= 2 / length
        cosines[:, 1:] /= np.maximum(at_lags / correlation[0], 0.1)
        # A small cost per octave keeps the choice among equal peaks from falling to the longest lag.
        costs = np.full(len(lags) + 1, np.inf)
        costs[2:-1] = 0.03 * np.log2(lags[1:-1] / _SHORTEST)
        return cls(bins, cosines.astype(np.float32), costs.astype(np.float32))

    def peaks(self, power: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lag in samples at 8 kHz, and height, of the best peak of power spectra ``(frames, bins)``."""
        correlation = power[:, self.bins] @ self.cosines
        correlation /= np.maximum(correlation[:, :1], _QUIETEST)
        # All rows as one, which is faster; where one goes over into the next, the cost is infinite.
        strength = correlation.reshape(-1)
        steps = strength[1:] - strength[:-1]
        rising, falling = steps[:-1], steps[1:]
        # A parabola through each peak and its neighbours: peaks between lags are not worse for it,
        # else a high voice would be heard an octave too low.
        slope, bend = rising + falling, rising - falling
        is_peak = rising >= 0
        is_peak &= falling <= 0
        is_peak &= bend > _FLATTEST
        np.maximum(bend, _FLATTEST, out=bend)
        heights = np.zeros_like(correlation)
        height = heights.reshape(-1)[1:-1]
        np.multiply(slope, slope, out=height)
        height /= bend
        height *= np.float32(1 / 8)
        height += strength[1:-1]
        height *= is_peak
        best = np.argmax(heights - self.costs, axis=1)
        at = np.arange(0, heights.size, heights.shape[1]) + best - 1
        lags = best + np.float32(_SHORTEST - 2) + np.float32(0.5) * slope[at] / bend[at]
        return lags.astype(np.float32), height[at]


def octaves(lags: FloatArray, heights: FloatArray) -> FloatArray:
    """Pitch in octaves above 170 Hz of peaks, 0 where they are too low for a voice; shape ``(frames,)``."""
    pitch = np.log2(np.float32(_LAG_RATE / _REFERENCE) / np.maximum(lags, np.float32(1.0)))
    return np.where(heights >= VOICED, pitch, np.float32(0.0))
