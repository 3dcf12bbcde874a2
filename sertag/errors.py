"""Errors that are for people: what happened, where, and what to do, with a stable code."""

from __future__ import annotations

from typing import Any


class SertagError(Exception):
    """Ends the run. ``code`` is stable; ``exit_status`` is the process's."""

    exit_status = 1

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers send it home pickled: whatever its kind is made of, and with its notes.
        return BaseException.__new__, (type(self), self.message), vars(self)


class UsageError(SertagError):
    """The command line asks for something that cannot be."""

    exit_status = 2

    def __init__(self, message: str) -> None:
        super().__init__("usage", message)


class NothingFoundError(SertagError):
    """No recording lies where one was looked for."""

    exit_status = 4

    def __init__(self, message: str) -> None:
        super().__init__("nothing_found", message)


class ModelError(SertagError):
    """The model file cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_model", message)


class RecordingError(SertagError):
    """One recording cannot be tagged; a run over many goes on without it."""


class InterruptedRunError(SertagError):
    """A person pressed Ctrl-C."""

    exit_status = 130

    def __init__(self, message: str) -> None:
        super().__init__("interrupted", message)
