from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from model_build.corpora import Utterance
from model_build.split import Fold, one_corpus_out, random_split, speaker_folds, split_around, split_speakers
from sertag.errors import UsageError


def clips(corpus: str, speakers: Sequence[str], sexes: Sequence[str] = ("",)) -> list[Utterance]:
    """Two clips a speaker, of two emotions; the sexes come in turn."""
    return [
        Utterance(
            Path(f"{speaker}-{emotion}.wav"),
            corpus,
            f"{corpus} {speaker}",
            emotion,
            sexes[number % len(sexes)],
        )
        for number, speaker in enumerate(speakers)
        for emotion in ("angry", "sad")
    ]


RAVDESS = clips("RAVDESS", [f"{actor:02d}" for actor in range(1, 25)], ("male", "female"))
SAVEE = clips("SAVEE", ["KL", "DC", "JK", "JE"], ("male",))
EMO_DB = clips("EMO-DB", ["16", "03", "08"], ("female", "male"))
TESS = clips("TESS", ["YAF", "OAF"], ("female",))
CREMA_D = clips("CREMA-D", [str(actor) for actor in range(1001, 1024)], ("male", "male", "female"))
OWN = clips("own recordings", ["ann", "bob", "cy"])
ALL = [*RAVDESS, *SAVEE, *EMO_DB, *TESS, *CREMA_D, *OWN]


def members(folds: Sequence[Fold]) -> list[list[str]]:
    """Whom each fold tests, without the corpus."""
    return [[speaker.split()[-1] for speaker in fold.test] for fold in folds]


def test_the_published_folds_of_ravdess() -> None:
    folds = speaker_folds(RAVDESS)
    assert members(folds) == [
        ["02", "05", "14", "15", "16"],
        ["03", "06", "07", "13", "18"],
        ["10", "11", "12", "19", "20"],
        ["08", "17", "21", "23", "24"],
        ["01", "04", "09", "22"],
    ]
    assert folds[0] == Fold("RAVDESS", "RAVDESS, fold 1 of 5", folds[0].test)
    some = [item for item in RAVDESS if item.speaker in ("RAVDESS 01", "RAVDESS 02", "RAVDESS 05")]
    assert members(speaker_folds(some)) == [["02", "05"], ["01"]]


@pytest.mark.parametrize(
    ("corpus", "expected"),
    [
        (SAVEE, [["DC"], ["JE"], ["JK"], ["KL"]]),
        (EMO_DB, [["03"], ["08"], ["16"]]),
        (TESS, [["OAF"], ["YAF"]]),
    ],
)
def test_leave_one_speaker_out(corpus: list[Utterance], expected: list[list[str]]) -> None:
    assert members(speaker_folds(corpus)) == expected


def test_each_sex_is_spread_over_the_folds() -> None:
    # Women are every third actor; both sexes begin with the first fold.
    assert members(speaker_folds(CREMA_D)) == [
        ["1001", "1003", "1008", "1016", "1018", "1023"],
        ["1002", "1006", "1010", "1017", "1021"],
        ["1004", "1009", "1011", "1019"],
        ["1005", "1012", "1013", "1020"],
        ["1007", "1014", "1015", "1022"],
    ]


@pytest.mark.parametrize(
    ("speakers", "sexes", "expected"),
    [
        ("abcdefg", [""], ["af", "bg", "c", "d", "e"]),
        ("abc", [""], ["a", "b", "c"]),
        ("abcdef", ["female", "male"], ["ab", "cd", "ef"]),
        ("ab", ["female", "male"], ["a", "b"]),
        ("a", [""], ["a"]),
    ],
)
def test_folds_of_ones_own_recordings(speakers: str, sexes: list[str], expected: list[str]) -> None:
    folds = speaker_folds(clips("own recordings", list(speakers), sexes))
    assert ["".join(fold) for fold in members(folds)] == expected


def test_every_speaker_tests_once() -> None:
    for folds in (speaker_folds(ALL), one_corpus_out(ALL)):
        tested = [speaker for fold in folds for speaker in fold.test]
        assert sorted(tested) == sorted({utterance.speaker for utterance in ALL})


def test_one_corpus_out() -> None:
    folds = one_corpus_out(ALL)
    assert [fold.corpus for fold in folds] == [
        "CREMA-D",
        "EMO-DB",
        "RAVDESS",
        "SAVEE",
        "TESS",
        "own recordings",
    ]
    assert members(folds)[4] == ["OAF", "YAF"]
    assert not any(
        speaker.startswith("TESS")
        for speaker in [*split_around(folds[4], ALL).training, *split_around(folds[4], ALL).validation]
    )
    with pytest.raises(UsageError, match="one corpus found"):
        one_corpus_out(TESS)


def test_no_speaker_is_on_two_sides() -> None:
    for fold in [*speaker_folds(ALL), *one_corpus_out(ALL)]:
        split = split_around(fold, ALL)
        sides = [*split.training, *split.validation, *split.test]
        assert split.test == fold.test
        assert sorted(sides) == sorted({utterance.speaker for utterance in ALL})


def test_validation_speakers_are_of_every_corpus_that_can_spare_one() -> None:
    (fold, *_) = speaker_folds(TESS)
    chosen = Counter(speaker.rsplit(" ", 1)[0] for speaker in split_around(fold, ALL).validation)
    assert chosen == {"CREMA-D": 3, "EMO-DB": 1, "RAVDESS": 3, "SAVEE": 1, "own recordings": 1}
    # Who validates does not depend on who else is there.
    alone = set(split_around(fold, RAVDESS).validation)
    assert alone < set(split_around(fold, ALL).validation)
    assert split_around(fold, TESS).validation == ()


def test_nobody_is_left_to_train_on() -> None:
    (fold,) = speaker_folds(clips("own recordings", ["ann"]))
    with pytest.raises(UsageError, match="no speaker is left to train on"):
        split_around(fold, clips("own recordings", ["ann"]))
    assert split_around(fold, TESS).training == ("TESS OAF", "TESS YAF")


def test_the_random_split_shares_voices() -> None:
    many = [
        Utterance(Path(f"{take}-{emotion}.wav"), "SAVEE", "SAVEE DC", emotion)
        for emotion, takes in (("angry", 50), ("sad", 20), ("happy", 1))
        for take in range(takes)
    ]
    split = random_split(many)
    assert Counter(item.emotion for item in split.test) == {"angry": 10, "sad": 4}
    assert sorted([*split.training, *split.test], key=str) == sorted(many, key=str)
    assert random_split(many, seed=2) != split


def test_the_order_of_files_changes_nothing() -> None:
    back = ALL[::-1]
    assert speaker_folds(back) == speaker_folds(ALL)
    assert one_corpus_out(back) == one_corpus_out(ALL)
    assert random_split(back) == random_split(ALL)
    assert split_speakers(back) == split_speakers(ALL)
    for fold in speaker_folds(ALL):
        assert split_around(fold, back) == split_around(fold, ALL)
