"""One labelled recording, or the reason why one is left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Utterance:
    """A recording of one speaker with one emotion; what a corpus does not tell is empty or None.

    Attributes:
        path: the file.
        corpus: name of the corpus.
        speaker: unique across corpora.
        emotion: the label that the speaker was asked for; empty where nobody has told.
        sex: ``female`` or ``male``.
        age: in years.
        intensity: ``normal`` or ``strong`` (RAVDESS); ``lo``, ``md``, ``hi`` or ``unspecified`` (CREMA-D).
        statement: what is said, as the corpus names it.
        repetition: which take it is, from 1 on.
        style: ``speech`` or ``song``.
        perceived: the label that most listeners gave to the voice alone; empty too where they are tied.
    """

    path: Path
    corpus: str
    speaker: str
    emotion: str
    sex: str = ""
    age: int | None = None
    intensity: str = ""
    statement: str = ""
    repetition: int | None = None
    style: str = "speech"
    perceived: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A recording that no honest figure can use, and why."""

    reason: str
