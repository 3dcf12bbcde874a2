"""The command line as a person starts it: how long it takes, and how much memory."""

from __future__ import annotations

import contextlib
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sertag.errors import SertagError

_COMMAND = (sys.executable, "-P", "-c", "from sertag.cli import main; main()")
_STARTS = 3
_SAMPLE_SECONDS = 0.1
_ALL_FAILED_OR_SOME = 3


@dataclass(frozen=True)
class Scan:
    """What a scan took: seconds on the clock and of all its processes together, and the most memory.

    ``worker_megabytes`` is the largest resident set of a worker, which counts what processes share in each;
    ``run_megabytes`` the largest sum over all processes, which counts it once. None where the system does
    not tell.
    """

    workers: int
    seconds: float
    processor_seconds: float
    worker_megabytes: float | None
    run_megabytes: float | None


def scan(path: Path, *, channels: str, workers: int, out: Path) -> Scan:
    """Runs ``sertag scan`` from start to exit.

    Raises:
        SertagError: where it ends with an error.
    """
    options = ("--channels", channels, "--workers", str(workers), "--out", str(out), "--overwrite", "--quiet")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen([*_COMMAND, "scan", str(path), *options], stdout=said, stderr=said)
        memory = _Memory(process.pid)
        try:
            status = process.wait()
            seconds = time.perf_counter() - started
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            memory.stop()
        if status not in (0, _ALL_FAILED_OR_SOME):
            said.seek(0)
            raise SertagError("scan_failed", said.read().decode(errors="replace").strip() or f"exit {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Scan(workers, seconds, processor_seconds, memory.worker_megabytes, memory.run_megabytes)


def start_up_seconds(arguments: Sequence[str | Path]) -> float:
    """Seconds from start to exit of ``sertag`` with some arguments: the median of several."""
    taken = []
    for _ in range(_STARTS):
        started = time.perf_counter()
        subprocess.run([*_COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - started)
    return sorted(taken)[_STARTS // 2]


class _Memory:
    """Watches the memory of a process and its children, until told to stop."""

    def __init__(self, process: int) -> None:
        self.worker_megabytes: float | None = None
        self.run_megabytes: float | None = None
        self._process = process
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch."""
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            # Processes come and go while they are looked at.
            with contextlib.suppress(OSError):
                self._look()

    def _look(self) -> None:
        root = Path("/proc")
        children = (root / f"{self._process}/task/{self._process}/children").read_text().split()
        for child in children:
            peak = megabytes(root / child / "status", "VmHWM")
            self.worker_megabytes = max(self.worker_megabytes or 0.0, peak)
        shares = [
            megabytes(root / process / "smaps_rollup", "Pss") for process in (str(self._process), *children)
        ]
        self.run_megabytes = max(self.run_megabytes or 0.0, sum(shares))


def megabytes(path: Path, name: str) -> float:
    """A figure in kB of one of the system's files about a process, in MB of 2**20 bytes."""
    match = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0
