"""The voices of games, from packages that hold every line of the table, but made up."""

from __future__ import annotations

import csv
import io
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

import model_build.game_voices
from model_build.rnc import unpack

from conftest import voice

RATE = 11_025
Step = tuple[bytes, int, int]
"""Plain bytes, and how far back from behind them, and how much, is copied."""


class Packer:
    """Packs by method 1, with codes of four bits for all numbers below 2 ** 15."""

    def __init__(self) -> None:
        self.packed = bytearray()
        self._word, self._free = 0, 0

    def bits(self, value: int, count: int) -> None:
        """Bits, the lowest first, in words among the plain bytes."""
        for bit in range(count):
            if not self._free:
                self._word, self._free = len(self.packed), 16
                self.packed += bytes(2)
            at = 16 - self._free
            self.packed[self._word + at // 8] |= (value >> bit & 1) << at % 8
            self._free -= 1

    def number(self, value: int) -> None:
        """A code and the bits that it asks for."""
        size = value.bit_length()
        self.bits(int(f"{size:04b}"[::-1], 2), 4)
        if size > 1:
            self.bits(value & ~(1 << (size - 1)), size - 1)


def pack(steps: Sequence[Step], rest: bytes, *, chunks: int = 1) -> bytes:
    """The steps, and bytes at their end, as often as there are chunks."""
    packer = Packer()
    packer.bits(0, 2)
    size = 0
    for _ in range(chunks):
        for _ in range(3):
            packer.bits(16, 5)
            for _ in range(16):
                packer.bits(4, 4)
        packer.bits(len(steps) + 1, 16)
        for plain, back, length in steps:
            packer.number(len(plain))
            packer.packed += plain
            packer.number(back - 1)
            packer.number(length - 2)
            size += len(plain) + length
        packer.number(len(rest))
        packer.packed += rest
        size += len(rest)
    return struct.pack(">4sIIHHBB", b"RNC\x01", size, len(packer.packed), 0, 0, 0, chunks) + packer.packed


PACKED = pack([(b"abc", 3, 5), (b"", 1, 4), (b"xyz", 11, 2)], b"end")


def test_what_is_packed_is_unpacked() -> None:
    assert unpack(PACKED) == b"abcabcabbbbbxyzbcend"
    assert unpack(pack([(b"abc", 3, 300)], b"")) == b"abc" * 101
    assert unpack(pack([(b"0123456789", 10, 20)], b"!", chunks=3)) == (b"0123456789" * 3 + b"!") * 3
    long = bytes(np.random.default_rng(1).integers(0, 256, 20_000, dtype=np.uint8))
    assert unpack(pack([(long, 20_000, 9_999)], long)) == long + long[:9_999] + long


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"RIFF" + PACKED[4:],
        b"RNC\x02" + PACKED[4:],
        PACKED[:60],
        PACKED[:30],
        pack([(b"ab", 3, 5)], b""),
        PACKED[:4] + struct.pack(">I", 10_000) + PACKED[8:],
        PACKED[:18] + bytes(200),
    ],
)
def test_what_is_damaged_is_told(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="packed"):
        unpack(damaged)


@pytest.fixture(scope="module")
def table() -> dict[str, list[str]]:
    """The lines of every package."""
    lines: dict[str, list[str]] = {}
    with open(Path(model_build.game_voices.__file__).with_suffix(".csv"), newline="") as file:
        for row in csv.DictReader(file):
            lines.setdefault(row["package"], []).extend(row["lines"].split())
    return lines


@pytest.fixture(scope="module")
def packages(table: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Debian's packages would unpack to, each line a tone of its package's."""
    root = tmp_path_factory.mktemp("packages")
    data = root / "usr/share/scummvm"
    for language, package in (("en", "drascula"), ("es", "drascula-spanish"), ("it", "drascula-italian")):
        (data / "drascula" / language).mkdir(parents=True)
        for line in table[package]:
            (data / "drascula" / language / f"{line}.ALS").write_bytes(bytes([128, 192, 64, 0] * 40))
    (data / "drascula/en/broken.ALS").symlink_to("nowhere")

    (data / "beneath-a-steel-sky").mkdir()
    header = bytes(22)
    plain, packed = header + bytes([0, 64] * 32), header + pack([(bytes([255, 128]), 2, 62)], b"")
    disk = bytes(32) + plain + bytes(-len(plain) % 16) + packed
    places = [(32, len(plain)), (1 << 23 | (len(disk) - len(packed)) // 16, len(packed))]
    entries = [(17, (32, 8)), *((int(line), places[int(line) % 2]) for line in table["beneath-a-steel-sky"])]
    directory = struct.pack("<I", len(entries))
    for number, (where, size) in entries:
        directory += struct.pack("<HHI", number, where & 0xFFFF, where >> 16 | size << 8)
    (data / "beneath-a-steel-sky/sky.dnr").write_bytes(directory)
    (data / "beneath-a-steel-sky/sky.dsk").write_bytes(disk)

    (data / "flight-of-the-amazon-queen").mkdir()
    sound = io.BytesIO()
    soundfile.write(sound, voice(0.5, rate=RATE), RATE, format="MP3")
    names = ["ZOMBIE.ACT", *(f"{line}.SB" for line in table["flight-of-the-amazon-queen"])]
    first = 15 + 21 * len(names)
    content = b"QTBLCEM10\0\0\0\1" + struct.pack(">H", len(names))
    for name in names:
        content += struct.pack(">12sBII", name.encode(), 1, first, len(sound.getvalue()))
    (data / "flight-of-the-amazon-queen/queen.1c").write_bytes(content + sound.getvalue())
    return root


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model_build.game_voices", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_line_of_the_table_is_written(
    packages: Path, table: dict[str, list[str]], tmp_path: Path
) -> None:
    done = run("--packages", packages, "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path}: 4,403 recordings\n"
    for package, lines in table.items():
        assert sorted(path.stem for path in (tmp_path / package).glob("*/*.wav")) == sorted(lines)
        assert (tmp_path / package / "LICENCE").read_text().startswith("free game")
    sky = {path.stem: path for path in (tmp_path / "beneath-a-steel-sky").glob("*/*.wav")}
    for line in ("50111", "50206"):
        samples, rate = soundfile.read(sky[line])
        assert rate == RATE
        expected = [127 / 128, 0.0] if int(line) % 2 else [-1.0, -0.5]
        assert samples.tolist() == pytest.approx(expected * 32, abs=1e-4)
    queen, _ = soundfile.read(next((tmp_path / "flight-of-the-amazon-queen").glob("*/*.wav")))
    assert 0.45 < len(queen) / RATE < 0.7
    assert np.abs(queen).max() > 0.1


def test_a_package_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    done = run("--packages", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "No such file" in done.stderr.splitlines()[-1]
    assert "sky.dnr" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_packages_are_told_in_one_line(packages: Path, tmp_path: Path) -> None:
    data = tmp_path / "usr/share/scummvm"
    shutil.copytree(packages / "usr/share/scummvm/beneath-a-steel-sky", data / "beneath-a-steel-sky")
    directory = (data / "beneath-a-steel-sky/sky.dnr").read_bytes()
    (data / "beneath-a-steel-sky/sky.dnr").write_bytes(directory[:-8])
    done = run("--packages", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "not those of Debian 12" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
