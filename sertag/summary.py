"""A channel's timeline in a few figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sertag.features import mean_level
from sertag.labels import UNCERTAIN
from sertag.segments import cells_of
from sertag.timeline import ChannelTimeline, Timeline


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


@dataclass(frozen=True)
class Record:
    """A timeline with the summaries of its channels."""

    timeline: Timeline
    summaries: tuple[ChannelSummary, ...]

    @classmethod
    def of(cls, timeline: Timeline) -> Record:
        """Summarises a timeline."""
        return cls(timeline, tuple(summarise(timeline, channel) for channel in timeline.channels))


def summarise(timeline: Timeline, channel: ChannelTimeline) -> ChannelSummary:
    """The summary of one of a timeline's channels."""
    cells = cells_of(timeline, channel)
    names = (*timeline.labels, UNCERTAIN)
    spoken = np.flatnonzero(cells.label >= 0)
    middles = (cells.start[spoken] + cells.end[spoken]) / 2
    number = np.minimum((4 * middles / timeline.duration).astype(np.int64), 3)
    seconds = np.bincount(
        number * len(names) + cells.label[spoken],
        weights=cells.speech[spoken],
        minlength=4 * len(names),
    ).reshape(4, len(names))
    quarters = tuple(_quarter(row, names) for row in seconds.tolist())
    whole = _quarter(seconds.sum(axis=0).tolist(), names)
    worst = int(spoken[np.argmax(cells.negative[spoken])]) if len(spoken) else None
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


def negative_share(timeline: Timeline, quarter: Quarter) -> float | None:
    """Share of a quarter's speech that is negative; None where nobody speaks."""
    if quarter.dominant is None:
        return None
    pairs = zip(timeline.labels, timeline.valence, strict=True)
    # Rounded shares may come to a little more than 1.
    return min(_rounded(sum(quarter.emotions[label] for label, valence in pairs if valence < 0)), 1.0)


def _quarter(seconds: list[float], names: tuple[str, ...]) -> Quarter:
    total = sum(seconds)
    dominant = names[seconds.index(max(seconds))] if total else None
    shares = (_rounded(part / total) if total else 0.0 for part in seconds)
    return Quarter(_rounded(total), dominant, dict(zip(names, shares, strict=True)))


def _trend(timeline: Timeline, quarters: tuple[Quarter, ...]) -> float | None:
    first, last = (negative_share(timeline, quarter) for quarter in (quarters[0], quarters[-1]))
    return None if first is None or last is None else _rounded(last - first)


def _rounded(value: float) -> float:
    # Adding 0 makes -0 a plain 0.
    return round(value, 4) + 0.0
