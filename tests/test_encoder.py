"""The encoder that the installed package brings, run for real."""

from __future__ import annotations

import platform
import sys
from itertools import pairwise

import numpy as np
import pytest

from conftest import voice

onnxruntime = pytest.importorskip("onnxruntime", reason="the teacher needs the extra 'teacher'")
pytest.importorskip("onnx", reason="the teacher needs the extra 'teacher'")
if platform.machine() != "x86_64" or sys.platform != "linux":
    pytest.skip("no encoder for this machine", allow_module_level=True)

from model_build.encoder import SpeechEncoder, encoder_file  # noqa: E402


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    return SpeechEncoder()


def test_the_last_layer_is_what_the_package_s_own_file_gives(encoder: SpeechEncoder) -> None:
    samples = voice(2.0)
    session = onnxruntime.InferenceSession(str(encoder_file()), providers=["CPUExecutionProvider"])
    inputs = {"input_values": samples[None], "attention_mask": np.ones((1, len(samples)), dtype=np.int64)}
    (whole,) = session.run(None, inputs)
    np.testing.assert_allclose(encoder.layers(samples)[-1], whole[0], atol=1e-3)


def test_a_step_is_24_ms_and_every_layer_says_something_else(encoder: SpeechEncoder) -> None:
    layers = encoder.layers(voice(3.0))
    assert layers.shape[::2] == (7, 288)
    assert layers.shape[1] == pytest.approx(3.0 / 0.024, abs=3)
    assert all(not np.allclose(one, other, atol=0.1) for one, other in pairwise(layers))


def test_a_summary_tells_voices_apart_and_repeats_itself(encoder: SpeechEncoder) -> None:
    low, again, high = (encoder.summary(voice(2.0, pitch=pitch)) for pitch in (100.0, 100.0, 300.0))
    assert low.shape == (4032,)
    assert low.tobytes() == again.tobytes()
    assert np.linalg.norm(low.astype(np.float32) - high) > 1.0


@pytest.mark.parametrize("count", [0, 1, 400, 1_999])
def test_the_shortest_clips_are_heard_too(encoder: SpeechEncoder, count: int) -> None:
    summary = encoder.summary(voice(1.0)[:count])
    assert np.isfinite(summary).all()


def test_a_missing_package_or_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_build.encoder._FILE", "elsewhere")
    with pytest.raises(ImportError, match=r"^moonshine-voice 0\.0\.\d+ has no elsewhere$"):
        encoder_file()
    monkeypatch.setattr("model_build.encoder._PACKAGE", "no-such-package")
    with pytest.raises(ImportError, match=r"^no-such-package is not installed$"):
        encoder_file()
