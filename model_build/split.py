"""Speakers to training, validation and test: a voice is only ever on one side.

Splits depend on names alone, not on the order in which files are found. The one exception to the rule above,
:func:`random_split`, is there to show how far the figures of most publications are off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from model_build.corpora import Utterance, emo_db, ravdess, savee, tess
from sertag.errors import UsageError

_TEST_SHARE, _VALIDATION_SHARE = 0.16, 0.12
_RANDOM_TEST_SHARE = 0.2
_FOLDS = 5
_RAVDESS_FOLDS = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)


@dataclass(frozen=True)
class Split:
    """Names of the speakers on each side."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Fold:
    """Names of the speakers of one corpus whom one model of several is measured on."""

    corpus: str
    name: str
    test: tuple[str, ...]


@dataclass(frozen=True)
class RandomSplit:
    """Utterances on two sides that **share their speakers**."""

    training: tuple[Utterance, ...]
    test: tuple[Utterance, ...]


def split_speakers(utterances: Sequence[Utterance]) -> Split:
    """Divides the speakers by their names alone, so that no seed or option moves a test speaker.

    Raises:
        UsageError: for fewer than three speakers.
    """
    speakers = sorted({utterance.speaker for utterance in utterances})
    if len(speakers) < 3:
        raise UsageError(
            f"{len(speakers)} speaker{'s' * (len(speakers) != 1)} found; training, validation and test"
            " need one each at least"
        )
    np.random.default_rng(1).shuffle(speakers)
    test = max(1, round(len(speakers) * _TEST_SHARE))
    validation = test + max(1, round(len(speakers) * _VALIDATION_SHARE))
    return Split(
        training=tuple(sorted(speakers[validation:])),
        validation=tuple(sorted(speakers[test:validation])),
        test=tuple(sorted(speakers[:test])),
    )


def speaker_folds(utterances: Iterable[Utterance]) -> tuple[Fold, ...]:
    """The folds of every corpus, each speaker in one of them; corpora are in the order of their names.

    RAVDESS has the five folds by actor of published figures. SAVEE, EMO-DB and TESS leave one speaker out.
    CREMA-D and one's own recordings have five folds in which each sex is spread evenly, fewer where there
    are fewer speakers.
    """
    return tuple(
        Fold(corpus, f"{corpus}, fold {number} of {len(groups)}", tuple(sorted(group)))
        for corpus, sexes in _speakers(utterances).items()
        for groups in [_groups(corpus, sexes)]
        for number, group in enumerate(groups, start=1)
    )


def one_corpus_out(utterances: Iterable[Utterance]) -> tuple[Fold, ...]:
    """A fold per corpus that holds all of its speakers.

    Raises:
        UsageError: for fewer than two corpora.
    """
    corpora = _speakers(utterances)
    if len(corpora) < 2:
        raise UsageError("one corpus found; leaving one out needs two at least")
    return tuple(Fold(corpus, f"without {corpus}", tuple(sexes)) for corpus, sexes in corpora.items())


def split_around(fold: Fold, utterances: Iterable[Utterance]) -> Split:
    """Divides the speakers that a fold is not measured on into training and validation.

    Of each corpus 12 % validate, at least one where three are left, none where fewer are; who they are is
    fixed by a hash of their names.

    Args:
        fold: who tests.
        utterances: whose speakers may train: those of one corpus, or of several.

    Raises:
        UsageError: where nobody is left.
    """
    training: list[str] = []
    validation: list[str] = []
    for sexes in _speakers(utterances).values():
        left = sorted(set(sexes) - set(fold.test), key=_hash)
        count = max(1, round(len(left) * _VALIDATION_SHARE)) if len(left) >= 3 else 0
        validation += left[:count]
        training += left[count:]
    if not training:
        raise UsageError(f"{fold.name}: no speaker is left to train on")
    return Split(tuple(sorted(training)), tuple(sorted(validation)), fold.test)


def random_split(utterances: Iterable[Utterance], *, seed: int = 1) -> RandomSplit:
    """One fifth of each emotion's utterances for the test, **whoever speaks them**.

    Training hears the voices of the test, so the figures say nothing about a new voice.

    Raises:
        UsageError: where that is none of them.
    """
    ordered = sorted(utterances, key=lambda item: (item.corpus, item.speaker, item.path.stem, str(item.path)))
    random = np.random.default_rng(seed)
    test: set[Utterance] = set()
    for emotion in sorted({utterance.emotion for utterance in ordered}):
        clips = [utterance for utterance in ordered if utterance.emotion == emotion]
        chosen = random.permutation(len(clips))[: round(len(clips) * _RANDOM_TEST_SHARE)]
        test.update(clips[index] for index in chosen)
    if not test:
        raise UsageError(
            "no emotion has enough recordings for a random split; a fifth of each is for the test"
        )
    return RandomSplit(
        training=tuple(utterance for utterance in ordered if utterance not in test),
        test=tuple(utterance for utterance in ordered if utterance in test),
    )


def _speakers(utterances: Iterable[Utterance]) -> dict[str, dict[str, str]]:
    """Per corpus, the sexes of its speakers by their names; both in the order of names."""
    found: dict[str, dict[str, str]] = {}
    for corpus, speaker, sex in sorted({(item.corpus, item.speaker, item.sex) for item in utterances}):
        found.setdefault(corpus, {})[speaker] = sex
    return found


def _groups(corpus: str, sexes: dict[str, str]) -> list[list[str]]:
    """The speakers of a corpus, divided into its folds."""
    if corpus == ravdess.NAME:
        published = [[f"{corpus} {actor:02d}" for actor in fold] for fold in _RAVDESS_FOLDS]
        groups = [[speaker for speaker in fold if speaker in sexes] for fold in published]
    elif corpus in (savee.NAME, emo_db.NAME, tess.NAME):
        groups = [[speaker] for speaker in sexes]
    else:
        groups = _balanced(sexes)
        if len(sexes) > len(groups) == 1:
            # One man and one woman, say: both are the first of their sex.
            groups = [[speaker] for speaker in sexes]
    return [group for group in groups if group]


def _balanced(sexes: dict[str, str]) -> list[list[str]]:
    """Of each sex (and of unknown sex), the i-th speaker by name in the fold i modulo 5."""
    folds: list[list[str]] = [[] for _ in range(_FOLDS)]
    for sex in sorted(set(sexes.values())):
        for number, speaker in enumerate(name for name in sexes if sexes[name] == sex):
            folds[number % _FOLDS].append(speaker)
    return [fold for fold in folds if fold]


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
