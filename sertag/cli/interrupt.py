"""Ctrl-C, noticed where it is safe."""

from __future__ import annotations

import signal
from types import FrameType


class Interrupt:
    """Handles Ctrl-C from now on, be it pressed once or often.

    It raises KeyboardInterrupt at once; after :meth:`defer`, at the next :meth:`check`.
    """

    def __init__(self) -> None:
        self._requested = self._deferred = False
        # Whoever starts a program in the background may have it ignore Ctrl-C.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._request)

    def defer(self) -> None:
        """From now on there is something to make safe first."""
        self._deferred = True

    def check(self) -> None:
        """Raises KeyboardInterrupt where Ctrl-C was pressed."""
        if self._requested:
            raise KeyboardInterrupt

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self._requested = True
        if not self._deferred:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise KeyboardInterrupt
