"""A ``.tflite`` file and its metadata to a network that listens."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from sertag.errors import ModelError
from sertag.interpreter import load_interpreter
from sertag.listener import Listener
from sertag.metadata import unpack
from sertag.normalisation import VIEWS
from sertag.types import FloatArray

SHIPPED = Path(__file__).parent / "models"
"""Folder of the models that come with the package."""

_LARGEST = 64 * 2**20


class Model:
    """A loaded model. Threads take turns in its interpreter; a copy has one of its own.

    Args:
        name: name of a shipped model, or path of a ``.tflite`` file.
        package: which interpreter to use; the preferred one that is installed where None.
        content: what the file holds, where it was read before.

    Raises:
        ModelError: for a file that is missing, damaged, or without metadata.
    """

    def __init__(
        self, name: str = "default", *, package: str | None = None, content: bytes | None = None
    ) -> None:
        self.path = locate(name) if content is None else Path(name)
        self._package = package
        self._content = read(self.path) if content is None else content
        network, self.metadata = unpack(self._content, self.path)
        try:
            self._interpreter, self.interpreter = load_interpreter(network, package)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self.path}: the interpreter cannot load it: {error}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        expected = (1, self.metadata.window_frames, self.metadata.features.inputs, VIEWS)
        if len(inputs) != 1 or tuple(inputs[0]["shape"]) != expected or inputs[0]["dtype"] != np.float32:
            raise ModelError(f"{self.path}: its network does not take what its metadata say")
        given = (1, len(self.metadata.labels))
        if len(outputs) != 1 or tuple(outputs[0]["shape"]) != given or outputs[0]["dtype"] != np.float32:
            raise ModelError(f"{self.path}: its network does not give what its metadata say")
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._turn = threading.Lock()

    def __reduce__(self) -> tuple[Callable[[str], Model], tuple[str]]:
        # What was read: the file may be another by now.
        return partial(Model, package=self._package, content=self._content), (str(self.path),)

    @cached_property
    def sha256(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self._content).hexdigest()

    @cached_property
    def listener(self) -> Listener:
        """The network with all that its metadata say is done before and after it."""
        metadata = self.metadata
        return Listener(
            run=self.run,
            settings=metadata.features,
            length=metadata.window_frames,
            normalisation=metadata.normalisation,
            effects=metadata.effects,
            lines=metadata.lines,
            calibration=metadata.calibration,
        )

    def run(self, inputs: FloatArray) -> FloatArray:
        """The network: inputs ``(windows, length, inputs, VIEWS)`` to logits ``(windows, labels)``."""
        out = np.empty((len(inputs), len(self.metadata.labels)), dtype=np.float32)
        for row, window in enumerate(inputs):
            with self._turn:
                # The fused LSTM keeps its state from one call to the next.
                self._interpreter.reset_all_variables()
                self._interpreter.set_tensor(self._input, window[None])
                self._interpreter.invoke()
                out[row] = self._interpreter.get_tensor(self._output)[0]
        return out


def read(path: Path) -> bytes:
    """What a model file holds.

    Raises:
        ModelError: where it cannot be read, or is larger than any model.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelError(f"{path}: is larger than any model, {_LARGEST // 2**20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def locate(name: str) -> Path:
    """The file of a shipped model's name, or of a path.

    Raises:
        ModelError: where there is neither.
    """
    shipped = SHIPPED / f"{name}.tflite"
    # Unlike Path.is_file, it takes a name that is too long, or a folder that is closed, for no file.
    if "/" not in name and os.path.isfile(shipped):
        return shipped
    if os.path.isfile(name):
        return Path(name)
    names = ", ".join(sorted(model.stem for model in SHIPPED.glob("*.tflite")))
    raise ModelError(f"{name}: neither a model file nor the name of a shipped model ({names})")
