"""Results as bytes: what workers send home, and what lies on disk until it is written.

A payload is a byte that tells the version, and a zlib stream, whose checksum finds damage. In it are the
length of a header; the header, in JSON; and for every channel its summary as text, and its windows,
column after column, as whole numbers. What all results of a run have in common is not in it.
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
from sertag.summary import ChannelSummary, Interval, Quarter, Record, WrittenSummary
from sertag.timeline import ChannelTimeline, Failure, Talk, Timeline, Windows
from sertag.writers.base import Run

_VERSION = b"\2"
_LENGTH = struct.Struct("<I")
_TIMES, _VALUES = np.dtype("<u4"), np.dtype("<i2")
_MILLISECONDS = np.array([1_000.0])
_raw_decode = json.JSONDecoder().raw_decode


def encode(result: Timeline | Failure) -> bytes:
    """A recording's result; of a timeline, its summaries too."""
    if isinstance(result, Failure):
        return _VERSION + zlib.compress(_framed([result.file, result.code, result.message]))
    pairs = list(zip(result.channels, Record.of(result).summaries, strict=True))
    header = [
        *(result.file, result.modified, result.duration, result.sample_rate, result.warnings),
        [result.talk.silence, result.talk.overlap] if result.talk else None,
        [
            (channel.channel, channel.speech_seconds, len(channel.windows), *map(len, summary))
            for channel, summary in pairs
        ],
    ]
    stream = zlib.compressobj(zdict=usual_text(result.labels))
    parts = ("".join(summary).encode("ascii") + _pack_windows(channel.windows) for channel, summary in pairs)
    return _VERSION + stream.compress(_framed(header) + b"".join(parts)) + stream.flush()


def decode(payload: bytes, run: Run) -> Record | Failure:
    """What was encoded.

    Args:
        payload: of :func:`encode`.
        run: which the recording belongs to.

    Raises:
        ValueError: for bytes that are damaged, of another version or of a run with other labels.
    """
    if payload[:1] != _VERSION:
        raise ValueError("not a result of this version")
    try:
        stream = zlib.decompressobj(zdict=usual_text(run.labels))
        body = stream.decompress(payload[1:])
        if not stream.eof or stream.unused_data:
            raise ValueError("its end is not where it should be")
        (length,) = _LENGTH.unpack_from(body)
        at = _LENGTH.size + length
        header, end = _raw_decode(str(body[_LENGTH.size : at], "ascii"))
        if end != length:
            raise ValueError("its header is of another length")
        return Failure(*header) if len(header) == 3 else _record(header, body, at, run)
    except (ValueError, TypeError, IndexError, OverflowError, zlib.error, struct.error) as error:
        raise ValueError(f"a damaged result: {error}") from error


def _record(header: list[Any], body: bytes, at: int, run: Run) -> Record:
    file, modified, duration, sample_rate, warnings, talk, parts = header
    channels, summaries = [], []
    size = _TIMES.itemsize * 2 + _VALUES.itemsize * (3 + len(run.labels))
    for name, speech_seconds, count, width, rest in parts:
        text = str(body[at : at + width + rest], "ascii")
        summaries.append(WrittenSummary(text[:width], text[width:]))
        at += width + rest
        channels.append(ChannelTimeline(name, _unpack_windows(body, at, count, run.labels), speech_seconds))
        at += count * size
    if at != len(body):
        raise ValueError("of another run, or another size")
    timeline = Timeline(
        *(file, modified, duration, sample_rate, run.labels, run.valence, run.hop, tuple(channels)),
        Talk(*talk) if talk else None,
        tuple(warnings),
    )
    return Record(timeline, tuple(summaries))


def _framed(header: list[Any]) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(text)) + text


@cache
def usual_text(labels: tuple[str, ...]) -> bytes:
    """What most results have in common, which then takes no room in any of them."""
    shares = dict.fromkeys(labels, 0.0)
    quarter = Quarter(0.0, None, {**shares, UNCERTAIN: 0.0})
    summary = ChannelSummary(0.0, 0.0, shares, None, 0.0, (quarter,) * 4, None, Interval(0.0, 0.0, 0.0), None)
    cells = ",0.0000" * (len(labels) + 1)
    return f'[],null,[["mix",0.0,1,600,100]]]{summary.to_json()}0.000,0.000,,,{cells},,,,,,,,'.encode("ascii")


def _pack_windows(windows: Windows) -> bytes:
    """Steps of start and end in ms; then emotions, levels in tenths of a dB, speech and probabilities."""
    times = np.stack([_whole(windows.start, 1_000), _whole(windows.end, 1_000)])
    shares = (_whole(column, 10_000) for column in (windows.speech, *windows.probabilities.T))
    values = np.stack([windows.emotion.astype(np.int64), _whole(windows.level, 10), *shares])
    steps = np.diff(times, prepend=0)
    return b"".join([steps.astype(_TIMES).tobytes(), values.astype(_VALUES).tobytes()])


def _unpack_windows(body: bytes, at: int, count: int, labels: tuple[str, ...]) -> Windows:
    units = _units(len(labels))
    steps = np.frombuffer(body, _TIMES, 2 * count, at).reshape(2, count)
    values = np.frombuffer(body, _VALUES, len(units) * count, at + steps.nbytes).reshape(len(units), count)
    start, end = np.add.accumulate(steps, 1, np.float64) / _MILLISECONDS
    figures = values / units
    return Windows(labels, start, end, values[0], figures[2], figures[1], figures[3:].T)


@cache
def _units(labels: int) -> npt.NDArray[np.float64]:
    """What the columns of whole numbers are divided by, shape ``(3 + labels, 1)``."""
    return np.array([1.0, 10.0, *[10_000.0] * (1 + labels)])[:, np.newaxis]


def _whole(values: npt.NDArray[np.float64], unit: int) -> npt.NDArray[np.int64]:
    whole: npt.NDArray[np.int64] = np.rint(values * unit).astype(np.int64)
    return whole
