from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest

from model_build.corpora import Utterance
from model_build.protocol import DESCRIPTIONS, Protocol, parts_of
from sertag.errors import UsageError


def clips(corpus: str, speakers: Sequence[str]) -> list[Utterance]:
    return [
        Utterance(Path(f"{corpus}-{speaker}-{take}-{emotion}.wav"), corpus, f"{corpus} {speaker}", emotion)
        for speaker in speakers
        for emotion in ("angry", "sad")
        for take in range(5)
    ]


RAVDESS = clips("RAVDESS", [f"{actor:02d}" for actor in range(1, 25)])
EMO_DB = clips("EMO-DB", ["03", "08", "09", "10", "11", "12", "13"])
TESS = clips("TESS", ["OAF", "YAF"])
OWN = clips("own recordings", ["ann", "bob", "cy"])
ALL = [*RAVDESS, *EMO_DB, *TESS, *OWN]
SPEAKERS = {item.speaker for item in ALL}


@pytest.mark.parametrize("protocol", ["split", "folds", "one-corpus-out"])
def test_nobody_is_on_two_sides_and_nobody_is_lost(protocol: Protocol) -> None:
    for part in parts_of(protocol, ALL):
        sides = [set(speakers) for speakers in part.speakers.values()]
        assert list(part.speakers) == ["training", "validation", "test"]
        assert [bool(side) for side in sides] == [True, protocol != "folds", True]
        assert sum(map(len, sides)) == len(SPEAKERS)
        assert set.union(*sides) == SPEAKERS
        everything = [*part.training, *part.validation, *part.test]
        assert sorted(everything, key=str) == sorted(ALL, key=str)


def test_folds_test_everybody_once() -> None:
    parts = parts_of("folds", ALL)
    assert len(parts) == 5
    tested = [speaker for part in parts for speaker in part.speakers["test"]]
    assert sorted(tested) == sorted(SPEAKERS)
    assert len({part.name for part in parts}) == 5


def test_a_fold_leaves_speakers_of_every_corpus_out_at_once() -> None:
    parts = parts_of("folds", ALL)
    # Seven speakers of EMO-DB in five trainings: two are out at a time in the first two.
    corpora = [[speaker.rsplit(" ", 1)[0] for speaker in part.speakers["test"]] for part in parts]
    assert [names.count("EMO-DB") for names in corpora] == [2, 2, 1, 1, 1]
    assert [names.count("TESS") for names in corpora] == [1, 1, 0, 0, 0]
    assert [names.count("RAVDESS") for names in corpora] == [5, 5, 5, 5, 4]


def test_one_corpus_out() -> None:
    parts = parts_of("one-corpus-out", ALL)
    tested = [{item.corpus for item in part.test} for part in parts]
    assert tested == [{"EMO-DB"}, {"RAVDESS"}, {"TESS"}, {"own recordings"}]
    for part, (name,) in zip(parts, tested, strict=True):
        assert name in part.name
        assert name not in {item.corpus for item in (*part.training, *part.validation)}


def test_the_random_split_shares_voices_and_is_named_so() -> None:
    (part,) = parts_of("random", ALL)
    sides = [part.training, part.validation, part.test]
    assert sorted((item for side in sides for item in side), key=str) == sorted(ALL, key=str)
    assert len(part.test) == len(ALL) / 5
    assert set(part.speakers["test"]) & set(part.speakers["training"])
    assert "random" in part.name
    assert "same voices" in DESCRIPTIONS["random"]


def test_every_protocol_is_described() -> None:
    assert set(DESCRIPTIONS) == set(get_args(Protocol))


@pytest.mark.parametrize("protocol", get_args(Protocol))
def test_the_order_of_files_changes_nothing(protocol: Protocol) -> None:
    for one, other in zip(parts_of(protocol, ALL), parts_of(protocol, ALL[::-1]), strict=True):
        assert (one.name, one.speakers) == (other.name, other.speakers)
        assert set(one.test) == set(other.test)
        assert set(one.validation) == set(other.validation)


@pytest.mark.parametrize(
    ("protocol", "found", "reason"),
    [
        ("split", TESS, "2 speakers found"),
        ("folds", clips("TESS", ["OAF"]), "one speaker found"),
        ("one-corpus-out", TESS, "one corpus found"),
    ],
)
def test_too_few(protocol: Protocol, found: list[Utterance], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parts_of(protocol, found)


def test_who_is_not_heard_is_on_no_side() -> None:
    (part,) = parts_of("split", ALL)
    silent = part.training[0].speaker
    heard = {item for item in ALL if item.speaker != silent}
    left = part.only(heard)
    assert {*left.training, *left.validation, *left.test} == heard
    assert silent not in left.speakers["training"]
