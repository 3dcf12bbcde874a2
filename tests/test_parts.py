from __future__ import annotations

import os
from pathlib import Path

import pytest

from sertag.parts import DamagedRecordError, Parts, Place
from sertag.spool import Spool


def opened(path: Path, end: int = 0) -> Parts:
    return Parts(os.open(path, os.O_RDWR | os.O_CREAT), end, str(path))


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    parts = opened(tmp_path / "parts")
    payloads = [os.urandom(size) for size in (0, 1, 5_000, 3_000_000, 7)]
    places = [parts.append(payload) for payload in payloads]
    assert [parts.read(place) for place in reversed(places)] == payloads[::-1]
    parts.sync()
    parts.close()
    again = opened(tmp_path / "parts", places[2].offset)
    assert [again.read(place) for place in places[:2]] == payloads[:2]
    assert again.append(b"x") == Place(places[2].offset, 1)
    with pytest.raises(DamagedRecordError):
        again.read(places[3])


@pytest.mark.parametrize("byte", [0, 5, 8, 20])
def test_damage_is_noticed(tmp_path: Path, byte: int) -> None:
    path = tmp_path / "parts"
    parts = opened(path)
    place = parts.append(bytes(range(64)))
    parts.sync()
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedRecordError):
        parts.read(place)


@pytest.mark.parametrize("in_memory", [0, 100, 1_000_000])
def test_a_spool_gives_results_in_order(in_memory: int) -> None:
    spool: Spool[str] = Spool(in_memory)
    order = [3, 1, 0, 7, 6, 2, 5, 4]
    given = []
    for position in order:
        given += list(spool.put(position, bytes([position]) * 50, str(position)))
    assert given == [(bytes([position]) * 50, str(position)) for position in range(8)]
