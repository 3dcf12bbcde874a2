from __future__ import annotations

import numpy as np
import pytest

from model_build.dataset import Example, Take, call_of
from model_build.fit import fit_effects, fit_lines, fit_normalisation
from sertag.call_statistics import CallStatistics
from sertag.familiarity import outline
from sertag.features import telephone_bands
from sertag.normalisation import Normalisation
from sertag.types import DoubleArray

from conftest import SETTINGS, made_example, made_take

MELS = SETTINGS.mels
PLAIN = Normalisation(np.zeros(SETTINGS.inputs, dtype=np.float32), np.ones(SETTINGS.inputs, dtype=np.float32))
LOUDER = np.array([6.0, 0.0, -2.0, -4.0])
HIGHER = np.array([0.12, 0.0, -0.04, -0.08])
WIDER = np.array([0.2, 0.1, -0.1, -0.2])
SPEAKERS = 8


def said(speaker: int, emotion: int, clip: int) -> Take:
    """Voices differ by far more than emotions do; every speaker's bands deviate by 8 dB."""
    take = made_take(2.0, level=-10 - 5.0 * speaker + LOUDER[emotion], seed=clip)
    frames, pitch = take.frames.copy(), SETTINGS.pitch
    middle = frames[:, :MELS].mean(axis=0)
    frames[:, :MELS] = middle + (frames[:, :MELS] - middle) * np.float32(np.exp(WIDER[emotion]))
    frames[:, pitch] += np.float32(HIGHER[emotion] + 0.3 * speaker - 1.7)
    return Take(frames, take.speech, CallStatistics.of(frames, take.speech, SETTINGS))


def corpus(left_out: int) -> list[Example]:
    """Every speaker lacks ``left_out`` of the four emotions, others than the next one."""
    return [
        made_example(f"{speaker}", f"{emotion}", emotion, said(speaker, emotion, clip))
        for speaker in range(SPEAKERS)
        for emotion in range(4)
        for clip in range(4)
        if (emotion - speaker) % 4 >= left_out
    ]


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_planted_effects_are_found(left_out: int) -> None:
    effects = fit_effects(corpus(left_out), 4, SETTINGS, PLAIN)
    np.testing.assert_allclose(effects.level, LOUDER, atol=0.05)
    # In deviations of the whole call: 8 dB and a little, since its emotions differ.
    np.testing.assert_allclose(effects.mean[:, :MELS].mean(axis=1) * 8.6, LOUDER, atol=1.0)
    np.testing.assert_allclose(effects.deviation[:, :MELS].mean(axis=1), WIDER, atol=0.01)
    np.testing.assert_allclose(effects.mean[:, SETTINGS.pitch] * 0.21, HIGHER, atol=0.02)


@pytest.mark.parametrize("left_out", [0, 1, 3])
def test_effects_add_up_to_0(left_out: int) -> None:
    effects = fit_effects(corpus(left_out), 4, SETTINGS, PLAIN)
    for of in (effects.mean, effects.level, effects.deviation):
        assert np.isfinite(of).all()
        np.testing.assert_allclose(of.sum(axis=0), 0, atol=1e-9)


def test_a_speaker_with_few_clips_of_an_emotion_does_not_tell_it() -> None:
    heard = corpus(0)
    odd = [made_example("odd", "0", 0, made_take(2.0, level=40.0, seed=clip)) for clip in range(2)]
    even = [made_example("odd", "1", 1, made_take(2.0, level=-30.0, seed=clip)) for clip in range(3)]
    without, with_two = (
        fit_effects(examples, 4, SETTINGS, PLAIN) for examples in (heard + even, heard + even + odd)
    )
    np.testing.assert_allclose(with_two.level, without.level)
    third = [made_example("odd", "0", 0, made_take(2.0, level=40.0, seed=2))]
    assert fit_effects([*heard, *even, *odd, *third], 4, SETTINGS, PLAIN).level[0] > without.level[0] + 1


def test_an_emotion_that_nobody_shows_has_no_effect() -> None:
    effects = fit_effects(corpus(0), 5, SETTINGS, PLAIN)
    assert effects.level.shape == (5,)
    assert np.isfinite(effects.mean).all()
    np.testing.assert_allclose(effects.level.sum(), 0, atol=1e-9)


