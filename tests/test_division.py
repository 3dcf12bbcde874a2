from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sertag import Tagger, Timeline, adaptation, division
from sertag.archive import run_of
from sertag.audio import BLOCK_SECONDS
from sertag.discovery import Recording
from sertag.division import Part, Segment
from sertag.engines.jobs import Division, Job
from sertag.engines.local import LocalEngine
from sertag.engines.worker import Heard, Result
from sertag.errors import RecordingError
from sertag.results import decode
from sertag.summary import Record
from sertag.types import FloatArray

from conftest import SERTAG, Cli, voice, write

MINUTE = 60.0


def speaking(seconds: float, *, rate: int = 16_000, seed: int = 0) -> FloatArray:
    """A voice with pauses, louder from minute to minute, so that no two minutes are alike."""
    count = round(seconds * rate)
    phrases = [voice(7.0 + part, rate=rate, pitch=110.0 + 40 * part, seed=seed + part) for part in range(3)]
    pauses = [np.zeros(round(pause * rate), dtype=np.float32) for pause in (4.3, 0.9, 11.7)]
    turn = np.concatenate([part for pair in zip(phrases, pauses, strict=True) for part in pair])
    return np.asarray(np.resize(turn, count) * np.linspace(0.4, 1.0, count), dtype=np.float32)


def seen(part: Part) -> tuple[int, int]:
    return part.segment.number, part.segment.count


