"""EMO-DB (Burkhardt et al. 2005): ``03a01Fa.wav`` is speaker, text, emotion (German), version."""

from __future__ import annotations

import re
from pathlib import Path

from model_build.corpora.utterance import LeftOut, Utterance

NAME = "EMO-DB"
LICENCE = "free for research"
EXAMPLE = "03a01Fa.wav"

_NAME = re.compile(r"(0[389]|1[0-6])[ab]\d{2}([WLEAFTN])[a-z]")
_EMOTIONS = {
    "W": "angry",
    "L": "bored",
    "E": "disgusted",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
_MEN = frozenset(("03", "10", "11", "12", "15"))


def parse(path: Path) -> Utterance | LeftOut | None:
    """What a file's name says, or None where it is no EMO-DB name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, emotion = match.groups()
    sex = "male" if speaker in _MEN else "female"
    return Utterance(path, NAME, f"{NAME} {speaker}", _EMOTIONS[emotion], sex)
