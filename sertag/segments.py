"""Overlapping windows to stretches of time that do not overlap.

Time is divided into hop-long cells: a cell takes the mean over the windows that cover it; equal
neighbours merge into a segment. So nothing overlaps and seconds add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.timeline import ChannelTimeline, Timeline


@dataclass(frozen=True)
class Segment:
    """A stretch with one emotion; times in seconds, ``confidence`` None where nobody speaks."""

    start: float
    end: float
    emotion: str
    confidence: float | None


@dataclass(frozen=True)
class Cells:
    """Arrays over a channel's cells; times and speech in seconds.

    ``label`` numbers the labels in their order, then ``uncertain``; -1 is ``no_speech``.
    ``confidence`` is the top label's probability, ``negative`` that of all negative labels.
    """

    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    speech: npt.NDArray[np.float64]
    label: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    negative: npt.NDArray[np.float64]


def cells_of(timeline: Timeline, channel: ChannelTimeline) -> Cells:
    """Divides one of a timeline's channels into cells."""
    windows, labels = channel.windows, len(timeline.labels)
    count = max(1, int(np.ceil(timeline.duration / timeline.hop - 1e-9)))
    start = np.arange(count) * timeline.hop
    end = np.minimum(start + timeline.hop, timeline.duration)
    middle = (start + end) / 2
    # The windows from `first` up to `beyond` cover a cell. Ends are rounded, but the last is the recording's.
    reach = np.where(windows.end < round(timeline.duration, 3), windows.end, timeline.duration)
    first = np.searchsorted(reach, middle, side="right")
    beyond = np.searchsorted(windows.start, middle, side="right")
    values = np.empty((len(windows), 3 + labels))
    values[:, 0] = windows.speech
    values[:, 1] = windows.emotion >= 0
    values[:, 2] = (windows.emotion >= 0) & (windows.emotion < labels)
    values[:, 3:] = windows.probabilities
    # Running sums of whole numbers are exact, and so is their difference.
    sums = np.zeros((len(windows) + 1, 3 + labels))
    np.cumsum(np.rint(values * 10_000), axis=0, out=sums[1:])
    totals = (sums[beyond] - sums[first]) / 10_000
    covering = np.maximum(beyond - first, 1)
    speech, tagged, certain = totals.T[:3]
    means = totals[:, 3:] / np.maximum(tagged, 1)[:, None]
    # A cell is what most of its windows are: speech or not, certain or not; in doubt speech, and uncertain.
    label = np.where(2 * certain > tagged, means.argmax(axis=1), labels)
    label = np.where(2 * tagged >= covering, label, -1)
    # Rounded shares may come to a little more than 1.
    negative = np.minimum(means[:, np.array(timeline.valence) < 0].sum(axis=1), 1.0)
    spoken = np.where(label >= 0, speech / covering, 0.0) * (end - start)
    return Cells(start, end, spoken, label, means.max(axis=1), negative)


def segments_of(timeline: Timeline, channel: ChannelTimeline) -> Iterator[Segment]:
    """One of a timeline's channels as segments, in order, without gaps."""
    cells = cells_of(timeline, channel)
    names = (*timeline.labels, UNCERTAIN, NO_SPEECH)
    borders = np.flatnonzero(np.diff(cells.label)) + 1
    for part in np.split(np.arange(len(cells.label)), borders):
        label = int(cells.label[part[0]])
        confidence = float(cells.confidence[part].mean()) if label >= 0 else None
        yield Segment(float(cells.start[part[0]]), float(cells.end[part[-1]]), names[label], confidence)
