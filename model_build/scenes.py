"""Calls made up for the speech gate: speech with known pauses, music, tones and noises, on a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
import soxr

from model_build import sounds
from model_build.augment import TELEPHONE_RATE, mu_law
from model_build.melodies import music
from sertag.audio import AudioReader
from sertag.features import FeatureSettings, frames_of
from sertag.types import BoolArray, FloatArray

RATE = 16_000
"""Samples per second of everything here."""
FRAME = 320
"""Samples per frame that is labelled (20 ms)."""

CLEAN = 22.0
"""How far below the voice, in dB, an utterance's background lies where the truth about it is known."""
ROUGHLY_CLEAN = 12.0
"""The same for training, where a truth that is nearly right will do."""

_BELOW_LOUD = 37.0
_ABOVE_BACKGROUND = 8.0
_QUIETEST = -70.0
_CLOSED = 9
_SHORTEST = 3


@dataclass(frozen=True, eq=False)
class Scene:
    """Samples ``(n,)`` at ``RATE`` and which frames are speech ``(n // FRAME,)``."""

    samples: FloatArray
    speech: BoolArray


@dataclass(frozen=True, eq=False)
class Material:
    """What scenes are made of: clean utterances with their labels, and pieces of music, at ``RATE``."""

    utterances: Sequence[Scene]
    music: Sequence[FloatArray]


def labelled(samples: FloatArray, clean: float = CLEAN) -> Scene:
    """A clean utterance with the truth about its frames.

    Speech is what lies within 37 dB of the utterance's loud level and above its own background;
    gaps shorter than 200 ms belong to it, and blips shorter than 60 ms do not. Where the background
    is less than ``clean`` dB below the voice, there is no speech in the result.
    """
    samples = samples[: len(samples) // FRAME * FRAME]
    framed = samples.reshape(-1, FRAME).astype(np.float64)
    level = 10 * np.log10(np.mean((framed - framed.mean(axis=1, keepdims=True)) ** 2, axis=1) + 1e-12)
    loud, background = np.percentile(level, [95, 5]) if len(level) else (-120.0, -120.0)
    if loud < _QUIETEST or loud - background < clean:
        return Scene(samples, np.zeros(len(level), dtype=bool))
    threshold = max(loud - _BELOW_LOUD, min(background + _ABOVE_BACKGROUND, loud - _ABOVE_BACKGROUND))
    speech = _without_short(level > threshold, _SHORTEST)
    return Scene(samples, ~_without_short(~speech, _CLOSED + 1, inner=True))


def _without_short(flags: BoolArray, shortest: int, *, inner: bool = False) -> BoolArray:
    """Drops runs of True that are too short; with ``inner`` only those between two other runs."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    out = flags.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start < shortest and not (inner and (start == 0 or end == len(flags))):
            out[start:end] = False
    return out


def conversation(
    utterances: Sequence[Scene], random: np.random.Generator, seconds: float = 30.0, longest: float = 3.0
) -> Scene:
    """Utterances one after the other with silences of 0.3 s to ``longest`` between."""
    parts, truth, count = [], [], 0
    while count < seconds * RATE:
        pause = round(random.uniform(0.3, longest) * RATE) // FRAME
        utterance = utterances[int(random.integers(len(utterances)))]
        parts += [np.zeros(pause * FRAME, dtype=np.float32), utterance.samples]
        truth += [np.zeros(pause, dtype=bool), utterance.speech]
        count += pause * FRAME + len(utterance.samples)
    return Scene(np.concatenate(parts), np.concatenate(truth))


def with_noise(scene: Scene, noise: FloatArray | sounds.Samples, snr: float) -> Scene:
    """Noise at a signal-to-noise ratio in dB: power while somebody speaks over power of the noise."""
    speaking = np.repeat(scene.speech, FRAME)
    signal = np.mean(scene.samples[speaking].astype(np.float64) ** 2) if speaking.any() else 1e-4
    gain = np.sqrt(signal / max(float(np.mean(noise**2)), 1e-20) / 10 ** (snr / 10))
    return Scene(np.asarray(scene.samples + gain * noise, dtype=np.float32), scene.speech)


def band_passed(
    samples: FloatArray | sounds.Samples, low: float = 300.0, high: float = 3_400.0
) -> FloatArray:
    """The telephone's band, forwards and backwards so that nothing is delayed."""
    sections = scipy.signal.butter(3, (low, high), "bandpass", fs=RATE, output="sos")
    return np.asarray(scipy.signal.sosfiltfilt(sections, samples), dtype=np.float32)


def telephone(samples: FloatArray) -> FloatArray:
    """8 kHz, 8-bit mu-law (ITU-T G.711), and back to ``RATE``; levels as they are."""
    narrow = mu_law(soxr.resample(samples, RATE, TELEPHONE_RATE, quality="HQ"))
    wide = soxr.resample(narrow, TELEPHONE_RATE, RATE, quality="HQ")
    return np.asarray(np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)], dtype=np.float32)


