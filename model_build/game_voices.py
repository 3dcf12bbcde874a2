"""Writes the voices of three free games, for ``sertag build-model --unlabelled``.

``python -m model_build.game_voices --packages FOLDER --out FOLDER``

Beneath a Steel Sky, Flight of the Amazon Queen and Drascula (in English, Spanish and Italian) are played by
some hundred actors' voices, as angry, glad and afraid as games are. The folder holds what Debian's packages
of these names unpack to (``dpkg -x PACKAGE.deb FOLDER``, all into one). Which lines are whose,
``game_voices.csv`` says, by the speaker embeddings of Resemblyzer 0.1.4, clustered (cosine distance .3,
average linkage); voices of less than twelve lines are left out, and of those of many all but 120 or 60.
"""

from __future__ import annotations

import argparse
import csv
import io
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from model_build.rnc import MAGIC, unpack
from sertag.types import FloatArray

_RATE = 11_025
_DATA = Path("usr/share/scummvm")
_LICENCE = "free game: may be modified and given away, but the game itself not be sold (Debian main)"
_LANGUAGES = {"drascula": "en", "drascula-spanish": "es", "drascula-italian": "it"}


def write_voices(packages: Path, out: Path) -> int:
    """Writes ``out/package/voice/line.wav`` for every line of the table, and tells how many.

    Raises:
        OSError: where a package is not there.
        KeyError: where a line is not.
        ValueError: where a line is damaged.
    """
    count = 0
    for package, voices in _table().items():
        lines = dict(_lines(packages / _DATA, package))
        for voice, names in voices.items():
            folder = out / package / voice
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                soundfile.write(folder / f"{name}.wav", lines[name], _RATE)
                count += 1
        (out / package / "LICENCE").write_text(f"{_LICENCE}\n", encoding="utf-8")
    return count


def _table() -> dict[str, dict[str, list[str]]]:
    """The names of the lines by package and voice."""
    table: dict[str, dict[str, list[str]]] = {}
    with open(Path(__file__).with_suffix(".csv"), encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            table.setdefault(row["package"], {})[row["voice"]] = row["lines"].split()
    return table


def _lines(data: Path, package: str) -> Iterator[tuple[str, FloatArray]]:
    """The names and samples of a game's lines."""
    if package == "beneath-a-steel-sky":
        return _steel_sky(data / package)
    if package == "flight-of-the-amazon-queen":
        return _amazon_queen(data / package / "queen.1c")
    return _drascula(data / "drascula" / _LANGUAGES[package])


def _steel_sky(folder: Path) -> Iterator[tuple[str, FloatArray]]:
    """Files from 50,000 on, each behind a header of 22 bytes, of which some are packed.

    The directory has 8 bytes a file: its number, 24 bits of where it lies, the highest of which says that
    it is in steps of 16, and 22 bits of its size.
    """
    directory, disk = (folder / "sky.dnr").read_bytes(), (folder / "sky.dsk").read_bytes()
    for number, low, high in struct.iter_unpack("<HHI", directory[4:]):
        where, size = low | (high & 0xFF) << 16, high >> 8 & 0x3FFFFF
        if where >> 23:
            where = (where & 0x7FFFFF) << 4
        content = disk[where + 22 : where + size]
        if number >= 50_000:
            yield str(number), _samples(unpack(content) if content.startswith(MAGIC) else content)


def _amazon_queen(file: Path) -> Iterator[tuple[str, FloatArray]]:
    """MP3s, which a table of 21 bytes each, name, place and size, tells among other files."""
    content = file.read_bytes()
    (count,) = struct.unpack_from(">H", content, 13)
    for name, where, size in struct.iter_unpack(">12sxII", content[15 : 15 + 21 * count]):
        stem, _, kind = name.rstrip(b"\0").decode("ascii").partition(".")
        if kind == "SB":
            samples, _ = soundfile.read(io.BytesIO(content[where : where + size]), dtype="float32")
            yield stem, samples


def _drascula(folder: Path) -> Iterator[tuple[str, FloatArray]]:
    for file in sorted(folder.glob("*.ALS")):
        if file.is_file():
            yield file.stem, _samples(file.read_bytes())


def _samples(content: bytes) -> FloatArray:
    """Samples of 8 bits without a sign."""
    return (np.frombuffer(content, dtype=np.uint8).astype(np.float32) - 128) / 128


def main(arguments: Sequence[str] | None = None) -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m model_build.game_voices", description="Writes the voices of three free games."
    )
    parser.add_argument("--packages", type=Path, required=True, help="what their Debian packages unpack to")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    given = parser.parse_args(arguments)
    try:
        count = write_voices(given.packages, given.out)
    except OSError as error:
        parser.error(str(error))
    except (KeyError, ValueError) as error:
        parser.error(f"{given.packages}: the packages are not those of Debian 12: {error}")
    print(f"{given.out}: {count:,} recordings")


if __name__ == "__main__":
    main()
