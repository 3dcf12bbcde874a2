"""Recordings and failures as the objects of JSON and JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.summary import Record
from sertag.timeline import Failure, Windows
from sertag.writers.base import SCHEMA, Run

compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A value as JSON on one line."""


class Documents:
    """Makes the objects of a run's results."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._names = (*run.labels, UNCERTAIN, NO_SPEECH)
        self._constant = compact({"model": model_object(run), "settings": run.settings})[1:-1]
        # By template, as it takes a third of the encoder's time; names of labels need no escapes.
        shares = ",".join(f'"{label}":%r' for label in run.labels)
        self._spoken = (
            '{"start":%r,"end":%r,"emotion":"%s","confidence":%r,"speech":%r,"level":%r,"probabilities":{'
            + shares
            + "}}"
        )
        self._silent = (
            f'{{"start":%r,"end":%r,"emotion":"{NO_SPEECH}","confidence":null,"speech":%r,"level":%r,'
            '"probabilities":null}'
        )

    def recording(self, record: Record, carried: tuple[str, ...]) -> Iterator[str]:
        """One recording, with everything that a report needs, in parts of moderate size."""
        timeline = record.timeline
        yield (
            f'{self._beginning(timeline.file, carried)},"modified":{_time(timeline.modified)},'
            f'"duration":{round(timeline.duration, 3)!r},"sample_rate":{timeline.sample_rate},'
            f'{self._constant},"warnings":{compact(timeline.warnings) if timeline.warnings else "[]"},'
            f'"talk":{compact(vars(timeline.talk)) if timeline.talk else "null"},"channels":['
        )
        separator = ""
        for channel, summary in zip(timeline.channels, record.summaries, strict=True):
            yield f'{separator}{{"channel":{compact(channel.channel)},"timeline":['
            yield from self._windows(channel.windows)
            yield f'],"summary":{summary.json}}}'
            separator = ","
        yield "]}"

    def failure(self, failure: Failure, carried: tuple[str, ...]) -> str:
        """A recording that could not be tagged."""
        error = {"code": failure.code, "message": failure.message}
        return f'{self._beginning(failure.file, carried)},"error":{compact(error)}}}'

    def _beginning(self, file: str, carried: tuple[str, ...]) -> str:
        beginning = f'{{"schema":"{SCHEMA}","file":{compact(file)}'
        if columns := self._run.carried:
            beginning += f',"carried":{compact(dict(zip(columns, carried, strict=True)))}'
        return beginning

    def _windows(self, windows: Windows) -> Iterator[str]:
        names, spoken, silent = self._names, self._spoken, self._silent
        separator = ""
        for part in windows.parts():
            lists = (array.tolist() for array in part.arrays)
            yield separator + ",".join(
                spoken % (start, end, names[code], max(probabilities), speech, level, *probabilities)
                if code >= 0
                else silent % (start, end, speech, level)
                for start, end, code, speech, level, probabilities in zip(*lists, strict=True)
            )
            separator = ","


def model_object(run: Run) -> dict[str, str]:
    """Which model it was."""
    return {"name": run.model_name, "sha256": run.model_sha256}


def _time(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, in quotes; null for a year that it cannot write."""
    try:
        return f'"{datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")}"'
    except (ValueError, OverflowError, OSError):
        return "null"
