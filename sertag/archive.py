"""Many recordings: every one that is found ends in exactly one place, as a timeline or as a failure."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

from sertag import __version__
from sertag.discovery import Recording
from sertag.engines.jobs import Job
from sertag.engines.local import LocalEngine
from sertag.engines.worker import Result
from sertag.errors import SertagError, UsageError
from sertag.files import put_in_place
from sertag.journal import Journal
from sertag.leftovers import discard, finish_earlier, is_begun
from sertag.outputs import Destination, FileOutputs, write_result
from sertag.parts import DamagedRecordError
from sertag.spool import Spool
from sertag.tagger import Tagger
from sertag.writers import Run, Totals, Writer

log = logging.getLogger("sertag")


class Observer(Protocol):
    """Is told how a run goes."""

    def result(self, recording: Recording, result: Result) -> None:
        """A recording is done."""

    def held(self, recording: Recording) -> None:
        """A recording was done by an earlier run."""

    def tick(self) -> None:
        """Comes often; raises KeyboardInterrupt where the run is to end."""


def run_of(tagger: Tagger, carried: tuple[str, ...] = ()) -> Run:
    """What the outputs say about how they came to be.

    Args:
        tagger: what tags.
        carried: names of the columns that a list of recordings carries over.
    """
    return Run(
        labels=tagger.model.metadata.labels,
        valence=tagger.model.metadata.valence,
        hop=tagger.hop,
        model_name=tagger.model.metadata.name,
        model_sha256=tagger.model.sha256,
        settings={
            "channels": str(tagger.channels),
            "only": tagger.channels.only,
            "window": tagger.window,
            "hop": tagger.hop,
            "min_confidence": tagger.min_confidence,
            "adapt": tagger.adapt,
        },
        carried=carried,
    )


def fingerprint(run: Run, tagger: Tagger, paths: Sequence[str]) -> dict[str, Any]:
    """All that changes results, and only that.

    Args:
        run: what all results have in common.
        tagger: that tags.
        paths: that are given; what lies in folders has its name in the outputs from there.
    """
    return {
        "folders": [os.path.realpath(path) for path in paths if os.path.isdir(path)],
        **run.settings,
        "carried": list(run.carried),
        "model": run.model_sha256,
        "interpreter": tagger.model.interpreter,
        "sertag": __version__,
    }


def scan_to_stream(
    recordings: Iterable[Recording],
    engine: LocalEngine,
    writer: Writer,
    outputs: FileOutputs,
    run: Run,
    *,
    fail_fast: bool,
    observer: Observer,
) -> Totals:
    """Tags recordings and writes each result as soon as it is its turn in the order of discovery.

    Args:
        recordings: what to tag.
        engine: tags them.
        writer: writes to a stream, at once.
        outputs: files to write beside it; they appear at the end.
        run: what all results have in common.
        fail_fast: whether the first failure ends the run.
        observer: is told how it goes.
    """
    stream = _Stream([writer, outputs], run)
    jobs = (Job(position, recording) for position, recording in enumerate(recordings))
    with contextlib.closing(stream):
        _tag(engine.run(jobs), stream.put, fail_fast=fail_fast, observer=observer)
    writer.finish(stream.totals)
    put_in_place(outputs.finish(stream.totals))
    return stream.totals


@dataclass(frozen=True)
class Resumption:
    """What a run does with what earlier ones left."""

    overwrite: bool = False
    update: bool = False
    retry_failed: bool = False


def scan_to_files(
    find: Callable[[], Iterable[Recording]],
    engine: LocalEngine,
    destination: Destination,
    run: Run,
    settings: Mapping[str, Any],
    resumption: Resumption,
    *,
    fail_fast: bool,
    observer: Observer,
) -> Totals:
    """Tags the recordings whose results are not there yet, then writes the files.

    Args:
        find: gives the recordings, in the order of the outputs.
        engine: tags them.
        destination: the files; the journal among them keeps results until all are there.
        run: what all results have in common.
        settings: all that changes results.
        resumption: what to do with what earlier runs left.
        fail_fast: whether the first failure ends the run.
        observer: is told how it goes.

    Raises:
        UsageError: where there are results of other settings, or finished ones that are not to be replaced.
        SertagError: ``fail_fast``, ``output_failed``; the journal holds what is done.
        KeyboardInterrupt: where the observer says so; likewise.
    """
    destination.check()
    if resumption.overwrite:
        discard(destination.journal)
    elif (
        (earlier := finish_earlier(destination.journal))
        and not resumption.update
        and earlier.settings.items() >= settings.items()
        and earlier.paths >= destination.places()
    ):
        return earlier.totals
    continues = not resumption.update and is_begun(destination.journal)
    adds = not (resumption.overwrite or continues) and destination.adds(
        run, update=resumption.update, watched=partial(_watched, observer=observer)
    )
    settings = {**settings, "update": adds}
    there = sorted(place for place in destination.places() if os.path.exists(place))
    with Journal(
        destination.journal, settings, retry_failed=resumption.retry_failed, replaces=there
    ) as journal:
        _spare_new(destination, journal)
        if adds:
            names = destination.held(failed=not resumption.retry_failed)
            journal.hold(_watched(names, observer))
        while True:
            jobs = _jobs_left(find(), journal, observer)
            results = engine.run(jobs, journal.settle)
            _tag(results, partial(_keep, journal), fail_fast=fail_fast, observer=observer)
            try:
                return _write(journal, destination, run, observer, adds=adds)
            except DamagedRecordError as error:
                log.warning(str(error))


def _write(journal: Journal, destination: Destination, run: Run, observer: Observer, *, adds: bool) -> Totals:
    totals = journal.totals()
    anew = journal.has if adds else None
    journal.note_asides(destination.asides())
    with FileOutputs(
        destination.targets, destination.failures, run, anew=anew, tick=observer.tick
    ) as outputs:
        for entry in journal.entries():
            write_result(entry.payload, entry.carried, outputs, run)
            observer.tick()
        _spare_new(destination, journal)
        journal.finish(outputs.finish(totals), totals)
    return totals


def _spare_new(destination: Destination, journal: Journal) -> None:
    """Refuses to replace what was not there when the run began, be it somebody's own or another run's."""
    for place in sorted(destination.places()):
        if os.path.exists(place) and place not in journal.replaces:
            raise UsageError(
                f"{place}: is there, and was not when the run in {journal.path} began; move it away,"
                " or --overwrite starts anew"
            )


def _tag(
    results: Iterator[tuple[Job, Result]],
    put: Callable[[Job, Result], None],
    *,
    fail_fast: bool,
    observer: Observer,
) -> None:
    for job, result in results:
        put(job, result)
        observer.result(job.recording, result)
        _note(job.recording, result)
        if fail_fast and result.failure:
            raise SertagError(
                "fail_fast",
                f"{job.recording.name}: {result.failure.message} ({result.failure.code});"
                " stopped at this first failure, as --fail-fast says",
            )


def _jobs_left(recordings: Iterable[Recording], journal: Journal, observer: Observer) -> Iterator[Job]:
    for position, recording in enumerate(recordings):
        if journal.holds(position, recording):
            observer.held(recording)
        else:
            yield Job(position, recording)


def _watched(names: Iterator[str], observer: Observer) -> Iterator[str]:
    for name in names:
        observer.tick()
        yield name


def _keep(journal: Journal, job: Job, result: Result) -> None:
    journal.put(
        *(job.position, job.recording, result.payload),
        failed=result.failure is not None,
        seconds=result.seconds,
    )


def _note(recording: Recording, result: Result) -> None:
    about = {"recording": recording.name, "elapsed": round(result.elapsed, 3)}
    for warning in result.warnings:
        log.warning(warning, extra=about)
    if result.failure is None:
        log.info("tagged", extra={**about, "duration": round(result.seconds, 3)})
    else:
        more = {"trace": result.trace} if result.trace else {}
        log.error(result.failure.message, extra={**about, "code": result.failure.code, **more})


class _Item(NamedTuple):
    """What goes with a result that waits for its turn."""

    carried: tuple[str, ...]
    failed: bool
    seconds: float


class _Stream:
    """Results in order to writers, at once."""

    def __init__(self, writers: Sequence[Writer | FileOutputs], run: Run) -> None:
        self._writers = writers
        self._run = run
        self._spool: Spool[_Item] = Spool()
        self.totals = Totals()

    def close(self) -> None:
        self._spool.close()

    def put(self, job: Job, result: Result) -> None:
        item = _Item(job.recording.carried, result.failure is not None, result.seconds)
        for payload, its in self._spool.put(job.position, result.payload, item):
            for writer in self._writers:
                write_result(payload, its.carried, writer, self._run)
            # In order too: a sum of fractions depends on it.
            self.totals = Totals(
                self.totals.tagged + (not its.failed),
                self.totals.failed + its.failed,
                self.totals.seconds + its.seconds,
            )
