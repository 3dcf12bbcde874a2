"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import io
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sertag.errors import SertagError


@dataclass(frozen=True)
class Move:
    """The last step of a run: a finished file gets its name, or where there is none, an old one goes."""

    aside: str | None
    path: str


class WholeFile:
    """A text file that appears under its name when complete: written aside and synced first.

    What is aside has a fixed name, so that one that a crash left is written over, and is locked, so that
    no two runs write it at once, until it is closed. Where the name is a link, the file that it leads to is
    replaced; its permissions stay.

    Raises:
        SertagError: ``output_failed`` where it cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place = real_path(path)
        self.aside = aside_of(path)
        with writing(path):
            refuse_others(path)
            self._binary = _locked(self.aside)
            self._mode = stat.S_IMODE(self._place.stat().st_mode) if self._place.exists() else None
            # Nobody reads it who may not read what it replaces.
            self._permit(stat.S_IRUSR | stat.S_IWUSR)
            # Without name and time, so that the same results are the same bytes.
            self._zip = (
                gzip.GzipFile("", "wb", 6, self._binary, mtime=0) if path.suffix.lower() == ".gz" else None
            )
            self.stream: IO[str] = io.TextIOWrapper(self._zip or self._binary, "utf-8", newline="")

    def complete(self) -> Move:
        """Syncs the file; the move that puts it in its place is left to do, and then to close it."""
        with writing(self.path):
            self.stream.flush()
            if self._zip:
                self._zip.close()
            self._binary.flush()
            self._permit()
            os.fsync(self._binary.fileno())
        return Move(str(self.aside), str(self._place))

    def _permit(self, more: int = 0) -> None:
        """Gives the permissions of what it replaces, and ``more``; not every file system knows any."""
        if self._mode is not None:
            with contextlib.suppress(OSError):
                os.fchmod(self._binary.fileno(), self._mode | more)

    def discard(self) -> None:
        """Removes what was written."""
        self.aside.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Lets others write the file."""
        for part in (self.stream, self._zip, self._binary):
            with contextlib.suppress(OSError, ValueError):
                if part:
                    part.close()


def _locked(aside: Path) -> IO[bytes]:
    """A file to write from its beginning, which nobody else writes meanwhile.

    Raises:
        OSError: where it cannot be written, or somebody does.
    """
    while True:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
            # Whoever had it locked before may have put it in its place since it was opened.
            if _is_named(descriptor, aside):
                os.ftruncate(descriptor, 0)
                return os.fdopen(descriptor, "wb")
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(errno.EAGAIN, "another run is writing it") from error
    except OSError:
        # Not every file system knows locks.
        return


def _is_named(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the system says of a file that cannot be written into an error for people."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> SertagError:
    """What to raise for what the system says of a file that cannot be written."""
    return SertagError("output_failed", f"{path}: cannot be written: {error.strerror}")


def refuse_others(path: Path) -> None:
    """Raises the system's own error where something else is in a file's place, or none may be put there."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is no plain file; without --out results go to standard output")
    folder = real_path(path).parent
    folder.stat()
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def real_path(path: Path) -> Path:
    """Where a file is, or is to be, whatever links lead there; absolute."""
    return Path(os.path.realpath(path))


def aside_of(path: Path) -> Path:
    """Where a file is written until it is complete; absolute."""
    place = real_path(path)
    return place.with_name(f".{place.name}.part")


def put_in_place(moves: Iterable[Move]) -> None:
    """Does what is left of some moves.

    Raises:
        SertagError: ``output_failed`` where a file cannot get its name.
    """
    for move in moves:
        with writing(Path(move.path)):
            if move.aside is None:
                Path(move.path).unlink(missing_ok=True)
            else:
                os.replace(move.aside, move.path)
            sync_folder(Path(move.path).parent)


def sync_folder(folder: Path) -> None:
    """Returns when the names of a folder's files are on the disk itself."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
