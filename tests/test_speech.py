from __future__ import annotations

import numpy as np
import pytest

from sertag.features import FeatureSettings, frames_of
from sertag.speech import LOOK_AHEAD, SpeechGate, speech_frames
from sertag.types import BoolArray, FloatArray

from conftest import voice

SETTINGS = FeatureSettings()


def columns(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    frames = frames_of(samples, SETTINGS)
    return frames[:, SETTINGS.level], frames[:, SETTINGS.voicing]


def call() -> tuple[FloatArray, BoolArray]:
    """Stretches of speech and pauses of a few seconds each, and which frames are speech."""
    random = np.random.default_rng(3)
    parts, truth = [], []
    for turn in range(12):
        seconds = float(random.uniform(1.5, 4.0)) // 0.02 * 0.02
        spoken = turn % 2 == 1
        part = voice(seconds, seed=turn) if spoken else np.zeros(round(seconds * 16_000), dtype=np.float32)
        parts.append(part)
        truth.append(np.full(round(len(part) / 320), spoken))
    samples = np.concatenate(parts)
    noise = random.normal(0, 0.001, len(samples)).astype(np.float32)
    return samples + noise, np.concatenate(truth)


def test_finds_speech_between_pauses() -> None:
    samples, truth = call()
    speech = speech_frames(*columns(samples))[: len(truth)]
    assert np.mean(speech[truth]) > 0.9
    assert np.mean(speech[~truth]) < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_is_decided_as_the_whole(seed: int) -> None:
    level, voicing = columns(np.tile(call()[0], 2))
    random = np.random.default_rng(seed)
    gate, parts, at = SpeechGate(), [], 0
    while at < len(level):
        size = int(random.integers(1, 900))
        last = at + size >= len(level)
        parts.append(gate.push(level[at : at + size], voicing[at : at + size], last=last))
        at += size
        assert last or sum(map(len, parts)) >= at - LOOK_AHEAD
    assert np.array_equal(np.concatenate(parts), speech_frames(level, voicing))


@pytest.mark.parametrize("level", [0.0, 0.001, 0.05])
def test_silence_and_steady_noise_are_no_speech(level: float) -> None:
    noise = np.random.default_rng(0).normal(0, level, 160_000).astype(np.float32)
    assert not speech_frames(*columns(noise)).any()


def test_no_frames() -> None:
    nothing = np.zeros(0, dtype=np.float32)
    assert len(speech_frames(nothing, nothing)) == 0
