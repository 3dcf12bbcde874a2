"""TESS (Pichora-Fuller and Dupuis 2020): ``OAF_back_angry.wav`` is speaker, word, emotion."""

from __future__ import annotations

import re
from pathlib import Path

from model_build.corpora.utterance import Utterance

NAME = "TESS"
LICENCE = "CC BY-NC-ND 4.0"
EXAMPLE = "OAF_back_angry.wav"

_NAME = re.compile(r"(OAF?|YAF)_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)")
_EMOTIONS = {
    "angry": "angry",
    "disgust": "disgusted",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "surprised",
    "sad": "sad",
}
_AGES = {"OAF": 64, "YAF": 26}


def parse(path: Path) -> Utterance | None:
    """What a file's name says, or None where it is no TESS name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, word, emotion = match.groups()
    # The original calls one file OA_bite_neutral.
    speaker = f"{speaker[:2]}F"
    return Utterance(
        path,
        NAME,
        f"{NAME} {speaker}",
        _EMOTIONS[emotion],
        sex="female",
        age=_AGES[speaker],
        statement=word,
    )
