"""RAVDESS (Livingstone and Russo 2018): ``03-01-06-01-02-01-12.wav``.

Modality (03: audio alone), channel (01: speech, 02: song), emotion, intensity, statement, repetition, actor.
"""

from __future__ import annotations

import re
from pathlib import Path

from model_build.corpora.utterance import Utterance

NAME = "RAVDESS"
LICENCE = "CC BY-NC-SA 4.0"
EXAMPLE = "03-01-06-01-02-01-12.wav"

_NAME = re.compile(r"03-(0[12])-(0[1-8])-(0[12])-(0[12])-0([12])-(0[1-9]|1\d|2[0-4])")
_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}


def parse(path: Path) -> Utterance | None:
    """What a file's name says, or None where it is no RAVDESS name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    channel, emotion, intensity, statement, repetition, actor = match.groups()
    return Utterance(
        path,
        NAME,
        f"{NAME} {actor}",
        _EMOTIONS[emotion],
        sex="male" if int(actor) % 2 else "female",
        intensity="normal" if intensity == "01" else "strong",
        statement=statement,
        repetition=int(repetition),
        style="speech" if channel == "01" else "song",
    )
