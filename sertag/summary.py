"""A channel's timeline in a few figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.features import mean_level
from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.segments import Cells, cells_of
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
    """One channel. Times are in seconds, levels in dB re full scale.

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


def summarise(timeline: Timeline, channel: ChannelTimeline) -> ChannelSummary:
    """The summary of one of a timeline's channels."""
    cells = cells_of(timeline, channel)
    names = (*timeline.labels, UNCERTAIN)
    edges = np.linspace(0.0, timeline.duration, 5)
    middles = (cells.start + cells.end) / 2
    number = np.clip(np.searchsorted(edges, middles, side="right") - 1, 0, 3)
    quarters = tuple(_quarter(cells, number == quarter, names) for quarter in range(4))
    whole = _quarter(cells, np.ones(len(cells.label), dtype=bool), names)
    spoken = np.flatnonzero(cells.label >= 0)
    worst = spoken[np.argmax(cells.negative[spoken])] if len(spoken) else None
    levels = [window.level for window in channel.windows if window.emotion != NO_SPEECH]
    return ChannelSummary(
        duration=timeline.duration,
        speech_seconds=channel.speech_seconds,
        emotions={name: whole.emotions[name] for name in timeline.labels},
        dominant=whole.dominant,
        uncertain=whole.emotions[UNCERTAIN],
        quarters=quarters,
        trend=_trend(timeline, quarters),
        most_negative=None
        if worst is None
        else Interval(float(cells.start[worst]), float(cells.end[worst]), float(cells.negative[worst])),
        mean_level=mean_level(levels) if levels else None,
    )


def _quarter(cells: Cells, inside: npt.NDArray[np.bool_], names: tuple[str, ...]) -> Quarter:
    seconds = np.array([cells.speech[inside & (cells.label == index)].sum() for index in range(len(names))])
    total = float(seconds.sum())
    shares = seconds / total if total else seconds
    emotions = {name: float(share) for name, share in zip(names, shares, strict=True)}
    return Quarter(total, names[int(np.argmax(seconds))] if total else None, emotions)


def _trend(timeline: Timeline, quarters: tuple[Quarter, ...]) -> float | None:
    first, last = quarters[0], quarters[-1]
    if first.dominant is None or last.dominant is None:
        return None
    negative = [
        label for label, valence in zip(timeline.labels, timeline.valence, strict=True) if valence < 0
    ]
    return sum(last.emotions[label] - first.emotions[label] for label in negative)
