"""Protocols: who trains, who validates and who is tested, and the figures that come of it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from model_build.corpora import Utterance
from model_build.split import (
    Fold,
    one_corpus_out,
    random_split,
    speaker_folds,
    split_around,
    split_speakers,
)
from sertag.errors import UsageError

Protocol = Literal["split", "folds", "one-corpus-out", "random"]
DESCRIPTIONS: dict[Protocol, str] = {
    "split": "one split: the test speakers are heard in neither training nor validation",
    "folds": "speaker-independent folds: every speaker is tested by a network that never heard the voice",
    "one-corpus-out": "one corpus left out: its speakers, rooms, language and actors' style are all new",
    "random": "random split: the same voices in training and test, so not a figure for new voices",
}

_LARGEST = 5


@dataclass(frozen=True)
class Part:
    """One training of a protocol, and the utterances on each side of it."""

    name: str
    training: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]

    def only(self, utterances: Container[Utterance]) -> Part:
        """The part with nothing but some of its utterances."""
        sides = (self.training, self.validation, self.test)
        return Part(self.name, *(tuple(item for item in side if item in utterances) for side in sides))

    @property
    def speakers(self) -> dict[str, list[str]]:
        """Who is on which side."""
        return {
            side: sorted({utterance.speaker for utterance in getattr(self, side)})
            for side in ("training", "validation", "test")
        }


def parts_of(protocol: Protocol, utterances: Sequence[Utterance]) -> tuple[Part, ...]:
    """The trainings of a protocol.

    Under ``folds``, a training leaves a fold of every corpus out at once, so that five do for all
    corpora. Where a corpus leaves one speaker out and has more than five, two are out at a time, which
    is harder. Nobody validates: what is fitted on speakers whom the network has not met comes from the
    other folds.

    Raises:
        UsageError: where the speakers or corpora are too few.
    """
    if protocol == "random":
        return (_random(utterances),)
    if protocol == "split":
        split = split_speakers(utterances)
        return (_part("split", utterances, split.training, split.validation, split.test),)
    if protocol == "folds":
        everybody = {utterance.speaker for utterance in utterances}
        return tuple(
            _part(fold.name, utterances, sorted(everybody - set(fold.test)), (), fold.test)
            for fold in _joint_folds(utterances)
        )
    parts = []
    for fold in one_corpus_out(utterances):
        split = split_around(fold, utterances)
        parts.append(_part(fold.name, utterances, split.training, split.validation, split.test))
    return tuple(parts)


def _joint_folds(utterances: Sequence[Utterance]) -> Iterator[Fold]:
    by_corpus: dict[str, list[Fold]] = {}
    for fold in speaker_folds(utterances):
        by_corpus.setdefault(fold.corpus, []).append(fold)
    count = min(_LARGEST, max(map(len, by_corpus.values())))
    if count < 2:
        raise UsageError("one speaker found; folds need two at least")
    for number in range(count):
        out = [fold for folds in by_corpus.values() for fold in folds[number::count]]
        speakers = tuple(speaker for fold in out for speaker in fold.test)
        yield Fold("all", f"fold {number + 1} of {count}", speakers)


def _random(utterances: Sequence[Utterance]) -> Part:
    split = random_split(utterances)
    # Validation is as random as the test, so that temperature is fitted on what the test is like.
    inner = random_split(split.training, seed=2)
    return Part("random split", inner.training, inner.test, split.test)


def _part(
    name: str,
    utterances: Sequence[Utterance],
    training: Sequence[str],
    validation: Sequence[str],
    test: Sequence[str],
) -> Part:
    sides = (
        tuple(utterance for utterance in utterances if utterance.speaker in set(speakers))
        for speakers in (training, validation, test)
    )
    return Part(name, *sides)
