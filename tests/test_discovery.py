from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import pytest

from sertag.discovery import display_name, find_recordings
from sertag.errors import UsageError

from conftest import SERTAG, voice, write


def names(*paths: Path | str, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
    found = find_recordings([os.fspath(path) for path in paths], include=include, exclude=exclude)
    return [recording.name for recording in found]


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


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


def test_a_recording_knows_its_size_and_age(tree: Path) -> None:
    found = {recording.name: recording for recording in find_recordings([str(tree)])}
    status = (tree / "a/z.WAV").stat()
    recording = found["a/z.WAV"]
    assert recording.path == str(tree / "a/z.WAV")
    assert (recording.size, recording.modified) == (status.st_size, status.st_mtime_ns)
    (tree / "link.wav").symlink_to("a/z.WAV")
    (tree / "dangling.wav").symlink_to("nowhere.wav")
    by_link = {
        recording.name: recording for recording in find_recordings([str(tree / "link.wav"), str(tree)])
    }
    assert by_link["link.wav"].size == status.st_size
    assert (by_link["dangling.wav"].size, by_link["dangling.wav"].modified) == (-1, -1)


def test_a_file_comes_once_where_it_is_first_met(tmp_path: Path) -> None:
    touch(tmp_path / "b/call.wav")
    os.link(tmp_path / "b/call.wav", tmp_path / "b/hard link.wav")
    (tmp_path / "a.wav").symlink_to("b/call.wav")
    (tmp_path / "c.wav").symlink_to("a.wav")
    (tmp_path / "d").symlink_to("b")
    assert names(tmp_path) == ["a.wav", "b/hard link.wav"]
    assert names(tmp_path / "d", tmp_path) == ["d/call.wav", "d/hard link.wav"]
    assert names(tmp_path / "c.wav", tmp_path / "b", tmp_path / "b/../b/call.wav") == [
        "c.wav",
        "b/hard link.wav",
    ]


def test_folders_that_link_to_each_other_are_walked_once(tmp_path: Path) -> None:
    folders = [tmp_path / f"{number:02}" for number in range(24)]
    for folder in folders:
        touch(folder / "call.wav")
        for other in folders:
            (folder / other.name).symlink_to(other)
    # Without memory for where it was, a walk would take some 24! steps.
    found = list(find_recordings([str(tmp_path)]))
    assert len(found) == len({os.path.realpath(recording.path) for recording in found}) == 24


def test_a_link_into_a_hidden_folder_is_followed(tmp_path: Path) -> None:
    touch(tmp_path / ".git/annex/objects/XY/SHA256E-s17.wav")
    (tmp_path / "call.wav").symlink_to(".git/annex/objects/XY/SHA256E-s17.wav")
    assert names(tmp_path) == ["call.wav"]


def test_two_dots_behind_a_link_lead_where_the_system_says(tmp_path: Path) -> None:
    touch(tmp_path / "far/right.wav", tmp_path / "wrong.wav")
    (tmp_path / "far/inner").mkdir()
    (tmp_path / "link").symlink_to("far/inner")
    assert names(tmp_path / "link/..") == ["right.wav"]


def test_pipes_sockets_and_devices_are_told_by_name_and_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.wav")
    os.mkfifo("pipe")
    Path("device.wav").symlink_to(os.devnull)
    Path("device").symlink_to(os.devnull)
    Path("link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as other:
        named.bind("socket.wav")
        other.bind("socket")
        signal.alarm(10)
        try:
            assert names(".") == ["device.wav", "pipe.wav", "socket.wav"]
            assert names("pipe") == ["pipe"]
            assert names(".", include=("p*",)) == ["pipe", "pipe.wav"]
        finally:
            signal.alarm(0)


def test_patterns(tree: Path) -> None:
    assert names(tree, include=("*.txt",)) == ["notes.txt"]
    assert names(tree, include=("*.wav", "a/*.flac")) == ["B.wav", "a/b/c.flac", "b.wav", "ä.wav"]
    assert names(tree, include=("c.*", "a/z*")) == ["a/b/c.flac", "a/z.WAV"]
    assert names(tree, include=("*.wav",), exclude=("[bB].*",)) == ["ä.wav"]
    assert names(tree, exclude=("a/*", "*.mp3")) == ["B.wav", "b.wav", "ä.wav"]
    assert names(tree, exclude=("a",)) == names(tree)
    assert names(tree / "b.wav", tree / "notes.txt", exclude=("*.txt",)) == ["b.wav"]
    assert names(tree / "b.wav", tree / "notes.txt", include=("*.txt",)) == ["notes.txt"]


def test_patterns_for_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    touch(tmp_path / os.fsdecode(b"\xe9.wav"), tmp_path / "e.wav")
    assert names(tmp_path, exclude=(os.fsdecode(b"\xe9*"),)) == ["e.wav"]
    assert names(tmp_path, exclude=("\\xe9*",)) == ["e.wav"]


def test_a_file_that_is_excluded_does_not_hide_a_link_to_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("neither its name nor its content is a recording's")
    (tmp_path / "b.wav").symlink_to("a")
    touch(tmp_path / "draft.wav")
    (tmp_path / "final.wav").symlink_to("draft.wav")
    assert names(tmp_path, exclude=("draft*",)) == ["b.wav", "final.wav"]


AS_NOBODY = """
import os, sys
from sertag.discovery import find_recordings
from sertag.errors import RecordingError
from sertag.opening import open_recording
if os.getuid() == 0:
    os.setuid(65534)
for recording in find_recordings(sys.argv[1:2], exclude=sys.argv[2:]):
    try:
        open_recording(recording.path)
    except RecordingError as error:
        print(recording.name, error.code)
"""


def test_recordings_of_telephone_corpora_and_of_phones_are_found(tmp_path: Path) -> None:
    names = ["a.sph", "b.aac", "c.mp4", "d.3gp", "e.mka", "f.wv", "g.nist"]
    touch(*(tmp_path / name for name in names))
    for name, head in (("h", b"NIST_1A\n   1024\n"), ("i", b"#!AMR\n"), ("j", b"wvpk"), ("k", b"NIST")):
        (tmp_path / name).write_bytes(head)
    assert [found.name for found in find_recordings([str(tmp_path)])] == [*names, "h", "i", "j"]


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o600], ids=["nothing", "not listed", "not entered"])
def test_a_folder_that_is_closed_comes_in_place_of_what_it_holds(mode: int) -> None:
    # The folder for temporary files is open to everybody, unlike those of pytest.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        touch(folder / "a.wav", folder / "closed/b.wav", folder / "closed/c/d.wav")
        (folder / "closed").chmod(mode)
        command = [sys.executable, "-c", AS_NOBODY, name]
        assert subprocess.check_output(command, text=True) == "a.wav empty\nclosed no_permission\n"
        assert subprocess.check_output([*command, "closed"], text=True) == "a.wav empty\n"
        (folder / "closed").chmod(0o755)