def ignore(segment: Segment, share: float, seconds: float) -> None:
    assert 0 <= share <= 1
    assert 0 <= seconds <= max(segment.seconds, 1e-3) or segment.count == 1


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and segments of a minute, in this process and in those forked from it."""
    monkeypatch.setattr(adaptation, "BLOCK_SECONDS", MINUTE)
    monkeypatch.setattr(division, "SEGMENT_SECONDS", MINUTE)


def undivided(tagger: Tagger, path: Path) -> Timeline:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(division, "SEGMENT_SECONDS", 1e9)
        return tagger.tag(path)


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {}),
        ("a.wav", {"subtype": "ULAW"}),
        ("a.wav", {"subtype": "ALAW"}),
        ("a.wav", {"subtype": "DOUBLE", "format": "W64"}),
        ("a.wav", {"subtype": "PCM_24", "format": "RF64"}),
        ("a.wav", {"subtype": "PCM_U8", "format": "WAVEX"}),
        ("a.aiff", {}),
        ("a.au", {"subtype": "FLOAT"}),
        ("a.caf", {}),
        ("a.flac", {}),
    ],
)
def test_segments_make_the_same_as_the_whole(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = write(tmp_path / name, speaking(217.3), 16_000, **options)
    tagger = Tagger()
    assert seen(tagger.tag_segment(path, 2, on_block=ignore)) == (2, 4)
    assert tagger.tag(path) == undivided(tagger, path)


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("hop", [0.34, 0.5, 2.98, 3.0])
@pytest.mark.parametrize("adapt", [True, False])
def test_windows_lie_where_they_lie_in_the_whole(tmp_path: Path, hop: float, adapt: bool) -> None:
    path = write(tmp_path / "a.wav", np.roll(speaking(130.0), 48_000))
    tagger = Tagger(hop=hop, adapt=adapt)
    assert tagger.tag(path) == undivided(tagger, path)


@pytest.mark.usefixtures("minutes")
def test_channels_and_who_speaks_when(tmp_path: Path) -> None:
    both = np.stack([speaking(190.0), np.roll(speaking(190.0, seed=9), 80_000)], axis=1)
    path = write(tmp_path / "a.wav", both)
    for tagger in (Tagger(channels="split"), Tagger(channels="left=agent,right=customer", only="customer")):
        whole = undivided(tagger, path)
        assert tagger.tag(path) == whole
        assert (whole.talk is None) == (len(whole.channels) == 1)


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("rate", [8_000, 11_025, 16_001, 44_100])
def test_a_resampler_that_begins_in_the_middle_is_hardly_heard(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.wav", speaking(200.0, rate=rate), rate)
    tagger = Tagger()
    divided, whole = tagger.tag(path), undivided(tagger, path)
    assert divided.duration == whole.duration
    (one,), (other,) = divided.channels, whole.channels
    assert one.speech_seconds == other.speech_seconds
    for name in ("start", "end", "speech", "level"):
        np.testing.assert_array_equal(getattr(one.windows, name), getattr(other.windows, name))
    # The network's 8-bit weights make more of a last bit than there is to it.
    np.testing.assert_allclose(one.windows.probabilities, other.windows.probabilities, atol=4e-3)


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize(
    "seconds", [59.99, 89.9, 90.1, 119.98, 120.0, 120.02, 121.4, 121.6, 123.0, 126.5, 149.9, 150.1]
)
def test_ends_at_and_around_borders(tmp_path: Path, seconds: float) -> None:
    path = write(tmp_path / "a.wav", speaking(seconds))
    tagger = Tagger()
    assert seen(tagger.tag_segment(path, 0, on_block=ignore)) == (0, max(1, round(seconds / MINUTE)))
    assert tagger.tag(path) == undivided(tagger, path)


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("seconds", [30.0, 100.0, 118.0, 121.0, 170.0])
@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_what_is_cut_off_is_tagged_as_far_as_it_goes(tmp_path: Path, name: str, seconds: float) -> None:
    path = write(tmp_path / name, speaking(240.0))
    # The sizes at which encoded sound of that length ends.
    size = write(tmp_path / f"part-{name}", speaking(240.0)[: round(16_000 * seconds)]).stat().st_size
    os.truncate(path, size)
    tagger = Tagger()
    divided = tagger.tag(path)
    assert divided == undivided(tagger, path)
    assert divided.warnings
    assert divided.duration == pytest.approx(seconds, abs=1.0)


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("share", [0.1, 0.35, 0.49, 0.5, 0.51, 0.9])
def test_damage_ends_a_recording_where_it_does_in_the_whole(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "a.flac", speaking(240.0))
    content = bytearray(path.read_bytes())
    at = round(len(content) * share)
    content[at : at + 20_000] = bytes(20_000)
    path.write_bytes(content)
    tagger = Tagger()
    divided, whole = tagger.tag(path), undivided(tagger, path)
    assert (divided.duration, divided.warnings) == (whole.duration, whole.warnings)
    # What is left of the last segment may be too short to be adapted to by itself, as the whole knows.
    blocks = max(1, math.floor(whole.duration / MINUTE + 0.75))
    known = round((blocks - 1) * MINUTE / tagger.hop)
    (one,), (other,) = divided.channels, whole.channels
    assert one.windows[:known] == other.windows[:known]
    assert one.windows.start.tobytes() == other.windows.start.tobytes()
    assert one.windows.speech.tobytes() == other.windows.speech.tobytes()


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mp3", {}), ("a.ogg", {}), ("a.wav", {"subtype": "GSM610"}), ("a.wav", {"subtype": "IMA_ADPCM"})],
)
def test_formats_without_exact_places_are_not_divided(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    path = write(tmp_path / name, speaking(150.0, rate=8_000), 8_000, **options)
    tagger = Tagger()
    assert seen(tagger.tag_segment(path, 0, on_block=ignore)) == (0, 1)
    with pytest.raises(RecordingError, match="changed while it was read"):
        tagger.tag_segment(path, 1, on_block=ignore)


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("becomes", ["longer", "two channels", "another rate"])
def test_a_recording_that_changes_while_it_is_read(tmp_path: Path, becomes: str) -> None:
    path = write(tmp_path / "a.wav", speaking(150.0, rate=8_000), 8_000)
    tagger = Tagger(channels="split")
    first = tagger.tag_segment(path, 0, on_block=ignore)
    rate = 16_000 if becomes == "another rate" else 8_000
    now = speaking(400.0 if becomes == "longer" else 150.0, rate=rate)
    write(path, np.stack([now, now], axis=1) if becomes == "two channels" else now, rate)
    divided = Division(Job(0, Recording(str(path), "a.wav", 0, 0)), 2)
    assert divided.put(0, Heard(first, 0.0), 0.0) is None
    result = divided.put(1, Heard(tagger.tag_segment(path, 1, on_block=ignore), 0.0), 0.0)
    assert result
    assert result.failure
    assert (result.failure.code, result.failure.message) == ("decode_failed", "changed while it was read")


@pytest.mark.usefixtures("minutes")
def test_channels_that_cancel_each_other_out_before_the_last_segment(tmp_path: Path) -> None:
    sound = speaking(130.0, rate=8_000)
    sound[30 * 8_000 :] = 0
    path = write(tmp_path / "a.wav", np.stack([sound, -sound], axis=1), 8_000)
    (warning,) = Tagger().tag(path).warnings
    assert "cancel each other out" in warning


def test_windows_last_some_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", speaking(6.0)[:48_001])
    (channel,) = Tagger(hop=3.0).tag(path).channels
    assert [(window.start, window.end) for window in channel.windows] == [(0.0, 3.0)]
    path = write(tmp_path / "b.wav", speaking(1.0)[:5])
    assert len(Tagger().tag(path).channels[0].windows) == 1


@pytest.mark.usefixtures("minutes")
def test_progress_of_the_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", speaking(200.0))
    told: list[tuple[float, float]] = []
    Tagger().tag(path, on_block=lambda share, seconds: told.append((share, seconds)))
    assert told == sorted(told)
    assert told[0] == (0.0, 0.0)
    assert told[-1] == pytest.approx((1.0, 200.0))
    assert len(told) > 200 / BLOCK_SECONDS


class Breaking(Tagger):
    """A tagger that does to its process what a recording's name says, when it comes to the third segment."""

    def tag_segment(
        self, path: str | os.PathLike[str], number: int, *, on_block: Callable[[Segment, float, float], None]
    ) -> Part:
        """The segment's part, if at all."""
        name = Path(path).stem
        marker = Path(f"{os.fspath(path)}.tried")
        if number == 2 and not ("once" in name and marker.exists()):
            marker.touch()
            if "kill" in name:
                os.kill(os.getpid(), signal.SIGKILL)
            if "hang" in name:
                time.sleep(600)
            if "bad" in name:
                raise RecordingError("decode_failed", "cannot be decoded")
        if number == 3 and "bad" in name:
            raise RecordingError("decode_failed", "cannot be decoded behind that")
        return super().tag_segment(path, number, on_block=on_block)


