"""What a model file says about itself, so that it cannot be run wrongly.

The metadata are a JSON document in a zip archive at the end of the ``.tflite`` file, as TFLite's
associated files are: ``unzip -p model.tflite sertag.json`` prints them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sertag.adaptation import EmotionEffects
from sertag.errors import ModelError
from sertag.familiarity import KnownLines
from sertag.features import FeatureSettings, telephone_bands
from sertag.labels import in_order
from sertag.listener import Calibration
from sertag.normalisation import Normalisation
from sertag.types import DoubleArray

SCHEMA = "sertag-model/12"

_ENTRY = "sertag.json"
_LARGEST = 4 * 2**20
"""Room for the names of a hundred thousand speakers."""
LONGEST_NAME = 100
_SMALLEST, _GREATEST = 1e-3, 1e3
"""Bounds of what normalises the inputs, which are decibels and octaves, and of the temperatures below 1."""
_GREATEST_EFFECT = 50.0
"""In deviations, decibels, or the logarithm of a deviation: its exponential still fits a float32."""


@dataclass(frozen=True)
class ModelMetadata:
    """A model's settings and provenance.

    ``window`` is in seconds; ``valence`` has a number per label; ``about`` holds what run time
    does not need: corpora and licences, split, training options, measured accuracy, quantisation.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    valence: tuple[int, ...]
    features: FeatureSettings
    normalisation: Normalisation
    effects: EmotionEffects
    lines: KnownLines
    window: float
    calibration: Calibration
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def window_frames(self) -> int:
        """The window's length in frames."""
        return self.features.frames_in(self.window)


