"""Where the time goes: the real signal path on one process, with a clock at every stage."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import soxr

from sertag.archive import run_of
from sertag.audio import AudioReader
from sertag.discovery import Recording
from sertag.errors import RecordingError
from sertag.features import FrameStream
from sertag.files import put_in_place
from sertag.listener import Listener
from sertag.outputs import FileOutputs, target_of, write_result
from sertag.results import encode
from sertag.speech import SpeechGate
from sertag.tagger import Tagger
from sertag.writers import Totals

STAGES = ("decode", "resample", "features", "gate", "inference", "windows", "writing")
"""The stages; ``inference`` is both hearings of every block, ``windows`` the rest of a tagger's work."""

_PLACES = (
    (AudioReader, "__init__", "decode"),
    (AudioReader, "blocks", "decode"),
    (soxr.ResampleStream, "resample_chunk", "resample"),
    (FrameStream, "push", "features"),
    (FrameStream, "finish", "features"),
    (SpeechGate, "push", "gate"),
    (Listener, "alone", "inference"),
    (Listener, "in_call", "inference"),
    (Tagger, "tag", "windows"),
)


@dataclass(frozen=True)
class Walk:
    """What one process went through, one recording after the other.

    ``audio_seconds`` and ``speech_seconds`` are of all channels; ``stages`` holds the seconds of each of
    :data:`STAGES`; ``heard`` of the ``windows`` were put to the network.
    """

    recordings: int
    audio_seconds: float
    speech_seconds: float
    windows: int
    heard: int
    stages: dict[str, float]

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(self.stages.values())

    @property
    def speech_share(self) -> float:
        """Share of the audio that is speech."""
        return self.speech_seconds / self.audio_seconds


class _Clock:
    """Counts seconds for one stage at a time: a stage within another stops the other's."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts for a stage."""
        self._count()
        self._running.append(name)
        try:
            yield
        finally:
            self._count()
            self._running.pop()

    def _count(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now


def walk(recordings: Iterable[Recording], channels: str, table: Path) -> Walk:
    """Tags recordings and writes a table of them; those that cannot be decoded are passed over.

    Args:
        recordings: which.
        channels: what ``--channels`` says.
        table: the CSV to write.
    """
    tagger = Tagger(channels=channels)
    run = run_of(tagger)
    clock = _Clock()
    count = windows = heard = 0
    audio_seconds = speech_seconds = 0.0
    with FileOutputs([target_of(table)], None, run) as outputs, _clocks_in_place(clock):
        for recording in recordings:
            try:
                timeline = tagger.tag(recording.path, name=recording.name)
            except RecordingError:
                continue
            with clock.stage("writing"):
                write_result(encode(timeline), (), outputs, run)
            count += 1
            audio_seconds += timeline.duration * len(timeline.channels)
            speech_seconds += sum(channel.speech_seconds for channel in timeline.channels)
            windows += sum(len(channel.windows) for channel in timeline.channels)
            heard += sum(int((channel.windows.emotion >= 0).sum()) for channel in timeline.channels)
        with clock.stage("writing"):
            put_in_place(outputs.finish(Totals(count, 0, audio_seconds)))
    stages = {stage: clock.seconds[stage] for stage in STAGES}
    return Walk(count, audio_seconds, speech_seconds, windows, heard, stages)


@contextmanager
def _clocks_in_place(clock: _Clock) -> Iterator[None]:
    """Puts the clock around the methods that are stages."""
    with ExitStack() as undo:
        for owner, name, stage in _PLACES:
            method = getattr(owner, name)
            timed = _timed_iterator if name == "blocks" else _timed
            setattr(owner, name, timed(method, clock, stage))
            undo.callback(setattr, owner, name, method)
        yield


def _timed(method: Callable[..., Any], clock: _Clock, stage: str) -> Callable[..., Any]:
    @wraps(method)
    def timed(*arguments: Any, **options: Any) -> Any:
        with clock.stage(stage):
            return method(*arguments, **options)

    return timed


def _timed_iterator(method: Callable[..., Iterator[Any]], clock: _Clock, stage: str) -> Callable[..., Any]:
    @wraps(method)
    def timed(*arguments: Any, **options: Any) -> Iterator[Any]:
        iterator = method(*arguments, **options)
        while True:
            with clock.stage(stage):
                item = next(iterator, None)
            if item is None:
                return
            yield item

    return timed
