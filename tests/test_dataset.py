from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soxr

from model_build.corpora import Utterance, read_corpora
from model_build.dataset import (
    CLEAN,
    FIRST_SESSION,
    TELEPHONE,
    Example,
    Take,
    Windower,
    _for_a_session,
    _noisy_takes,
    _takes,
    make_examples,
)
from model_build.scenes import at_level
from sertag.adaptation import Call
from sertag.errors import RecordingError
from sertag.features import mel_filters
from sertag.normalisation import Normalisation
from sertag.speech import speech_frames
from sertag.types import FloatArray

from conftest import SETTINGS, made_take, voice, write

LABELS = ("angry", "sad")
SESSIONS = 3
HISS = np.random.default_rng(0).normal(0, 0.01, 32_000).astype(np.float32)


def rich() -> FloatArray:
    """A clip at 44.1 kHz."""
    samples = voice(1.5, rate=44_100, pitch=180.0, seed=3)
    return samples + np.random.default_rng(1).normal(0, 0.015, len(samples)).astype(np.float32)


def examples(utterances: Sequence[Utterance], seed: int = 0) -> list[Example | RecordingError]:
    return list(make_examples(utterances, LABELS, SETTINGS, sessions=SESSIONS, seed=seed, workers=1))


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> tuple[Utterance, ...]:
    """Two actors who say two of their clips in exactly the same way; one clip is none."""
    folder = tmp_path_factory.mktemp("ravdess")
    for actor, pitch in (("01", 120.0), ("02", 230.0)):
        for emotion in ("05", "04"):
            write(folder / f"03-01-{emotion}-01-01-01-{actor}.wav", voice(2.0, pitch=pitch) + HISS)
    high = rich()
    write(folder / "03-01-04-01-02-02-02.wav", np.stack([high, high], axis=1), 44_100)
    (folder / "03-01-05-01-02-01-01.wav").write_text("no audio\n" * 100)
    return read_corpora([folder]).utterances


@pytest.fixture(scope="module")
def made(utterances: tuple[Utterance, ...]) -> dict[str, Example]:
    return {found.utterance.path.stem: found for found in examples(utterances) if isinstance(found, Example)}


def level(take: Take) -> float:
    return take.statistics.level


def test_a_recording_that_cannot_be_read_is_told_and_the_others_stay(
    utterances: tuple[Utterance, ...], made: dict[str, Example]
) -> None:
    found = examples(utterances)
    (error,) = (each for each in found if isinstance(each, RecordingError))
    assert error.code == "not_audio"
    assert "03-01-05-01-02-01-01.wav: " in error.message
    assert len(made) == len(utterances) - 1 == len(found) - 1
    # It moves nobody's takes to somebody else.
    own = Take.of(voice(2.0, pitch=120.0) + HISS, SETTINGS)
    clean = made["03-01-05-01-01-01-01"].takes[CLEAN]
    assert clean.frames.shape == own.frames.shape
    np.testing.assert_allclose(clean.frames[:, : SETTINGS.mels], own.frames[:, : SETTINGS.mels], atol=1)
    assert clean.speech.mean() == pytest.approx(own.speech.mean(), abs=0.02)


def test_an_example_has_its_takes_and_its_class(made: dict[str, Example]) -> None:
    for name, example in made.items():
        assert len(example.takes) == FIRST_SESSION + SESSIONS
        assert LABELS[example.target] == example.utterance.emotion == {"5": "angry", "4": "sad"}[name[7]]
        assert example.has_speech
        for take in example.takes:
            assert len(take.frames) == len(take.speech)
            assert take.frames.shape[1] == SETTINGS.columns
            assert take.statistics.counts[0] == np.count_nonzero(take.speech) > 30


def test_a_take_in_noise_is_still_what_the_teacher_heard() -> None:
    own = replace(Take.of(voice(2.0) + HISS, SETTINGS), heard=np.ones(3, dtype=np.float16))
    louder = own.frames.copy()
    louder[:, : SETTINGS.mels] += 6.0
    louder[:, SETTINGS.level] += 6.0
    noisy = own.replaced(louder, SETTINGS)
    assert np.array_equal(noisy.heard, own.heard)
    assert np.array_equal(noisy.frames, louder)
    assert level(noisy) == pytest.approx(level(own) + 6.0, abs=0.5)
    assert np.mean(noisy.speech == own.speech) > 0.95


