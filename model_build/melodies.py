"""Something like music, synthesised: chords, arpeggios, a melody with vibrato, bass and drums."""

from __future__ import annotations

import numpy as np
import scipy.signal

from model_build.sounds import Samples

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 6, 7, 10))


def music(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Some bars of made-up music, loudest sample 1."""
    out = np.zeros(round(seconds * rate))
    beat = 60.0 / random.uniform(60, 170)
    scale = _SCALES[int(random.integers(len(_SCALES)))]
    key = float(random.uniform(-6, 6))
    layers = random.random(5) < (0.6, 0.45, 0.7, 0.5, 0.45)
    if not layers[:3].any():
        layers[int(random.integers(3))] = True
    voices = [_Instrument(random) for _ in range(4)]
    degree = 0
    for bar in np.arange(0.0, seconds, 4 * beat):
        root = int(random.choice([0, 0, 3, 4, 5]))
        chord = [
            key + _note(scale, root + step) for step in (0, 2, 4, *((6,) if random.random() < 0.3 else ()))
        ]
        if layers[0]:
            for pitch in chord:
                voices[0].play(out, rate, bar, 4 * beat, pitch, 0.3)
        if layers[1]:
            for number in range(16):
                pitch = chord[number % len(chord)] + 12 * (number // len(chord) % 2)
                voices[1].play(out, rate, bar + number * beat / 4, beat / 4, pitch, 0.4)
        if layers[2]:
            degree = _tune(out, rate, (bar, beat), (voices[2], scale, key, degree), random)
        if layers[3]:
            for number in range(4):
                voices[3].play(out, rate, bar + number * beat, beat, chord[0] - 24, 0.6)
        if layers[4]:
            _drums(out, rate, bar, beat, random)
    if random.random() < 0.4:
        tail = random.standard_normal(round(rate * random.uniform(0.2, 1.2)))
        tail *= np.exp(-np.linspace(0, 7, len(tail)))
        out += random.uniform(0.02, 0.15) * scipy.signal.oaconvolve(out, tail)[: len(out)]
    return np.asarray(out / max(float(np.max(np.abs(out))), 1e-9))


class _Instrument:
    """A timbre: harmonics, attack, decay and vibrato."""

    def __init__(self, random: np.random.Generator) -> None:
        count = int(random.integers(1, 16))
        slope = random.uniform(0.4, 2.5)
        self._harmonics = np.arange(1, count + 1) ** -slope * random.uniform(0.3, 1.0, count)
        if random.random() < 0.25:
            self._harmonics[1::2] = 0.0
        self._attack = random.uniform(0.003, 0.12)
        self._decay = random.uniform(0.15, 6.0)
        self._vibrato = random.uniform(0.0, 0.5) * (random.random() < 0.5)
        self._speed = random.uniform(3.5, 7.5)
        self._detune = random.uniform(0, 0.004)

    def play(self, out: Samples, rate: int, start: float, length: float, pitch: float, gain: float) -> None:
        """Adds a note; ``start`` and ``length`` in seconds, ``pitch`` in semitones from A3."""
        at = round(start * rate)
        time = np.arange(min(round((length + 0.1) * rate), len(out) - at)) / rate
        if not len(time):
            return
        bend = self._vibrato * np.sin(2 * np.pi * self._speed * time)
        phase = 2 * np.pi * np.cumsum(220.0 * 2.0 ** ((pitch + bend) / 12)) / rate
        audible = int(0.45 * rate / (220.0 * 2.0 ** (pitch / 12)))
        tone = sum(
            weight * (np.sin(k * phase) + np.sin(k * phase * (1 + self._detune)))
            for k, weight in enumerate(self._harmonics[:audible], start=1)
        )
        envelope = np.minimum(time / self._attack, 1.0) * np.exp(-time / self._decay)
        envelope *= np.clip((length + 0.1 - time) / 0.1, 0.0, 1.0)
        out[at : at + len(time)] += gain * envelope * tone


def _tune(
    out: Samples,
    rate: int,
    time: tuple[float, float],
    melody: tuple[_Instrument, tuple[int, ...], float, int],
    random: np.random.Generator,
) -> int:
    """Adds a bar of a tune that wanders; the degree of the scale where it ends."""
    (bar, beat), (voice, scale, key, degree) = time, melody
    at = 0.0
    while at < 4:
        length = float(random.choice([0.25, 0.5, 0.5, 1.0, 1.0, 2.0]))
        degree = int(np.clip(degree + random.integers(-2, 3), -4, 11))
        if random.random() < 0.9:
            voice.play(out, rate, bar + at * beat, length * beat, key + 12 + _note(scale, degree), 0.8)
        at += length
    return degree


def _note(scale: tuple[int, ...], degree: int) -> float:
    octave, step = divmod(degree, len(scale))
    return 12.0 * octave + scale[step]


def _drums(out: Samples, rate: int, bar: float, beat: float, random: np.random.Generator) -> None:
    for number in range(8):
        at = round((bar + number * beat / 2) * rate)
        time = np.arange(min(round(0.15 * rate), max(len(out) - at, 0))) / rate
        hit = 0.25 * random.standard_normal(len(time)) * np.exp(-time * 60)
        if number % 4 == 0:
            hit += np.sin(2 * np.pi * (50 * time + 3 * (1 - np.exp(-time * 30)))) * np.exp(-time * 20)
        elif number % 4 == 2:
            hit += 0.7 * random.standard_normal(len(time)) * np.exp(-time * 25)
        out[at : at + len(time)] += hit
