"""Speakers to training, validation and test: a voice is only ever on one side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_build.corpora import Utterance
from sertag.errors import UsageError

_TEST_SHARE, _VALIDATION_SHARE = 0.16, 0.12


@dataclass(frozen=True)
class Split:
    """Names of the speakers on each side."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


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