def test_folders_deeper_than_calls_and_paths_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def descend(name: str, levels: int) -> None:
        monkeypatch.chdir(tmp_path)
        for _ in range(levels):
            os.mkdir(name)
            os.chdir(name)
        Path("call.wav").touch()
        monkeypatch.chdir(tmp_path)

    try:
        descend("d", 1_050)
        assert names(tmp_path) == ["/".join("d" * 1_050) + "/call.wav"]
        descend("e" * 250, 17)
        _, unreachable = names(tmp_path)
        assert set(unreachable.split("/")) == {"e" * 250}
    finally:
        # pytest's own cleaning-up is recursive.
        subprocess.run(["rm", "-r", "d"], check=True, cwd=tmp_path)


MEASURE = """
import re, sys
from sertag.discovery import find_recordings
before, count = "", 0
for recording in find_recordings([sys.argv[1]]):
    assert before < recording.name
    before, count = recording.name, count + 1
print(count, re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crowd")
    recording = tmp_path_factory.mktemp("one") / "call.wav"
    recording.touch()
    for number in range(30_000):
        # In no order, and too many for SQLite to keep in its cache. Links are made faster than files.
        os.link(recording, folder / f"{number * 7_919 % 30_011:06}{'-' * 150}.wav")
    return folder


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_a_folder(crowd: Path, tmp_path: Path) -> None:
    for file in islice(os.scandir(crowd), 15_000):
        os.link(file, tmp_path / file.name)
    half, all_of_it = (
        tuple(map(int, subprocess.check_output([sys.executable, "-c", MEASURE, folder]).split()))
        for folder in (tmp_path, crowd)
    )
    assert (half[0], all_of_it[0]) == (15_000, 30_000)
    # In kB; the names alone are 3 MB more.
    assert all_of_it[1] - half[1] < 2_000


def test_a_full_disk_is_told_in_one_line(crowd: Path) -> None:
    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [os.fspath(SERTAG), "scan", os.fspath(crowd)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, preexec_fn=fill)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sertag: temporary files cannot be written: ")
    assert done.stderr.count("\n") == 1


def test_a_missing_path_is_told_before_anything_is_done(tree: Path) -> None:
    with pytest.raises(UsageError, match=r"nope: no such file or folder"):
        find_recordings([str(tree), str(tree / "nope")])


def test_bytes_that_are_not_utf8() -> None:
    assert display_name(os.fsdecode(b"caf\xe9/\xc3\xa9.wav")) == "caf\\xe9/é.wav"


def test_names_tell_all_paths_apart(tmp_path: Path) -> None:
    awkward = [
        *(
            b"\xff.wav",
            b"\\xff.wav",
            b"\\x5cxff.wav",
            b"\\\xff.wav",
            b"\\\\xff.wav",
            b"\\xFF.wav",
            b"\\x5c.wav",
        ),
        *(
            b"a\nb.wav",
            b"a\\nb.wav",
            b"-q.wav",
            b"=1+1.wav",
            "\N{GRINNING FACE}.wav".encode(),
            b"\xed\xa0\x80.wav",
        ),
    ]
    touch(*(tmp_path / os.fsdecode(name) for name in awkward))
    found = names(tmp_path)
    assert "\\xff.wav" in found
    assert "\\x5cxff.wav" in found
    assert "\\xFF.wav" in found
    back = [
        re.sub(rb"\\x([0-9a-f]{2})", lambda byte: bytes.fromhex(byte[1].decode()), name.encode())
        for name in found
    ]
    assert back == sorted(awkward)
