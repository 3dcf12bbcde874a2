"""What ``sertag scan`` tells a person on standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sertag.discovery import Recording
from sertag.timeline import Failure, Timeline
from sertag.writers import Totals

_SHOWN = 10
"""Failures that are told one by one; the rest are counted."""


class ScanProgress:
    """A bar where standard error is a terminal, failures as they come, and a closing line.

    Args:
        recordings: all that will be scanned, walked through once to know how much there is.
        quiet: whether to say nothing but failures that no file lists.
    """

    failures_path: Path | None = None

    def __init__(self, recordings: Iterable[Recording], *, quiet: bool) -> None:
        self._quiet = quiet
        self._started = time.monotonic()
        self._seconds = 0.0
        self._bytes = 0.0
        self._tagged = 0
        self._failed = 0
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.fields[count]} of {task.fields[all]} recordings"),
            BarColumn(),
            TextColumn("{task.fields[hours]:.2f} h of audio, {task.fields[speed]:,.0f} × real time,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        sizes = [] if self._bar.disable else [_size(recording) for recording in recordings]
        self._task = self._bar.add_task(
            "", total=float(sum(sizes)), count=0, all=len(sizes), hours=0.0, speed=0.0
        )

    def __enter__(self) -> ScanProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def block(self, recording: Recording, share: float, seconds: float) -> None:
        """A part of a recording is done."""
        if not self._bar.disable:
            self._show(self._bytes + share * _size(recording), self._seconds + seconds)

    def result(self, recording: Recording, result: Timeline | Failure) -> None:
        """A recording is done."""
        if isinstance(result, Failure):
            self._failed += 1
            if self.failures_path is None or (self._failed <= _SHOWN and not self._quiet):
                self._bar.console.print(
                    f"sertag: {result.file}: {result.message} ({result.code})",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )
        else:
            self._tagged += 1
            self._seconds += result.duration
        if not self._bar.disable:
            self._bytes += _size(recording)
            self._show(self._bytes, self._seconds)

    def conclude(self, totals: Totals) -> None:
        """Prints the closing line."""
        if self._quiet:
            return
        elapsed = max(time.monotonic() - self._started, 1e-6)
        line = (
            f"Tagged {totals.tagged:,} of {totals.found:,} recordings, {totals.seconds / 3600:.2f} h of"
            f" audio in {elapsed:.1f} s ({totals.seconds / elapsed:,.0f} × real time)"
        )
        if totals.failed:
            line += f"; {totals.failed:,} failed"
            line += f", listed in {self.failures_path}" if self.failures_path else ""
        print(line + ".", file=sys.stderr)

    def _show(self, done: float, seconds: float) -> None:
        self._bar.update(
            self._task,
            completed=done,
            count=self._tagged + self._failed,
            hours=seconds / 3600,
            speed=seconds / max(time.monotonic() - self._started, 1e-6),
        )


def _size(recording: Recording) -> int:
    try:
        return os.stat(recording.path).st_size
    except OSError:
        return 0
