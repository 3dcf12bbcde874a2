from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sertag.discovery import Recording
from sertag.errors import UsageError
from sertag.listing import RecordingList


@pytest.fixture(autouse=True)
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("calls/2.wav", "calls/a/1.wav", "calls/a/3", "notes.txt", "café, no. 1.wav"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("not for a decoder")


def listed(
    content: str | bytes, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> RecordingList:
    Path("list").write_bytes(content.encode() if isinstance(content, str) else content)
    return RecordingList("list", include=include, exclude=exclude)


def names(recordings: RecordingList) -> list[str]:
    return [recording.name for recording in recordings]


@pytest.mark.parametrize(
    "content",
    [
        "notes.txt\ncafé, no. 1.wav\ncalls/2.wav\n",
        "\n\nnotes.txt\n\ncafé, no. 1.wav\ncalls/2.wav",
        "\ufeffnotes.txt\r\ncafé, no. 1.wav\r\ncalls/2.wav\r\n\r\n",
        'file\nnotes.txt\n"café, no. 1.wav"\ncalls/2.wav\n',
        '\ufeff"path"\r\nnotes.txt\r\n\r\n"café, no. 1.wav"\r\ncalls/2.wav\r\n',
    ],
    ids=["lines", "empty lines", "from Windows", "CSV", "CSV from Windows"],
)
def test_lists_are_read_in_their_order(content: str) -> None:
    recordings = listed(content)
    assert recordings.carried == ()
    assert names(recordings) == ["notes.txt", "café, no. 1.wav", "calls/2.wav"]
    assert names(recordings) == ["notes.txt", "café, no. 1.wav", "calls/2.wav"]


def test_columns_are_carried() -> None:
    recordings = listed(b'path,agent,file\nx,"Ann ""A"", B\nC",notes.txt\ny,\xe9\\xe9,calls\n')
    assert recordings.carried == ("path", "agent")
    found = list(recordings)
    status = os.stat("notes.txt")
    assert found[0] == Recording(
        "notes.txt", "notes.txt", status.st_size, status.st_mtime_ns, ("x", 'Ann "A", B\nC')
    )
    # What is carried can be written as UTF-8.
    assert [(r.name, r.carried) for r in found[1:]] == [
        ("calls/2.wav", ("y", "\\xe9\\xe9")),
        ("calls/a/1.wav", ("y", "\\xe9\\xe9")),
    ]


def test_names_are_as_listed(tmp_path: Path) -> None:
    assert names(listed("./notes.txt\ncalls/../calls/2.wav\ncalls/a/\n")) == [
        "./notes.txt",
        "calls/../calls/2.wav",
        "calls/a/1.wav",
    ]
    assert names(listed(f"{tmp_path}/calls/\n")) == [f"{tmp_path}/calls/2.wav", f"{tmp_path}/calls/a/1.wav"]
    assert names(listed(".\n"))[0] == "./café, no. 1.wav"


def test_each_file_comes_once() -> None:
    Path("link.wav").symlink_to("calls/2.wav")
    assert names(
        listed("link.wav\ncalls/2.wav\ncalls\n./calls/a/1.wav\nlink.wav\ngone.wav\n./gone.wav\n")
    ) == [
        "link.wav",
        "calls/a/1.wav",
        "gone.wav",
    ]


def test_what_is_missing_is_a_recording_that_cannot_be_asked() -> None:
    gone, below = listed("gone.txt\nnotes.txt/below.wav\n")
    assert gone == Recording("gone.txt", "gone.txt", -1, -1)
    assert (below.size, below.modified) == (-1, -1)


def test_paths_of_any_bytes() -> None:
    for name in (b"caf\xe9.wav", b"a\r\nb.wav", b" a .wav", b"-q.wav", b'"q".wav', b"c\rd.wav", b"\\xe9.wav"):
        Path(os.fsdecode(name)).touch()
    recordings = list(listed(b'caf\xe9.wav\n a .wav\n-q.wav\n"q".wav\nc\rd.wav\n\\xe9.wav\n'))
    assert [r.size for r in recordings] == [0] * 6
    assert recordings[0].path == os.fsdecode(b"caf\xe9.wav")
    assert [r.name for r in recordings][::5] == ["caf\\xe9.wav", "\\x5cxe9.wav"]
    recordings = list(listed(b'file,n\n"a\r\nb.wav",1\ncaf\xe9.wav,2\n"""q"".wav",3\n'))
    assert [(r.name, r.size) for r in recordings] == [("a\r\nb.wav", 0), ("caf\\xe9.wav", 0), ('"q".wav', 0)]


def test_patterns_choose_from_a_list() -> None:
    content = "calls\nnotes.txt\ngone.wav\n"
    assert names(listed(content, include=("*.txt", "calls/a/*"))) == [
        "calls/a/1.wav",
        "calls/a/3",
        "notes.txt",
    ]
    assert names(listed(content, exclude=("*.wav",))) == ["notes.txt"]


def test_a_list_through_a_pipe_can_be_read_again() -> None:
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_text("file,n\ncalls,1\n"))
    writer.start()
    recordings = RecordingList("pipe")
    writer.join()
    assert recordings.carried == ("n",)
    assert names(recordings) == names(recordings) == ["calls/2.wav", "calls/a/1.wav"]


READ = """
from sertag.errors import SertagError
from sertag.listing import RecordingList
try:
    recordings = RecordingList("-")
    print(*[recording.name for _ in range(2) for recording in recordings], recordings.carried)
except SertagError as error:
    print(error.code, error.message)
"""


def test_standard_input() -> None:
    def told(input: bytes | None = None, preexec_fn: Callable[[], None] | None = None) -> bytes:
        return subprocess.run(
            [sys.executable, "-c", READ],
            check=True,
            input=input,
            stdout=subprocess.PIPE,
            preexec_fn=preexec_fn,
        ).stdout

    assert told(b"agent,file\nAnn,notes.txt\n") == b"notes.txt notes.txt ('agent',)\n"
    assert told(b"") == b"usage --list -: names no recording\n"
    assert told(preexec_fn=lambda: os.close(0)) == b"usage --list -: cannot be read: Bad file descriptor\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names no recording"),
        ("\n\r\n\n", "names no recording"),
        ("file,agent\n\n", "names no recording"),
        ("file,agent\na.wav,Ann\n\nb.wav\n", "line 4: has 1 field, not 2; quote what holds a comma"),
        (
            'file,agent\n"a\nb.wav",Ann\nb.wav,\nc,d,e\n',
            "line 5: has 3 fields, not 2; quote what holds a comma",
        ),
        ("file,agent\n,Ann\n", "line 2: names no file"),
        ("a.wav\nb\0.wav\n", "line 2: has a NUL byte in a path; write one path a line"),
        ("file\na.wav\nb\0.wav\n", "line 3: has a NUL byte in a path; write one path a line"),
        ("a.wav\n" + "b" * 200_000, "line 2: is too long; is this a list of paths?"),
        ('file,agent\na.wav,"Ann\n', "line 2: cannot be read as CSV: unexpected end of data"),
        ('file,agent\na.wav,"Ann\n' + "b\n" * 70_000, "line 2: cannot be read as CSV: field larger than"),
        (
            "\nfile,start\na.wav,1\n",
            "line 2: the column 'start' would clash with one of the outputs; rename it",
        ),
        ("path,p_angry\n", "line 1: the column 'p_angry' would clash with one of the outputs; rename it"),
        ("file,x,x\n", "line 1: the column 'x' comes twice"),
        ("file,x,file\n", "line 1: the column 'file' comes twice"),
        ("file,x,\n", "line 1: a column has no name"),
    ],
)
def test_a_wrong_list_is_refused_at_once(content: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        listed(content)
    assert refused.value.message.startswith(f"--list list: {message}")


def test_a_table_without_a_column_of_files_is_no_list_of_paths(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("filename,agent\na.wav,Ann\n")
    with pytest.raises(UsageError, match=r"line 1: a CSV has commas .* and one called 'file' or 'path'"):
        RecordingList(str(tmp_path / "list.csv"))
    (tmp_path / "a,b.wav").touch()
    (tmp_path / "list.csv").write_text(f"{tmp_path}/a,b.wav\n")
    assert [found.size for found in RecordingList(str(tmp_path / "list.csv"))] == [0]


@pytest.mark.parametrize(
    ("path", "reason"), [("calls", "Is a directory"), ("nowhere", "No such file or directory")]
)
def test_a_list_that_cannot_be_read(path: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        RecordingList(path)
    assert refused.value.message == f"--list {path}: cannot be read: {reason}"
