from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_build.dataset import CLEAN, TELEPHONE, Example, Take, by_speaker
from model_build.predict import (
    ADAPTED,
    ONE_CLIP,
    answers,
    listen,
    predict,
    predict_all,
    probabilities_alone,
    probabilities_of,
    windows_of,
)
from sertag.call_statistics import CallStatistics
from sertag.listener import Calibration, Listener
from sertag.types import FloatArray

from conftest import SETTINGS, Counting, made_example, made_take, plain_listener

LABELS = ("angry", "happy", "sad")
WARM = Calibration(1.5, 1.5, 1.2, 4.0 * np.eye(3), np.zeros(3))


def by_voicing(inputs: FloatArray) -> FloatArray:
    """Angry where the voicing is high, sad where it is low; the second view has little to say."""
    known = 8 * (inputs[..., SETTINGS.voicing, :].max(axis=1) - np.float32(0.5))
    return np.stack([known[:, 0], known[:, 1] / 4 - 1, -known[:, 0]], axis=1)


def listener() -> Listener:
    return plain_listener(by_voicing, 3, WARM)


def clip(speaker: str, emotion: str, seed: int, *, seconds: float = 2.0, speech: bool = True) -> Example:
    voicing = {"angry": 0.9, "happy": 0.5, "sad": 0.1}[emotion]
    clean, telephone, noisy = (
        made_take(seconds, voicing=voicing + gap, seed=seed, speech=speech) for gap in (0.0, 0.05, 0.1)
    )
    return replace(made_example(speaker, emotion, LABELS.index(emotion), clean, telephone), noisy=noisy)


CORPUS = [
    clip(speaker, emotion, 10 * number + turn)
    for turn in range(4)
    for number, speaker in enumerate(("ann", "bob"))
    for emotion in ("angry", "sad")
]


def test_windows_are_those_of_run_time() -> None:
    assert [window.start for window in windows_of(made_take(6.0), 150)] == [0, 75, 150]
    assert [len(window.frames) for window in windows_of(made_take(3.5), 150)] == [150, 100]
    assert windows_of(made_take(6.0, speech=False), 150) == []


def test_one_clip_at_a_time_hears_nothing_of_the_others() -> None:
    everybody = predict(listener(), CORPUS, LABELS, CLEAN, adapted=False)
    some = predict(listener(), CORPUS[3:5], LABELS, CLEAN, adapted=False)
    assert everybody.utterances == tuple(example.utterance for example in CORPUS)
    assert np.array_equal(some.probabilities, everybody.probabilities[3:5])
    np.testing.assert_allclose(everybody.probabilities.sum(axis=1), 1)


def test_all_clips_of_a_speaker_are_one_call() -> None:
    found = predict(listener(), CORPUS, LABELS, CLEAN, adapted=True)
    for speaker, clips in by_speaker(CORPUS).items():
        rows = [row for row, item in enumerate(found.utterances) if item.speaker == speaker]
        call = listen(listener(), [example.takes[CLEAN] for example in clips])
        assert [found.utterances[row] for row in rows] == [example.utterance for example in clips]
        np.testing.assert_allclose(found.probabilities[rows], probabilities_of(call, WARM))
    alone = predict(listener(), CORPUS, LABELS, CLEAN, adapted=False)
    rows = [alone.utterances.index(item) for item in found.utterances]
    assert not np.allclose(found.probabilities, alone.probabilities[rows], atol=0.001)
    assert (found.predicted == found.targets).all()
    ann = predict(listener(), CORPUS[::2], LABELS, CLEAN, adapted=True)
    assert {item.speaker for item in ann.utterances} == {"made ann", "made bob"}


def test_a_call_is_trusted_as_far_as_it_speaks() -> None:
    clips = [made_take(4.0), made_take(6.0, seed=1), made_take(10.0, speech=False)]
    short, speech, whole = (
        [clip.heard.trust for clip in listen(listener(), clips[:count])] for count in (1, 2, 3)
    )
    assert 0 < short[0] < speech[0]
    assert whole == [speech[0]] * 3


def test_a_call_is_its_clips_one_after_the_other() -> None:
    clips = [made_take(4.0, voicing=0.9), made_take(2.5, voicing=0.1, seed=1), made_take(1.0, seed=2)]
    starts = np.cumsum([0, *(len(take.frames) for take in clips)])
    windows = [
        replace(window, start=window.start + int(start))
        for take, start in zip(clips, starts, strict=False)
        for window in windows_of(take, 150)
    ]
    statistics = sum((take.statistics for take in clips[1:]), start=clips[0].statistics)
    call = listen(listener(), clips)
    assert [len(clip.heard.logits) for clip in call] == [2, 1, 1]
    expected = listener().listen(windows, statistics)
    assert np.array_equal(np.concatenate([clip.heard.logits for clip in call]), expected.logits)


