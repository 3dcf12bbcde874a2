"""Large speech encoders, whose hearing the network can be taught.

They learnt to transcribe English from many thousands of voices, and what their layers say of a clip carries
over to speakers as a network of our size, which meets a few dozen actors, does not learn to by itself. Only
training needs them. Two that learnt apart know more together than one, though
of what the second adds the network has shown nothing yet (docs/accuracy.md, *A second encoder*).
"""

from __future__ import annotations

import numpy as np

from model_build.encoders import moonshine, whisper
from model_build.encoders.moonshine import Moonshine
from model_build.encoders.whisper import Whisper
from sertag.types import FloatArray, HalfArray

__all__ = ["SpeechEncoders", "check_installed"]


class SpeechEncoders:
    """The encoders of the installed packages, on one core."""

    def __init__(self) -> None:
        self._encoders = (Moonshine(), Whisper())

    def summary(self, samples: FloatArray) -> HalfArray:
        """Mean and standard deviation over time of all layers of both, of samples at 16 kHz: ``(7872,)``."""
        layers = (encoder.layers(samples) for encoder in self._encoders)
        moments = [np.concatenate([each.mean(axis=1), each.std(axis=1)], axis=1).ravel() for each in layers]
        return np.asarray(np.concatenate(moments), dtype=np.float16)


def check_installed() -> None:
    """Looks for what the encoders need.

    Raises:
        ImportError: where a package is missing, or has no model in it.
    """
    moonshine.model_file()
    whisper.model_file()
