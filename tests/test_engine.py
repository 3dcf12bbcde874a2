from __future__ import annotations

import errno
import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sertag.discovery import Recording
from sertag.division import Part, Segment
from sertag.engines.jobs import Job
from sertag.engines.local import LocalEngine
from sertag.errors import RecordingError, SertagError
from sertag.tagger import Tagger

from conftest import SAMPLES, alive, wait_until


class Trouble(Tagger):
    """A tagger that does to its process what a recording's name says."""

    def tag_segment(
        self, path: str | os.PathLike[str], number: int, *, on_block: Callable[[Segment, float, float], None]
    ) -> Part:
        """A sample's only part, if at all."""
        name = Path(path).name
        marker = Path(path).parent / f"{name}.tried"
        if "once" in name and marker.exists():
            name = "good"
        marker.touch()
        if "kill" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "nameless" in name:
            os.kill(os.getpid(), signal.SIGRTMIN + 3)
        if "segfault" in name:
            # What pytest would print of it is no failure.
            faulthandler.disable()
            os.kill(os.getpid(), signal.SIGSEGV)
        if "hang" in name:
            time.sleep(600)
        if "fault" in name:
            raise ValueError("of mine")
        if "memory" in name:
            raise MemoryError
        if "bad" in name:
            raise RecordingError("decode_failed", "cannot be decoded")
        return super().tag_segment(SAMPLES / "voice-memo.flac", number, on_block=on_block)


class Watching:
    """An observer that takes notes."""

    def __init__(self) -> None:
        self.lost: list[str | None] = []
        self.interrupt = False

    def progress(self, recording: Recording, share: float, seconds: float) -> None:
        """Checks what it is told."""
        assert recording.name
        assert 0 <= share <= 1
        assert seconds >= 0

    def lost_worker(self, recording: Recording | None, reason: str) -> None:
        """Notes what was being tagged."""
        assert reason
        self.lost.append(recording.name if recording else None)

    def tick(self) -> None:
        """Interrupts, when asked to."""
        if self.interrupt:
            raise KeyboardInterrupt


def jobs(folder: Path, names: list[str]) -> Iterator[Job]:
    for position, name in enumerate(names):
        yield Job(position, Recording(str(folder / name), name, 1, 1))


def engine(observer: Watching, *, workers: int = 2, timeout: float | None = None) -> LocalEngine:
    return LocalEngine(Trouble, workers=workers, timeout=timeout, observer=observer)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_recording_ends_in_one_outcome(tmp_path: Path, workers: int) -> None:
    names = [f"good {number}" for number in range(12)]
    names[2:2] = ["kill", "kill once", "segfault", "fault", "memory", "bad"]
    names[12:12] = ["segfault once", "nameless once", "kill 2"]
    watching = Watching()
    codes = {}
    for job, result in engine(watching, workers=workers).run(jobs(tmp_path, names)):
        failure = result.failure
        codes[job.recording.name] = failure.code if failure else None
        if failure and failure.code == "internal":
            assert "ValueError: of mine" in failure.message
            assert result.trace
            assert 'raise ValueError("of mine")' in result.trace
        if failure and failure.code == "worker_died":
            assert ("SIGSEGV" if "segfault" in failure.file else "SIGKILL") in failure.message
    expected = dict.fromkeys(names) | {
        "kill": "worker_died",
        "kill 2": "worker_died",
        "segfault": "worker_died",
        "fault": "internal",
        "memory": "out_of_memory",
        "bad": "decode_failed",
    }
    assert codes == expected
    assert sorted(map(str, watching.lost)) == sorted(
        ["kill"] * 2 + ["kill 2"] * 2 + ["segfault"] * 2 + ["kill once", "nameless once", "segfault once"]
    )


def test_results_can_be_settled_while_nothing_is_done(tmp_path: Path) -> None:
    watching, settled = Watching(), []
    running = engine(watching, workers=1, timeout=1.5).run(
        jobs(tmp_path, ["good", "hang"]), lambda: settled.append(time.monotonic())
    )
    next(running)
    came = time.monotonic()
    next(running)
    assert sum(at > came for at in settled) > 4


def test_what_hangs_is_cut_off(tmp_path: Path) -> None:
    watching = Watching()
    started = time.monotonic()
    outcomes = {
        job.recording.name: result.failure
        for job, result in engine(watching, timeout=1.5).run(
            jobs(tmp_path, ["good", "hang", "good 2", "good 3"])
        )
    }
    assert time.monotonic() - started < 20
    hung = outcomes.pop("hang")
    assert hung
    assert (hung.code, hung.message) == ("timeout", "was not done after 1.5 s; --timeout allows it longer")
    assert outcomes == {"good": None, "good 2": None, "good 3": None}


def test_an_interrupted_engine_leaves_no_process(tmp_path: Path) -> None:
    watching, before = Watching(), children()
    running = engine(watching).run(jobs(tmp_path, ["good", "hang", "hang 2"]))
    next(running)
    watching.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        next(running)
    assert children() == before


def children() -> list[str]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return text.split()


def test_workers_that_never_start_end_the_run(tmp_path: Path) -> None:
    def stillborn() -> Tagger:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    before = children()
    running = LocalEngine(stillborn, workers=2, timeout=None, observer=Watching()).run(
        jobs(tmp_path, ["good"])
    )
    with pytest.raises(SertagError, match=r"worker processes end before they start \(SIGKILL\)"):
        next(running)
    assert children() == before


def test_workers_that_cannot_be_started_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", fork)
    running = LocalEngine(Tagger, workers=2, observer=Watching(), timeout=None)
    with pytest.raises(SertagError, match="cannot be started: Resource temporarily unavailable") as told:
        list(running.run(jobs(tmp_path, ["good"])))
    assert told.value.code == "no_worker"


def test_workers_end_with_the_run_however_it_ends(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_engine import Trouble, Watching, children, engine, jobs
running = engine(Watching()).run(jobs(Path({str(tmp_path)!r}), ["good", "good 2", "hang 3", "good 4"]))
print(next(running), *children(), flush=True)
for _ in running:
    pass
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    workers = [int(word) for word in process.stdout.readline().rsplit(")", 1)[1].split()]
    assert workers
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(alive, workers)))
