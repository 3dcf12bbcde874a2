"""A recording's path to a descriptor, or to the reason why there is none."""

from __future__ import annotations

import errno
import os
import stat

from sertag.errors import RecordingError


def open_recording(path: str) -> tuple[int, os.stat_result]:
    """A descriptor of a regular file with content, and its status.

    Raises:
        RecordingError: ``vanished``, ``no_permission``, ``empty``, ``not_audio`` or ``decode_failed``.
    """
    try:
        # A pipe without a writer must not keep us waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise _unopened(path, error) from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size > 0:
        return descriptor, status
    os.close(descriptor)
    if stat.S_ISREG(status.st_mode):
        raise RecordingError("empty", "has 0 bytes")
    if stat.S_ISDIR(status.st_mode):
        raise _no_file(path)
    raise RecordingError("not_audio", "is not a regular file")


def _no_file(folder: str) -> RecordingError:
    if os.access(folder, os.R_OK | os.X_OK):
        return RecordingError("not_audio", "is a folder")
    return RecordingError("no_permission", "is a folder that this user may not list")


def _unopened(path: str, error: OSError) -> RecordingError:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR | errno.ELOOP if os.path.islink(path):
            return RecordingError("vanished", "is a link that leads nowhere")
        case errno.ENOENT | errno.ENOTDIR | errno.ELOOP:
            return RecordingError("vanished", "is not there")
        case errno.EACCES | errno.EPERM if os.path.isdir(path):
            return _no_file(path)
        case errno.EACCES | errno.EPERM:
            return RecordingError("no_permission", "may not be read by this user")
        case errno.ENXIO:
            return RecordingError("not_audio", "is not a regular file")
    return RecordingError("decode_failed", f"cannot be read: {error.strerror}")
