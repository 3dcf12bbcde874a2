"""What writers are told, and what they offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sertag.timeline import Failure, Timeline

SCHEMA = "sertag/1"
"""Version of the outputs' shape; changes when a column or key does."""


@dataclass(frozen=True)
class Run:
    """What all of a run's results have in common."""

    labels: tuple[str, ...]
    model_name: str
    model_sha256: str
    settings: dict[str, Any]


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
    """Writes results to a text stream in the order in which they come."""

    def add(self, timeline: Timeline) -> None:
        """Writes one recording's timeline."""

    def fail(self, failure: Failure) -> None:
        """Writes that a recording could not be tagged, where the format has a place for it."""

    def finish(self, totals: Totals) -> None:
        """Writes what comes after the last recording."""
