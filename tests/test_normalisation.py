from __future__ import annotations

import numpy as np

from sertag.features import FeatureSettings, frames_of
from sertag.normalisation import RANGE, Normalisation, relative_frames
from sertag.speech import speech_frames

from conftest import voice

SETTINGS = FeatureSettings()
PLAIN = Normalisation(np.zeros(SETTINGS.inputs, dtype=np.float32), np.ones(SETTINGS.inputs, dtype=np.float32))


def test_gain_does_not_matter() -> None:
    samples = voice(2.0)
    inputs = []
    for gain in (0.25, 1.0):
        frames = frames_of(samples * np.float32(gain), SETTINGS)
        speech = speech_frames(frames, SETTINGS)
        inputs.append(relative_frames(frames, speech, SETTINGS))
    assert np.mean(np.abs(inputs[0] - inputs[1]) < 0.05) > 0.99


def test_padding_is_silence() -> None:
    frames = frames_of(voice(1.0), SETTINGS)
    out = PLAIN.network_input(frames, np.ones(len(frames), dtype=bool), 150, SETTINGS)
    assert out.shape == (150, SETTINGS.inputs)
    assert (out[len(frames) :, : SETTINGS.mels] == -RANGE).all()
    assert (out[len(frames) :, SETTINGS.mels :] == 0).all()
    assert (out[: len(frames), : SETTINGS.mels] > -RANGE).any()


def test_input_is_left_alone() -> None:
    frames = frames_of(voice(1.0), SETTINGS)
    before = frames.copy()
    PLAIN.network_input(frames, np.zeros(len(frames), dtype=bool), 150, SETTINGS)
    assert np.array_equal(frames, before)
