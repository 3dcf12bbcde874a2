"""The encoders that the installed packages bring, run for real."""

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

from model_build.encoders import SpeechEncoders, moonshine, packages  # noqa: E402
from model_build.encoders.moonshine import Moonshine  # noqa: E402
from model_build.encoders.whisper import Whisper  # noqa: E402


@pytest.fixture(scope="module")
def encoders() -> SpeechEncoders:
    return SpeechEncoders()


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper()


def test_moonshine_s_last_layer_is_what_the_package_s_own_file_gives() -> None:
    samples = voice(2.0)
    session = onnxruntime.InferenceSession(str(moonshine.model_file()), providers=["CPUExecutionProvider"])
    inputs = {"input_values": samples[None], "attention_mask": np.ones((1, len(samples)), dtype=np.int64)}
    (whole,) = session.run(None, inputs)
    np.testing.assert_allclose(Moonshine().layers(samples)[-1], whole[0], atol=1e-3)


def test_whisper_s_layers_are_what_its_authors_code_gives(whisper: Whisper) -> None:
    # By openai-whisper 20250625 on PyTorch 2.13.0: steps 0, 50 and 99, of each another column.
    expected = [
        [0.0019, 0.3076, 0.9811],
        [0.2041, 0.4677, 0.5571],
        [0.2289, 0.6465, 0.4363],
        [-0.4361, 1.4306, 0.4045],
        [-1.6814, -0.0575, 0.0571],
    ]
    found = whisper.layers(voice(2.0))[:, [0, 50, 99], [0, 100, 383]]
    np.testing.assert_allclose(found, expected, atol=5e-4)


def test_a_step_of_moonshine_is_24_ms_and_every_layer_says_something_else() -> None:
    layers = Moonshine().layers(voice(3.0))
    assert layers.shape[::2] == (7, 288)
    assert layers.shape[1] == pytest.approx(3.0 / 0.024, abs=3)
    assert all(not np.allclose(one, other, atol=0.1) for one, other in pairwise(layers))


def test_whisper_hears_more_than_its_30_s_piece_by_piece(whisper: Whisper) -> None:
    samples = voice(31.0)
    layers = whisper.layers(samples)
    assert layers.shape == (5, 31.0 / 0.02, 384)
    np.testing.assert_array_equal(layers[:, 1500:], whisper.layers(samples[480_000:]))


def test_a_summary_tells_voices_apart_and_repeats_itself(encoders: SpeechEncoders) -> None:
    low, again, high = (encoders.summary(voice(2.0, pitch=pitch)) for pitch in (100.0, 100.0, 300.0))
    assert low.shape == (4032 + 3840,)
    assert low.tobytes() == again.tobytes()
    for part in (slice(4032), slice(4032, None)):
        assert np.linalg.norm(low[part].astype(np.float32) - high[part]) > 1.0


@pytest.mark.parametrize("count", [0, 1, 400, 1_999])
def test_the_shortest_clips_are_heard_too(encoders: SpeechEncoders, count: int) -> None:
    summary = encoders.summary(voice(1.0)[:count])
    assert np.isfinite(summary).all()


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ImportError, match=r"^no-such-package is not installed$"):
        packages.file_of("no-such-package", "model")
    with pytest.raises(ImportError, match=r"^moonshine-voice 0\.0\.\d+ has no elsewhere$"):
        packages.file_of("moonshine-voice", "elsewhere")
