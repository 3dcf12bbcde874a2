"""Results that come in any order to results in order."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Generic, TypeVar

from sertag.ondisk import temporary_failed
from sertag.parts import Parts, Place

Item = TypeVar("Item")

_IN_MEMORY = 64 * 1024 * 1024


class Spool(Generic[Item]):
    """Holds back results until it is their turn; beyond 64 MB on the disk.

    Args:
        in_memory: bytes to hold in memory.
    """

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._limit = in_memory
        self._held = 0
        self._waiting: dict[int, tuple[bytes | Place, Item]] = {}
        self._parts: Parts | None = None
        self._next = 0

    def put(self, position: int, payload: bytes, item: Item) -> Iterator[tuple[bytes, Item]]:
        """Takes the result at a position and what it is of; gives those whose turn has come, in order.

        Raises:
            SertagError: ``output_failed`` where the disk is full.
        """
        self._waiting[position] = payload, item
        self._held += len(payload)
        while self._next in self._waiting:
            waiting, its = self._waiting.pop(self._next)
            self._next += 1
            yield self._taken(waiting), its
        if self._held > self._limit and position in self._waiting:
            self._waiting[position] = self._aside().append(payload), item
            self._held -= len(payload)

    def close(self) -> None:
        """Lets what is held back go."""
        if self._parts:
            self._parts.close()

    def _taken(self, waiting: bytes | Place) -> bytes:
        if isinstance(waiting, Place):
            return self._aside().read(waiting)
        self._held -= len(waiting)
        return waiting

    def _aside(self) -> Parts:
        if self._parts is None:
            try:
                handle, path = tempfile.mkstemp(prefix="sertag-")
            except OSError as error:
                raise temporary_failed(error) from error
            os.unlink(path)
            self._parts = Parts(handle, 0, path)
        return self._parts
