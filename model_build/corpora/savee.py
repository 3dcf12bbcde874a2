"""SAVEE (Jackson and Haq 2014): ``DC/a01.wav`` or ``DC_a01.wav`` is speaker, emotion, sentence."""

from __future__ import annotations

import re
from pathlib import Path

from model_build.corpora.utterance import Utterance

NAME = "SAVEE"
LICENCE = "research use"
EXAMPLE = "DC_a01.wav"

_NAME = re.compile(r"(DC|JE|JK|KL)[_/]((sa|su|[adfhn])\d{2})")
_EMOTIONS = {
    "a": "angry",
    "d": "disgusted",
    "f": "fearful",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprised",
}


def parse(path: Path) -> Utterance | None:
    """What a file's name says, or None where it is no SAVEE name."""
    match = _NAME.fullmatch(path.stem) or _NAME.fullmatch(f"{path.parent.name}/{path.stem}")
    if match is None:
        return None
    # Most sentences belong to one emotion, and their numbers begin anew with each.
    speaker, statement, emotion = match.groups()
    return Utterance(path, NAME, f"{NAME} {speaker}", _EMOTIONS[emotion], sex="male", statement=statement)
