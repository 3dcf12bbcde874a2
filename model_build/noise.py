"""Noise: in a training session whose frames are there already, and in clips to measure in.

Powers of sounds that have nothing to do with each other add up, and so do their frames: but for a decibel
that phases do by chance, the mel bands are those of the mixture. So a teacher can hear a session without the
noise that its student hears it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from model_build import sounds
from model_build.scenes import band_passed, telephone
from sertag.features import FeatureSettings, frames_of, mean_level, mel_filters
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
_WIDE = -1
"""Which of a noise's lines a microphone is."""


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
    spoken = np.concatenate([rows[flags] for rows, flags in zip(frames, speech, strict=True)])
    sound = _chosen(noise, spoken, settings, random)
    gain = mean_level(spoken[:, settings.level]) - snr
    return [added(rows, _stretch(sound, len(rows), random), gain, settings) for rows in frames]


def in_unheard_noise(
    clips: Sequence[FloatArray],
    spoken: FloatArray,
    settings: FeatureSettings,
    speaker: str,
    snr: float,
) -> list[FloatArray]:
    """A speaker's clips in a noise that no training hears; which, the name decides.

    Args:
        clips: their samples, 1-D, at the settings' rate.
        spoken: frames of speech of all of them, shape ``(n, settings.columns)``.
        settings: how these were made.
        speaker: the name.
        snr: in dB, in the telephone's band, while somebody speaks.
    """
    random = np.random.default_rng([*speaker.encode("utf-8", "surrogateescape")])
    kind, piece = random.integers(len(_KINDS)), _PIECES + random.integers(_PIECES)
    noise = _chosen(_sounds(settings, int(kind), int(piece)), spoken, settings, random)
    level = mean_level(frames_of(noise, settings)[:, settings.level])
    gain = np.float32(10 ** ((mean_level(spoken[:, settings.level]) - snr - level) / 20))
    return [clip + gain * _stretch(noise, len(clip), random) for clip in clips]


def _chosen(
    noise: tuple[FloatArray, ...], spoken: FloatArray, settings: FeatureSettings, random: np.random.Generator
) -> FloatArray:
    """A noise as whatever recorded what is spoken may have heard it."""
    high = spoken[:, : settings.mels][:, _bands(settings)[0] > _HIGH_HZ]
    # What records a call may hiss where the telephone itself leaves nothing.
    return noise[int(random.integers(len(noise)))] if high.mean() < _NOTHING else noise[_WIDE]


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
def _piece(settings: FeatureSettings, kind: int, number: int) -> tuple[FloatArray, ...]:
    """Frames of some seconds of a noise, by line; their level is 0 dB."""
    return tuple(_at_level_0(frames_of(line, settings), settings) for line in _sounds(settings, kind, number))


def _sounds(settings: FeatureSettings, kind: int, number: int) -> tuple[FloatArray, ...]:
    """Samples of a noise as a telephone hears it, one without bass, and (``_WIDE``) a microphone."""
    samples = _KINDS[kind](_SECONDS, settings.sample_rate, np.random.default_rng(number))
    wide = np.asarray(samples * (_RMS / np.sqrt(np.mean(samples**2) + 1e-20)), dtype=np.float32)
    return telephone(wide), telephone(band_passed(wide, *_LINE)), wide


def _at_level_0(frames: FloatArray, settings: FeatureSettings) -> FloatArray:
    level = mean_level(frames[:, settings.level])
    frames[:, : settings.mels] -= level
    frames[:, settings.level] -= level
    return frames


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
    """So many frames or samples of a noise, from anywhere on."""
    start = int(random.integers(len(noise)))
    return np.take(noise, range(start, start + length), axis=0, mode="wrap")
