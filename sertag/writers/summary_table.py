"""The summaries as CSV: a row per recording and channel. Failures have no place in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from sertag.summary import ChannelSummary, Record, negative_share
from sertag.timeline import Failure, Timeline
from sertag.writers.base import Run, Totals
from sertag.writers.csv_table import csv_row


class SummaryWriter:
    """A header, then a row per channel; seconds with 3 decimals, shares with 4, levels with 1.

    What a channel does not have stays empty.
    """

    def __init__(self, stream: IO[str], run: Run) -> None:
        self._stream = stream
        header = (
            *("file", "channel", "duration", "speech_seconds", "silence_seconds", "overlap_seconds"),
            *("dominant", *(f"share_{label}" for label in run.labels), "share_uncertain"),
            *(f"q{number}_dominant" for number in range(1, 5)),
            *(f"q{number}_negative" for number in range(1, 5)),
            *("trend", "most_negative_start", "most_negative_end", "most_negative"),
            *("mean_level", "warnings", *run.carried),
        )
        self._stream.write(csv_row(header) + "\n")

    def add(self, record: Record, carried: tuple[str, ...] = ()) -> None:
        """Writes a row per channel."""
        timeline = record.timeline
        for channel, summary in zip(timeline.channels, record.summaries, strict=True):
            fields = (timeline.file, channel.channel, *_fields(timeline, summary), *carried)
            self._stream.write(csv_row(fields) + "\n")

    def fail(self, failure: Failure, carried: tuple[str, ...] = ()) -> None:
        """Nothing: a failure has no summary."""

    def finish(self, totals: Totals) -> None:
        """Nothing: a table has no end."""


def _fields(timeline: Timeline, summary: ChannelSummary) -> Iterator[str]:
    talk, worst = timeline.talk, summary.most_negative
    for seconds in (
        *(timeline.duration, summary.speech_seconds),
        *((talk.silence, talk.overlap) if talk else (None, None)),
    ):
        yield _decimals(seconds, 3)
    yield summary.dominant or ""
    for share in (*summary.emotions.values(), summary.uncertain):
        yield _decimals(share, 4)
    for quarter in summary.quarters:
        yield quarter.dominant or ""
    for quarter in summary.quarters:
        yield _decimals(negative_share(timeline, quarter), 4)
    yield _decimals(summary.trend, 4)
    for seconds in (worst.start, worst.end) if worst else (None, None):
        yield _decimals(seconds, 3)
    yield _decimals(worst.negative if worst else None, 4)
    yield _decimals(summary.mean_level, 1)
    yield "; ".join(timeline.warnings)


def _decimals(value: float | None, count: int) -> str:
    return "" if value is None else f"{value:.{count}f}"
