from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertag.benchmark.archives import cases, channel_seconds, lengths, scratch, short_recording, sizes
from sertag.benchmark.document import document
from sertag.benchmark.floor import floor_seconds
from sertag.benchmark.machine import Machine
from sertag.benchmark.measure import Benchmark, Case, Point
from sertag.benchmark.runs import Scan, scan, start_up_seconds
from sertag.benchmark.sound import RATE, call, voice
from sertag.benchmark.stages import STAGES, Walk, walk
from sertag.discovery import find_recordings
from sertag.errors import SertagError
from sertag.features import frames_of
from sertag.speech import speech_frames
from sertag.tagger import Tagger
from sertag.types import FloatArray

from conftest import SAMPLES, SERTAG, SETTINGS, Cli, write
from conftest import voice as plain_voice

ROOT = Path(__file__).parent.parent


def speech_share(samples: FloatArray) -> float:
    return float(speech_frames(frames_of(np.ascontiguousarray(samples), SETTINGS), SETTINGS).mean())


def test_the_gate_hears_the_voices_as_speech() -> None:
    shares = [speech_share(voice(30.0, seed)) for seed in range(6)]
    assert min(shares) > 0.6
    assert np.mean(shares) > 0.7


def test_in_a_call_each_channel_is_speech_for_half_the_time() -> None:
    voices = voice(30.0, 1), voice(30.0, 2)
    shares = [speech_share(channel) for seed in range(3) for channel in call(200.0, voices, seed).T]
    assert min(shares) > 0.4
    assert max(shares) < 0.6


@pytest.mark.parametrize(
    ("name", "count", "channels", "rate", "subtype", "seconds"),
    [
        ("calls", 72, 2, 8_000, "ULAW", (120.0, 300.0)),
        ("talk", 24, 2, 8_000, "ULAW", (120.0, 300.0)),
        ("clips", 1_500, 1, 16_000, "PCM_16", (2.0, 2.0)),
        ("long", 1, 1, 16_000, "PCM_16", (7_200.0, 7_200.0)),
        ("mp3", 8, 2, 44_100, "MPEG_LAYER_III", (120.0, 120.1)),
        ("opus", 8, 2, 48_000, "OPUS", (120.0, 120.1)),
    ],
)
def test_the_recordings_are_what_the_names_say(
    tmp_path: Path,
    name: str,
    count: int,
    channels: int,
    rate: int,
    subtype: str,
    seconds: tuple[float, float],
) -> None:
    making = next(making for making in cases(full=False) if making.name == name)
    making.make(tmp_path)
    infos = [soundfile.info(path) for path in tmp_path.iterdir()]
    assert Counter((info.channels, info.samplerate, info.subtype) for info in infos) == {
        (channels, rate, subtype): count
    }
    durations = [info.duration for info in infos]
    assert seconds[0] <= min(durations)
    assert max(durations) <= seconds[1]
    assert making.channels == ("split" if name in ("calls", "talk") else "mix")


