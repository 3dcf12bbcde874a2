"""Tags recordings on several processes of this machine, one interpreter each, and survives all of them.

A worker that dies costs the recording that it was at one more try, then the failure ``worker_died``;
one that hangs is killed and its recording is the failure ``timeout``. What else was on its way to that
worker goes to another one. Of a long recording, a worker does one segment at a time.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from typing import Protocol

from sertag.discovery import Recording
from sertag.engines.jobs import Division, Job
from sertag.engines.worker import Divided, Heard, Message, Progress, Ready, Result, serve
from sertag.errors import SertagError
from sertag.tagger import Tagger

_AHEAD = 2
"""Recordings that a worker has at once, so that it never waits for the next."""
_TRIES = 2
_STARTS = 5
"""Workers in a row that may die before they are ready."""
_LEAST_TIMEOUT = 60.0
_SLOWEST = 0.2
"""Seconds of work per second of audio, at most, beside the least timeout; usual is a thousandth."""
_TICK = 0.1
_LONGEST_LOOK = 1.0
"""Seconds; if it is longer since workers were last looked at, it was this process that stood still."""


class Observer(Protocol):
    """Is told how recordings go."""

    def progress(self, recording: Recording, share: float, seconds: float) -> None:
        """A share of a recording is done, ``seconds`` of audio."""

    def lost_worker(self, recording: Recording | None, reason: str) -> None:
        """A worker died, or was killed as it hung."""

    def tick(self) -> None:
        """Comes several times a second; raises KeyboardInterrupt where the run is to end."""


class LocalEngine:
    """A pool of worker processes.

    Args:
        make_tagger: makes each worker's own tagger.
        workers: how many processes.
        timeout: seconds that a recording may take, of all workers together; in proportion to the length of
            what each does where None.
        observer: is told how it goes.
    """

    def __init__(
        self, make_tagger: Callable[[], Tagger], *, workers: int, timeout: float | None, observer: Observer
    ) -> None:
        self._make_tagger = make_tagger
        self._workers = workers
        self._timeout = timeout
        self._observer = observer
        # A fork is there at once, as everything is imported; elsewhere it is not safe.
        self._context: ForkContext | SpawnContext = (
            multiprocessing.get_context("fork")
            if sys.platform == "linux"
            else multiprocessing.get_context("spawn")
        )
        self._pool: list[_Worker] = []
        self._again: deque[Job] = deque()
        self._divided: dict[int, Division] = {}
        self._unready = 0
        self._looked = time.monotonic()

    def run(
        self, jobs: Iterator[Job], settle: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[Job, Result]]:
        """Does jobs; they come back with their results in the order in which they are done.

        Args:
            jobs: what to do.
            settle: is called often, also while nothing is done for long.

        Raises:
            SertagError: ``no_worker`` where workers die before they start.
            KeyboardInterrupt: where the observer says so; all workers are gone then.
        """
        try:
            while True:
                self._distribute(jobs)
                self._dismiss()
                if not self._pool:
                    return
                yield from self._collect()
                yield from self._cut_off()
                self._observer.tick()
                settle()
        finally:
            for worker in self._pool:
                worker.kill()
            self._pool.clear()

    def _distribute(self, jobs: Iterator[Job]) -> None:
        """Gives every worker enough to do, and starts as many as have something to do."""
        for ahead in range(1, _AHEAD + 1):
            for worker in self._pool:
                while len(worker.jobs) < ahead and (job := self._next(jobs, ahead)):
                    worker.give(job)
            while ahead == 1 and len(self._pool) < self._workers and (job := self._next(jobs, ahead)):
                self._pool.append(_Worker(self._context, self._make_tagger, self._pool))
                self._pool[-1].give(job)

    def _next(self, jobs: Iterator[Job], ahead: int) -> Job | None:
        """What to do next: segments before other recordings, so that few are in pieces at a time."""
        while self._again:
            job = self._again.popleft()
            division = self._divided.get(job.position)
            if division.needs(job.segment) if division else job.segment == 0:
                return job
        for division in self._divided.values():
            if division.waits:
                # They take long: none for a worker that is busy, as another one may be free before.
                return division.give() if ahead == 1 else None
        return next(jobs, None)

    def _collect(self) -> Iterator[tuple[Job, Result]]:
        workers = {worker.connection: worker for worker in self._pool}
        for connection in wait(list(workers), timeout=_TICK):
            assert isinstance(connection, Connection)
            worker = workers[connection]
            try:
                message: Message = connection.recv()
            except (EOFError, OSError):
                yield from self._bury(worker)
                continue
            self._unready = 0
            worker.ready = True
            if isinstance(message, Ready):
                continue
            job = worker.jobs[0]
            if isinstance(message, Divided):
                self._divided.setdefault(job.position, Division(job, message.segments))
            elif isinstance(message, Progress):
                worker.heard(message)
                self._report(job, message)
            else:
                yield from self._settle(job, message, worker.done())

    def _report(self, job: Job, done: Progress) -> None:
        if division := self._divided.get(job.position):
            done = division.progress(job.segment, done)
        elif job.segment:
            # Of a recording that failed in another one.
            return
        self._observer.progress(job.recording, done.share, done.seconds)

    def _settle(self, job: Job, outcome: Heard | Result, spent: float) -> Iterator[tuple[Job, Result]]:
        """Gives a recording's result, once, when it is certain."""
        if division := self._divided.get(job.position):
            if result := division.put(job.segment, outcome, spent):
                del self._divided[job.position]
                yield division.job, result
        elif isinstance(outcome, Result) and job.segment == 0:
            yield job, outcome

    def _bury(self, worker: _Worker) -> Iterator[tuple[Job, Result]]:
        """Takes a dead worker's jobs back."""
        reason = worker.kill()
        self._pool.remove(worker)
        if not worker.ready:
            self._observer.lost_worker(None, reason)
            self._unready += 1
            if self._unready >= _STARTS:
                raise SertagError(
                    "no_worker", f"worker processes end before they start ({reason}); is memory short?"
                )
            self._again.extendleft(reversed(worker.jobs))
            return
        culprit = worker.jobs[0] if worker.jobs else None
        self._observer.lost_worker(culprit.recording if culprit else None, reason)
        self._again.extendleft(reversed(list(worker.jobs)[1:]))
        if culprit is None:
            return
        if culprit.tries + 1 < _TRIES:
            self._again.appendleft(replace(culprit, tries=culprit.tries + 1))
        else:
            message = f"ended its worker process twice ({reason}); is it damaged, or memory short?"
            yield from self._settle(
                culprit, Result.failed(culprit.recording.name, "worker_died", message), worker.spent
            )

    def _cut_off(self) -> Iterator[tuple[Job, Result]]:
        """Kills workers that have been at a recording for too long.

        Time in which this process stood still, stopped or waiting for whoever reads its output, is not
        counted: what workers sent meanwhile is yet to be read.
        """
        before, self._looked = self._looked, time.monotonic()
        for worker in list(self._pool):
            worker.spent += min(self._looked - max(before, worker.started), _LONGEST_LOOK)
            if not worker.jobs or not worker.ready:
                continue
            limit, spent = worker.expected, worker.spent
            if self._timeout is not None:
                limit, spent = self._timeout, self._spent(worker.jobs[0].position)
            if spent > limit:
                worker.kill()
                self._pool.remove(worker)
                job, *rest = worker.jobs
                self._again.extendleft(reversed(rest))
                self._observer.lost_worker(job.recording, f"cut off after {limit:.3g} s")
                message = f"was not done after {limit:.3g} s; --timeout allows it longer"
                yield from self._settle(
                    job, Result.failed(job.recording.name, "timeout", message), worker.spent
                )

    def _spent(self, position: int) -> float:
        """Seconds that workers have been at a recording, together."""
        division = self._divided.get(position)
        present = (worker for worker in self._pool if worker.jobs and worker.jobs[0].position == position)
        return (division.spent if division else 0.0) + sum(worker.spent for worker in present)

    def _dismiss(self) -> None:
        """Ends workers that there is nothing left for."""
        for worker in [worker for worker in self._pool if not worker.jobs]:
            worker.kill()
            self._pool.remove(worker)


