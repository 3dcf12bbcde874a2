"""Recordings and failures as the objects of JSON and JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.summary import ChannelSummary, Record
from sertag.timeline import Failure, Windows
from sertag.writers.base import SCHEMA, Run

compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A value as JSON on one line."""


class Documents:
    """Makes the objects of a run's results."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._names = (*run.labels, UNCERTAIN, NO_SPEECH)
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
        head = {
            **self._beginning(timeline.file, carried),
            "modified": _time(timeline.modified),
            "duration": round(timeline.duration, 3),
            "sample_rate": timeline.sample_rate,
            "model": model_object(self._run),
            "settings": self._run.settings,
            "warnings": timeline.warnings,
            "talk": vars(timeline.talk) if timeline.talk else None,
        }
        yield compact(head)[:-1] + ',"channels":['
        separator = ""
        for channel, summary in zip(timeline.channels, record.summaries, strict=True):
            yield f'{separator}{{"channel":{compact(channel.channel)},"timeline":['
            yield from self._windows(channel.windows)
            yield f'],"summary":{compact(_summary_object(summary))}}}'
            separator = ","
        yield "]}"

    def failure(self, failure: Failure, carried: tuple[str, ...]) -> str:
        """A recording that could not be tagged."""
        error = {"code": failure.code, "message": failure.message}
        return compact({**self._beginning(failure.file, carried), "error": error})

    def _beginning(self, file: str, carried: tuple[str, ...]) -> dict[str, Any]:
        columns = self._run.carried
        values = {"carried": dict(zip(columns, carried, strict=True))} if columns else {}
        return {"schema": SCHEMA, "file": file, **values}

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


def _time(seconds: float) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC; None for a year that it cannot write."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def _summary_object(summary: ChannelSummary) -> dict[str, Any]:
    # Faster by far than dataclasses.asdict, which copies all that it finds.
    return {
        **vars(summary),
        "quarters": [vars(quarter) for quarter in summary.quarters],
        "most_negative": vars(summary.most_negative) if summary.most_negative else None,
    }
