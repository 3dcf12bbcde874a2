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
        costs: what a peak's height counts less, by lag but the first and the last; shape ``(lags - 2,)``.
    """

    bins: slice
    cosines: FloatArray
    costs: FloatArray

    @classmethod
    def of(cls, window: FloatArray, fft_length: int, sample_rate: int) -> Autocorrelation:
        """For frames seen through a ``window``, whose spectra have bins ``sample_rate / fft_length`` Hz apart."""
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
        costs = 0.03 * np.log2(lags[1:-1] / _SHORTEST)
        return cls(bins, cosines.astype(np.float32), costs.astype(np.float32))

    def pitch(self, power: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Octaves above 170 Hz (0 where unvoiced) and voicing of power spectra ``(frames, bins)``."""
        correlation = power[:, self.bins] @ self.cosines
        energy = np.maximum(correlation[:, :1], _QUIETEST)
        strength = np.divide(correlation, energy, out=correlation)[:, 1:]
        # A parabola through each peak and its neighbours: peaks between lags are not worse for it,
        # else a high voice would be heard an octave too low.
        steps = strength[:, 1:] - strength[:, :-1]
        rising, falling = steps[:, :-1], steps[:, 1:]
        slope, bend = rising + falling, rising - falling
        is_peak = rising >= 0
        is_peak &= falling <= 0
        is_peak &= bend > _FLATTEST
        np.maximum(bend, _FLATTEST, out=bend)
        height = slope * slope
        height /= bend
        height *= np.float32(1 / 8)
        height += strength[:, 1:-1]
        height *= is_peak
        best = np.argmax(height - self.costs, axis=1)
        rows = np.arange(len(power))
        voicing = np.clip(height[rows, best], 0.0, 1.0)
        lag = best + _SHORTEST + 0.5 * slope[rows, best] / bend[rows, best]
        octaves = np.log2(_LAG_RATE / (np.maximum(lag, 1.0) * _REFERENCE))
        return np.where(voicing >= VOICED, octaves, 0.0).astype(np.float32), voicing
