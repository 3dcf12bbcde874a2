"""Results as bytes: what workers send home, and what lies on disk until it is written.

A payload is a byte that tells the version, and a zlib stream, whose checksum finds damage. In it are the
length of a header; the header, in JSON; and for every channel its summary and its windows, column after
column, as whole numbers. What all results of a run have in common is not in it.
"""

from __future__ import annotations

import json
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sertag.labels import UNCERTAIN
from sertag.summary import ChannelSummary, Interval, Quarter, Record
from sertag.timeline import ChannelTimeline, Failure, Talk, Timeline, Windows
from sertag.writers.base import Run

_VERSION = 1
_LENGTH = struct.Struct("<I")
_TIMES, _VALUES = np.dtype("<u4"), np.dtype("<i2")
_NONE = -(2**31)
"""Stands in for a figure that a channel does not have."""


def encode(result: Timeline | Failure) -> bytes:
    """A recording's result; of a timeline, its summaries too."""
    header: list[Any]
    if isinstance(result, Failure):
        header, rest = [result.file, result.code, result.message], b""
    else:
        header = [
            *(result.file, result.modified, result.duration, result.sample_rate, result.warnings),
            [result.talk.silence, result.talk.overlap] if result.talk else None,
            [(channel.channel, channel.speech_seconds, len(channel.windows)) for channel in result.channels],
        ]
        rest = b"".join(
            _pack_summary(summary) + _pack_windows(channel.windows)
            for channel, summary in zip(result.channels, Record.of(result).summaries, strict=True)
        )
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    return bytes((_VERSION,)) + zlib.compress(_LENGTH.pack(len(text)) + text + rest)


def decode(payload: bytes, run: Run) -> Record | Failure:
    """What was encoded.

    Args:
        payload: of :func:`encode`.
        run: which the recording belongs to.

    Raises:
        ValueError: for bytes that are damaged, of another version or of a run with other labels.
    """
    if payload[:1] != bytes((_VERSION,)):
        raise ValueError("not a result of this version")
    try:
        stream = zlib.decompressobj()
        body = stream.decompress(payload[1:])
        if not stream.eof or stream.unused_data:
            raise ValueError("its end is not where it should be")
        (length,) = _LENGTH.unpack_from(body)
        header = json.loads(body[_LENGTH.size : _LENGTH.size + length])
        return Failure(*header) if len(header) == 3 else _record(header, body, _LENGTH.size + length, run)
    except (ValueError, TypeError, IndexError, OverflowError, zlib.error, struct.error) as error:
        raise ValueError(f"a damaged result: {error}") from error


def _record(header: list[Any], body: bytes, at: int, run: Run) -> Record:
    file, modified, duration, sample_rate, warnings, talk, parts = header
    channels, summaries = [], []
    layout, names = _summary_layout(len(run.labels)), (*run.labels, UNCERTAIN)
    for name, speech_seconds, count in parts:
        summaries.append(_unpack_summary(layout.unpack_from(body, at), duration, speech_seconds, names))
        at += layout.size
        channels.append(ChannelTimeline(name, _unpack_windows(body, at, count, run.labels), speech_seconds))
        at += count * (_TIMES.itemsize * 2 + _VALUES.itemsize * (3 + len(run.labels)))
    if at != len(body):
        raise ValueError("of another run, or another size")
    timeline = Timeline(
        *(file, modified, duration, sample_rate, run.labels, run.valence, run.hop, tuple(channels)),
        Talk(*talk) if talk else None,
        tuple(warnings),
    )
    return Record(timeline, tuple(summaries))


def _pack_windows(windows: Windows) -> bytes:
    """Steps of start and end in ms; then emotions, levels in tenths of a dB, speech and probabilities."""
    times = np.stack([_whole(windows.start, 1_000), _whole(windows.end, 1_000)])
    shares = (_whole(column, 10_000) for column in (windows.speech, *windows.probabilities.T))
    values = np.stack([windows.emotion.astype(np.int64), _whole(windows.level, 10), *shares])
    steps = np.diff(times, prepend=0)
    return b"".join([steps.astype(_TIMES).tobytes(), values.astype(_VALUES).tobytes()])


def _unpack_windows(body: bytes, at: int, count: int, labels: tuple[str, ...]) -> Windows:
    rows = 3 + len(labels)
    steps = np.frombuffer(body, _TIMES, 2 * count, at)
    values = np.frombuffer(body, _VALUES, rows * count, at + steps.nbytes).reshape(rows, count)
    start, end = steps.reshape(2, count).cumsum(axis=1, dtype=np.int64) / 1_000
    shares = values[2:] / 10_000
    return Windows(labels, start, end, values[0], shares[0], values[1] / 10, shares[1:].T)


def _whole(values: npt.NDArray[np.float64], unit: int) -> npt.NDArray[np.int64]:
    whole: npt.NDArray[np.int64] = np.rint(values * unit).astype(np.int64)
    return whole


@cache
def _summary_layout(labels: int) -> struct.Struct:
    """The dominant emotion and the shares of the whole and of each quarter; then the other figures."""
    return struct.Struct("<" + f"h{labels + 1}H" * 5 + "4qi2qhi")


def _pack_summary(summary: ChannelSummary) -> bytes:
    names = (*summary.emotions, UNCERTAIN)
    numbers: list[int] = []
    for dominant, shares in (
        (summary.dominant, (*summary.emotions.values(), summary.uncertain)),
        *((quarter.dominant, quarter.emotions.values()) for quarter in summary.quarters),
    ):
        numbers.append(-1 if dominant is None else names.index(dominant))
        numbers.extend(round(share * 10_000) for share in shares)
    worst = summary.most_negative
    figures = (
        *(quarter.speech_seconds for quarter in summary.quarters),
        summary.trend,
        *((worst.start, worst.end, worst.negative) if worst else (0.0, 0.0, -1.0)),
        summary.mean_level,
    )
    numbers.extend(_NONE if figure is None else round(figure * 10_000) for figure in figures)
    return _summary_layout(len(summary.emotions)).pack(*numbers)


def _unpack_summary(
    numbers: tuple[int, ...], duration: float, speech_seconds: float, names: tuple[str, ...]
) -> ChannelSummary:
    width = 1 + len(names)
    parts = []
    for at in range(0, 5 * width, width):
        pairs = zip(names, numbers[at + 1 : at + width], strict=True)
        shares = {name: number / 10_000 for name, number in pairs}
        parts.append((names[numbers[at]] if numbers[at] >= 0 else None, shares))
    (dominant, emotions), *quarters = parts
    uncertain = emotions.pop(UNCERTAIN)
    *seconds, trend, start, end, negative, mean_level = numbers[5 * width :]
    return ChannelSummary(
        *(round(duration, 4), round(speech_seconds, 4), emotions, dominant, uncertain),
        tuple([Quarter(part / 10_000, *quarter) for part, quarter in zip(seconds, quarters, strict=True)]),
        None if trend == _NONE else trend / 10_000,
        None if negative < 0 else Interval(start / 10_000, end / 10_000, negative / 10_000),
        None if mean_level == _NONE else mean_level / 10_000,
    )
