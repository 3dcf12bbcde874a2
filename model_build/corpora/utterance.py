"""One labelled recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Utterance:
    """A recording of one speaker with one emotion; ``speaker`` is unique across corpora."""

    path: Path
    corpus: str
    speaker: str
    emotion: str
