"""What ``sertag scan`` tells a person on standard error."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sertag.cli.interrupt import Interrupt
from sertag.cli.streams import drop, tell
from sertag.discovery import Recording
from sertag.engines.worker import Result
from sertag.errors import InterruptedRunError, SertagError, UsageError
from sertag.text import visible
from sertag.writers import Totals

_SHOWN = 10
"""Failures that are told one by one; the rest are counted."""
_REFRESH_SECONDS = 0.2

log = logging.getLogger("sertag")


class ScanProgress:
    """A bar where standard error is a terminal, failures as they come, and a closing line.

    Args:
        find: gives all that will be scanned, which is walked through to know how much there is.
        interrupt: is asked several times a second whether the run is to end.
        quiet: whether to say nothing but failures that no file lists.
        bar: whether to show a bar, where standard error is a terminal.
        logged: whether what is logged goes to standard error, failures too.
        failures_path: the file that lists failures.
    """

    def __init__(
        self,
        find: Callable[[], Iterable[Recording]],
        interrupt: Interrupt,
        *,
        quiet: bool,
        bar: bool,
        logged: bool,
        failures_path: Path | None,
    ) -> None:
        self._interrupt = interrupt
        self._quiet = quiet
        self._logged = logged
        self._failures_path = failures_path
        self._started = self._shown = time.monotonic()
        self._seconds = 0.0
        self._bytes = 0
        self._running: dict[str, tuple[float, float]] = {}
        self._held = self._done = self._failed = self._warned = 0
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.fields[count]:,} of {task.fields[all]:,} recordings"),
            BarColumn(),
            TextColumn("{task.fields[hours]:.2f} h of audio, {task.fields[speed]:,.0f} × real time,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            disable=not bar or not console.is_terminal,
            transient=True,
            # No thread of its own: workers are forked from this process.
            auto_refresh=False,
            redirect_stdout=False,
        )
        count = total = 0
        if not self._bar.disable:
            for recording in find():
                count, total = count + 1, total + max(recording.size, 0)
                interrupt.check()
        self._task = self._bar.add_task("", total=float(total), count=0, all=count, hours=0.0, speed=0.0)

    def __enter__(self) -> ScanProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @property
    def console(self) -> Console:
        """Where a person's results go: above the bar, if there is one."""
        return Console() if self._bar.disable else self._bar.console

    def begin(self, settings: Mapping[str, Any], workers: int) -> None:
        """The run begins."""
        log.info("started", extra={"settings": dict(settings), "workers": workers})

    def progress(self, recording: Recording, share: float, seconds: float) -> None:
        """A part of a recording is done."""
        if not self._bar.disable:
            self._running[recording.name] = share * max(recording.size, 0), seconds

    def result(self, recording: Recording, result: Result) -> None:
        """A recording is done."""
        self._running.pop(recording.name, None)
        self._done += 1
        self._bytes += max(recording.size, 0)
        self._seconds += result.seconds
        self._warned += bool(result.warnings)
        if result.failure:
            self._failed += 1
            shown = self._failures_path is None or (self._failed <= _SHOWN and not self._quiet)
            if shown and not self._logged:
                self._say(f"{recording.name}: {result.failure.message} ({result.failure.code})")
        self.tick()

    def held(self, recording: Recording) -> None:
        """A recording was done by an earlier run."""
        self._held += 1
        self._bytes += max(recording.size, 0)
        self.tick()

    def lost_worker(self, recording: Recording | None, reason: str) -> None:
        """A worker process is gone."""
        about = {"recording": recording.name} if recording else {}
        log.warning("lost a worker process: %s", reason, extra=about)

    def tick(self) -> None:
        """Shows how far it is; raises KeyboardInterrupt where a person asked for it."""
        self._interrupt.check()
        now = time.monotonic()
        if self._bar.disable or now - self._shown < _REFRESH_SECONDS:
            return
        self._shown = now
        seconds = self._seconds + sum(seconds for _, seconds in self._running.values())
        self._bar.update(
            self._task,
            completed=self._bytes + sum(size for size, _ in self._running.values()),
            count=self._held + self._done,
            hours=seconds / 3600,
            speed=seconds / max(now - self._started, 1e-6),
        )
        self._bar.refresh()

    @contextmanager
    def ending(self, journal: Path | None, *, overwrite: bool) -> Iterator[None]:
        """Lets what ends the run early say how to continue it, where there is something to continue from.

        Raises:
            InterruptedRunError: after Ctrl-C.
        """
        try:
            yield
        except KeyboardInterrupt:
            drop(sys.stdout)
            raise InterruptedRunError(f"interrupted{self._kept(journal, overwrite=overwrite)}") from None
        except UsageError:
            raise
        except SertagError as error:
            error.message += self._kept(journal, overwrite=overwrite)
            raise

    def _kept(self, journal: Path | None, *, overwrite: bool) -> str:
        if journal is None or not journal.exists():
            return ""
        command = "the same command without --overwrite" if overwrite else "the same command"
        kept = f"{self._held + self._done:,} recordings are done and kept in {journal}"
        return f"; {kept}: {command} goes on from there"

    def conclude(self, totals: Totals) -> None:
        """Prints the closing line."""
        elapsed = max(time.monotonic() - self._started, 1e-6)
        line = (
            f"Tagged {totals.tagged:,} of {totals.found:,} recordings, {totals.seconds / 3600:.2f} h of"
            f" audio in {elapsed:.1f} s ({self._seconds / elapsed:,.0f} × real time)"
        )
        if self._held:
            line += f"; {self._held:,} were done before"
        if self._warned:
            line += f"; {self._warned:,} with warnings, as those cut off have (-v tells them)"
        if totals.failed:
            line += f"; {totals.failed:,} failed"
            line += f", listed in {self._failures_path}" if self._failures_path else ""
        if not self._quiet:
            tell(line + ".")
        log.info(
            "finished",
            extra={
                "totals": {"found": totals.found, "tagged": totals.tagged, "failed": totals.failed},
                "duration": round(totals.seconds, 3),
                "elapsed": round(elapsed, 3),
            },
        )

    def _say(self, line: str) -> None:
        if self._bar.disable:
            tell(f"sertag: {line}")
        else:
            self._bar.console.print(visible(f"sertag: {line}"), markup=False, highlight=False, soft_wrap=True)