@pytest.mark.parametrize("seconds", [1, 600])
def test_recordings_of_all_lengths_hold_ten_hours_in_all(tmp_path: Path, seconds: int) -> None:
    lengths()[seconds].make(tmp_path)
    assert channel_seconds(tmp_path, mixed=True) == (36_000 // seconds, 36_000.0)


def test_archives_are_of_the_hours_that_they_are_called(tmp_path: Path) -> None:
    assert list(sizes()) == [1, 10, 100, 1_000]
    sizes()[10].make(tmp_path)
    _, seconds = channel_seconds(tmp_path, mixed=False)
    assert seconds / 3_600 == pytest.approx(10, rel=0.05)


def test_a_disk_that_is_short_is_refused() -> None:
    with (
        pytest.raises(SertagError, match=r"GB are free and 1000000000\.0 wanted; set .*TMPDIR"),
        scratch(10**18),
    ):
        pytest.fail("there cannot be so much")


def test_the_scratch_folder_goes() -> None:
    with scratch(1) as folder:
        assert short_recording(folder).is_file()
    assert not folder.exists()


def test_the_floor_passes_over_what_it_cannot_decode(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF, but no more")
    good = [str(write(tmp_path / f"{seed}.wav", voice(5.0, seed), RATE)) for seed in range(3)]
    soundfile.write(tmp_path / "gsm.wav", voice(5.0, 1)[::2], 8_000, subtype="GSM610")
    bad = [str(tmp_path / name) for name in ("bad.wav", "gsm.wav")]
    seconds = floor_seconds([*good, *bad], processes=2, mixed=False)
    assert 0 < seconds < 10


def test_processes_share_a_recording_on_the_floor(tmp_path: Path) -> None:
    from sertag.benchmark.floor import _parts

    path = str(write(tmp_path / "a.wav", voice(1.0, 0), RATE))
    parts = _parts(path, 3)
    assert [part.start for part in parts] == [0, *np.cumsum([part.frames for part in parts[:-1]])]
    assert sum(part.frames for part in parts) == RATE
    assert _parts(path, 1) == [(path, 0, -1)]


def test_stages_are_those_of_the_real_thing(tmp_path: Path, cli: Cli) -> None:
    # Of a rate that is resampled.
    two = np.stack([plain_voice(20.0, rate=11_025, seed=seed) for seed in range(2)], axis=1)
    for name in ("a.wav", "b.wav"):
        write(tmp_path / "calls" / name, two, 11_025, subtype="ULAW")
    (tmp_path / "calls/c.wav").write_bytes(b"nothing")
    before = Tagger.tag
    started = time.perf_counter()
    walked = walk(find_recordings([str(tmp_path / "calls")]), "split", tmp_path / "stages.csv")
    elapsed = time.perf_counter() - started
    assert Tagger.tag is before
    assert tuple(walked.stages) == STAGES
    assert min(walked.stages.values()) > 0
    # The rest is the loading of the model.
    assert walked.seconds < elapsed < walked.seconds + 2.0
    assert walked.recordings == 2
    assert walked.audio_seconds == pytest.approx(80.0)
    timeline = Tagger(channels="split").tag(tmp_path / "calls/a.wav")
    assert walked.speech_seconds == pytest.approx(2 * sum(side.speech_seconds for side in timeline.channels))
    assert walked.windows == 2 * sum(len(side.windows) for side in timeline.channels)
    assert 0 < walked.heard <= walked.windows
    assert cli("scan", "calls", "--channels", "split", "--out", "r.csv").returncode == 3
    with (tmp_path / "stages.csv").open() as mine, (tmp_path / "r.csv").open() as real:
        assert list(csv.reader(mine)) == list(csv.reader(real))


def test_a_scan_is_weighed(tmp_path: Path) -> None:
    for seed in range(4):
        write(tmp_path / f"calls/{seed}.wav", np.tile(voice(30.0, seed), 8), RATE)
    done = scan(tmp_path / "calls", channels="mix", workers=2, out=tmp_path / "r.csv")
    assert (tmp_path / "r.csv").is_file()
    assert done.workers == 2
    assert done.seconds > 0.1
    assert done.processor_seconds > 0.1
    assert done.worker_megabytes is not None
    assert done.run_megabytes is not None
    assert 20 < done.worker_megabytes < 400
    assert done.worker_megabytes / 2 < done.run_megabytes < 800


def test_a_scan_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(SertagError, match="no such file or folder") as error:
        scan(tmp_path / "nowhere", channels="mix", workers=1, out=tmp_path / "r.csv")
    assert error.value.code == "scan_failed"


def test_start_up_is_the_whole_command() -> None:
    assert 0.02 < start_up_seconds(["--help"]) < 5


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_ones_own_recordings(cli: Cli, temporary: Path) -> None:
    done = cli("benchmark", "--recordings", SAMPLES / "parcel-call.wav", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["schema"] == "sertag-benchmark/1"
    assert results["machine"]["versions"]["sertag"]
    assert results["start_up"]["help_seconds"] < results["start_up"]["scan_seconds"]
    (case,) = results["cases"]
    assert (case["recordings"], case["windows"]) == (1, 28)
    assert case["channel_hours"] == pytest.approx(43.23 / 3_600, rel=0.01)
    assert [scan["workers"] for scan in case["scans"]] == [1, 2]
    one, two = case["scans"]
    assert one["times_real_time"] == pytest.approx(43.23 / one["seconds"], rel=0.01)
    assert case["gain"] == pytest.approx(one["seconds"] / two["seconds"], abs=0.01)
    assert case["floor_ratio"] == pytest.approx(two["seconds"] / case["floor_seconds"], rel=0.1)
    assert list(case["stages"]) == list(STAGES)
    assert sum(stage["share"] for stage in case["stages"].values()) == pytest.approx(1, abs=0.001)
    assert not list(temporary.iterdir())


def test_a_table_for_a_person(cli: Cli, temporary: Path) -> None:
    done = cli("benchmark", "--recordings", SAMPLES, "--workers", "1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    assert {"own", *STAGES} <= rows.keys()
    assert rows["own"][1] == "2"
    # One worker needs no second column.
    assert "workers" not in next(line for line in lines if "windows/s" in line)
    assert max(map(len, lines)) < 140
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--recordings", "nowhere"], 2, "--recordings nowhere: no such file"),
        (["--recordings", ".", "--full"], 2, "--full: is for recordings that are made"),
        (["--recordings", "temporary"], 4, "no recording found"),
        (["--recordings", "bad.wav"], 1, "none of its recordings can be decoded"),
        (["--workers", "0"], 2, "--workers"),
    ],
)
def test_what_cannot_be_measured(
    cli: Cli, tmp_path: Path, temporary: Path, options: list[str], status: int, words: str
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    done = cli("benchmark", *options)
    assert done.returncode == status
    assert words in done.stderr
    assert not done.stdout
    assert not list(temporary.iterdir())


def test_ctrl_c_leaves_nothing_behind(temporary: Path) -> None:
    process = subprocess.Popen(
        [SERTAG, "benchmark"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list(temporary.glob("*/tmp*")) and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "sertag: interrupted; nothing is left behind\n"
    assert not list(temporary.iterdir())


def made_scan(workers: int, seconds: float) -> Scan:
    return Scan(workers, seconds, workers * seconds, 100.0 + workers, 200.0 + workers)


def made_results() -> Benchmark:
    stages = dict.fromkeys(STAGES, 1.0)
    walked = Walk(100, 36_000.0, 18_000.0, 24_000, 12_000, stages)
    scans = made_scan(1, 12.0), made_scan(2, 6.0)
    made = tuple(
        Case(name, "of some kind", walked, scans, 1.5) for name in ("calls", "talk", "clips", "long")
    )
    points = tuple(Point(f"{size} h", size, size, 3_600.0 * size, made_scan(2, size)) for size in (1, 10))
    return Benchmark(Machine.here(), 2, 0.1, 0.4, made, points, points)


def test_the_page_is_filled_from_the_results() -> None:
    spec = importlib.util.spec_from_file_location("page", ROOT / "benchmarks/page.py")
    assert spec
    assert spec.loader
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    compared = [{"name": "another", "about": "other things", "times_real_time": 97.8, "megabytes": 211.4}]
    text = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    parts = page.figures(json.loads(json.dumps(document(made_results()))), compared)
    once = page.fill(text, parts)
    assert page.fill(once, parts) == once
    assert "To be measured" not in once
    assert once.count("<!-- end -->") == len(parts) == text.count("<!-- end -->")
    assert "| calls, each channel speaks half the time | ≥ 5,000 × real time | 6,000 × |" in once
    assert "| the same, times the floor | ≤ 10 | 4.0 |" in once
    assert "| the same, two workers over one | ≥ 1.85 | 2.00 |" in once
    assert "| largest worker | < 150 MB | 102 MB |" in once
    assert "| another | 97.8 | 211 | other things |" in once
    assert "bar [1.000, 1.000]" in once
    with pytest.raises(ValueError, match="no place for cases"):
        page.fill(once.replace("<!-- cases -->", ""), parts)


@pytest.mark.slow
def test_other_ways_are_told_how_to_be_installed(temporary: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/compare.py", "--json"], capture_output=True, text=True, check=True
    )
    results = {result["name"]: result for result in json.loads(done.stdout)}
    assert results["sertag"]["times_real_time"] == pytest.approx(240 / results["sertag"]["seconds"], rel=0.01)
    assert results["the floor"]["times_real_time"] > results["sertag"]["times_real_time"]
    assert results["sertag"]["megabytes"] > 40
    for name, module in (("openSMILE eGeMAPS", "opensmile"), ("wav2vec2-base", "torch")):
        assert (name in results) == bool(find_spec(module))
        assert (f"skipped {name}: pip install" in done.stderr) != bool(find_spec(module))
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("processes", [1, 2])
def test_a_recording_is_what_it_holds(tmp_path: Path, processes: int) -> None:
    path = write(tmp_path / "a.wav", plain_voice(20.0)).rename(tmp_path / "a.raw")
    assert floor_seconds([str(path)], processes=processes, mixed=True) > 0
