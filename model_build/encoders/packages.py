"""Where packages keep the models that they bring."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import onnxruntime


def file_of(package: str, name: str) -> Path:
    """A file of an installed package, which is found without importing what the package does beside.

    Raises:
        ImportError: where the package is missing, or has no such file.
    """
    try:
        file = Path(str(metadata.distribution(package).locate_file(name)))
    except metadata.PackageNotFoundError:
        raise ImportError(f"{package} is not installed") from None
    if not file.is_file():
        raise ImportError(f"{package} {metadata.version(package)} has no {name}")
    return file


def session_of(model: bytes) -> onnxruntime.InferenceSession:
    """An ONNX model, ready to run on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
