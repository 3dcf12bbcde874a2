"""A window's frames to the network's input, with the training speakers' statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sertag.features import FeatureSettings, mean_level
from sertag.types import BoolArray, FloatArray

RANGE = 90.0
"""Depth below the window's own speech level, in dB, under which everything counts as silence."""


def relative_frames(frames: FloatArray, speech: BoolArray, settings: FeatureSettings) -> FloatArray:
    """Frames without the window's own level, which says more about the microphone than the voice.

    Args:
        frames: shape ``(n, settings.columns)``.
        speech: which of them are speech, shape ``(n,)``; all count where none is.
        settings: what the columns are.

    Returns:
        Log-mel columns in dB relative to the mean power of the speech, then pitch and voicing;
        shape ``(n, settings.inputs)``.
    """
    level = frames[:, settings.level]
    reference = mean_level(level[speech] if speech.any() else level)
    out = frames[:, : settings.inputs].copy()
    mel = out[:, : settings.mels]
    np.maximum(mel - np.float32(reference), np.float32(-RANGE), out=mel)
    return out


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Mean and deviation of every input column over the training speakers' speech frames."""

    mean: FloatArray
    deviation: FloatArray

    def network_input(
        self, frames: FloatArray, speech: BoolArray, length: int, settings: FeatureSettings
    ) -> FloatArray:
        """The network's view of one window, padded with silence, shape ``(length, settings.inputs)``."""
        out = np.zeros((length, settings.inputs), dtype=np.float32)
        out[:, : settings.mels] = -RANGE
        out[: len(frames)] = relative_frames(frames, speech, settings)
        return np.asarray((out - self.mean) / self.deviation, dtype=np.float32)
