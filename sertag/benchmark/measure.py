"""The benchmark from start to end, and what it found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sertag.benchmark.archives import (
    Making,
    cases,
    channel_seconds,
    lengths,
    scratch,
    short_recording,
    sizes,
)
from sertag.benchmark.floor import floor_seconds
from sertag.benchmark.machine import Machine
from sertag.benchmark.runs import Scan, scan, start_up_seconds
from sertag.benchmark.stages import Walk, walk
from sertag.discovery import find_recordings
from sertag.errors import NothingFoundError, SertagError

_BYTES, _BYTES_FULL = 400_000_000, 3_000_000_000


@dataclass(frozen=True)
class Case:
    """What was measured in detail on one kind of recordings: ``scans`` with one worker, then with all."""

    name: str
    about: str
    walk: Walk
    scans: tuple[Scan, ...]
    floor_seconds: float

    def times_real_time(self, seconds: float) -> float:
        """The audio of all channels over some seconds of work."""
        return self.walk.audio_seconds / seconds

    @property
    def gain(self) -> float:
        """How many times as fast all workers are as one."""
        return self.scans[0].seconds / self.scans[-1].seconds

    @property
    def floor_ratio(self) -> float:
        """How many times the floor the scan with all workers takes."""
        return self.scans[-1].seconds / self.floor_seconds


@dataclass(frozen=True)
class Point:
    """A scan with all workers of archives that differ in one thing alone, ``size``."""

    name: str
    size: float
    recordings: int
    audio_seconds: float
    scan: Scan


@dataclass(frozen=True)
class Benchmark:
    """All results.

    ``lengths`` are of recordings from 1 s to 10 h, ``sizes`` of archives from 1 to 1,000 hours.
    """

    machine: Machine
    workers: int
    help_seconds: float
    scan_seconds: float
    cases: tuple[Case, ...]
    lengths: tuple[Point, ...] = ()
    sizes: tuple[Point, ...] = ()


def steps(*, workers: int, full: bool, own: bool) -> int:
    """How many steps :func:`measure` takes."""
    parts = 3 + (workers > 1)
    if own:
        return 1 + parts
    return 1 + len(cases(full=full)) * (1 + parts) + (2 * (len(lengths()) + len(sizes())) if full else 0)


def measure(*, workers: int, full: bool, own: Path | None, step: Callable[[str], None]) -> Benchmark:
    """Measures with recordings that it makes, or with one's own.

    Args:
        workers: how many processes share the work.
        full: whether with the sizes of real archives, which takes long.
        own: a recording, or a folder of some, to measure with instead.
        step: told what comes next, as often as :func:`steps` says.

    Raises:
        SertagError: where the disk is short, there are no recordings, or a scan fails.
    """
    if own is not None and next(find_recordings([str(own)]), None) is None:
        raise NothingFoundError(f"{own}: no recording found; nothing was measured")
    machine = Machine.here()
    measured, by_length, by_size = [], [], []
    with scratch(_BYTES_FULL if full else _BYTES) as folder:
        step("start-up")
        clip = short_recording(folder)
        help_seconds, scan_seconds = start_up_seconds(["--help"]), start_up_seconds(["scan", clip, "--quiet"])
        if own is not None:
            making = Making("own", str(own), lambda _: None)
            measured.append(_case(making, own, folder, workers, step))
        else:
            for making in cases(full=full):
                with _made(making, folder, step) as place:
                    measured.append(_case(making, place, folder, workers, step))
        if full:
            by_length = [_point(size, making, folder, workers, step) for size, making in lengths().items()]
            by_size = [_point(size, making, folder, workers, step) for size, making in sizes().items()]
    return Benchmark(
        machine, workers, help_seconds, scan_seconds, tuple(measured), tuple(by_length), tuple(by_size)
    )


def _case(making: Making, place: Path, folder: Path, workers: int, step: Callable[[str], None]) -> Case:
    recordings = list(find_recordings([str(place)]))
    mixed = making.channels == "mix"
    step(f"{making.name}: the floor")
    floor = floor_seconds([recording.path for recording in recordings], processes=workers, mixed=mixed)
    scans = []
    for processes in (1, workers) if workers > 1 else (1,):
        step(f"{making.name}: scan, {_counted(processes)}")
        scans.append(scan(place, channels=making.channels, workers=processes, out=folder / "report.csv"))
    step(f"{making.name}: the stages")
    walked = walk(recordings, making.channels, folder / "stages.csv")
    if not walked.audio_seconds:
        raise SertagError("nothing_measured", f"{place}: none of its recordings can be decoded")
    return Case(making.name, making.about, walked, tuple(scans), floor)


def _point(size: float, making: Making, folder: Path, workers: int, step: Callable[[str], None]) -> Point:
    with _made(making, folder, step) as place:
        count, seconds = channel_seconds(place, mixed=making.channels == "mix")
        step(f"{making.name}: scan, {_counted(workers)}")
        done = scan(place, channels=making.channels, workers=workers, out=folder / "report.csv")
    return Point(making.name, size, count, seconds, done)


@contextmanager
def _made(making: Making, folder: Path, step: Callable[[str], None]) -> Iterator[Path]:
    """The folder of an archive, for as long as it is wanted."""
    step(f"{making.name}: making recordings")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        making.make(Path(name))
        # What is still being written to the disk would slow what is measured.
        os.sync()
        yield Path(name)


def _counted(workers: int) -> str:
    return f"{workers} worker{'s' * (workers > 1)}"
