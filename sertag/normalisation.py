"""A window's frames to the network's input: two views of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.adaptation import Call
from sertag.call_statistics import RANGE
from sertag.features import FeatureSettings, mean_level
from sertag.types import BoolArray, FloatArray

VIEWS = 2
"""Views that the network gets of a window: against the training speakers, and against its own call."""


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Mean and deviation of every input over the training speakers' speech.

    Log-mel values count relative to the level of the utterance that they are from, the pitch where a
    frame is voiced. Both have shape ``(settings.inputs,)``.
    """

    mean: FloatArray
    deviation: FloatArray

    def views(self, settings: FeatureSettings, call: Call | None = None) -> Views:
        """The network's two views of a call's windows.

        In the first the window's own level is taken away, which says more about the microphone than
        the voice, and the training speakers' statistics normalise; on a foreign line, which they do not
        fit, the call's do in the log-mel bands. In the second the level and the statistics of the voice in
        the call do, as far as they are trusted; without them the views are equal.

        Args:
            settings: what the columns of the windows' frames are.
            call: that the windows are from.
        """
        mean = np.stack([self.mean] * VIEWS, axis=1).astype(np.float64)
        deviation = np.stack([self.deviation] * VIEWS, axis=1).astype(np.float64)
        share = np.zeros_like(mean)
        share[: settings.mels] = 1.0
        silence = (-RANGE * share - mean) / deviation
        silence[settings.pitch] = 0.0
        if call is not None:
            voice, trust = call.voice, call.trust
            mean[:, 1] = trust * voice.mean + (1 - trust) * self.mean
            mean[: settings.mels, 1] += trust * voice.level
            share[:, 1] *= 1 - trust
            deviation[:, 1] = trust * voice.deviation + (1 - trust) * self.deviation
            mels, share_of_call = slice(settings.mels), (1 - call.familiarity) * trust
            mean[mels, 0] += share_of_call * (voice.mean - self.mean)[mels]
            deviation[mels, 0] += share_of_call * (voice.deviation - self.deviation)[mels]
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
        # Both views of a value lie side by side, as the parts of a complex number do: two passes, not four.
        filled = _as_complex(out[:count])
        np.multiply(values, _as_complex(self.scale), out=filled)
        filled += _as_complex(self.shift + own * self.share)
        filled[frames[:, settings.pitch] == 0, settings.pitch] = 0.0
        out[count:] = self.silence


def _as_complex(views: FloatArray) -> npt.NDArray[np.complex64]:
    """The last axis, of both views, as one complex number; the memory is the same."""
    return views.view(np.complex64)[..., 0]
