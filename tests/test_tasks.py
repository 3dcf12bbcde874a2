from __future__ import annotations

from pathlib import Path

import numpy as np

from model_build.corpora import Utterance
from model_build.tasks import Tasks


def utterance(corpus: str = "one", **known: str) -> Utterance:
    return Utterance(Path("a.wav"), corpus, f"{corpus} A", "angry", **known)  # type: ignore[arg-type]


def test_what_corpora_know_becomes_targets() -> None:
    utterances = [
        utterance(statement="kids", intensity="hi", perceived="sad"),
        utterance(statement="dogs", intensity="hi"),
        utterance("two", statement="kids"),
        utterance(),
    ]
    tasks = Tasks.of(utterances)
    assert tasks.sizes == (3, 1, 1)
    statement, intensity, perceived = tasks.targets(utterances)
    # Statements of two corpora are never the same one.
    np.testing.assert_array_equal(statement.argmax(axis=1)[:3], [1, 0, 2])
    np.testing.assert_array_equal(statement.sum(axis=1), [1, 1, 1, 0])
    np.testing.assert_array_equal(intensity[:, 0], [1, 1, 0, 0])
    np.testing.assert_array_equal(perceived[:, 0], [1, 0, 0, 0])


def test_of_ones_own_recordings_nothing_more_is_known() -> None:
    assert Tasks.of([utterance(), utterance()]).sizes == (0, 0, 0)
