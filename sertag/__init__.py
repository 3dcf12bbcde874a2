"""Hear when a voice is angry, happy, sad, afraid, disgusted or neutral, across an archive.

``Tagger`` is what the command line is written on.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sertag.errors import ModelError, RecordingError, SertagError, UsageError
    from sertag.tagger import Tagger
    from sertag.timeline import Timeline

__all__ = ["ModelError", "RecordingError", "SertagError", "Tagger", "Timeline", "UsageError"]
__version__ = "0.22.0"

_HOMES = {
    "ModelError": "sertag.errors",
    "RecordingError": "sertag.errors",
    "SertagError": "sertag.errors",
    "Tagger": "sertag.tagger",
    "Timeline": "sertag.timeline",
    "UsageError": "sertag.errors",
}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `sertag --help` need not load NumPy.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # What is not imported yet, too, so that notebooks complete it.
    return sorted({*globals(), *__all__})
