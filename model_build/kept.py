"""The networks of a build that are trained already, so that one that is cut off goes on.

A training takes the better part of an hour, and protocols have several.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from model_build.protocol import Part
from sertag.types import FloatArray


class KeptNetworks:
    """A folder with the weights of finished trainings.

    A file's name is a digest of all that its weights depend on, so those of another build are not found.

    Args:
        folder: where they are; it need not be there yet.
        build: recipe, recordings and version, as JSON has them.
    """

    def __init__(self, folder: Path, build: Mapping[str, object]) -> None:
        self._folder = folder
        self._build = build
        self._own: set[Path] = set()

    def weights(self, part: Part) -> list[FloatArray] | None:
        """The weights of a part's network, None where it is not trained yet."""
        try:
            with np.load(self._file(part)) as arrays:
                return [arrays[name] for name in arrays.files]
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def keep(self, part: Part, weights: Sequence[FloatArray]) -> None:
        """Writes the weights of a part's network; after a power cut they are there whole, or not at all.

        Where they cannot be written, the build goes on with what it has.
        """
        file = self._file(part)
        unfinished = file.with_suffix(".part")
        self._own.add(unfinished)
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            with open(unfinished, "wb") as stream:
                np.savez(stream, *weights)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(unfinished, file)

    def clear(self) -> None:
        """Removes this build's networks, and the folder if no other's are in it."""
        with contextlib.suppress(OSError):
            for file in self._own:
                file.unlink(missing_ok=True)
            self._folder.rmdir()

    def _file(self, part: Part) -> Path:
        """Where a part's weights are; what is known of its clips teaches, beside their samples."""
        clips = sorted(
            json.dumps({**asdict(item), "path": item.path.name}, sort_keys=True) for item in part.training
        )
        told = json.dumps({"build": self._build, "training": clips}, sort_keys=True)
        file = self._folder / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.npz"
        self._own.add(file)
        return file