def test_a_telephone_take_has_nothing_above_4_khz(made: dict[str, Example]) -> None:
    lowest = np.argmax(mel_filters(SETTINGS) > 0, axis=0) * SETTINGS.sample_rate / SETTINGS.fft_length
    above = np.flatnonzero(lowest > 4_200)
    assert len(above) > 5
    for example in made.values():
        clean, telephone = (example.takes[take].frames for take in (CLEAN, TELEPHONE))
        assert telephone[:, above].mean() < clean[:, above].mean() - 25
        np.testing.assert_allclose(telephone[:, 5:30].mean(), clean[:, 5:30].mean(), atol=3)


def test_a_take_to_be_measured_in_noise_is_what_a_file_of_it_would_give(
    utterances: tuple[Utterance, ...], made: dict[str, Example]
) -> None:
    gains = []
    for name, example in made.items():
        assert example.noisy is not None
        bands = slice(0, SETTINGS.mels)
        clean, noisy = example.takes[CLEAN].frames[:, bands], example.noisy.frames[:, bands]
        assert noisy.shape == clean.shape
        assert noisy.mean() > clean.mean(), name
        gains.append(noisy.mean(axis=0) - clean.mean(axis=0))
    # Each speaker is in a noise of his own.
    same = np.abs(gains[0] - gains[1]).mean()
    assert same < np.abs(gains[0] - gains[-1]).mean()
    # Whatever the seed, and whoever else is there.
    last = max(utterance.speaker for utterance in utterances)
    alone = [utterance for utterance in utterances if utterance.speaker == last]
    others = [found for found in examples(alone, seed=1) if isinstance(found, Example)]
    assert others
    for found in others:
        known = made[found.utterance.path.stem].noisy
        assert known is not None
        assert found.noisy is not None
        assert np.array_equal(known.frames, found.noisy.frames)
        assert np.array_equal(known.speech, found.noisy.speech)


def test_a_soft_clip_in_noise_is_looked_at_twice() -> None:
    loud = at_level(voice(2.0, pitch=120.0), -20.0)
    soft = at_level(voice(2.0, pitch=120.0, seed=1), -46.0)
    clean = [Take.of(clip, SETTINGS) for clip in (loud, soft)]
    twice = 0
    for number in range(8):
        one = Utterance(Path("a.wav"), "made", f"made {number}", "sad")
        _, noisy = _noisy_takes([loud, soft], clean, SETTINGS, one)
        assert noisy is not None
        once = speech_frames(noisy.frames, SETTINGS)
        assert np.all(noisy.speech >= once)
        twice += noisy.speech.sum() > once.sum()
    assert twice


def test_what_nobody_labelled_is_not_measured(utterances: tuple[Utterance, ...]) -> None:
    unlabelled = [replace(utterance, emotion="") for utterance in utterances]
    assert all(found.noisy is None for found in examples(unlabelled) if isinstance(found, Example))
    silent = np.zeros(32_000, dtype=np.float32)
    assert _noisy_takes([silent], [Take.of(silent, SETTINGS)], SETTINGS, utterances[0]) == [None]


def test_a_session_has_one_line(made: dict[str, Example]) -> None:
    first, second = (made[f"03-01-0{emotion}-01-01-01-01"] for emotion in "54")
    assert np.array_equal(first.takes[CLEAN].frames, second.takes[CLEAN].frames)
    changes = []
    for take in range(FIRST_SESSION, FIRST_SESSION + SESSIONS):
        assert not np.array_equal(first.takes[take].frames, first.takes[CLEAN].frames)
        assert level(first.takes[take]) == pytest.approx(level(second.takes[take]), abs=0.8)
        changes.append(level(first.takes[take]))
    assert np.ptp(changes) > 2


def test_another_speaker_is_in_another_session(made: dict[str, Example]) -> None:
    changes = [
        [level(made[f"03-01-05-01-01-01-{actor}"].takes[take]) for actor in ("01", "02")]
        for take in (CLEAN, *range(FIRST_SESSION, FIRST_SESSION + SESSIONS))
    ]
    clean, *sessions = (one - other for one, other in changes)
    assert max(abs(gap - clean) for gap in sessions) > 2


