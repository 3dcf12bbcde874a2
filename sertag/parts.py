"""Results on disk: an append-only file of checksummed records."""

from __future__ import annotations

import os
import struct
import zlib
from typing import NamedTuple

from sertag.errors import SertagError

_HEADER = struct.Struct("<II")
RECORD_OVERHEAD = _HEADER.size
"""Bytes that a record takes beside its payload."""
_BUFFER = 1 << 20


class Place(NamedTuple):
    """Where a record lies: its offset and its length in bytes."""

    offset: int
    length: int


class DamagedRecordError(Exception):
    """What was read is not what was written."""


class Parts:
    """Records, each with a CRC-32, one after the other in a file.

    Args:
        descriptor: the file, open for reading and writing; owned from now on.
        end: where to append; what lies behind it, from a run that was cut off, is cut away.
        name: what the file is called in errors.

    Raises:
        SertagError: ``output_failed`` where it cannot be written.
    """

    def __init__(self, descriptor: int, end: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self._end = end
        self._buffer = bytearray()
        os.ftruncate(descriptor, end)

    def append(self, payload: bytes) -> Place:
        """Adds a record; it is safe after the next :meth:`sync`."""
        place = Place(self._end + len(self._buffer), len(payload))
        self._buffer += _HEADER.pack(zlib.crc32(payload), len(payload)) + payload
        if len(self._buffer) > _BUFFER:
            self._flush()
        return place

    def sync(self) -> None:
        """Returns when all records are on the disk itself."""
        self._flush()
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._failure(error) from error

    def read(self, place: Place) -> bytes:
        """A record.

        Raises:
            DamagedRecordError: where its checksum or length differs.
        """
        self._flush()
        content = os.pread(self._descriptor, _HEADER.size + place.length, place.offset)
        payload = content[_HEADER.size :]
        if content[: _HEADER.size] != _HEADER.pack(zlib.crc32(payload), place.length):
            raise DamagedRecordError(f"{self._name}: its record at byte {place.offset} is damaged")
        return payload

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)

    def _flush(self) -> None:
        try:
            while self._buffer:
                written = os.pwrite(self._descriptor, self._buffer, self._end)
                self._end += written
                del self._buffer[:written]
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> SertagError:
        return SertagError("output_failed", f"{self._name}: cannot be written: {error.strerror}")
