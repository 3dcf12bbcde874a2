"""Sound that the speech gate takes for speech, made of nothing: voices, and calls between two of them."""

from __future__ import annotations

import numpy as np

from sertag.types import DoubleArray, FloatArray

RATE = 16_000
"""Sample rate of the voices in Hz."""

_VOWELS = np.array(
    [(730, 1_090, 2_440), (530, 1_840, 2_480), (270, 2_290, 3_010), (570, 840, 2_410), (300, 870, 2_240)]
)
"""Formants in Hz of the vowels in hot, head, heed, hawed and who'd (Peterson and Barney 1952)."""
_BANDWIDTHS = np.array([140.0, 200.0, 300.0])
_STRENGTHS = np.array([1.0, 0.4, 0.15])
_CYCLE = np.arange(round(0.025 * RATE)) / RATE
_HUM = 0.0005
_LONGEST_TURN = 12.0
_OVERLAP = 0.1


def voice(seconds: float, seed: int) -> FloatArray:
    """A voice that speaks in phrases with short pauses between, at :data:`RATE`; shape ``(n,)``.

    Each cycle of the glottis is a sum of damped formants (Rodet 1984), which glide from vowel to vowel;
    pitch and loudness rise and fall with every syllable, as in no music. Another seed is another voice.
    """
    random = np.random.default_rng(seed)
    pitch, tract = random.uniform(140.0, 230.0), random.uniform(0.9, 1.15)
    out = random.normal(0.0, _HUM, round(seconds * RATE) + RATE)
    at = 0.1
    while at < seconds:
        end = at + random.uniform(1.0, 3.0)
        vowel = tract * random.choice(_VOWELS)
        while at < min(end, seconds):
            at = _consonant(out, at, random)
            before, vowel = vowel, tract * random.choice(_VOWELS)
            at = _glide(out, at, before, vowel, pitch * (1 + 0.1 * (end - at)), random)
        at += random.uniform(0.15, 0.4)
    return np.asarray(out[: round(seconds * RATE)], dtype=np.float32)


def _consonant(out: DoubleArray, at: float, random: np.random.Generator) -> float:
    """Adds a short hiss behind a closure; gives the time in seconds where the vowel begins."""
    at += random.uniform(0.0, 0.06)
    length = random.uniform(0.03, 0.08)
    hiss = random.normal(0.0, random.uniform(0.01, 0.06), round(length * RATE))
    _add(out, at, hiss * np.hanning(len(hiss)))
    return at + 0.8 * length


def _glide(
    out: DoubleArray,
    at: float,
    before: DoubleArray,
    after: DoubleArray,
    pitch: float,
    random: np.random.Generator,
) -> float:
    """Adds a voiced syllable from one vowel to another; gives the time in seconds where it ends."""
    length, stress = random.uniform(0.12, 0.28), random.uniform(0.15, 0.35)
    bend = random.normal(0.0, 0.7)
    done = 0.0
    while done < 1.0:
        formants = before + (after - before) * min(1.0, 2 * done)
        cycle = np.exp(np.outer(_CYCLE, -np.pi * _BANDWIDTHS)) * np.sin(
            np.outer(_CYCLE, 2 * np.pi * formants)
        )
        loudness = stress * min(1.0, 2 * done + 0.02, 2 * (1 - done) + 0.02)
        _add(out, at + done * length, loudness * (cycle @ _STRENGTHS))
        done += 1.0 / (length * pitch * np.exp(bend * done) * random.normal(1.0, 0.01))
    return at + length


def _add(out: DoubleArray, at: float, sound: DoubleArray) -> None:
    place = out[round(at * RATE) :][: len(sound)]
    place += sound[: len(place)]


def call(seconds: float, voices: tuple[FloatArray, FloatArray], seed: int) -> FloatArray:
    """A call in which two voices take turns and fall into each other's words, a channel each.

    Args:
        seconds: length of the call.
        voices: at least a turn of 12 s each, shape ``(n,)``.
        seed: of the turns.

    Returns:
        Shape ``(samples, 2)``; each channel is speech for about half the time.
    """
    random = np.random.default_rng(seed)
    out = random.normal(0.0, _HUM, (round(seconds * RATE), 2)).astype(np.float32)
    at, speaker = 0, 0
    while at < len(out):
        turn = out[at : at + round(random.uniform(2.0, _LONGEST_TURN) * RATE), speaker]
        turn[:] = np.roll(voices[speaker], random.integers(len(voices[speaker])))[: len(turn)]
        at += round((1 - _OVERLAP) * len(turn)) + 1
        speaker = 1 - speaker
    return out
