from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from sertag.discovery import Recording
from sertag.errors import SertagError, UsageError
from sertag.files import Move
from sertag.journal import Journal
from sertag.leftovers import discard, finish_earlier
from sertag.parts import DamagedRecordError
from sertag.writers import Totals

SETTINGS = {"hop": 1.5, "model": "abc"}


def recording(name: str, size: int = 10, modified: int = 5, carried: tuple[str, ...] = ()) -> Recording:
    return Recording(f"/archive/{name}", name, size, modified, carried)


def begun(path: Path, *names: str) -> None:
    with Journal(path, SETTINGS) as journal:
        for position, name in enumerate(names):
            journal.put(position, recording(name), name.encode(), failed=name == "bad", seconds=1.0)


def test_the_next_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    begun(path, "a", "b", "bad", "gone")
    with Journal(path, SETTINGS) as journal:
        assert journal.holds(0, recording("new")) is False
        assert journal.holds(1, recording("b", carried=("x", "y")))
        assert journal.holds(2, recording("a"))
        assert journal.holds(3, recording("bad"))
        journal.put(0, recording("new"), b"new", failed=False, seconds=2.5)
        assert [(entry.name, entry.payload, entry.failed) for entry in journal.entries()] == [
            ("new", b"new", False),
            ("b", b"b", False),
            ("a", b"a", False),
            ("bad", b"bad", True),
        ]
        assert [entry.carried for entry in journal.entries()] == [(), ("x", "y"), (), ()]
        assert journal.totals() == Totals(3, 1, 5.5)
        assert journal.has("a")
        assert not journal.has("gone")


def test_what_changed_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    begun(path, "a", "b", "bad")
    with Journal(path, SETTINGS) as journal:
        assert not journal.holds(0, recording("a", size=11))
        assert not journal.holds(1, recording("b", modified=6))
        assert journal.holds(2, recording("bad"))
    with Journal(path, SETTINGS, retry_failed=True) as journal:
        assert not journal.holds(0, recording("bad"))
        assert journal.holds(1, recording("a"))


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    begun(path, "a")
    with pytest.raises(UsageError, match=r"other settings \(hop 1\.5 then, 0\.5 now\)"):
        Journal(path, {**SETTINGS, "hop": 0.5})
    discard(path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_is_kept_out(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    with Journal(path, SETTINGS), pytest.raises(UsageError, match="another run of sertag is using"):
        Journal(path, SETTINGS)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n" * 1_000)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (a)")
    for path in (table, other):
        before = path.read_bytes()
        for use in (lambda path: Journal(path, SETTINGS), discard, finish_earlier):
            with pytest.raises(UsageError, match="is no journal of sertag"):
                use(path)
        assert path.read_bytes() == before


def test_a_row_takes_little_room(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    count = 20_000
    with Journal(path, SETTINGS) as journal:
        for position in range(count):
            name = f"2026/11/21/agent-0042/call-{position:08d}-left-and-right.wav"
            journal.put(
                position, recording(name, 480_044, 1_763_733_600_000_000_000), b"", failed=False, seconds=60.0
            )
    assert path.stat().st_size / count < 300


def test_a_damaged_result_is_to_be_done_again(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    begun(path, "a", "b")
    parts = tmp_path / "r.journal.parts"
    content = bytearray(parts.read_bytes())
    content[-1] ^= 1
    parts.write_bytes(content)
    with Journal(path, SETTINGS) as journal:
        assert journal.holds(0, recording("a"))
        assert journal.holds(1, recording("b"))
        with pytest.raises(DamagedRecordError):
            list(journal.entries())
        assert not journal.holds(1, recording("b"))
        assert [entry.name for entry in journal.entries()] == ["a"]


def test_lost_parts_are_noticed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    begun(path, "a", "b", "c")
    (tmp_path / "r.journal.parts").unlink()
    with Journal(path, SETTINGS) as journal:
        assert journal.holds(0, recording("a"))
        assert journal.holds(1, recording("b"))
        journal.put(2, recording("d"), b"d", failed=False, seconds=1.0)
        with pytest.raises(DamagedRecordError):
            list(journal.entries())
        assert not journal.holds(0, recording("a"))
        assert not journal.holds(1, recording("b"))
        assert [entry.name for entry in journal.entries()] == ["d"]


def test_what_is_put_is_safe_a_second_later(tmp_path: Path) -> None:
    path, crashed = tmp_path / "r.journal", tmp_path / "crashed"
    crashed.mkdir()
    with Journal(path, SETTINGS) as journal:
        for position, name in enumerate("ab"):
            journal.put(position, recording(name), b"result", failed=False, seconds=1.0)
        time.sleep(1.1)
        journal.settle()
        for file in tmp_path.glob("r.journal*"):
            shutil.copy(file, crashed)
    with Journal(crashed / "r.journal", SETTINGS) as journal:
        assert journal.holds(0, recording("a"))
        assert journal.holds(1, recording("b"))


def test_a_run_cut_off_between_two_files_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    asides = [tmp_path / "one.part", tmp_path / "two.part"]
    for aside in asides:
        aside.write_text(aside.name)
    places = [tmp_path / "one.csv", tmp_path / "away/two.csv"]
    old = tmp_path / "one.csv.failures.csv"
    old.touch()
    moves = [Move(str(aside), str(place)) for aside, place in zip(asides, places, strict=True)]
    with Journal(path, SETTINGS) as journal:
        journal.put(0, recording("a"), b"a", failed=False, seconds=1.0)
        with pytest.raises(SertagError, match=r"two\.csv: cannot be written"):
            journal.finish([*moves, Move(None, str(old))], Totals(1, 0, 1.0))
    assert places[0].read_text() == "one.part"
    places[1].parent.mkdir()
    earlier = finish_earlier(path)
    assert earlier
    assert (earlier.settings, earlier.totals) == (SETTINGS, Totals(1, 0, 1.0))
    assert places[1].read_text() == "two.part"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["away", "one.csv"]
    assert finish_earlier(path) is None


def test_what_is_left_unfinished_goes_with_the_journal_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    mine, old, new = (tmp_path / name for name in (".mine.part", ".old.part", ".new.part"))
    mine.write_text("not of this journal")
    for asides, left in (
        ([mine, old], [mine, old]),
        ([mine, old, new], [mine, old, new]),
        ([new], [mine, new]),
    ):
        with Journal(path, SETTINGS) as journal:
            journal.put(0, recording("a"), b"a", failed=False, seconds=1.0)
            journal.note_asides([str(aside) for aside in asides])
            for aside in asides:
                aside.touch()
        assert set(tmp_path.glob(".*")) == set(left)
    discard(path)
    assert list(tmp_path.iterdir()) == [mine]
    assert mine.read_text() == "not of this journal"
    # Nothing was tagged: the journal is not kept, nor is what it would have removed.
    with Journal(path, SETTINGS) as journal:
        journal.note_asides([str(old)])
        old.touch()
    assert list(tmp_path.iterdir()) == [mine]
