"""Ctrl-C, noticed where it is safe."""

from __future__ import annotations

import signal
from types import FrameType


class Interrupt:
    """As a context: Ctrl-C, once or often, is remembered, and raised at the next :meth:`check`."""

    def __init__(self) -> None:
        self._requested = False

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Raises KeyboardInterrupt where Ctrl-C was pressed."""
        if self._requested:
            raise KeyboardInterrupt

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self._requested = True
