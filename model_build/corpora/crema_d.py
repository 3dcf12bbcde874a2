"""CREMA-D (Cao et al. 2014): ``1001_DFA_ANG_XX.wav`` is actor, sentence, intended emotion, level."""

from __future__ import annotations

import re
from pathlib import Path

from model_build.corpora.utterance import LeftOut, Utterance

NAME = "CREMA-D"
LICENCE = "ODbL 1.0, contents DbCL 1.0"
EXAMPLE = "1001_DFA_ANG_XX.wav"

_DEFECTS = {
    "1076_MTI_SAD_XX": "silent",
    "1006_TIE_HAP_XX": "byte-identical under two labels",
    "1006_TIE_NEU_XX": "byte-identical under two labels",
    "1013_WSI_DIS_XX": "byte-identical under two labels",
    "1013_WSI_SAD_XX": "byte-identical under two labels",
    "1017_IWW_ANG_XX": "byte-identical under two labels",
    "1017_IWW_FEA_XX": "byte-identical under two labels",
}
_NAME = re.compile(r"(1\d{3})_[A-Z]{3}_(ANG|DIS|FEA|HAP|NEU|SAD)_(?:XX|LO|MD|HI|X)")
_EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgusted",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}


def parse(path: Path) -> Utterance | LeftOut | None:
    """What a file's name says, or None where it is no CREMA-D name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    if path.stem in _DEFECTS:
        return LeftOut(_DEFECTS[path.stem])
    actor, emotion = match.groups()
    return Utterance(path, NAME, f"{NAME} {actor}", _EMOTIONS[emotion])
