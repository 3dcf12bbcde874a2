from __future__ import annotations

import os
from pathlib import Path

import pytest

from sertag.discovery import display_name, find_recordings
from sertag.errors import UsageError

from conftest import voice, write


def names(*paths: Path | str) -> list[str]:
    return [recording.name for recording in find_recordings([os.fspath(path) for path in paths])]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    sound = voice(0.1)
    for name in ("b.wav", "a/z.WAV", "a/b/c.flac", "B.wav", ".hidden.wav", ".git/d.wav", "ä.wav"):
        write(tmp_path / "tree" / name, sound, format=Path(name).suffix[1:].upper())
    write(tmp_path / "tree/a/call 17", sound, format="WAV")
    (tmp_path / "tree/notes.txt").write_text("RIFF is not enough")
    (tmp_path / "tree/broken.mp3").write_text("no audio, but its name says so")
    return tmp_path / "tree"


def test_depth_first_in_byte_order(tree: Path) -> None:
    assert names(tree) == ["B.wav", "a/b/c.flac", "a/call 17", "a/z.WAV", "b.wav", "broken.mp3", "ä.wav"]


def test_a_file_named_itself_is_a_recording(tree: Path) -> None:
    assert names(tree / "notes.txt") == ["notes.txt"]
    assert names(tree / ".hidden.wav") == [".hidden.wav"]


def test_several_arguments_share_a_root_and_nothing_comes_twice(tree: Path) -> None:
    assert names(tree / "b.wav", tree / "a", tree / "a/z.WAV", tree / "b.wav") == [
        "b.wav",
        "a/b/c.flac",
        "a/call 17",
        "a/z.WAV",
    ]


def test_links_that_lead_back_end(tree: Path) -> None:
    (tree / "a/up").symlink_to(tree)
    (tree / "a/dangling.wav").symlink_to(tree / "nowhere.wav")
    assert names(tree).count("a/z.WAV") == 1
    assert "a/dangling.wav" in names(tree)


def test_a_missing_path_is_told_before_anything_is_done(tree: Path) -> None:
    with pytest.raises(UsageError, match=r"nope: no such file or folder"):
        find_recordings([str(tree), str(tree / "nope")])


def test_bytes_that_are_not_utf8() -> None:
    assert display_name(os.fsdecode(b"caf\xe9/\xc3\xa9.wav")) == "caf\\xe9/é.wav"