def at_level(samples: FloatArray | sounds.Samples, decibels: float) -> FloatArray:
    """Scales to a mean level in dB re a full-scale sine's power, peaks no higher than full scale."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    gain = 10 ** (decibels / 20) / np.sqrt(max(2 * power, 1e-20))
    peak = float(np.max(np.abs(samples), initial=0.0))
    return np.asarray(samples * min(gain, 1.0 / max(peak, 1e-9)), dtype=np.float32)


def training_scene(material: Material, random: np.random.Generator, seconds: float = 24.0) -> Scene:
    """Some of everything, one after the other, in a room, with noise, at any level, perhaps by telephone."""
    scene = _turns(material, random, seconds)
    samples, speech = scene.samples, scene.speech
    if random.random() < 0.25:
        samples = _in_room(samples, random)
    edges = (random.uniform(80, 350), random.uniform(2_900, 3_900)) if random.random() < 0.6 else None
    scene = Scene(band_passed(samples, *edges) if edges else samples, speech)
    for _ in range(int(random.choice([0, 1, 1, 2]))):
        maker = sounds.BACKGROUNDS[int(random.integers(len(sounds.BACKGROUNDS)))]
        noise = maker(len(samples) / RATE + 0.1, RATE, random)[: len(samples)]
        # Noise is measured in the band that is heard.
        heard = band_passed(noise, *edges) if edges else noise
        scene = with_noise(scene, heard, random.uniform(0, 30))
    samples = scene.samples
    samples = at_level(samples, random.uniform(-58, -8))
    if random.random() < 0.25:
        samples = np.clip(samples * random.uniform(1, 4), -1, 1)
    if random.random() < 0.65:
        samples = telephone(samples)
    elif random.random() < 0.6:
        samples = np.round(samples * 32_768) / 32_768
    return Scene(np.asarray(samples, dtype=np.float32), speech)


def _turns(material: Material, random: np.random.Generator, seconds: float) -> Scene:
    """Stretches of speech and of other sounds; half of the scenes are speech only, a third other."""
    flavour = random.random()
    parts: list[FloatArray] = []
    truth: list[BoolArray] = []
    count = 0
    speaker_level = random.uniform(-26, -14)
    while count < seconds * RATE:
        if flavour < 0.5 or (flavour < 0.67 and random.random() < 0.5):
            part = conversation(
                material.utterances, random, random.uniform(1, 8), float(random.choice([0.6, 2, 5]))
            )
            level = speaker_level + random.normal(0, 3)
        else:
            part = _other(material, random, random.uniform(3, 24))
            level = speaker_level + random.normal(0, 8)
        parts.append(at_level(part.samples, level))
        truth.append(part.speech)
        count += len(part.samples)
    whole = round(seconds * RATE) // FRAME
    return Scene(np.concatenate(parts)[: whole * FRAME], np.concatenate(truth)[:whole])


def _other(material: Material, random: np.random.Generator, seconds: float) -> Scene:
    """Something that is not speech."""
    kind = random.random()
    if kind < 0.36 and material.music:
        length = round(seconds * RATE)
        piece = material.music[int(random.integers(len(material.music)))]
        start = int(random.integers(0, max(1, len(piece) - length)))
        return _without_speech(piece[start : start + length])
    if kind < 0.48:
        return _without_speech(music(seconds, RATE, random))
    makers = list((sounds.TONES if kind < 0.66 else sounds.NOISES).values())
    maker = makers[int(random.integers(len(makers)))] if kind < 0.97 else sounds.silence
    return _without_speech(maker(seconds, RATE, random))


def _without_speech(samples: FloatArray | sounds.Samples) -> Scene:
    whole = np.asarray(samples[: len(samples) // FRAME * FRAME], dtype=np.float32)
    return Scene(whole, np.zeros(len(whole) // FRAME, dtype=bool))


def _in_room(samples: FloatArray, random: np.random.Generator) -> FloatArray:
    """Reverberation: the direct sound and an exponential tail."""
    tail = random.standard_normal(round(random.uniform(0.1, 0.5) * RATE))
    tail *= np.exp(-np.linspace(0, 7, len(tail)))
    tail *= random.uniform(0.1, 0.7) / np.sqrt(np.sum(tail**2))
    wet = scipy.signal.oaconvolve(samples, tail)[: len(samples)]
    return np.asarray(samples + wet, dtype=np.float32)


def framed(scene: Scene, settings: FeatureSettings) -> tuple[FloatArray, BoolArray]:
    """The program's frames of a scene and their labels, shapes ``(n, columns)`` and ``(n,)``."""
    frames = frames_of(scene.samples, settings)
    count = min(len(frames), len(scene.speech))
    return frames[:count], scene.speech[:count]


def samples_of(path: Path) -> FloatArray:
    """A recording's samples at ``RATE``, channels mixed.

    Raises:
        RecordingError: for a file that cannot be decoded.
    """
    with AudioReader(str(path)) as reader:
        return np.concatenate(list(reader.blocks(RATE, mix=True)))[:, 0]
