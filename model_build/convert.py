"""Network to ``.tflite``: dynamic-range quantisation, and the proof that the file is what it should be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import flatbuffers
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from sertag.errors import SertagError
from sertag.interpreter import installed_packages, silenced

QUANTISATION = "dynamic range: 8-bit weights in the LSTM, float elsewhere"

_LSTM = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
_FLOAT_OPERATORS = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED)
_FORBIDDEN = {schema.BuiltinOperator.WHILE: "WHILE", schema.BuiltinOperator.CUSTOM: "Flex or custom"}
# Weight tensors among the inputs of the fused operator: input-to-gate and recurrent-to-gate.
_LSTM_WEIGHTS = range(1, 9)


def convert(network: tf.keras.Model) -> bytes:
    """The network as a flatbuffer for one window at a time, the LSTM's weights in 8 bits."""

    # Batch and time are fixed: the converter fuses an LSTM only then.
    @tf.function(input_signature=[tf.TensorSpec((1, *network.input_shape[1:]), tf.float32)])  # type: ignore[untyped-decorator]
    def one_window(window: tf.Tensor) -> tf.Tensor:
        return network(window, training=False)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([one_window.get_concrete_function()], network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with silenced():
        flatbuffer: bytes = converter.convert()
    return _with_float_front_end(flatbuffer)


def _with_float_front_end(flatbuffer: bytes) -> bytes:
    """Stores the 8-bit weights of convolutions and dense layers as floats of the same values.

    tflite-runtime 2.14 takes twice as long for a window with them in 8 bits; the LSTM, which holds most
    of the weights, is as fast either way.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if _code(model, operator) not in _FLOAT_OPERATORS:
            continue
        weights = graph.tensors[operator.inputs[1]]
        if weights.type == schema.TensorType.INT8:
            buffer = model.buffers[weights.buffer]
            steps = np.asarray(buffer.data, dtype=np.uint8).view(np.int8).reshape(weights.shape)
            scale = np.asarray(weights.quantization.scale, dtype=np.float32)
            shape = [1] * steps.ndim
            shape[weights.quantization.quantizedDimension] = -1
            values = steps.astype(np.float32) * scale.reshape(shape)
            buffer.data = np.frombuffer(values.tobytes(), dtype=np.uint8)
            weights.type, weights.quantization = schema.TensorType.FLOAT32, None
    builder = flatbuffers.Builder(len(flatbuffer))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _code(model: schema.ModelT, operator: schema.OperatorT) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def check_operators(flatbuffer: bytes) -> None:
    """Checks that the LSTM is fused, its weights have 8 bits, and no operator needs more than TFLite.

    Raises:
        SertagError: ``bad_conversion``, saying what is wrong.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if name := _FORBIDDEN.get(_code(model, operator)):
            raise SertagError("bad_conversion", f"the converted network holds a {name} operator")
    fused = [operator for operator in graph.operators if _code(model, operator) == _LSTM]
    if not fused:
        raise SertagError("bad_conversion", "the converted network holds no fused LSTM")
    for operator in fused:
        weights = [operator.inputs[index] for index in _LSTM_WEIGHTS if operator.inputs[index] >= 0]
        if any(graph.tensors[weight].type != schema.TensorType.INT8 for weight in weights):
            raise SertagError("bad_conversion", "the fused LSTM's weights are not 8-bit")


# Probabilities: the two round activations for 8-bit weights in different ways.
_LARGEST_SPREAD = 0.05

_RUN = """
import sys
import numpy as np
from sertag.model import Model
from sertag.windows import FrameWindow
model = Model(sys.argv[1], package=sys.argv[2])
features, length = model.metadata.features, model.metadata.window_frames
random = np.random.default_rng(0)
first, second = (
    FrameWindow(0, random.normal(-40, 10, (length, features.columns)).astype("f"), np.ones(length, bool))
    for _ in range(2)
)
before = model.listener.alone([first])
model.listener.alone([second])
assert np.array_equal(before, model.listener.alone([first])), "an answer depends on the one before"
print(model.interpreter, *before[0])
"""


def check_runs(path: Path) -> list[str]:
    """Loads and runs a finished model file in every installed interpreter, each in a process of its own.

    Returns:
        The interpreters that ran it, with their versions.

    Raises:
        SertagError: ``bad_conversion`` where one does not run it, or two disagree.
    """
    answers = {}
    for package in installed_packages():
        done = subprocess.run(
            [sys.executable, "-c", _RUN, str(path), package], capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise SertagError("bad_conversion", f"{path}: does not run in {package}: {reason}")
        name, version, *numbers = done.stdout.split()
        answers[f"{name} {version}"] = np.array(numbers, dtype=np.float64)
    spread = max(np.abs(one - other).max() for one in answers.values() for other in answers.values())
    if spread > _LARGEST_SPREAD:
        raise SertagError("bad_conversion", f"{path}: the interpreters' answers differ by {spread:.3f}")
    return list(answers)