def pack(network: bytes, metadata: ModelMetadata) -> bytes:
    """A model file: the flatbuffer with its metadata behind it."""
    document = {
        "schema": SCHEMA,
        "name": metadata.name,
        "version": metadata.version,
        "labels": metadata.labels,
        "valence": metadata.valence,
        "features": asdict(metadata.features),
        "normalisation": {
            "mean": np.round(metadata.normalisation.mean, 4).astype(float).tolist(),
            "deviation": np.round(metadata.normalisation.deviation, 4).astype(float).tolist(),
        },
        "effects": {
            "mean": np.round(metadata.effects.mean, 3).tolist(),
            "level": np.round(metadata.effects.level, 3).tolist(),
            "deviation": np.round(metadata.effects.deviation, 3).tolist(),
        },
        "lines": {name: np.round(value, 4).tolist() for name, value in vars(metadata.lines).items()},
        "window": metadata.window,
        "temperature": {
            "alone": metadata.calibration.alone,
            "one_clip": metadata.calibration.one_clip,
            "adapted": metadata.calibration.adapted,
        },
        "usual_answers": np.round(metadata.calibration.usual, 4).tolist(),
        "foreign_lines_add": np.round(metadata.calibration.foreign, 4).tolist(),
        "network": {"bytes": len(network), "sha256": hashlib.sha256(network).hexdigest()},
        "about": metadata.about,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
    if len(text) > _LARGEST:
        raise ValueError(f"metadata of {len(text)} bytes are more than {_LARGEST}")
    file = io.BytesIO(network)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        # A fixed date, so that the same training gives the same file.
        entry = zipfile.ZipInfo(_ENTRY, (1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, text)
    return file.getvalue()


def unpack(content: bytes, path: Path) -> tuple[bytes, ModelMetadata]:
    """The flatbuffer and the metadata of a model file.

    Raises:
        ModelError: where the file was not made by ``sertag build-model``, or is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entry = archive.getinfo(_ENTRY)
            if entry.file_size > _LARGEST:
                raise ModelError(f"{path}: its metadata are larger than {_LARGEST // 2**20} MiB")
            document = json.loads(archive.read(entry))
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, EOFError, OSError) as error:
        raise ModelError(
            f"{path}: holds no sertag metadata; is it whole, and made by `sertag build-model`?"
        ) from error
    except Exception as error:  # zlib.error and what else a damaged archive may raise
        raise ModelError(f"{path}: its metadata are damaged; make or fetch the file again") from error
    try:
        return _checked(content, document, path)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelError(f"{path}: its metadata are incomplete or malformed ({error})") from error


def _checked(content: bytes, document: Any, path: Path) -> tuple[bytes, ModelMetadata]:
    if document["schema"] != SCHEMA:
        raise ModelError(f"{path}: is of schema {document['schema']!r}; this version reads {SCHEMA!r}")
    network = content[: int(document["network"]["bytes"])]
    if hashlib.sha256(network).hexdigest() != document["network"]["sha256"]:
        raise ModelError(f"{path}: its network is damaged (checksum differs); make or fetch the file again")
    labels = tuple(document["labels"])
    valence = tuple(document["valence"])
    if labels != in_order(labels) or len(labels) < 2 or len(valence) != len(labels):
        raise ValueError("labels")
    if not all(type(value) is int and value in (-1, 0, 1) for value in valence):
        raise ValueError("valence")
    features = FeatureSettings(**document["features"])
    inputs = (features.inputs,)
    mean = _numbers(document["normalisation"]["mean"], inputs, _GREATEST, "normalisation")
    deviation = _numbers(document["normalisation"]["deviation"], inputs, _GREATEST, "normalisation")
    if not (deviation >= _SMALLEST).all():
        raise ValueError("normalisation")
    shapes = {"mean": (len(labels), *inputs), "level": (len(labels),), "deviation": (len(labels), *inputs)}
    effects = EmotionEffects(
        **{
            name: _numbers(value, shapes[name], _GREATEST_EFFECT, "effects")
            for name, value in document["effects"].items()
        }
    )
    lines = _lines(document["lines"], features)
    if not all(
        isinstance(document["about"]["split"][side], list) for side in ("training", "validation", "test")
    ):
        raise ValueError("split")
    window = float(document["window"])
    temperatures = {name: float(value) for name, value in document["temperature"].items()}
    if not (0 < window <= 600 and all(_SMALLEST < value < 100 for value in temperatures.values())):
        raise ValueError("window or temperature")
    usual = _numbers(document["usual_answers"], (len(labels), len(labels)), _GREATEST, "usual answers")
    foreign = _numbers(document["foreign_lines_add"], (len(labels),), _GREATEST, "what foreign lines add")
    calibration = Calibration(**temperatures, usual=usual, foreign=foreign)
    if abs(features.frames_in(window) * features.hop_seconds - window) > 1e-6:
        raise ValueError("window is no multiple of the hop")
    return network, ModelMetadata(
        name=_text(document["name"], "name"),
        version=_text(document["version"], "version"),
        labels=labels,
        valence=valence,
        features=features,
        normalisation=Normalisation(mean.astype(np.float32), deviation.astype(np.float32)),
        effects=effects,
        lines=lines,
        window=window,
        calibration=calibration,
        about=dict(document["about"]),
    )


def _lines(document: Any, features: FeatureSettings) -> KnownLines:
    bands = telephone_bands(features)
    size = 3 * (bands.stop - bands.start)
    lines, directions = len(document["centres"]), len(document["directions"])
    known = KnownLines(
        _numbers(document["centres"], (lines, size), _GREATEST, "lines"),
        _numbers(document["spreads"], (lines,), _GREATEST, "lines"),
        _numbers(document["unrests"], (lines,), _GREATEST, "lines"),
        _numbers(document["directions"], (directions, size), 1.0, "lines"),
        _numbers(document["excess"], (directions,), 1.0, "lines"),
    )
    if not (lines and (known.spreads >= _SMALLEST).all() and (known.unrests >= 0).all()):
        raise ValueError("lines")
    return known


def _numbers(value: Any, shape: tuple[int, ...], most: float, what: str) -> DoubleArray:
    """An array of a shape, of numbers of at most some size.

    Raises:
        ValueError: naming what they are, for anything else.
    """
    numbers = np.array(value, dtype=np.float64)
    if numbers.shape != shape or not (np.abs(numbers) <= most).all():
        raise ValueError(what)
    return numbers


def _text(value: Any, what: str) -> str:
    if not (isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_NAME):
        raise ValueError(what)
    return value
