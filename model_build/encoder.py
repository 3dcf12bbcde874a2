"""A large speech encoder, whose hearing the network can be taught: Moonshine tiny's (Jeffries et al. 2024).

It learnt to transcribe English from many thousands of voices, and what its layers say of a clip carries over
to speakers as a network of our size, which meets a few dozen actors, does not learn to by itself. Only
training needs it. Its package runs it as a whole; the layers are had by stating its graph anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxruntime.tools.ort_format_model  # It puts the bindings that are next on the path.
from ort_flatbuffers_py.fbs.AttributeType import AttributeType
from ort_flatbuffers_py.fbs.InferenceSession import InferenceSession

from sertag.types import FloatArray, HalfArray

_PACKAGE = "moonshine-voice"
_FILE = "moonshine_voice/assets/tiny-en/encoder_model.ort"
_SAMPLES, _MASK, _LAST = "input_values", "attention_mask", "last_hidden_state"
_LAYERS = ("/Transpose_output_0", *(f"/layers.{number}/Add_1_output_0" for number in range(5)), _LAST)
_FEWEST = 2_000


class SpeechEncoder:
    """The encoder of the installed package, on one core."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        model = _with_layers(encoder_file().read_bytes())
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def layers(self, samples: FloatArray) -> FloatArray:
        """What each layer says of samples (1-D, at 16 kHz): ``(layers, steps of 24 ms, 288)``.

        The first of the seven is the convolutional front end's.
        """
        samples = np.pad(samples, (0, max(0, _FEWEST - len(samples)))).astype(np.float32)
        mask = np.ones((1, len(samples)), dtype=np.int64)
        layers: FloatArray = np.concatenate(
            self._session.run(_LAYERS, {_SAMPLES: samples[None], _MASK: mask})
        )
        return layers

    def summary(self, samples: FloatArray) -> HalfArray:
        """Mean and standard deviation over time of all layers, of samples at 16 kHz: ``(4032,)``."""
        layers = self.layers(samples)
        moments = np.concatenate([layers.mean(axis=1), layers.std(axis=1)], axis=1)
        return np.asarray(moments.ravel(), dtype=np.float16)


def encoder_file() -> Path:
    """Where the package keeps the encoder, which is found without importing a microphone's driver.

    Raises:
        ImportError: where the package is missing, or has no model in it.
    """
    try:
        file = Path(str(metadata.distribution(_PACKAGE).locate_file(_FILE)))
    except metadata.PackageNotFoundError:
        raise ImportError(f"{_PACKAGE} is not installed") from None
    if not file.is_file():
        raise ImportError(f"{_PACKAGE} {metadata.version(_PACKAGE)} has no {_FILE}")
    return file


def _with_layers(content: bytes) -> bytes:
    """An ORT flatbuffer as an ONNX model that gives out every layer."""
    model = InferenceSession.GetRootAs(content).Model()
    graph = model.Graph()
    stored = [_tensor(graph.Initializers(number)) for number in range(graph.InitializersLength())]
    inputs = [
        onnx.helper.make_tensor_value_info(_SAMPLES, onnx.TensorProto.FLOAT, ["batch", "samples"]),
        onnx.helper.make_tensor_value_info(_MASK, onnx.TensorProto.INT64, ["batch", "samples"]),
    ]
    outputs = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in _LAYERS]
    known = {"", _SAMPLES, _MASK, *(tensor.name for tensor in stored)}
    nodes = list(_in_order([_node(graph.Nodes(number)) for number in range(graph.NodesLength())], known))
    versions = [
        onnx.helper.make_opsetid(each.Domain().decode(), each.Version())
        for each in (model.OpsetImport(number) for number in range(model.OpsetImportLength()))
    ]
    whole = onnx.helper.make_graph(nodes, "encoder", inputs, outputs, stored)
    made = onnx.helper.make_model(whole, opset_imports=versions, ir_version=8)
    serialised: bytes = made.SerializeToString()
    return serialised


def _in_order(nodes: list[onnx.NodeProto], known: set[str]) -> Iterator[onnx.NodeProto]:
    """The nodes, each after those whose outputs it takes; the flatbuffer has them in any order."""
    while nodes:
        ready = [node for node in nodes if known.issuperset(node.input)]
        if not ready:
            raise ImportError(f"{_PACKAGE}: its encoder has a node without inputs: {nodes[0].op_type}")
        for node in ready:
            known.update(node.output)
        yield from ready
        nodes = [node for node in nodes if not known.issuperset(node.output)]


def _node(stored: Any) -> onnx.NodeProto:
    node = onnx.NodeProto()
    node.op_type, node.domain = stored.OpType().decode(), (stored.Domain() or b"").decode()
    node.input.extend(stored.Inputs(number).decode() for number in range(stored.InputsLength()))
    node.output.extend(stored.Outputs(number).decode() for number in range(stored.OutputsLength()))
    attributes = (stored.Attributes(number) for number in range(stored.AttributesLength()))
    node.attribute.extend(_attribute(attribute) for attribute in attributes)
    return node


def _attribute(stored: Any) -> onnx.AttributeProto:
    """Of the five types of attribute that the encoder's nodes have."""
    readers = {
        AttributeType.FLOAT: lambda: float(stored.F()),
        AttributeType.INT: lambda: int(stored.I()),
        AttributeType.STRING: stored.S,
        AttributeType.TENSOR: lambda: _tensor(stored.T()),
        AttributeType.INTS: lambda: [stored.Ints(number) for number in range(stored.IntsLength())],
    }
    value = readers[stored.Type()]()
    return onnx.helper.make_attribute(stored.Name().decode(), value, attr_type=stored.Type())


def _tensor(stored: Any) -> onnx.TensorProto:
    raw = stored.RawDataAsNumpy()
    return onnx.TensorProto(
        name=(stored.Name() or b"").decode(),
        data_type=stored.DataType(),
        dims=[stored.Dims(number) for number in range(stored.DimsLength())],
        # Of an empty tensor the bindings make the number 0.
        raw_data=raw.tobytes() if isinstance(raw, np.ndarray) else b"",
    )
