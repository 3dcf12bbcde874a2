"""What is made of a hearing; the hearings are made up, so that the right answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from model_build.dataset import UNKNOWN, Example
from model_build.teacher import TEACHER_SHARE, Lesson, lessons_of

from conftest import made_example, made_take

TAKE = made_take(1.0)
TAKES, COLUMNS, LABELS = 3, 24, 3
EMOTIONS = ("angry", "neutral", "sad")


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the speakers teach the other half, which takes less time than five parts."""
    monkeypatch.setattr("model_build.teacher._PARTS", 2)


def examples(
    speakers: int, *, emotion: float = 0.0, speaker: float = 0.0, clips: int = 12, seed: int = 1
) -> list[Example]:
    """Examples in whose hearing the first columns tell the emotion, the last ones the speaker, so much."""
    random = np.random.default_rng(seed)
    out = []
    for name in range(speakers):
        own = random.normal(0, speaker, COLUMNS)
        for clip in range(clips):
            target = clip % LABELS
            takes = []
            for _ in range(TAKES):
                heard = own + random.normal(0, 1, COLUMNS)
                heard[target] += emotion
                takes.append(replace(TAKE, heard=heard.astype(np.float16)))
            out.append(made_example(str(name), EMOTIONS[target], target, *takes))
    return out


def right(found: list[Example], *, seed: int = 1) -> tuple[float, float]:
    """The share of answers that are the label: of clips alone, and as part of the speaker's call."""
    lessons = lessons_of(found, [], LABELS, seed)
    hits = [[view.argmax(axis=1) == each.target for view in lessons[each].answers] for each in found]
    alone, called = np.mean(hits, axis=(0, 2))
    return float(alone), float(called)


def test_answers_say_what_is_heard() -> None:
    alone, called = right(examples(10, emotion=5.0))
    assert alone > 0.9
    assert called > 0.9


def test_nobody_s_own_labels_are_in_the_answers() -> None:
    # Every clip can be known again, and nothing else: a classifier that met it would repeat its label.
    random = np.random.default_rng(3)
    found = []
    for number, example in enumerate(examples(10)):
        heard = np.zeros(200, dtype=np.float16)
        heard[number] = 20.0
        target = int(random.integers(LABELS))
        takes = (replace(TAKE, heard=heard),) * TAKES
        speaker = example.utterance.speaker.split()[-1]
        found.append(made_example(speaker, EMOTIONS[target], target, *takes))
    assert max(right(found)) < 0.5


def test_too_few_rounds_are_no_warning(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr("model_build.teacher._ITERATIONS", 1)
    alone, _ = right(examples(10, emotion=5.0))
    assert alone > 0.5
    assert not [each for each in recwarn.list if issubclass(each.category, ConvergenceWarning)]


def test_what_no_regression_can_tell_the_networks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    # Angry is what has both signs alike, whichever they are: no line parts it from the others.
    monkeypatch.setattr("model_build.teacher._BATCH", 16)
    monkeypatch.setattr("model_build.teacher._EPOCHS", 80)
    random = np.random.default_rng(5)
    found = []
    for name in range(8):
        for _ in range(24):
            signs = random.choice([-1.0, 1.0], size=2)
            target = int(signs[0] == signs[1])
            heard = np.concatenate([signs * 3, random.normal(0, 0.3, 6)]).astype(np.float16)
            found.append(made_example(str(name), EMOTIONS[target], target, replace(TAKE, heard=heard)))
    alone, _ = right(found)
    assert alone > 0.8


def test_in_a_call_the_voice_is_taken_out() -> None:
    alone, called = right(examples(6, emotion=3.0, speaker=6.0))
    assert called > alone + 0.1


def test_where_nobody_else_speaks_the_labels_are_the_answers() -> None:
    found = examples(1)
    for example, lesson in lessons_of(found, [], LABELS, 1).items():
        assert (lesson.answers[:, :, example.target] == 1).all()


def test_a_lesson_goes_from_the_clip_to_the_call_as_the_call_is_trusted() -> None:
    lesson = Lesson(
        np.array([[[1.0, 0.0]], [[0.0, 1.0]]], dtype=np.float32),
        0.6,
        np.array([[[1.0, 2.0]], [[3.0, 4.0]]], dtype=np.float32),
    )
    assert lesson.columns == 4
    for trust, called in ((0.0, 0.0), (0.12, 0.0), (0.32, 0.5), (0.52, 1.0), (0.9, 1.0)):
        answer, hearing, weights = lesson.of(0, trust)
        np.testing.assert_allclose(answer, [1 - called, called], atol=1e-6)
        np.testing.assert_array_equal(hearing, [1, 2, 3, 4])
        np.testing.assert_allclose(weights, [1, 1, called, called], atol=1e-6)


def test_a_hearing_is_of_size_1_and_the_same_again() -> None:
    found = examples(5, emotion=2.0, speaker=1.0)
    lessons, again = lessons_of(found, [], LABELS, 1), lessons_of(found, [], LABELS, 1)
    hearing = np.array([lessons[each].hearing for each in found])
    np.testing.assert_allclose(np.mean(np.sum(hearing**2, axis=3), axis=(0, 2)), 1.0, atol=1e-4)
    for each in found:
        assert lessons[each].answers.tobytes() == again[each].answers.tobytes()
        assert lessons[each].answers.sum(axis=2) == pytest.approx(1.0, abs=1e-5)


def unlabelled(found: list[Example], *, line: float = 0.0) -> list[Example]:
    """The same voices of a play, over a line of its own, of whom nobody has told the emotions."""
    out = []
    for example in found:
        takes = [replace(take, heard=take.heard + np.float16(line)) for take in example.takes]
        told = replace(example.utterance, corpus="play", emotion="")
        out.append(replace(example, utterance=told, target=UNKNOWN, takes=tuple(takes)))
    return out


@pytest.mark.parametrize("line", [0.0, 40.0])
def test_unlabelled_voices_are_labelled_by_what_is_heard_whatever_their_line(line: float) -> None:
    known, play = examples(10, emotion=5.0), examples(6, emotion=5.0, seed=2)
    lessons = lessons_of(known, unlabelled(play, line=line), LABELS, 1)
    taught = [example for example in lessons if not example.is_labelled]
    assert [example.utterance.path for example in taught] == [example.utterance.path for example in play]
    right = [example.target == was.target for example, was in zip(taught, play, strict=True)]
    assert np.mean(right) > 0.9
    assert {lessons[example].share for example in taught} == {1.0}
    assert {lessons[example].share for example in known} == {TEACHER_SHARE}


def test_unlabelled_voices_teach_the_teacher_nothing() -> None:
    known, play = examples(6, emotion=2.0), unlabelled(examples(6, emotion=2.0, seed=2))
    without, beside = lessons_of(known, [], LABELS, 1), lessons_of(known, play, LABELS, 1)
    for example in known:
        np.testing.assert_allclose(beside[example].answers, without[example].answers, atol=1e-3)


def test_where_nobody_teaches_unlabelled_voices_are_anything() -> None:
    play = unlabelled(examples(2, seed=2))
    lessons = lessons_of(examples(1), play, LABELS, 1)
    for example in lessons:
        if not example.is_labelled:
            np.testing.assert_allclose(lessons[example].answers, 1 / LABELS, atol=1e-6)