def test_neither_the_order_nor_the_run_changes_anything(
    utterances: tuple[Utterance, ...], made: dict[str, Example]
) -> None:
    again = [found for found in examples(utterances[::-1]) if isinstance(found, Example)]
    assert len(again) == len(made)
    for example in again:
        for one, other in zip(example.takes, made[example.utterance.path.stem].takes, strict=True):
            assert one.frames.tobytes() == other.frames.tobytes()
            assert one.speech.tobytes() == other.speech.tobytes()


def test_another_seed_gives_other_sessions_only(
    utterances: tuple[Utterance, ...], made: dict[str, Example]
) -> None:
    for example in (found for found in examples(utterances, seed=1) if isinstance(found, Example)):
        same = [
            np.array_equal(one.frames, other.frames)
            for one, other in zip(example.takes, made[example.utterance.path.stem].takes, strict=True)
        ]
        assert same == [True, True] + [False] * SESSIONS


@pytest.mark.parametrize("seconds", [1.0, 3.0, 7.0])
def test_windows_for_training_have_the_networks_shape_and_vary(seconds: float) -> None:
    take = made_take(seconds)
    plain = Normalisation(
        np.zeros(SETTINGS.inputs, dtype=np.float32), np.ones(SETTINGS.inputs, dtype=np.float32)
    )
    windower = Windower(SETTINGS, plain, 150)
    before = take.frames.copy()
    caller = Call(take.statistics.voice(plain.mean, plain.deviation), 0.5, 1.0)
    one, same, other = np.full((3, 150, SETTINGS.inputs, 2), np.nan, dtype=np.float32)
    for out, seed in ((one, 1), (same, 1), (other, 2)):
        windower.random_window(out, take, caller, np.random.default_rng(seed))
    assert np.isfinite(one).all()
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.array_equal(take.frames, before)


def test_what_is_masked_is_masked_in_both_views() -> None:
    take = made_take(3.0)
    plain = Normalisation(
        np.full(SETTINGS.inputs, 7, dtype=np.float32), np.ones(SETTINGS.inputs, dtype=np.float32)
    )
    windower = Windower(SETTINGS, plain, 150)
    caller = Call(take.statistics.voice(plain.mean, plain.deviation), 0.5, 1.0)
    shares = []
    for seed in range(20):
        window = np.full((150, SETTINGS.inputs, 2), np.nan, dtype=np.float32)
        windower.random_window(window, take, caller, np.random.default_rng(seed))
        masked = window == 0
        assert np.array_equal(masked[..., 0], masked[..., 1])
        shares.append(masked.mean())
    assert 0.05 < np.mean(shares) < 0.5


def test_a_file_of_another_rate_is_read_at_the_features(made: dict[str, Example]) -> None:
    samples = soxr.resample(rich(), 44_100, SETTINGS.sample_rate)
    own = Take.of(samples, SETTINGS).frames
    found = made["03-01-04-01-02-02-02"].takes[CLEAN].frames
    assert len(found) == len(own)
    loud = own[:, : SETTINGS.mels] > -60
    np.testing.assert_allclose(found[:, : SETTINGS.mels][loud], own[:, : SETTINGS.mels][loud], atol=1)


def test_a_speaker_of_many_minutes_is_read_in_several_sessions(
    utterances: tuple[Utterance, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All versions of all clips at once would fill the memory."""
    group = [item for item in utterances if item.speaker == "RAVDESS 02"]

    def takes() -> list[tuple[Take, ...]]:
        seed = np.random.SeedSequence(0)
        read = _takes(group, seed, settings=SETTINGS, sessions=SESSIONS, teacher=False)
        return [result[0] for result in read if not isinstance(result, RecordingError)]

    whole = takes()
    monkeypatch.setattr("model_build.dataset._SESSION_SECONDS", 4)
    parts = takes()
    assert len(whole) == len(parts) == len(group) == 3
    for one, other in zip(whole, parts, strict=True):
        for take in (CLEAN, TELEPHONE):
            assert np.array_equal(one[take].frames, other[take].frames)
    clips = [np.zeros(count, dtype=np.float32) for count in (3, 2, 5, 9, 1)]
    assert [len(some) for some in _for_a_session(clips, rate=1)] == [1, 1, 1, 1, 1]
    monkeypatch.setattr("model_build.dataset._SESSION_SECONDS", 10)
    assert [len(some) for some in _for_a_session(clips, rate=1)] == [3, 2]
