"""A window's frames to the network's input: two views of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sertag.adaptation import RANGE, Voice
from sertag.features import FeatureSettings, mean_level
from sertag.types import BoolArray, FloatArray

VIEWS = 2
"""Views that the network gets of a window: against the training speakers, and against its own call."""


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Mean and deviation of every input over the training speakers' speech.

    Log-mel values count relative to the level of the utterance that they are from, the pitch where a
    frame is voiced. Shapes ``(settings.inputs,)``.
    """

    mean: FloatArray
    deviation: FloatArray

    def network_input(
        self,
        frames: FloatArray,
        speech: BoolArray,
        length: int,
        settings: FeatureSettings,
        voice: Voice | None = None,
    ) -> FloatArray:
        """The network's two views of one window, shape ``(length, settings.inputs, VIEWS)``.

        In the first the window's own level is taken away, which says more about the microphone than
        the voice, and the training speakers' statistics normalise. In the second the level and the
        statistics of the voice in the call do, as far as they are trusted; without them the views are equal.

        Args:
            frames: shape ``(n, settings.columns)``, with ``n`` at most ``length``; the rest is silence.
            speech: which of them are speech, shape ``(n,)``; all count where none is.
            length: the window's length in frames.
            settings: what the columns are.
            voice: of the call that the window is from.
        """
        level = frames[:, settings.level]
        own = np.float32(mean_level(level[speech] if speech.any() else level))
        values = frames[:, : settings.inputs].copy()
        mel = values[:, : settings.mels]
        np.maximum(mel, own - np.float32(RANGE), out=mel)
        voiced = values[:, settings.pitch] != 0

        out = np.empty((length, settings.inputs, VIEWS), dtype=np.float32)
        out[len(frames) :] = self._silence(settings)[:, None]
        reference = self.mean.copy()
        reference[: settings.mels] += own
        out[: len(frames), :, 0] = (values - reference) / self.deviation
        if voice is None:
            out[: len(frames), :, 1] = out[: len(frames), :, 0]
        else:
            mean = voice.trust * voice.mean + (1 - voice.trust) * self.mean
            mean[: settings.mels] += voice.trust * voice.level + (1 - voice.trust) * own
            deviation = voice.trust * voice.deviation + (1 - voice.trust) * self.deviation
            out[: len(frames), :, 1] = (values - mean.astype(np.float32)) / deviation.astype(np.float32)
        out[: len(frames)][~voiced, settings.pitch] = 0.0
        return out

    def _silence(self, settings: FeatureSettings) -> FloatArray:
        frame = np.zeros(settings.inputs, dtype=np.float32)
        frame[: settings.mels] = -RANGE
        frame = np.asarray((frame - self.mean) / self.deviation, dtype=np.float32)
        frame[settings.pitch] = 0.0
        return frame
