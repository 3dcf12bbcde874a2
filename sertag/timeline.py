"""What was heard in a recording, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

PREFIX = ("file", "channel", "start", "end", "emotion", "confidence", "speech")
"""The columns that every timeline has; one column ``p_<label>`` per label follows."""

Row = tuple[str, str, float, float, str, float | None, float, *tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a channel. Times are in seconds, ``level`` in dB re full scale.

    ``emotion`` is a label, ``uncertain`` or ``no_speech``; ``confidence`` and ``probabilities`` are
    None for the latter.
    """

    start: float
    end: float
    emotion: str
    confidence: float | None
    speech: float
    level: float
    probabilities: tuple[float, ...] | None


@dataclass(frozen=True)
class ChannelTimeline:
    """All windows of one channel in order; ``speech_seconds`` counts each second once."""

    channel: str
    windows: tuple[Window, ...]
    speech_seconds: float


@dataclass(frozen=True)
class Timeline:
    """One recording: where it lies, how long it is in seconds, and its channels' windows.

    ``modified`` is the file's time of modification in seconds since 1970; ``hop`` is in seconds.
    """

    file: str
    modified: float
    duration: float
    sample_rate: int
    labels: tuple[str, ...]
    valence: tuple[int, ...]
    hop: float
    channels: tuple[ChannelTimeline, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of :meth:`rows`."""
        return columns(self.labels)

    def rows(self) -> Iterator[Row]:
        """The timeline as a table: a row per window, channel after channel."""
        blank = (None,) * len(self.labels)
        for channel in self.channels:
            for window in channel.windows:
                yield (
                    self.file,
                    channel.channel,
                    round(window.start, 3),
                    round(window.end, 3),
                    window.emotion,
                    None if window.confidence is None else round(window.confidence, 4),
                    round(window.speech, 4),
                    *(blank if window.probabilities is None else (round(p, 4) for p in window.probabilities)),
                )

    def to_frame(self) -> pandas.DataFrame:
        """The timeline as a pandas frame with the columns of the CSV output."""
        import pandas

        return pandas.DataFrame(list(self.rows()), columns=list(self.columns))


@dataclass(frozen=True)
class Failure:
    """A recording that could not be tagged: a stable code, and what to tell a person."""

    file: str
    code: str
    message: str


def columns(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Names of a timeline's columns, in order."""
    return (*PREFIX, *(f"p_{label}" for label in labels))
