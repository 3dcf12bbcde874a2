"""A worker process: recordings in, encoded results out."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from sertag.discovery import Recording
from sertag.division import Part, Segment, join
from sertag.errors import RecordingError
from sertag.results import encode
from sertag.tagger import Tagger
from sertag.timeline import Failure

Outcome = TypeVar("Outcome")

_REPORT_SECONDS = 0.25
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Ready:
    """The worker has its model."""


@dataclass(frozen=True)
class Divided:
    """The present recording has so many segments, of which this worker does the first."""

    segments: int


@dataclass(frozen=True)
class Progress:
    """The share of the present segment that is done, and its seconds of audio."""

    share: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Heard:
    """One segment of several is done, in ``elapsed`` seconds."""

    part: Part
    elapsed: float


@dataclass(frozen=True)
class Result:
    """A recording is done: the encoded timeline or failure, and what the run needs of it at once.

    ``seconds`` of audio were tagged in ``elapsed`` seconds; ``trace`` is where a fault of sertag's own arose.
    """

    payload: bytes
    failure: Failure | None
    seconds: float
    warnings: tuple[str, ...] = ()
    elapsed: float = 0.0
    trace: str | None = None

    @classmethod
    def failed(
        cls, name: str, code: str, message: str, *, elapsed: float = 0.0, trace: str | None = None
    ) -> Result:
        """The result of a recording that cannot be tagged."""
        failure = Failure(name, code, message)
        return cls(encode(failure), failure, 0.0, elapsed=elapsed, trace=trace)


Message = Ready | Divided | Progress | Heard | Result


def serve(make_tagger: Callable[[], Tagger], connection: Connection, inherited: Sequence[Connection]) -> None:
    """Tags segments of recordings as they come, until the connection ends.

    Args:
        make_tagger: makes this process's tagger.
        connection: where recordings and the numbers of segments come from, and messages go to.
        inherited: the parent's connections, which are not this process's business.
    """
    die_with_parent()
    # Ctrl-C reaches the whole process group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in inherited:
        other.close()
    # Decoders print what they think of damaged files, to standard output even.
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    # Where memory runs out, let the system end a worker rather than the run.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    with contextlib.suppress(EOFError, OSError):
        tagger = make_tagger()
        connection.send(Ready())
        while True:
            recording, segment = connection.recv()
            connection.send(_tag(tagger, recording, segment, connection))


def die_with_parent() -> None:
    """Lets the system end this process when the run is killed, even while a decoder hangs."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent and parent.pid != os.getppid():
        # It was killed before anybody could be told.
        os._exit(1)


def finished(name: str, parts: Sequence[Part], *, elapsed: float) -> Result:
    """The result of a recording all of whose parts are there, or of the failure to put them together."""

    def whole() -> Result:
        timeline = join(parts, name)
        return Result(encode(timeline), None, timeline.duration, timeline.warnings, elapsed)

    return _attempt(name, whole)


def _tag(tagger: Tagger, recording: Recording, number: int, connection: Connection) -> Heard | Result:
    started = reported = time.monotonic()

    def report(segment: Segment, share: float, seconds: float) -> None:
        nonlocal reported
        if share == 0 and number == 0 and segment.count > 1:
            connection.send(Divided(segment.count))
        if time.monotonic() - reported > _REPORT_SECONDS:
            reported = time.monotonic()
            connection.send(Progress(share, seconds))

    def heard() -> Heard | Result:
        part = tagger.tag_segment(recording.path, number, on_block=report)
        if part.segment.count > 1:
            return Heard(part, time.monotonic() - started)
        return finished(recording.name, [part], elapsed=time.monotonic() - started)

    return _attempt(recording.name, heard)


def _attempt(name: str, work: Callable[[], Outcome]) -> Outcome | Result:
    """What some work on a recording gives, or its failure."""
    started = time.monotonic()
    try:
        return work()
    except RecordingError as error:
        return Result.failed(name, error.code, error.message, elapsed=time.monotonic() - started)
    except (BrokenPipeError, ConnectionResetError):
        raise
    except MemoryError:
        return Result.failed(name, "out_of_memory", "needs more memory than there is")
    except Exception as error:
        message = f"makes sertag fail, which is a fault of sertag's: {type(error).__name__}: {error}"
        return Result.failed(name, "internal", message, trace=traceback.format_exc())
