"""Paths to recordings: recursive, by extension or, where that is unknown, by content; each file once."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from sertag.errors import UsageError
from sertag.ondisk import PathSet, sorted_bytes

EXTENSIONS = frozenset(
    (
        *(".3gp", ".aac", ".aif", ".aifc", ".aiff", ".al", ".amr", ".au", ".caf", ".flac", ".gsm", ".m4a"),
        *(".mka", ".mp2", ".mp3", ".mp4", ".nist", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph", ".spx"),
        *(".voc", ".w64", ".wav", ".wave", ".webm", ".wma", ".wv"),
    )
)
"""What recordings are usually called; such a file that cannot be decoded is a failure, not ignored."""

_LITERAL_ESCAPE = re.compile(rb"\\(?=x[0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Recording:
    r"""A file to tag: where it lies, and its name in the outputs, unique in a run.

    ``size`` is in bytes, ``modified`` in nanoseconds since 1970; both are -1 where the file cannot be asked.
    ``carried`` are the values of a list's other columns.
    """

    path: str
    name: str
    size: int
    modified: int
    carried: tuple[str, ...] = ()


def find_recordings(
    paths: Sequence[str],
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    own: Collection[bytes] = (),
) -> Iterator[Recording]:
    """Recordings in the order of the arguments, then depth first, names in byte order.

    A file that is named itself is always a recording. Below folders dot-files are skipped; a name with a
    known extension is a recording whatever it holds, other files are where their first bytes say so. Links
    are followed. A file that several arguments or links lead to comes once, where it is first met; hard links
    are files of their own. A folder that may not be listed comes in place of what it holds.

    Args:
        paths: files and folders.
        include: shell patterns; if there are any, the files that match one are the recordings, whatever
            they are called or hold. ``*`` matches ``/`` too, letters match in their own case. A pattern with
            a ``/`` is held against the whole name in the outputs, others against its last part.
        exclude: patterns of files that are none, though they be included or named themselves.
        own: files that the run writes, without links: below folders they are none, and are not opened.

    Raises:
        UsageError: where one of the paths does not exist; before anything is yielded.
    """
    places = [_absolute(path) for path in paths]
    return _find(places, Finder(include, exclude, own))


def display_name(path: str) -> str:
    r"""A path as text: POSIX separators, and ``\xHH`` for bytes that are not UTF-8.

    Where a name holds such an escape literally, its backslash becomes ``\x5c``: no two paths look the same.
    """
    return _text(os.fsencode(path.replace(os.sep, "/")))


class Place(NamedTuple):
    """A path as given or found, its name in the outputs, and where it is without symbolic links above it."""

    path: bytes
    name: bytes
    real: bytes

    def child(self, entry: bytes) -> Place:
        """The place of an entry in this folder."""
        return Place(_joined(self.path, entry), _joined(self.name, entry), _joined(self.real, entry))


class Finder:
    """Finds recordings at places, each file once; see :func:`find_recordings` for the arguments."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str], own: Collection[bytes]) -> None:
        # As in names: bytes that are not UTF-8 are escaped, and what is escaped already stays.
        self._include = [os.fsencode(pattern).decode("utf-8", "backslashreplace") for pattern in include]
        self._exclude = [os.fsencode(pattern).decode("utf-8", "backslashreplace") for pattern in exclude]
        self._own = own
        self._seen = PathSet()
        self._real_folder = lru_cache(1024)(os.path.realpath)

    def close(self) -> None:
        """Forgets what was found."""
        self._seen.close()

    def place(self, path: bytes, name: bytes) -> Place:
        """The place of a path that somebody names."""
        folder, last = os.path.split(path)
        if last in (b"", b".", b".."):
            return Place(path, name, os.path.realpath(path))
        return Place(path, name, _joined(self._real_folder(folder or b"."), last))

    def find(self, start: Place, carried: tuple[str, ...] = ()) -> Iterator[Recording]:
        """The recording that a place is, or those below it that were not found before."""
        # Not recursive: folders may be nested more deeply than calls.
        levels: list[Iterator[Place]] = [iter((start,))]
        while levels:
            place = next(levels[-1], None)
            if place is None:
                levels.pop()
                continue
            named = len(levels) == 1
            try:
                status, real = _status(place)
            except OSError:
                # A folder perhaps: as below.
                status, real, named = None, place.real, True
            # To open and close one's own journal would let go of the lock on it (POSIX: fcntl).
            if real in self._own and not named:
                continue
            if status is not None and stat.S_ISDIR(status.st_mode):
                if not self._seen.add(real):
                    continue
                try:
                    levels.append(map(place._replace(real=real).child, _entries(place.path)))
                    continue
                except (FileNotFoundError, NotADirectoryError):
                    continue
                except OSError:
                    # What lies in there cannot be known; that is a failure to report, not to pass over.
                    wanted = not _matches(_text(place.name), self._exclude)
            else:
                wanted = self._is_recording(place, status, named=named) and self._seen.add(real)
            if wanted:
                size, modified = (-1, -1) if status is None else (status.st_size, status.st_mtime_ns)
                yield Recording(os.fsdecode(place.path), _text(place.name) or ".", size, modified, carried)

    def _is_recording(self, place: Place, status: os.stat_result | None, *, named: bool) -> bool:
        name = _text(place.name)
        if self._exclude and _matches(name, self._exclude):
            return False
        if self._include:
            return _matches(name, self._include)
        if named or os.path.splitext(place.path)[1].lower().decode("latin-1") in EXTENSIONS:
            return True
        # A pipe is never opened: nobody may ever write to it.
        return status is not None and stat.S_ISREG(status.st_mode) and _sounds_like_audio(place.path)