def test_a_clip_is_the_mean_of_its_windows_by_their_length() -> None:
    loud, soft = made_take(1.5, voicing=0.9), made_take(2.0, voicing=0.1)
    frames = np.concatenate([loud.frames, soft.frames])
    speech = np.concatenate([loud.speech, soft.speech])
    take = Take(frames, speech, CallStatistics.of(frames, speech, SETTINGS))
    (heard,) = listen(listener(), [take], adapted=False)
    assert heard.heard.trust == 0
    assert heard.durations.tolist() == [150, 100]
    assert heard.weights.tolist() == pytest.approx([1, 25 / 150])
    windows = np.exp(heard.heard.logits / 1.5)
    windows /= windows.sum(axis=1, keepdims=True)
    assert not np.allclose(windows[0], windows[1], atol=0.1)
    expected = (150 * windows[0] + 100 * windows[1]) / 250
    np.testing.assert_allclose(probabilities_alone([heard], 1.5)[0], expected)


def test_a_clip_in_which_nobody_is_heard_is_wrong() -> None:
    mute = clip("ann", "sad", 99, speech=False)
    for adapted in (False, True):
        found = predict(listener(), [CORPUS[0], mute, CORPUS[1]], LABELS, CLEAN, adapted=adapted)
        assert found.heard.tolist() == [True, False, True]
        assert found.predicted.tolist() == [0, len(LABELS), 2]
        assert (found.probabilities[1] == 0).all()
    nobody = predict(listener(), [mute], LABELS, CLEAN, adapted=True)
    assert nobody.predicted.tolist() == [len(LABELS)]


def test_a_corpus_has_no_labels_but_its_own_to_choose_from() -> None:
    other = made_example("cy", "happy", 1, made_take(2.0, voicing=0.9), corpus="other")
    found = predict(listener(), [*CORPUS, other], LABELS, CLEAN, adapted=False)
    made = found.among("made")
    assert made.labels == ("angry", "sad")
    assert len(made.utterances) == len(CORPUS)
    np.testing.assert_allclose(made.probabilities.sum(axis=1), 1)
    kept = found.probabilities[: len(CORPUS), [0, 2]]
    np.testing.assert_allclose(made.probabilities, kept / kept.sum(axis=1, keepdims=True))
    assert made.targets.tolist() == [example.target // 2 for example in CORPUS]
    alone = found.among("other")
    assert (alone.labels, alone.predicted.tolist()) == (("happy",), [0])


def test_an_answer_to_silence_is_none_of_the_labels() -> None:
    assert answers(np.array([[0.2, 0.8], [0.0, 0.0], [0.6, 0.4]])).tolist() == [1, 2, 0]


def test_predictions_add_up() -> None:
    first, second = (
        predict(listener(), part, LABELS, CLEAN, adapted=False) for part in (CORPUS[:5], CORPUS[5:])
    )
    both = predict(listener(), CORPUS, LABELS, CLEAN, adapted=False)
    assert (first + second).utterances == both.utterances
    assert np.array_equal((first + second).probabilities, both.probabilities)


def test_every_mode_and_condition_is_predicted() -> None:
    observer = Counting()
    found = predict_all(listener(), CORPUS, LABELS, observer)
    assert list(found) == [
        (ONE_CLIP, "clean"),
        (ONE_CLIP, "telephone"),
        (ONE_CLIP, "noise"),
        (ADAPTED, "clean"),
        (ADAPTED, "telephone"),
        (ADAPTED, "noise"),
    ]
    assert observer.steps == 6
    expected = predict(listener(), CORPUS, LABELS, TELEPHONE, adapted=True)
    assert np.array_equal(found[ADAPTED, "telephone"].probabilities, expected.probabilities)
    assert not np.allclose(
        found[ONE_CLIP, "clean"].probabilities, found[ONE_CLIP, "telephone"].probabilities, atol=1e-3
    )
    noisy = [replace(example, takes=(example.noisy,)) for example in CORPUS if example.noisy]
    expected = predict(listener(), noisy, LABELS, CLEAN, adapted=False)
    assert np.array_equal(found[ONE_CLIP, "noise"].probabilities, expected.probabilities)


def test_where_there_is_no_noise_to_be_measured_in_clips_stay_as_they_are() -> None:
    found = predict_all(listener(), [replace(CORPUS[0], noisy=None)], LABELS, Counting())
    clean, noise = found[ONE_CLIP, "clean"], found[ONE_CLIP, "noise"]
    assert np.array_equal(clean.probabilities, noise.probabilities)
