"""Many recordings, one after the other: every one found ends as a timeline or as a failure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Protocol

from sertag.discovery import Recording
from sertag.errors import RecordingError
from sertag.summary import Record
from sertag.tagger import Tagger
from sertag.timeline import Failure, Timeline
from sertag.writers import Run, Totals, Writer


class Observer(Protocol):
    """Is told how a run goes."""

    def block(self, recording: Recording, share: float, seconds: float) -> None:
        """A share of a recording is done, ``seconds`` of audio."""

    def result(self, recording: Recording, result: Timeline | Failure) -> None:
        """A recording is done."""


def run_of(tagger: Tagger) -> Run:
    """What the outputs say about how they came to be."""
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
    )


def scan(
    recordings: Iterable[Recording],
    tagger: Tagger,
    output: Writer,
    *,
    observer: Observer | None = None,
) -> Totals:
    """Tags recordings in order and writes what comes of them.

    A recording that cannot be decoded is a failure, and the run goes on.

    Args:
        recordings: what to tag.
        tagger: how.
        output: where results go.
        observer: is told how it goes.
    """
    totals = Totals()
    for recording in recordings:
        on_block = partial(observer.block, recording) if observer else None
        result: Timeline | Failure
        try:
            result = tagger.tag(recording.path, name=recording.name, on_block=on_block)
        except RecordingError as error:
            result = Failure(recording.name, error.code, error.message)
            output.fail(result)
            totals = Totals(totals.tagged, totals.failed + 1, totals.seconds)
        else:
            output.add(Record.of(result))
            totals = Totals(totals.tagged + 1, totals.failed, totals.seconds + result.duration)
        if observer:
            observer.result(recording, result)
    output.finish(totals)
    return totals
