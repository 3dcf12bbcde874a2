"""What writers are told, and what they offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sertag.summary import Record
from sertag.timeline import Failure

SCHEMA = "sertag/1"
"""Version of the outputs' shape; changes when a column or key does."""


@dataclass(frozen=True)
class Run:
    """What all of a run's results have in common.

    ``hop`` is in seconds; ``carried`` names the columns of a person's own list that go into the outputs.
    """

    labels: tuple[str, ...]
    valence: tuple[int, ...]
    hop: float
    model_name: str
    model_sha256: str
    settings: dict[str, Any]
    carried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Totals:
    """What a run came to: ``found`` is ``tagged`` plus ``failed``; ``seconds`` of audio were tagged."""

    tagged: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def found(self) -> int:
        """How many recordings there were."""
        return self.tagged + self.failed


class Writer(Protocol):
    """Writes results to a text stream in the order in which they come.

    With every result come the values of the columns that are carried.
    """

    def add(self, record: Record, carried: tuple[str, ...] = ()) -> None:
        """Writes one recording."""

    def fail(self, failure: Failure, carried: tuple[str, ...] = ()) -> None:
        """Writes that a recording could not be tagged, where the format has a place for it."""

    def finish(self, totals: Totals) -> None:
        """Writes what comes after the last recording."""
