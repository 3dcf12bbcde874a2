"""Unpacks Rob Northen's compression, method 1, in which old games keep their recordings.

A stream of 16-bit words, lowest bits first, in which plain bytes lie between. Chunks bring three tables of
prefix codes: how many plain bytes follow, how far back to copy from, and how much.
"""

from __future__ import annotations

import struct

import numba
import numpy as np
import numpy.typing as npt

MAGIC = b"RNC\x01"

_HEADER = struct.Struct(">4sIIHHBB")
_SYMBOLS = 32
_BUFFER, _COUNT, _AT = range(3)
"""Of a reader: bits that are read ahead, how many, and where the last word of them lies."""

Bytes = npt.NDArray[np.uint8]
Reader = npt.NDArray[np.int64]
Tables = npt.NDArray[np.int64]


def unpack(packed: bytes) -> bytes:
    """What was packed, by its header and what follows.

    Raises:
        ValueError: where it is not packed so, or damaged.
    """
    if len(packed) < _HEADER.size or not packed.startswith(MAGIC):
        raise ValueError("not packed by method 1")
    _, size, *_ = _HEADER.unpack_from(packed)
    out = np.zeros(size, dtype=np.uint8)
    if not _unpack(np.frombuffer(packed, dtype=np.uint8, offset=_HEADER.size), out):
        raise ValueError("packed data are damaged")
    return out.tobytes()


@numba.njit(cache=True)
def _unpack(source: Bytes, out: Bytes) -> bool:
    reader = np.array([_word(source, 0), 16, 0], dtype=np.int64)
    _bits(reader, source, 2)
    # Of each table a row of symbols, one of codes and one of their lengths, which is 0 from its end on.
    plain, back, copied = np.zeros((3, 3, _SYMBOLS + 1), dtype=np.int64)
    done = 0
    while done < len(out):
        for table in (plain, back, copied):
            _read_table(reader, source, table)
        for left in range(_bits(reader, source, 16), 0, -1):
            length = _number(reader, source, plain)
            if length:
                at = reader[_AT]
                if not 0 < length <= min(len(out) - done, len(source) - at):
                    return False
                out[done : done + length] = source[at : at + length]
                done += length
                _resume(reader, source, at + length)
            if left > 1:
                distance = _number(reader, source, back) + 1
                length = _number(reader, source, copied) + 2
                if not 0 < distance <= done or not 1 < length <= len(out) - done:
                    return False
                for _ in range(length):
                    out[done] = out[done - distance]
                    done += 1
        # Behind the end there are zeros, and of these no end; a word or two are read ahead.
        if reader[_AT] > len(source) + 4:
            return False
    return True


@numba.njit(cache=True)
def _word(source: Bytes, at: int) -> int:
    low = int(source[at]) if at < len(source) else 0
    high = int(source[at + 1]) if at + 1 < len(source) else 0
    return low | high << 8


@numba.njit(cache=True)
def _bits(reader: Reader, source: Bytes, count: int) -> int:
    """The next bits; a whole word is always read ahead."""
    found = int(reader[_BUFFER] & ((1 << count) - 1))
    reader[_BUFFER] >>= count
    reader[_COUNT] -= count
    if reader[_COUNT] < 16:
        reader[_AT] += 2
        reader[_BUFFER] |= _word(source, reader[_AT]) << reader[_COUNT]
        reader[_COUNT] += 16
    return found


@numba.njit(cache=True)
def _resume(reader: Reader, source: Bytes, at: int) -> None:
    """Goes on behind plain bytes, which lay where the word read ahead was thought to."""
    rest = reader[_COUNT] - 16
    reader[_BUFFER] = reader[_BUFFER] & ((1 << rest) - 1) | _word(source, at) << rest
    reader[_AT] = at


@numba.njit(cache=True)
def _read_table(reader: Reader, source: Bytes, table: Tables) -> None:
    """A canonical prefix code by its lengths; codes are read from their highest bit on."""
    lengths = np.zeros(_SYMBOLS, dtype=np.int64)
    for symbol in range(_bits(reader, source, 5)):
        lengths[symbol] = _bits(reader, source, 4)
    row, code = 0, 0
    for length in range(1, 16):
        for symbol in range(_SYMBOLS):
            if lengths[symbol] == length:
                mirrored = 0
                for bit in range(length):
                    mirrored |= (code >> bit & 1) << (length - 1 - bit)
                table[0, row], table[1, row], table[2, row] = symbol, mirrored, length
                row += 1
                code += 1
        code <<= 1
    table[:, row] = 0


@numba.njit(cache=True)
def _number(reader: Reader, source: Bytes, table: Tables) -> int:
    """The next number: its symbol says how many bits it has behind the highest; -1 where none fits."""
    for row in range(_SYMBOLS):
        length = table[2, row]
        if length == 0:
            return -1
        if reader[_BUFFER] & ((1 << length) - 1) == table[1, row]:
            _bits(reader, source, length)
            symbol = int(table[0, row])
            return symbol if symbol < 2 else 1 << (symbol - 1) | _bits(reader, source, symbol - 1)
    return -1
