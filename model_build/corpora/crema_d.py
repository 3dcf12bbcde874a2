"""CREMA-D (Cao et al. 2014): ``1001_DFA_ANG_XX.wav`` is actor, sentence, intended emotion, level."""

from __future__ import annotations

import re
from pathlib import Path

from model_build.corpora.utterance import Utterance

LICENCE = "ODbL 1.0, contents DbCL 1.0"

DEFECTS = {
    "1076_MTI_SAD_XX": "silent",
    "1006_TIE_HAP_XX": "byte-identical under two labels",
    "1006_TIE_NEU_XX": "byte-identical under two labels",
    "1013_WSI_DIS_XX": "byte-identical under two labels",
    "1013_WSI_SAD_XX": "byte-identical under two labels",
    "1017_IWW_ANG_XX": "byte-identical under two labels",
    "1017_IWW_FEA_XX": "byte-identical under two labels",
}
"""Recordings of the original that no honest figure can use, and why."""

_NAME = re.compile(r"(1\d{3})_[A-Z]{3}_(ANG|DIS|FEA|HAP|NEU|SAD)_(?:XX|LO|MD|HI|X)")
_EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgusted",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}


def parse(path: Path) -> Utterance | None:
    """The utterance that a file's name describes, or None where it is no CREMA-D name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    actor, emotion = match.groups()
    return Utterance(path, "CREMA-D", f"CREMA-D {actor}", _EMOTIONS[emotion])