class _Worker:
    """One process, and what it was given."""

    def __init__(
        self, context: ForkContext | SpawnContext, make_tagger: Callable[[], Tagger], others: list[_Worker]
    ) -> None:
        self.connection, theirs = context.Pipe()
        inherited = [self.connection, *(other.connection for other in others)]
        # A worker must see the end of its pipe when this process dies, so no other one may hold it open.
        arguments = (make_tagger, theirs, inherited if context.get_start_method() == "fork" else [])
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        # Ctrl-C in the midst of a fork would go lost in it, or reach a worker that does not ignore it yet.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        except OSError as error:
            self.connection.close()
            reason = f"worker processes cannot be started: {error.strerror}; are there too many?"
            raise SertagError("no_worker", reason) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self.jobs: deque[Job] = deque()
        self.ready = False
        self._restart()

    def give(self, job: Job) -> None:
        """Sends a job; a worker that is dead already is found so when it is next listened to."""
        if not self.jobs:
            self._restart()
        self.jobs.append(job)
        with contextlib.suppress(OSError):
            # What is carried stays: it may fill the pipe, while the worker waits to send a result.
            self.connection.send((replace(job.recording, carried=()), job.segment))

    def heard(self, progress: Progress) -> None:
        """Reckons with the length that the recording, or the segment, turns out to have."""
        self.expected = _LEAST_TIMEOUT + _SLOWEST * progress.seconds / max(progress.share, 1e-6)

    def done(self) -> float:
        """Seconds that the job took which was done; the next one's time begins."""
        spent = self.spent
        self.jobs.popleft()
        self._restart()
        return spent

    def kill(self) -> str:
        """Ends the process and says how it ended."""
        self._process.kill()
        # One that waits for a dead disk cannot be killed, nor need it be waited for.
        self._process.join(timeout=1.0)
        self.connection.close()
        code = self._process.exitcode
        if code is not None and code < 0:
            # Not all signals have names.
            return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"exit status {code}"

    def _restart(self) -> None:
        self.started = time.monotonic()
        self.spent = 0.0
        self.expected = _LEAST_TIMEOUT


def processors() -> int:
    """How many processors this process may use."""
    # Containers and batch systems lend fewer than the machine has.
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
