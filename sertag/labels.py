"""Emotion labels: their names, order and valence."""

from __future__ import annotations

import re
from collections.abc import Iterable

VALENCE = {
    "angry": -1,
    "disgusted": -1,
    "fearful": -1,
    "happy": 1,
    "neutral": 0,
    "sad": -1,
    "calm": 0,
    "surprised": 0,
}
"""The known labels in their order; "negative" means a valence of -1."""

UNCERTAIN = "uncertain"
"""Stands in for the label where the model's confidence is below ``--min-confidence``."""
NO_SPEECH = "no_speech"
"""Stands in for the label where nobody speaks."""

_NAME = re.compile(r"[a-z0-9_]+")


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels in the order of columns: the known ones first, one's own alphabetically.

    Raises:
        ValueError: for a name that is reserved or is not made of ``a-z``, ``0-9`` and ``_``.
    """
    known, distinct = list(VALENCE), set(labels)
    for label in distinct:
        if label in (UNCERTAIN, NO_SPEECH) or not _NAME.fullmatch(label):
            raise ValueError(f"{label!r} cannot be a label")
    return tuple(
        sorted(distinct, key=lambda label: (known.index(label) if label in known else len(known), label))
    )
