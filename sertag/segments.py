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
    count = max(1, int(np.ceil(timeline.duration / timeline.hop - 1e-9)))
    start = np.arange(count) * timeline.hop
    end = np.minimum(start + timeline.hop, timeline.duration)
    middle = (start + end) / 2
    totals = np.zeros((count, len(timeline.labels)))
    speech, covering, tagged, certain = (np.zeros(count) for _ in range(4))
    for window in channel.windows:
        cells = slice(*np.searchsorted(middle, (window.start, window.end)))
        covering[cells] += 1
        speech[cells] += window.speech
        if window.probabilities is not None:
            tagged[cells] += 1
            certain[cells] += window.emotion != UNCERTAIN
            totals[cells] += window.probabilities
    means = totals / np.maximum(tagged, 1)[:, None]
    share = speech / np.maximum(covering, 1)
    # A cell is what most of its windows are: speech or not, certain or not.
    label = np.where(2 * certain >= np.maximum(tagged, 1), np.argmax(means, axis=1), len(timeline.labels))
    label = np.where(2 * tagged >= np.maximum(covering, 1), label, -1)
    negative = means[:, np.array(timeline.valence) < 0].sum(axis=1)
    spoken = np.where(label >= 0, share, 0.0) * (end - start)
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
