"""What ``sertag build-model`` and ``sertag evaluate`` tell a person on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from model_build.train import Epoch


class BuildProgress:
    """A bar per stage; the training's shows epoch and loss."""

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> BuildProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def stage(self, name: str, total: int) -> None:
        """Begins a bar of its own."""
        self._task = self._bar.add_task(name, total=total, figures="")

    def step(self) -> None:
        """Moves the bar on."""
        if self._task is not None:
            self._bar.advance(self._task)

    def epoch(self, epoch: Epoch) -> None:
        """Shows what the epoch gave."""
        if self._task is not None:
            self._bar.update(self._task, figures=f"epoch {epoch.number}, loss {epoch.loss:.3f}")
