from __future__ import annotations

import numpy as np
import pytest

from sertag.adaptation import Call
from sertag.call_statistics import RANGE, Voice
from sertag.features import FeatureSettings, frames_of
from sertag.normalisation import VIEWS, Normalisation
from sertag.speech import speech_frames
from sertag.types import FloatArray

from conftest import network_input, voice

SETTINGS = FeatureSettings()
PLAIN = Normalisation(np.zeros(SETTINGS.inputs, dtype=np.float32), np.ones(SETTINGS.inputs, dtype=np.float32))
OTHER = Normalisation(
    np.linspace(-60, -20, SETTINGS.inputs, dtype=np.float32),
    np.linspace(5, 15, SETTINGS.inputs, dtype=np.float32),
)


def someone(trust: float) -> Call:
    voice = Voice(-25.0, np.linspace(-40, -30, SETTINGS.inputs), np.linspace(9, 8, SETTINGS.inputs), 60.0)
    return Call(voice, trust, 1.0)


def views(frames: FloatArray, caller: Call | None, normalisation: Normalisation = OTHER) -> FloatArray:
    speech = np.ones(len(frames), dtype=bool)
    return network_input(normalisation, frames, speech, len(frames), caller)


def test_gain_does_not_matter_to_the_first_view() -> None:
    samples = voice(2.0)
    inputs = []
    for gain in (0.25, 1.0):
        frames = frames_of(samples * np.float32(gain), SETTINGS)
        speech = speech_frames(frames, SETTINGS)
        inputs.append(network_input(PLAIN, frames, speech, 150)[..., 0])
    assert np.mean(np.abs(inputs[0] - inputs[1]) < 0.05) > 0.99


def test_padding_is_silence() -> None:
    frames = frames_of(voice(1.0), SETTINGS)
    out = network_input(PLAIN, frames, np.ones(len(frames), dtype=bool), 150, someone(0.5))
    assert out.shape == (150, SETTINGS.inputs, VIEWS)
    assert (out[len(frames) :, : SETTINGS.mels] == -RANGE).all()
    assert (out[len(frames) :, SETTINGS.mels :] == 0).all()
    assert (out[: len(frames), : SETTINGS.mels] > -RANGE).any()


def test_input_is_left_alone() -> None:
    frames, caller = frames_of(voice(1.0), SETTINGS), someone(0.5)
    before, mean = frames.copy(), caller.voice.mean.copy()
    network_input(PLAIN, frames, np.zeros(len(frames), dtype=bool), 150, caller)
    assert np.array_equal(frames, before)
    assert np.array_equal(caller.voice.mean, mean)


def test_without_a_call_both_views_are_the_same() -> None:
    out = views(frames_of(voice(1.0), SETTINGS), None)
    assert np.array_equal(out[..., 0], out[..., 1])


def test_the_second_view_follows_the_voice_as_far_as_it_is_trusted() -> None:
    frames = frames_of(voice(1.0), SETTINGS)
    alone, nothing, half, fully = (
        views(frames, caller) for caller in (None, someone(0), someone(0.5), someone(1))
    )
    for out in (nothing, half, fully):
        assert np.array_equal(out[..., 0], alone[..., 0])
    np.testing.assert_allclose(nothing[..., 1], alone[..., 1], atol=1e-4)
    caller, mels = someone(1).voice, SETTINGS.mels
    expected = (frames[:, :mels] - caller.level - caller.mean[:mels]) / caller.deviation[:mels]
    # What is much softer counts as silence.
    heard = frames[:, :mels] > -90
    np.testing.assert_allclose(fully[:, :mels, 1][heard], expected[heard], atol=1e-3)
    between = (alone[..., 1] < half[..., 1]) == (half[..., 1] < fully[..., 1])
    voiced = frames[:, SETTINGS.pitch] != 0
    assert between[voiced].all()


def test_unvoiced_frames_have_no_pitch_in_either_view() -> None:
    frames = frames_of(voice(1.0), SETTINGS)
    frames[:10, SETTINGS.pitch] = 0.0
    out = views(frames, someone(1))
    assert (out[:10, SETTINGS.pitch] == 0).all()
    voiced = frames[:, SETTINGS.pitch] != 0
    assert (out[voiced, SETTINGS.pitch] != 0).all()


@pytest.mark.parametrize("speaking", [slice(0, 20), slice(20, 50)])
def test_the_level_is_that_of_the_speech(speaking: slice) -> None:
    frames = np.zeros((50, SETTINGS.columns), dtype=np.float32)
    frames[:20, SETTINGS.level], frames[20:, SETTINGS.level] = -20.0, -40.0
    speech = np.zeros(50, dtype=bool)
    speech[speaking] = True
    out = network_input(PLAIN, frames, speech, 50)
    assert out[0, 0, 0] == pytest.approx(-frames[speaking.start, SETTINGS.level], abs=1e-4)
