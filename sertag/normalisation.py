"""A window's frames to the network's input: two views of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sertag.adaptation import RANGE, Voice
from sertag.features import FeatureSettings, mean_level, telephone_bands
from sertag.types import BoolArray, FloatArray

VIEWS = 2
"""Views that the network gets of a window: against the training speakers, and against its own call."""

# Nineteen in twenty calls of validation speakers are nearer than the first, but for sad ones.
_FAMILIAR, _FOREIGN = 1.15, 1.45


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Mean and deviation of every input over the training speakers' speech.

    Log-mel values count relative to the level of the utterance that they are from, the pitch where a
    frame is voiced. ``mean`` and ``deviation`` have shape ``(settings.inputs,)``; ``spread`` is the mean
    :meth:`distance` of the training speakers' own voices.
    """

    mean: FloatArray
    deviation: FloatArray
    spread: float

    def distance(self, voice: Voice, settings: FeatureSettings) -> float:
        """How unlike the training speakers' a voice sounds on its line, whatever its level.

        The root mean square over the bands of a telephone, of the shape of the spectrum in deviations and of
        the logarithms of its deviations.
        """
        bands = telephone_bands(settings)
        shape = (voice.mean[bands] - self.mean[bands]) / self.deviation[bands]
        dynamics = np.log(voice.deviation[bands] / self.deviation[bands])
        return math.sqrt(np.var(shape) + np.mean(dynamics**2))

    def familiarity(self, voice: Voice, settings: FeatureSettings) -> float:
        """From 1 for a voice on a line like the training speakers' to 0 for one in another world."""
        distance = self.distance(voice, settings) / self.spread
        return min(max((_FOREIGN - distance) / (_FOREIGN - _FAMILIAR), 0.0), 1.0)

    def views(self, settings: FeatureSettings, voice: Voice | None = None) -> Views:
        """The network's two views of a call's windows.

        In the first the window's own level is taken away, which says more about the microphone than
        the voice, and the training speakers' statistics normalise. In the second the level and the
        statistics of the voice in the call do, as far as they are trusted; without them the views are equal.

        Args:
            settings: what the columns of the windows' frames are.
            voice: of the call that the windows are from.
        """
        mean = np.stack([self.mean] * VIEWS, axis=1).astype(np.float64)
        deviation = np.stack([self.deviation] * VIEWS, axis=1).astype(np.float64)
        share = np.zeros_like(mean)
        share[: settings.mels] = 1.0
        silence = (-RANGE * share - mean) / deviation
        silence[settings.pitch] = 0.0
        if voice is not None:
            mean[:, 1] = voice.trust * voice.mean + (1 - voice.trust) * self.mean
            mean[: settings.mels, 1] += voice.trust * voice.level
            share[:, 1] *= 1 - voice.trust
            deviation[:, 1] = voice.trust * voice.deviation + (1 - voice.trust) * self.deviation
        arrays = 1 / deviation, -mean / deviation, -share / deviation, silence
        return Views(settings, *(array.astype(np.float32, order="C") for array in arrays))


@dataclass(frozen=True, eq=False)
class Views:
    """Both views of all windows of a call: a value times ``scale``, plus ``shift``, plus the level's share.

    Attributes:
        settings: what the columns are.
        scale: of every input, shape ``(inputs, VIEWS)``, as what follows.
        shift: likewise.
        share: what a window's own level counts in every input.
        silence: what lies behind a window that is too short.
    """

    settings: FeatureSettings
    scale: FloatArray
    shift: FloatArray
    share: FloatArray
    silence: FloatArray

    def fill(self, out: FloatArray, frames: FloatArray, speech: BoolArray) -> None:
        """Fills ``out``, shape ``(length, inputs, VIEWS)``, with the views of one window.

        Args:
            out: the network's input.
            frames: shape ``(n, settings.columns)``, with ``n`` at most ``length``; the rest is silence.
            speech: which of them are speech, shape ``(n,)``; all count where none is.
        """
        settings, count = self.settings, len(frames)
        level = frames[:, settings.level]
        own = np.float32(mean_level(level[speech] if speech.any() else level))
        lowest = np.full(settings.inputs, -np.inf, dtype=np.float32)
        lowest[: settings.mels] = own - np.float32(RANGE)
        values = np.maximum(frames[:, : settings.inputs], lowest)
        filled = out[:count]
        for view in range(VIEWS):
            filled[:, :, view] = values
        filled *= self.scale
        filled += self.shift + own * self.share
        filled[frames[:, settings.pitch] == 0, settings.pitch] = 0.0
        out[count:] = self.silence
