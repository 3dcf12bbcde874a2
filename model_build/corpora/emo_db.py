"""EMO-DB (Burkhardt et al. 2005): ``03a01Fa.wav`` is speaker, text, emotion (German), version."""

from __future__ import annotations

import re
from pathlib import Path

from model_build.corpora.utterance import LeftOut, Utterance

NAME = "EMO-DB"
LICENCE = "free for research"
EXAMPLE = "03a01Fa.wav"

_NAME = re.compile(r"(0[389]|1[0-6])([ab]\d{2})([WLEAFTN])([a-z])")
_EMOTIONS = {
    "W": "angry",
    "E": "disgusted",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
_SPEAKERS = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}


def parse(path: Path) -> Utterance | LeftOut | None:
    """What a file's name says, or None where it is no EMO-DB name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, text, emotion, version = match.groups()
    if emotion == "L":
        return LeftOut("boredom, which no other corpus knows")
    sex, age = _SPEAKERS[speaker]
    return Utterance(
        path,
        NAME,
        f"{NAME} {speaker}",
        _EMOTIONS[emotion],
        sex=sex,
        age=age,
        statement=text,
        repetition=ord(version) - ord("a") + 1,
    )
