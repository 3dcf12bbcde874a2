"""Noise in a session whose frames are there already.

Powers of sounds that have nothing to do with each other add up, and so do their frames: but for a decibel
that phases do by chance, the mel bands are those of the mixture. So a teacher can hear a session without the
noise that its student hears it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from model_build import sounds
from model_build.scenes import band_passed, telephone
from sertag.features import FeatureSettings, frames_of, mel_filters
from sertag.pitch import VOICED
from sertag.types import BoolArray, DoubleArray, FloatArray

_SHARE = 0.5
"""Share of the sessions that are heard in noise."""
_LOWEST_SNR, _HIGHEST_SNR = 3.0, 30.0
"""In dB, in the telephone's band, while somebody speaks."""

_KINDS = (*dict.fromkeys(sounds.BACKGROUNDS), sounds.gusts)
_PIECES, _SECONDS = 8, 20.0
"""Of each kind in training, and of how many seconds."""
_RMS = 0.02
_PITCHED_HZ = 2_000.0
"""Up to where pitch and voicing are looked for."""
_LINE = 200.0, 3_500.0
_HIGH_HZ, _NOTHING = 4_500.0, -115.0
"""A telephone leaves no more than so many dB above so many Hz."""


@dataclass(frozen=True)
class _Noise:
    """Frames of a noise as a microphone, a telephone, and one without bass hear it; their level is 0 dB."""

    wide: FloatArray
    narrow: FloatArray
    without_bass: FloatArray


def in_noise(
    frames: Sequence[FloatArray],
    speech: Sequence[BoolArray],
    settings: FeatureSettings,
    random: np.random.Generator,
) -> list[FloatArray] | None:
    """A session's frames in some noise, the same for all its clips; None where it stays as it is.

    Args:
        frames: of each clip, shape ``(n, settings.columns)``.
        speech: which of them are speech, shape ``(n,)``.
        settings: how they were made.
        random: draws whether there is noise, which and how loud.
    """
    if random.random() >= _SHARE or not any(map(np.any, speech)):
        return None
    kind, number = divmod(int(random.integers(len(_KINDS) * _PIECES)), _PIECES)
    noise = _piece(settings, kind, number)
    snr = random.uniform(_LOWEST_SNR, _HIGHEST_SNR)
    return _mixed(frames, speech, settings, noise, snr, random)


def in_unheard_noise(
    frames: Sequence[FloatArray],
    speech: Sequence[BoolArray],
    settings: FeatureSettings,
    number: int,
    snr: float,
) -> list[FloatArray] | None:
    """The same in a noise that no training hears: another piece, of each kind in turn.

    Args:
        frames: of each clip, shape ``(n, settings.columns)``.
        speech: which of them are speech, shape ``(n,)``.
        settings: how they were made.
        number: which noise.
        snr: in dB, in the telephone's band, while somebody speaks.
    """
    if not any(map(np.any, speech)):
        return None
    turn, kind = divmod(number, len(_KINDS))
    noise = _piece(settings, kind, _PIECES + turn % _PIECES)
    return _mixed(frames, speech, settings, noise, snr, np.random.default_rng(number))


def _mixed(
    frames: Sequence[FloatArray],
    speech: Sequence[BoolArray],
    settings: FeatureSettings,
    noise: _Noise,
    snr: float,
    random: np.random.Generator,
) -> list[FloatArray]:
    spoken = np.concatenate([rows[flags] for rows, flags in zip(frames, speech, strict=True)])
    high = spoken[:, : settings.mels][:, _bands(settings)[0] > _HIGH_HZ]
    # What records a call may hiss where the telephone itself leaves nothing.
    lines = (noise.narrow, noise.without_bass, noise.wide)
    sound = lines[int(random.integers(len(lines)))] if high.mean() < _NOTHING else noise.wide
    gain = _level(spoken[:, settings.level]) - snr
    return [added(rows, _stretch(sound, len(rows), random), gain, settings) for rows in frames]


def added(frames: FloatArray, noise: FloatArray, gain: float, settings: FeatureSettings) -> FloatArray:
    """Frames of two sounds at once.

    Args:
        frames: of the one, shape ``(n, settings.columns)``.
        noise: of the other, of the same shape.
        gain: what is added to the other's level, in dB.
        settings: how they were made.
    """
    louder = noise.astype(np.float64)
    powers = [*range(settings.mels), settings.level]
    louder[:, powers] += gain
    out = frames.astype(np.float64)
    # The autocorrelation of a mixture is the mean of both, weighted by their energies; the higher peak wins.
    own, other = _energy(out, settings), _energy(louder, settings)
    share = own / np.maximum(own + other, 1e-30)
    heights = share * out[:, settings.voicing], (1 - share) * louder[:, settings.voicing]
    pitch = np.where(heights[0] >= heights[1], out[:, settings.pitch], louder[:, settings.pitch])
    out[:, settings.voicing] = np.maximum(*heights)
    out[:, settings.pitch] = np.where(out[:, settings.voicing] >= VOICED, pitch, 0.0)
    out[:, powers] = 10 * np.log10(10 ** (out[:, powers] / 10) + 10 ** (louder[:, powers] / 10))
    return out.astype(np.float32)


@cache
def _piece(settings: FeatureSettings, kind: int, number: int) -> _Noise:
    """Some seconds of a noise."""
    samples = _KINDS[kind](_SECONDS, settings.sample_rate, np.random.default_rng(number))
    wide = np.asarray(samples * (_RMS / np.sqrt(np.mean(samples**2) + 1e-20)), dtype=np.float32)
    lines = wide, telephone(wide), telephone(band_passed(wide, *_LINE))
    return _Noise(*(_at_level_0(frames_of(line, settings), settings) for line in lines))


def _at_level_0(frames: FloatArray, settings: FeatureSettings) -> FloatArray:
    level = _level(frames[:, settings.level])
    frames[:, : settings.mels] -= level
    frames[:, settings.level] -= level
    return frames


def _level(decibels: FloatArray) -> float:
    return float(10 * np.log10(np.mean(10 ** (decibels.astype(np.float64) / 10))))


@cache
def _bands(settings: FeatureSettings) -> tuple[FloatArray, FloatArray]:
    """The mel bands' centres and widths in Hz; they are triangles of unit area that overlap by half."""
    filters = mel_filters(settings)
    bins = np.fft.rfftfreq(settings.fft_length, 1 / settings.sample_rate)
    return bins[np.argmax(filters, axis=0)].astype(np.float32), 1 / filters.max(axis=0)


def _energy(frames: DoubleArray, settings: FeatureSettings) -> DoubleArray:
    """Energy where pitch is looked for, of frames; shape ``(n,)``."""
    centres, widths = _bands(settings)
    low = centres < _PITCHED_HZ
    powers = 10 ** (frames[:, : settings.mels][:, low] / 10)
    return np.asarray(powers @ widths[low].astype(np.float64))


def _stretch(noise: FloatArray, length: int, random: np.random.Generator) -> FloatArray:
    """So many frames of a noise, from anywhere on."""
    start = int(random.integers(len(noise)))
    return np.take(noise, range(start, start + length), axis=0, mode="wrap")
