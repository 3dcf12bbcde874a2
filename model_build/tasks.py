"""What the network learns beside the emotion, so that it hears words and effort apart from it.

Told the statement, the intensity and the label that listeners gave, where a corpus knows them, it finds
emotions of new voices better. At run time none of it is left.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from model_build.corpora import Utterance
from sertag.types import FloatArray


@dataclass(frozen=True)
class Tasks:
    """The classes of every task that some utterances set, in order."""

    classes: tuple[tuple[Hashable, ...], ...]

    @classmethod
    def of(cls, utterances: Sequence[Utterance]) -> Tasks:
        """The tasks whose answers some utterances know."""
        answers = zip(*(_answers(utterance) for utterance in utterances), strict=True)
        known = (tuple(sorted({answer for answer in each if answer}, key=str)) for each in answers)
        return cls(tuple(known))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many classes each task has; a task that nobody sets has none."""
        return tuple(len(each) for each in self.classes)

    def targets(self, utterances: Sequence[Utterance]) -> list[FloatArray]:
        """One-hot rows for each task, shape ``(utterances, classes)``; zeros where the answer is unknown."""
        out = [np.zeros((len(utterances), size), dtype=np.float32) for size in self.sizes]
        for row, utterance in enumerate(utterances):
            for target, classes, answer in zip(out, self.classes, _answers(utterance), strict=True):
                if answer:
                    target[row, classes.index(answer)] = 1.0
        return out


def _answers(utterance: Utterance) -> tuple[Hashable, ...]:
    return (
        (utterance.corpus, utterance.statement) if utterance.statement else None,
        (utterance.corpus, utterance.intensity) if utterance.intensity else None,
        utterance.perceived or None,
    )
