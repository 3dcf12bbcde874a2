"""What the figures are of: the machine and the versions, but nobody's names."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import soundfile

from sertag import __version__
from sertag.engines.local import processors
from sertag.model import Model


@dataclass(frozen=True)
class Machine:
    """A machine, what runs on it, and how busy it was before.

    ``load`` is the mean number of processes that ran or waited in the last minute; ``memory`` is in bytes.
    """

    processor: str
    processors: int
    memory: int
    system: str
    python: str
    versions: dict[str, str]
    model: str
    load: float

    @classmethod
    def here(cls) -> Machine:
        """This machine."""
        model = Model()
        packages = {name: version(name) for name in ("numpy", "scipy", "soxr", "soundfile")}
        return cls(
            _processor(),
            processors(),
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            f"{platform.system()} {platform.release()} {platform.machine()}",
            platform.python_version(),
            {
                "sertag": __version__,
                "interpreter": model.interpreter,
                **packages,
                "libsndfile": soundfile.__libsndfile_version__,
            },
            f"{model.metadata.name} {model.metadata.version}",
            os.getloadavg()[0],
        )

    @property
    def busy(self) -> bool:
        """Whether others use so much of it that the figures would be too slow."""
        return self.load > self.processors / 4


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