class Adding:
    """An observer that adds up."""

    def __init__(self) -> None:
        self.progressed: dict[str, list[tuple[float, float]]] = {}
        self.lost: list[str | None] = []

    def progress(self, recording: Recording, share: float, seconds: float) -> None:
        """Keeps it."""
        self.progressed.setdefault(recording.name, []).append((share, seconds))

    def lost_worker(self, recording: Recording | None, reason: str) -> None:
        """Notes whose."""
        assert reason
        self.lost.append(recording.name if recording else None)

    def tick(self) -> None:
        """Lets it go on."""


def run(
    folder: Path, names: list[str], *, workers: int, timeout: float | None = None
) -> tuple[dict[str, Result], Adding]:
    def jobs() -> Iterator[Job]:
        for position, name in enumerate(names):
            yield Job(position, Recording(str(folder / name), name, 1, 1))

    adding, results = Adding(), {}
    engine = LocalEngine(Breaking, workers=workers, timeout=timeout, observer=adding)
    for job, result in engine.run(jobs()):
        assert job.recording.name not in results
        results[job.recording.name] = result
    return results, adding


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_what_becomes_of_a_segment_becomes_of_its_recording(tmp_path: Path, workers: int) -> None:
    names = ["long.wav", "short.wav", "kill.wav", "short 2.wav", "bad.wav", "kill once.wav", "cut.flac"]
    for name in names:
        write(tmp_path / name, speaking(5.0 if "short" in name else 270.0))
    # Other workers are at segments that are not there before it is known where it ends.
    os.truncate(tmp_path / "cut.flac", (tmp_path / "cut.flac").stat().st_size // 2)
    results, adding = run(tmp_path, names, workers=workers)
    codes = {name: result.failure.code if result.failure else None for name, result in results.items()}
    expected = dict.fromkeys(names) | {"kill.wav": "worker_died", "bad.wav": "decode_failed"}
    assert codes == expected
    failure = results["bad.wav"].failure
    assert failure
    assert failure.message == "cannot be decoded"
    assert sorted(map(str, adding.lost)) == ["kill once.wav", "kill.wav", "kill.wav"]
    for name in names:
        for share, seconds in adding.progressed.get(name, []):
            assert 0 <= share <= 1 + 1e-9
            assert 0 <= seconds <= 270
    common = run_of(Tagger())
    for name in ("long.wav", "kill once.wav", "cut.flac"):
        record = decode(results[name].payload, common)
        assert isinstance(record, Record)
        assert record.timeline == Tagger().tag(tmp_path / name)
    assert results["cut.flac"].warnings
    assert 100 < results["cut.flac"].seconds < 160


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("workers", [1, 3])
def test_a_segment_that_hangs_is_cut_off(tmp_path: Path, workers: int) -> None:
    for name in ("hang.wav", "long.wav"):
        write(tmp_path / name, speaking(270.0))
    started = time.monotonic()
    results, adding = run(tmp_path, ["hang.wav", "long.wav"], workers=workers, timeout=8.0)
    assert time.monotonic() - started < 60
    failure = results["hang.wav"].failure
    assert failure
    assert (failure.code, failure.message) == (
        "timeout",
        "was not done after 8 s; --timeout allows it longer",
    )
    assert results["long.wav"].failure is None
    assert adding.lost == ["hang.wav"]


SCAN = [str(SERTAG), "scan", "calls", "--channels", "split", "--out", "r.csv", "--out", "r.jsonl"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 44 minutes and some short ones, and what a scan with one worker makes of them."""
    folder = tmp_path_factory.mktemp("archive")
    write(folder / "calls/a.wav", speaking(3.0))
    both = np.stack([speaking(2_640.0, rate=8_000), speaking(2_640.0, rate=8_000, seed=5)], axis=1)
    write(folder / "calls/b.wav", both, 8_000, subtype="ULAW")
    write(folder / "calls/c.wav", speaking(3.0, seed=1))
    subprocess.run([*SCAN, "--workers", "1"], cwd=folder, check=True)
    return folder


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("r.csv", "r.jsonl")}


@pytest.fixture
def again(archive: Path, tmp_path: Path) -> Path:
    """A folder for another scan of the same recordings."""
    (tmp_path / "calls").symlink_to(archive / "calls")
    return tmp_path


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_makes_the_same(archive: Path, again: Path, workers: int) -> None:
    with (archive / "r.csv").open(newline="") as table:
        assert sum(row["file"] == "b.wav" for row in csv.DictReader(table)) == 2 * 1_759
    done = subprocess.run(
        [*SCAN, "--workers", str(workers), "--log", "log"], cwd=again, capture_output=True, check=True
    )
    assert outputs(again) == outputs(archive)
    entries = [json.loads(line) for line in (again / "log").open()]
    assert [entry["recording"] for entry in entries if "elapsed" in entry and "recording" in entry].count(
        "b.wav"
    ) == 1
    assert b"Tagged 3 of 3" in done.stderr


def children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def wait_until_working(process: subprocess.Popen[bytes], journal: Path) -> None:
    """Returns when there is a journal, and both workers are there."""
    deadline = time.monotonic() + 60
    while not (journal.exists() and len(children(process.pid)) == 2):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_and_continued_it_makes_the_same(archive: Path, again: Path) -> None:
    journal = again / "r.csv.journal"
    for _ in range(2):
        process = subprocess.Popen([*SCAN, "--workers", "2"], cwd=again, start_new_session=True)
        wait_until_working(process, journal)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert journal.exists()
    subprocess.run([*SCAN, "--workers", "2"], cwd=again, check=True)
    assert outputs(again) == outputs(archive)


def test_a_dead_worker_costs_a_segment_only(archive: Path, again: Path) -> None:
    process = subprocess.Popen([*SCAN, "--workers", "2", "--log", "log"], cwd=again)
    wait_until_working(process, again / "r.csv.journal")
    os.kill(children(process.pid)[-1], signal.SIGKILL)
    assert process.wait(timeout=120) == 0
    assert outputs(again) == outputs(archive)
    assert "lost a worker process: SIGKILL" in (again / "log").read_text()


def test_a_long_recording_that_is_cut_off(archive: Path, cli: Cli, tmp_path: Path) -> None:
    content = (archive / "calls/b.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    tables = []
    for workers in (1, 2):
        done = cli("scan", "cut.wav", "--workers", workers, "--format", "jsonl")
        assert done.returncode == 0
        tables.append(done.stdout)
    assert tables[0] == tables[1]
    assert json.loads(tables[0])["warnings"] == ["is cut off: holds 1320.0 s of 2640.0 s"]
