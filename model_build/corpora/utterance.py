"""One labelled recording, or the reason why one is left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Utterance:
    """A recording of one speaker with one emotion.

    ``speaker`` is unique across corpora; ``sex`` is ``female``, ``male`` or, where unknown, empty.
    """

    path: Path
    corpus: str
    speaker: str
    emotion: str
    sex: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A recording of a known corpus that no honest figure can use, and why."""

    reason: str