def test_normalisation_is_mean_and_deviation_relative_to_each_takes_level() -> None:
    takes = [made_take(1.0, level=-20.0, seed=1), made_take(2.0, level=-45.0, seed=2)]
    for take in takes:
        take.frames[::3, SETTINGS.pitch] = 0.0
    takes = [
        Take(take.frames, take.speech, CallStatistics.of(take.frames, take.speech, SETTINGS))
        for take in takes
    ]
    found = fit_normalisation(
        [made_example("a", "angry", 0, takes[0]), made_example("b", "sad", 1, takes[1])], SETTINGS
    )
    frames = np.concatenate([take.frames for take in takes]).astype(float)
    relative = frames[:, :MELS] - frames[:, SETTINGS.level, None]
    pitch = frames[frames[:, SETTINGS.pitch] != 0, SETTINGS.pitch]
    np.testing.assert_allclose(found.mean[:MELS], relative.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(found.deviation[:MELS], relative.std(axis=0), rtol=1e-4)
    assert found.mean[SETTINGS.pitch] == pytest.approx(pitch.mean(), abs=1e-5)
    assert found.deviation[SETTINGS.pitch] == pytest.approx(pitch.std(), abs=1e-5)
    assert found.mean.dtype == found.deviation.dtype == np.float32


def test_normalisation_counts_speech_alone_and_every_take() -> None:
    silent = made_take(5.0, level=-90.0, speech=False)
    one, other = made_take(1.0, voicing=0.4), made_take(1.0, voicing=0.8)
    found = fit_normalisation([made_example("a", "angry", 0, one, other, silent)], SETTINGS)
    assert found.mean[SETTINGS.voicing] == pytest.approx(0.6)
    assert found.deviation[SETTINGS.voicing] == pytest.approx(0.2, abs=1e-4)


BANDS = telephone_bands(SETTINGS)


def caller(speaker: int, *, line: float = 0.0, corpus: str = "any") -> list[Example]:
    """Clips of two emotions, in which bands move otherwise; voices do so too, a line fills their gaps."""
    out = []
    across = np.linspace(-1, 1, BANDS.stop - BANDS.start, dtype=np.float32)
    for clip in range(8):
        take = made_take(2.0, seed=100 * speaker + clip)
        spoken = take.speech.copy()
        spoken[::4] = False
        bands = take.frames[:, BANDS]
        bands[spoken] *= (
            1 + np.float32(0.2 * np.sin(speaker)) * across + np.float32(0.2 * (clip % 2)) * across**2
        )
        bands[~spoken] = take.frames[spoken][:, BANDS].mean() - 20
        bands[~spoken, ::2] += np.float32(line)
        takes = [Take(take.frames, spoken, CallStatistics.of(take.frames, spoken, SETTINGS))] * 2
        out.append(made_example(f"{speaker}", f"{clip % 2}", clip % 2, *takes, corpus=corpus))
    return out


def outlined(clips: list[Example]) -> DoubleArray:
    return outline(call_of([clip.takes[0] for clip in clips]), SETTINGS)


def test_other_voices_and_emotions_are_on_known_lines_and_other_lines_are_not() -> None:
    lines = fit_lines([clip for speaker in range(12) for clip in caller(speaker)], SETTINGS, 1)
    for speaker in (20, 21):
        clips = caller(speaker)
        for call in (clips, clips[::2], clips[1::2]):
            assert lines.familiarity(outlined(call), 30.0) == 1
        assert lines.familiarity(outlined(caller(speaker, line=6.0)), 30.0) == 0
    # A speaker's own line makes all calls on it further off.
    mixed = [clip for speaker in range(12) for clip in caller(speaker, line=9.0 * (speaker == 5))]
    assert (fit_lines(mixed, SETTINGS, 1).spreads > 1.5 * lines.spreads).all()


def test_single_clips_lie_further_off_than_calls_by_what_is_said_in_them() -> None:
    lines = fit_lines([clip for speaker in range(12) for clip in caller(speaker)], SETTINGS, 1)
    clips = [outlined([clip]) for speaker in (20, 21) for clip in caller(speaker)]
    squares = np.mean([lines.distances(clip)[0] ** 2 for clip in clips])
    assert squares > 2 * lines.spreads[0] ** 2
    # Each has a second and a half.
    assert lines.spreads[0] ** 2 + lines.unrests[0] ** 2 / 1.5 == pytest.approx(squares, rel=0.25)


def test_every_corpus_has_a_line_of_its_own_and_one_by_telephone() -> None:
    clips = [clip for corpus in "ab" for speaker in range(3) for clip in caller(speaker, corpus=corpus)]
    lines = fit_lines(clips, SETTINGS, 1)
    size = 3 * (BANDS.stop - BANDS.start)
    assert lines.centres.shape == (4, size)
    assert lines.directions.shape == (16, size)
    np.testing.assert_allclose(lines.directions @ lines.directions.T, np.eye(16), atol=1e-9)
    assert ((lines.excess >= 0) & (lines.excess < 1)).all()


def test_a_single_speaker_is_on_a_known_line() -> None:
    lines = fit_lines(caller(3), SETTINGS, 1)
    assert lines.familiarity(outlined(caller(3)), 16.0) == 1
    assert lines.familiarity(outlined(caller(3, line=9.0)), 16.0) == 0


def test_a_single_clip_makes_a_line() -> None:
    lines = fit_lines(caller(3)[:1], SETTINGS, 1)
    assert lines.familiarity(outlined(caller(3)[:1]), 1.5) == 1
    np.testing.assert_allclose(lines.excess, 0, atol=1e-9)


def test_lines_depend_on_the_seed_alone() -> None:
    clips = [clip for speaker in range(3) for clip in caller(speaker)]
    one, same, other = (fit_lines(clips, SETTINGS, seed) for seed in (1, 1, 2))
    assert (one.spreads.tolist(), one.centres.tolist()) == (same.spreads.tolist(), same.centres.tolist())
    assert one.spreads.tolist() != other.spreads.tolist()


def test_a_small_corpus_of_its_own_line_is_known_too_and_what_lies_between_is_not() -> None:
    many = [clip for speaker in range(12) for clip in caller(speaker)]
    few = [clip for speaker in (12, 13) for clip in caller(speaker, line=12.0, corpus="other")]
    lines = fit_lines([*many, *few], SETTINGS, 1)
    assert lines.familiarity(outlined(caller(20)), 30.0) == 1
    assert lines.familiarity(outlined(caller(21, line=12.0)), 30.0) == 1
    assert lines.familiarity(outlined(caller(21, line=6.0)), 30.0) == 0
    assert fit_lines(many, SETTINGS, 1).familiarity(outlined(caller(21, line=12.0)), 30.0) == 0
