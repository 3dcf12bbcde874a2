"""Who is told how a long task goes."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Is told of stages and their steps."""

    def stage(self, name: str, total: int) -> None:
        """A stage of ``total`` steps begins."""

    def step(self) -> None:
        """A step of the stage is done."""
