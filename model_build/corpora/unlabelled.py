"""Speech whose emotions nobody has told: folders ``collection/voice/...``.

All of a collection came over one line, as a radio play did. Its licence is the first line of its file
``LICENCE``, where it has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model_build.corpora.utterance import Utterance
from sertag.errors import UsageError


def collections(folder: Path) -> list[Path]:
    """The collections in a folder, in the order of their names.

    Raises:
        UsageError: where it is none, or holds none.
    """
    found = [place for place in _visible(folder) if place.is_dir()] if folder.is_dir() else []
    if not found:
        raise UsageError(f"{folder}: holds no folders collection/voice of unlabelled recordings")
    return found


def read_collection(collection: Path) -> Iterator[Utterance]:
    """The utterances of a collection, voice by voice, in the order of their names."""
    for voice in _visible(collection):
        if voice.is_dir():
            speaker = f"{collection.name} {voice.name}"
            yield from (Utterance(path, collection.name, speaker, emotion="") for path in _visible(voice))


def licence(collection: Path) -> str:
    """The licence of a collection."""
    try:
        return (collection / "LICENCE").read_text(encoding="utf-8", errors="replace").splitlines()[0]
    except (OSError, IndexError):
        return "licence not stated"


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
