"""The TFLite interpreter that is installed: the one module that knows which."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

from sertag.errors import SertagError
from sertag.types import FloatArray


class Interpreter(Protocol):
    """The calls that ``tflite-runtime`` and ``ai-edge-litert`` share."""

    def allocate_tensors(self) -> None:
        """Prepares the network to run."""

    def get_input_details(self) -> list[dict[str, Any]]:
        """Inputs: each one's index, shape and type."""

    def get_output_details(self) -> list[dict[str, Any]]:
        """Outputs: each one's index, shape and type."""

    def set_tensor(self, tensor_index: int, value: FloatArray) -> None:
        """Copies an input in."""

    def get_tensor(self, tensor_index: int) -> FloatArray:
        """Copies an output out."""

    def invoke(self) -> None:
        """Runs the network."""

    def reset_all_variables(self) -> None:
        """Clears what the fused LSTM keeps between runs."""


PACKAGES = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
"""Packages that bring an interpreter, the preferred one first, and the module that holds it."""


def installed_packages() -> list[str]:
    """Which of :data:`PACKAGES` are installed, the preferred one first."""
    return [name for name, module in PACKAGES.items() if find_spec(module.split(".")[0])]


def load_interpreter(network: bytes, package: str | None = None) -> tuple[Interpreter, str]:
    """An interpreter of one thread for a flatbuffer, and the package it is from with its version.

    Args:
        network: the flatbuffer.
        package: one of :data:`PACKAGES`; the first that is installed where None.

    Raises:
        SertagError: where no interpreter is installed.
        ValueError, RuntimeError: from the interpreter, for a network that it cannot load.
    """
    name = package or next(iter(installed_packages()), None)
    if name is None:
        raise SertagError(
            "no_interpreter", "no TFLite interpreter is installed; `pip install ai-edge-litert` brings one"
        )
    module = import_module(PACKAGES[name])
    with silenced():
        interpreter = module.Interpreter(model_content=network, num_threads=1)
        interpreter.allocate_tensors()
    # Not from the packages' metadata: to import what reads them takes 30 ms.
    version = import_module(module.__name__.split(".")[0]).__version__
    return cast(Interpreter, interpreter), f"{name} {version}"


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keeps what native libraries print off standard error, of which a process has but one."""
    if sys.stderr is None or threading.active_count() > 1:
        # Closed by whoever started us, the descriptor may be another file's by now; and what other threads
        # print, or what they start, is to be heard.
        yield
        return
    with open(os.devnull, "wb") as nowhere:
        sys.stderr.flush()
        kept = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
