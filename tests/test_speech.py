from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_build.augment import mu_law
from model_build.melodies import music
from model_build.scenes import at_level, labelled, telephone
from model_build.sounds import NOISES, TONES
from sertag import Tagger
from sertag.audio import AudioReader
from sertag.features import FeatureSettings, frames_of
from sertag.labels import NO_SPEECH
from sertag.speech import CLIP, LOOK_AHEAD, SpeechGate, clip_speech, speech_frames
from sertag.types import BoolArray, FloatArray

from conftest import SAMPLES, write

SETTINGS = FeatureSettings()


def decided(samples: FloatArray) -> BoolArray:
    return speech_frames(frames_of(samples, SETTINGS), SETTINGS)


def spoken() -> FloatArray:
    """Some seconds of a voice, at 16 kHz."""
    with AudioReader(str(SAMPLES / "voice-memo.flac")) as reader:
        return np.concatenate(list(reader.blocks(16_000, mix=True)))[: 6 * 16_000, 0]


def call() -> tuple[FloatArray, BoolArray]:
    """Speech and pauses of three seconds, and which frames are speech."""
    voice = labelled(spoken())
    pause = labelled(np.zeros(3 * 16_000, dtype=np.float32))
    parts = [pause, voice, pause, voice, pause]
    truth = np.concatenate([part.speech for part in parts])
    samples = np.concatenate([part.samples for part in parts])
    noise = np.random.default_rng(3).normal(0, 0.001, len(samples))
    return np.asarray(samples + noise, dtype=np.float32), truth


def frames_of_anything() -> FloatArray:
    """Frames of a minute of speech, music and tones."""
    random = np.random.default_rng(5)
    voice, tune = at_level(spoken(), -25.0), at_level(music(7.0, 16_000, random), -25.0)
    keys = at_level(TONES["DTMF"](6.0, 16_000, random), -25.0)
    parts = [voice, tune, voice, keys, np.zeros(40_000, dtype=np.float32), voice]
    return frames_of(np.tile(np.concatenate(parts), 2), SETTINGS)


def test_finds_speech_between_pauses() -> None:
    samples, truth = call()
    for heard in (samples, telephone(samples)):
        speech = decided(heard)
        assert np.mean(speech[truth]) > 0.95
        assert np.mean(speech[~truth]) < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_is_decided_as_the_whole(seed: int) -> None:
    frames = frames_of_anything()
    random = np.random.default_rng(seed)
    gate, parts, at = SpeechGate(SETTINGS), [], 0
    while at < len(frames):
        size = int(random.integers(1, (40, 300, 900)[seed]))
        last = at + size >= len(frames)
        parts.append(gate.push(frames[at : at + size], last=last))
        at += size
        assert last or sum(map(len, parts)) >= at - LOOK_AHEAD
    assert np.array_equal(np.concatenate(parts), speech_frames(frames, SETTINGS))


def test_what_comes_more_than_two_seconds_later_changes_nothing() -> None:
    assert LOOK_AHEAD * SETTINGS.hop_seconds <= 2.0
    frames = frames_of_anything()
    whole = speech_frames(frames, SETTINGS)
    for cut in range(LOOK_AHEAD, len(frames), 97):
        other = np.concatenate([frames[:cut], frames[cut:][::-1] + 30.0])
        until = cut - LOOK_AHEAD
        assert np.array_equal(speech_frames(other, SETTINGS)[:until], whole[:until])


def test_a_stream_is_kept_only_as_far_as_it_is_needed() -> None:
    gate = SpeechGate(SETTINGS)
    frames = frames_of_anything()
    sizes = []
    for _ in range(4):
        gate.push(frames)
        sizes.append(len(gate._kept))
    assert max(sizes) - min(sizes) <= 256


@pytest.mark.parametrize("gain", [-30.0, -18.0, 6.0])
def test_gain_decides_nothing(gain: float) -> None:
    samples, _ = call()
    loud, quiet = decided(samples), decided(np.asarray(samples * 10 ** (gain / 20), dtype=np.float32))
    assert np.mean(loud != quiet) < 0.01


def test_quiet_speech_is_speech() -> None:
    voice = spoken()
    there = np.mean(decided(voice))
    assert np.mean(decided(at_level(voice, -50.0))) > 0.8 * there


@pytest.mark.parametrize("silent", ["digital", "one bit", "mu-law"])
def test_silence_is_no_speech(silent: str) -> None:
    samples = np.zeros(160_000, dtype=np.float32)
    if silent == "one bit":
        samples = np.random.default_rng(0).integers(-1, 2, len(samples)).astype(np.float32) / 32_768
    elif silent == "mu-law":
        samples = mu_law(samples)
    assert not decided(samples).any()


def muffled(noise: str, seconds: float, louder: float) -> tuple[FloatArray, FloatArray]:
    """A soft voice in noise that is so many dB louder, and the noise alone."""
    voice = at_level(np.tile(spoken(), 2)[: int(seconds * 16_000)], -45.0)
    random = np.random.default_rng(1)
    alone = at_level(NOISES[noise](seconds, 16_000, random)[: len(voice)], louder - 45.0)
    return np.asarray(voice + alone, dtype=np.float32), alone


@pytest.mark.parametrize(("noise", "louder"), [("room", 10.0), ("brown", 15.0), ("pink", 10.0)])
def test_a_soft_voice_in_a_clip_is_looked_for_in_the_telephone_band(noise: str, louder: float) -> None:
    for samples, least, most in zip(muffled(noise, 3.5, louder), (0.4, 0.0), (1.0, 0.02), strict=True):
        frames = frames_of(samples, SETTINGS)
        assert np.mean(speech_frames(frames, SETTINGS)) < 0.1
        assert least <= np.mean(clip_speech(samples, 16_000, frames, SETTINGS)) <= most


def test_only_clips_are_looked_at_twice(tmp_path: Path, tagger: Tagger) -> None:
    longest = CLIP * SETTINGS.hop_length
    for extra, found in ((0, True), (1, False)):
        samples, _ = muffled("brown", (longest + extra + 0.5) / 16_000, 15.0)
        frames = frames_of(samples, SETTINGS)
        assert (
            np.any(clip_speech(samples, 16_000, frames, SETTINGS) & ~speech_frames(frames, SETTINGS)) == found
        )
        [channel] = tagger.tag(write(tmp_path / "clip.wav", samples)).channels
        assert (channel.windows[0].emotion != NO_SPEECH) == found


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger()


@pytest.mark.parametrize("name", [*TONES, *NOISES, "music"])
def test_tones_noise_and_music_are_no_speech(tmp_path: Path, tagger: Tagger, name: str) -> None:
    makers = TONES | NOISES | {"music": music}
    flags = []
    for seed in (77, 78, 79):
        heard = telephone(at_level(makers[name](12.0, 16_000, np.random.default_rng(seed)), -20.0))
        timeline = tagger.tag(write(tmp_path / f"{seed}.wav", heard))
        flags += [window.emotion == NO_SPEECH for window in timeline.channels[0].windows]
    assert np.mean(flags) >= 0.85


def test_other_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="other feature settings"):
        SpeechGate(FeatureSettings(mels=40))


def test_no_frames() -> None:
    assert len(speech_frames(np.zeros((0, SETTINGS.columns), dtype=np.float32), SETTINGS)) == 0
