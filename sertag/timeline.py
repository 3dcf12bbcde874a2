"""What was heard in a recording, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.types import DoubleArray

if TYPE_CHECKING:
    import pandas

PREFIX = ("file", "channel", "start", "end", "emotion", "confidence", "speech")
"""The columns that every timeline has; one column ``p_<label>`` per label follows."""

_PART = 1_000

CodeArray = npt.NDArray[np.int16]


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


@dataclass(frozen=True, eq=False)
class Windows(Sequence[Window]):
    """A channel's windows in order, as arrays of shape ``(n,)``; as a sequence it gives :class:`Window`.

    The numbers are those of the outputs: times have 3 decimals, ``level`` 1, ``speech`` and
    ``probabilities`` 4. ``emotion`` numbers the labels in their order, then ``uncertain``; -1 is
    ``no_speech``, whose ``probabilities``, shape ``(n, labels)``, are 0.
    """

    labels: tuple[str, ...]
    start: DoubleArray
    end: DoubleArray
    emotion: CodeArray
    speech: DoubleArray
    level: DoubleArray
    probabilities: DoubleArray

    @property
    def confidence(self) -> DoubleArray:
        """Probability of the likeliest label, 0 for ``no_speech``."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """All arrays, in the order of the fields."""
        return self.start, self.end, self.emotion, self.speech, self.level, self.probabilities

    @classmethod
    def joined(cls, parts: Sequence[Windows]) -> Windows:
        """The windows of consecutive parts, at least one."""
        arrays = zip(*(part.arrays for part in parts), strict=True)
        return cls(parts[0].labels, *map(np.concatenate, arrays))

    def parts(self) -> Iterator[Windows]:
        """The windows in parts of moderate size, each of which is turned into text at little memory."""
        if len(self) <= _PART:
            yield self
            return
        for at in range(0, len(self), _PART):
            yield self[at : at + _PART]

    def __len__(self) -> int:
        return len(self.start)

    @overload
    def __getitem__(self, index: int) -> Window: ...

    @overload
    def __getitem__(self, index: slice) -> Windows: ...

    def __getitem__(self, index: int | slice) -> Window | Windows:
        if isinstance(index, slice):
            return Windows(self.labels, *(array[index] for array in self.arrays))
        number = range(len(self))[index]
        return next(iter(self[number : number + 1]))

    def __iter__(self) -> Iterator[Window]:
        names = (*self.labels, UNCERTAIN, NO_SPEECH)
        for part in self.parts():
            columns = [array.tolist() for array in part.arrays]
            for start, end, code, speech, level, probabilities in zip(*columns, strict=True):
                spoken = code >= 0
                yield Window(
                    start,
                    end,
                    names[code],
                    max(probabilities) if spoken else None,
                    speech,
                    level,
                    tuple(probabilities) if spoken else None,
                )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Windows):
            return NotImplemented
        return self.labels == other.labels and all(
            np.array_equal(one, two) for one, two in zip(self.arrays, other.arrays, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class ChannelTimeline:
    """All windows of one channel in order; ``speech_seconds`` counts each second once."""

    channel: str
    windows: Windows
    speech_seconds: float


@dataclass(frozen=True)
class Talk:
    """Between channels: seconds in which nobody speaks, and in which two or more speak at once."""

    silence: float
    overlap: float


@dataclass(frozen=True)
class Timeline:
    """One recording: where it lies, how long it is in seconds, and its channels' windows.

    ``modified`` is the file's time of modification in seconds since 1970; ``hop`` is in seconds;
    ``talk`` is None where a single channel was analysed.
    """

    file: str
    modified: float
    duration: float
    sample_rate: int
    labels: tuple[str, ...]
    valence: tuple[int, ...]
    hop: float
    channels: tuple[ChannelTimeline, ...]
    talk: Talk | None = None
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pandas.DataFrame:
        """The timeline as a pandas frame with the columns of the CSV output: a row per window."""
        import pandas

        names = np.array((*self.labels, UNCERTAIN, NO_SPEECH), dtype=object)
        windows = Windows.joined([channel.windows for channel in self.channels])
        spoken = windows.emotion >= 0
        channels = [channel.channel for channel in self.channels for _ in range(len(channel.windows))]
        values = (
            *([self.file] * len(windows), channels, windows.start, windows.end, names[windows.emotion]),
            *(np.where(spoken, windows.confidence, np.nan), windows.speech),
            *(np.where(spoken, column, np.nan) for column in windows.probabilities.T),
        )
        return pandas.DataFrame(dict(zip(columns(self.labels), values, strict=True)))


@dataclass(frozen=True)
class Failure:
    """A recording that could not be tagged: a stable code, and what to tell a person."""

    file: str
    code: str
    message: str


def columns(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Names of a timeline's columns, in order."""
    return (*PREFIX, *(f"p_{label}" for label in labels))