def _find(places: Sequence[bytes], finder: Finder) -> Iterator[Recording]:
    with contextlib.closing(finder):
        # What names are relative to: the one folder given, or the deepest common one.
        root = os.path.commonpath(
            [place if os.path.isdir(place) else os.path.dirname(place) for place in places]
        )
        for place in places:
            yield from finder.find(finder.place(place, place.removeprefix(root).lstrip(b"/")))


def _absolute(path: str) -> bytes:
    try:
        status = os.stat(path)
    except PermissionError:
        raise UsageError(f"{display_name(path)}: may not be reached by this user") from None
    except (OSError, ValueError):
        raise UsageError(f"{display_name(path)}: no such file or folder") from None
    lexical = os.path.abspath(path)
    with contextlib.suppress(OSError):
        if os.path.samestat(status, os.stat(lexical)):
            return os.fsencode(lexical)
    # Behind a link, ``..`` is not what it looks like.
    return os.fsencode(os.path.realpath(path))


def _status(place: Place) -> tuple[os.stat_result | None, bytes]:
    """What a place leads to, None where that is nothing, and the path of it without links.

    Raises:
        OSError: where not even a link can be told from a file.
    """
    try:
        status = os.lstat(place.path)
    except (FileNotFoundError, NotADirectoryError):
        return None, place.real
    if not stat.S_ISLNK(status.st_mode):
        return status, place.real
    real = os.path.realpath(place.path)
    try:
        return os.stat(place.path), real
    except OSError:
        return None, real


def _entries(folder: bytes) -> Iterator[bytes]:
    """Names in a folder in byte order, without dot-files."""
    with os.scandir(folder) as listing:
        names = sorted_bytes(entry.name for entry in listing if not entry.name.startswith(b"."))
    if not os.access(folder, os.X_OK):
        raise PermissionError
    return names


def _matches(name: str, patterns: Sequence[str]) -> bool:
    last = name.rpartition("/")[2]
    return any(fnmatchcase(name if "/" in pattern else last, pattern) for pattern in patterns)


def _text(path: bytes) -> str:
    escaped = _LITERAL_ESCAPE.sub(rb"\\x5c", path) if b"\\" in path else path
    return escaped.decode("utf-8", "backslashreplace")


def _joined(folder: bytes, entry: bytes) -> bytes:
    return folder + entry if not folder or folder.endswith(b"/") else folder + b"/" + entry


def _sounds_like_audio(path: bytes) -> bool:
    """Whether a file's first bytes are those of a container for audio."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            head = os.read(descriptor, 12)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    if head[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return head[8:12] == b"WAVE"
    if head[:4] == b"FORM":
        return head[8:12] in (b"AIFF", b"AIFC")
    frame_sync = head[:1] == b"\xff" and head[1:2] in (b"\xfb", b"\xfa", b"\xf3", b"\xf2")
    return frame_sync or head.startswith(
        (b"fLaC", b"OggS", b"ID3", b".snd", b"caff", b"riff\x2e\x91\xcf\x11", b"NIST_1A", b"#!AMR", b"wvpk")
    )
