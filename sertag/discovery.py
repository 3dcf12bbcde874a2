"""Paths to recordings: recursive, by extension or, where that is unknown, by content."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sertag.errors import UsageError

EXTENSIONS = frozenset(
    (
        *(".aif", ".aifc", ".aiff", ".al", ".amr", ".au", ".caf", ".flac", ".gsm", ".m4a", ".mp2", ".mp3"),
        *(".oga", ".ogg", ".opus", ".rf64", ".snd", ".spx", ".voc", ".w64", ".wav", ".wave", ".webm", ".wma"),
    )
)
"""What recordings are usually called; such a file that cannot be decoded is a failure, not ignored."""


@dataclass(frozen=True)
class Recording:
    """A file to tag: where it lies, and its name in the outputs."""

    path: str
    name: str


def find_recordings(paths: Sequence[str]) -> Iterator[Recording]:
    """Recordings in the order of the arguments, then depth first, names in byte order.

    A file that is named itself is always a recording. Below folders dot-files are skipped, and
    files reached by an earlier argument already.

    Raises:
        UsageError: where one of the paths does not exist; before anything is yielded.
    """
    for path in paths:
        try:
            os.stat(path)
        except PermissionError:
            raise UsageError(f"{display_name(path)}: may not be reached by this user") from None
        except OSError:
            raise UsageError(f"{display_name(path)}: no such file or folder") from None
    return _find(paths)


def display_name(path: str) -> str:
    r"""A path as text: POSIX separators, and ``\xHH`` for bytes that are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def _find(paths: Sequence[str]) -> Iterator[Recording]:
    earlier: set[str] = set()
    root = _root(paths)
    for path in map(os.path.abspath, paths):
        found = iter([path]) if not os.path.isdir(path) else _walk(path, frozenset())
        for file in found:
            if not _is_below(file, earlier):
                yield Recording(file, display_name(os.path.relpath(file, root)))
        earlier.add(path)


def _is_below(path: str, places: set[str]) -> bool:
    """Whether a path or a folder above it is one of some places; as fast for a million of them."""
    while path not in places:
        parent = os.path.dirname(path)
        if parent == path:
            return False
        path = parent
    return True


def _root(paths: Sequence[str]) -> str:
    """What names are relative to: the one folder given, or the deepest common one."""
    places = [os.path.abspath(path) for path in paths]
    folders = [place if os.path.isdir(place) else os.path.dirname(place) for place in places]
    return os.path.commonpath(folders)


def _walk(folder: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    try:
        status = os.stat(folder)
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    except PermissionError:
        # What lies in there cannot be known; that is a failure to report, not to pass over.
        yield folder
        return
    except OSError:
        return
    # A link that leads back to a folder above it would never end.
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            mode = entry.stat().st_mode
        except OSError:
            # A link that leads nowhere: told as a failure if it was to be a recording.
            if os.path.splitext(entry.name)[1].lower() in EXTENSIONS:
                yield entry.path
            continue
        if stat.S_ISDIR(mode):
            yield from _walk(entry.path, above | {here})
        elif stat.S_ISREG(mode) and _is_recording(entry.path):
            yield entry.path


def _is_recording(path: str) -> bool:
    extension = os.path.splitext(path)[1].lower()
    return extension in EXTENSIONS or _sounds_like_audio(path)


def _sounds_like_audio(path: str) -> bool:
    """Whether a file's first bytes are those of a container for audio."""
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError:
        return False
    if head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return head[8:12] == b"WAVE"
    if head[:4] == b"FORM":
        return head[8:12] in (b"AIFF", b"AIFC")
    frame_sync = head[:1] == b"\xff" and head[1:2] in (b"\xfb", b"\xfa", b"\xf3", b"\xf2")
    return frame_sync or head.startswith(
        (b"fLaC", b"OggS", b"ID3", b".snd", b"caff", b"riff\x2e\x91\xcf\x11")
    )
