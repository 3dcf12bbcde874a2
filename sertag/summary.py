"""A channel's timeline in a few figures, and what outputs hold of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sertag.features import mean_level
from sertag.labels import UNCERTAIN
from sertag.segments import Cells, cells_of
from sertag.timeline import ChannelTimeline, Timeline
from sertag.types import DoubleArray

_compact = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True)
class Quarter:
    """A quarter of a recording; ``emotions`` as in :class:`ChannelSummary`."""

    speech_seconds: float
    dominant: str | None
    emotions: dict[str, float]


@dataclass(frozen=True)
class Interval:
    """The most negative cell: its times in seconds and the probability of negative emotions."""

    start: float
    end: float
    negative: float


@dataclass(frozen=True)
class ChannelSummary:
    """One channel. Times are in seconds, levels in dB re full scale; all with 4 decimals.

    ``emotions`` is the share of speech per label, ``uncertain`` the share of it that no label fits;
    ``trend`` is the share of negative emotions in the last quarter minus that in the first.
    """

    duration: float
    speech_seconds: float
    emotions: dict[str, float]
    dominant: str | None
    uncertain: float
    quarters: tuple[Quarter, ...]
    trend: float | None
    most_negative: Interval | None
    mean_level: float | None

    def to_json(self) -> str:
        """The figures as an object on one line, in ASCII."""
        # By vars, as asdict copies all that it finds.
        fields = {
            **vars(self),
            "quarters": [vars(quarter) for quarter in self.quarters],
            "most_negative": vars(self.most_negative) if self.most_negative else None,
        }
        return _compact(fields)


class WrittenSummary(NamedTuple):
    """A channel's summary as outputs hold it: an object of JSON, and cells of a table as CSV; both ASCII."""

    json: str
    cells: str


@dataclass(frozen=True)
class Record:
    """A timeline with the summaries of its channels, which are written once and then only copied."""

    timeline: Timeline
    summaries: tuple[WrittenSummary, ...]

    @classmethod
    def of(cls, timeline: Timeline) -> Record:
        """Summarises a timeline."""
        summaries = (summarise(timeline, channel) for channel in timeline.channels)
        return cls(
            timeline,
            tuple(
                WrittenSummary(summary.to_json(), ",".join(summary_cells(timeline, summary)))
                for summary in summaries
            ),
        )


def summarise(timeline: Timeline, channel: ChannelTimeline) -> ChannelSummary:
    """The summary of one of a timeline's channels."""
    cells = cells_of(timeline, channel)
    names = (*timeline.labels, UNCERTAIN)
    spoken = np.flatnonzero(cells.label >= 0)
    seconds = _by_quarter(cells, len(names), timeline.duration, channel.speech_seconds)
    quarters = tuple(_quarter(row, names) for row in seconds.tolist())
    whole = _quarter(seconds.sum(axis=0).tolist(), names)
    worst = int(spoken[np.argmax(cells.negative[spoken])]) if cells.negative[spoken].any() else None
    levels = channel.windows.level[channel.windows.emotion >= 0]
    return ChannelSummary(
        duration=_rounded(timeline.duration),
        speech_seconds=_rounded(channel.speech_seconds),
        emotions={name: whole.emotions[name] for name in timeline.labels},
        dominant=whole.dominant,
        uncertain=whole.emotions[UNCERTAIN],
        quarters=quarters,
        trend=_trend(timeline, quarters),
        most_negative=None
        if worst is None
        else Interval(*(_rounded(float(part[worst])) for part in (cells.start, cells.end, cells.negative))),
        mean_level=_rounded(mean_level(levels)) if len(levels) else None,
    )


def summary_columns(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the columns of :func:`summary_cells`."""
    return (
        *("duration", "speech_seconds", "silence_seconds", "overlap_seconds"),
        *("dominant", *(f"share_{label}" for label in labels), "share_uncertain"),
        *(f"q{number}_dominant" for number in range(1, 5)),
        *(f"q{number}_negative" for number in range(1, 5)),
        *("trend", "most_negative_start", "most_negative_end", "most_negative", "mean_level"),
    )


def summary_cells(timeline: Timeline, summary: ChannelSummary) -> Iterator[str]:
    """A channel's row in the table of summaries: seconds with 3 decimals, shares with 4, levels with 1.

    What it does not have stays empty; none needs quotes in CSV.
    """
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


def negative_share(timeline: Timeline, quarter: Quarter) -> float | None:
    """Share of a quarter's speech that is negative; None where nobody speaks."""
    if quarter.dominant is None:
        return None
    pairs = zip(timeline.labels, timeline.valence, strict=True)
    # Rounded shares may come to a little more than 1.
    return min(_rounded(sum(quarter.emotions[label] for label, valence in pairs if valence < 0)), 1.0)


def _by_quarter(cells: Cells, labels: int, duration: float, speech: float) -> DoubleArray:
    """Seconds of speech per quarter of the recording and label, shape ``(4, labels)``.

    A cell on the border of two quarters is in both, each as far as it goes. Speech that windows smear over
    their length adds up to the frames that are speech.
    """
    borders = np.linspace(0.0, duration, 5)
    inside = np.minimum(cells.end[:, None], borders[1:]) - np.maximum(cells.start[:, None], borders[:-1])
    shares = np.maximum(inside, 0.0) / (cells.end - cells.start)[:, None]
    seconds = (cells.speech[:, None] * shares).T @ (cells.label[:, None] == np.arange(labels))
    seconds *= speech / max(seconds.sum(), 1e-9)
    spoken = seconds.sum(axis=1, keepdims=True)
    return np.asarray(seconds * np.minimum(1.0, duration / 4 / np.maximum(spoken, 1e-9)))


def _quarter(seconds: list[float], names: tuple[str, ...]) -> Quarter:
    total = sum(seconds)
    dominant = names[seconds.index(max(seconds))] if total else None
    shares = (_rounded(part / total) if total else 0.0 for part in seconds)
    return Quarter(_rounded(total), dominant, dict(zip(names, shares, strict=True)))


def _trend(timeline: Timeline, quarters: tuple[Quarter, ...]) -> float | None:
    first, last = (negative_share(timeline, quarter) for quarter in (quarters[0], quarters[-1]))
    return None if first is None or last is None else _rounded(last - first)


def _decimals(value: float | None, count: int) -> str:
    return "" if value is None else f"{value:.{count}f}"


def _rounded(value: float) -> float:
    # Adding 0 makes -0 a plain 0.
    return round(value, 4) + 0.0
