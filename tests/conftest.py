"""What the tests share: synthetic voices, files made of them, and the real command line."""

from __future__ import annotations

import contextlib
import math
import os
import pty
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# As the command line does, before NumPy is there: on more cores sums round otherwise, and in a network with
# weights of 8 bits a last bit may change a probability's fourth place.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
import scipy.signal
import soundfile

from model_build.corpora import Utterance
from model_build.dataset import Example, Take
from sertag.adaptation import Call, EmotionEffects
from sertag.call_statistics import CallStatistics, Voice
from sertag.familiarity import KnownLines
from sertag.features import FeatureSettings, frames_of, telephone_bands
from sertag.listener import Calibration, Listener
from sertag.normalisation import VIEWS, Normalisation
from sertag.speech import speech_frames
from sertag.types import BoolArray, FloatArray

SERTAG = Path(sys.executable).with_name("sertag")
SAMPLES = Path(__file__).parent.parent / "samples"
SETTINGS = FeatureSettings()
MEAN = np.full(SETTINGS.inputs, -50.0, dtype=np.float32)
DEVIATION = np.full(SETTINGS.inputs, 12.0, dtype=np.float32)
"""Of training speakers."""

# Started in the background, a shell's children ignore Ctrl-C; those of the tests must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

_BANDS = telephone_bands(SETTINGS)
_OUTLINE = 3 * (_BANDS.stop - _BANDS.start)
EVERY_LINE = KnownLines(
    centres=np.zeros((1, _OUTLINE)),
    spreads=np.array([math.inf]),
    unrests=np.zeros(1),
    directions=np.eye(1, _OUTLINE),
    excess=np.zeros(1),
)
"""To which nothing is foreign."""

Cli = Callable[..., subprocess.CompletedProcess[str]]


def wait_until(condition: Callable[[], object], *, seconds: float = 30) -> None:
    """Waits for what must come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def alive(process: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def voice(
    seconds: float, *, rate: int = 16_000, pitch: float = 140.0, formant: float = 600.0, seed: int = 0
) -> FloatArray:
    """Something like a voice: syllables of vowels and consonants, a phrase every other second."""
    random = np.random.default_rng(seed)
    out = np.zeros(round(seconds * rate))
    at, since_pause = round(0.05 * rate), 0.0
    while at < len(out):
        consonant, vowel = random.uniform(0.03, 0.09), random.uniform(0.08, 0.24)
        hiss = random.normal(0, 0.04, round(consonant * rate)) * np.hanning(round(consonant * rate))
        falling = pitch * (1.15 - 0.2 * since_pause) * random.uniform(0.93, 1.07)
        count = round(vowel * rate)
        glide = np.linspace(1.0, random.uniform(0.85, 1.12), count)
        sound = np.diff(np.floor(np.cumsum(falling * glide) / rate), prepend=0.0)
        sound = scipy.signal.lfilter([1.0], [1.0, -0.9], sound)
        centres = (
            formant * random.uniform(0.7, 1.3),
            random.uniform(1_000, 2_200),
            random.uniform(2_400, 2_900),
        )
        for centre, width in zip(centres, (80.0, 110.0, 160.0), strict=True):
            if centre < rate / 2 - width:
                radius = np.exp(-np.pi * width / rate)
                poles = [1.0, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2]
                sound = scipy.signal.lfilter([sum(poles)], poles, sound)
        sound *= np.hanning(count) ** 0.4 * random.uniform(0.4, 1.0) / np.max(np.abs(sound))
        syllable = np.concatenate([hiss, sound])
        out[at : at + len(syllable)] += syllable[: len(out) - at]
        at += len(syllable)
        since_pause += consonant + vowel
        if since_pause > 1.6:
            at, since_pause = at + round(random.uniform(0.2, 0.4) * rate), 0.0
    out *= 0.3 / max(float(np.abs(out).max(initial=0.0)), 1e-9)
    return np.asarray(out + random.normal(0, 0.0003, len(out)), dtype=np.float32)


def write(path: Path, samples: FloatArray, rate: int = 16_000, **options: str) -> Path:
    """Writes samples, shape ``(n,)`` or ``(n, channels)``, in the format of the name or of the options."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(os.fsencode(path), samples, rate, **{"format": path.suffix[1:].upper(), **options})
    return path


def write_endless(path: Path) -> Path:
    """Writes nearly three days of silence, which take little room and longer to tag than any test waits."""
    size = 4_000_000_000
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8_000, 16_000, 2, 16)
        file.write(struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form)
        file.write(struct.pack("<4sI", b"data", size))
        file.truncate(file.tell() + size)
    return path


def at_a_terminal(command: list[str | Path], folder: Path, **variables: str) -> tuple[int, bytes]:
    """Exit status of a command, and what a terminal of 80 columns gets of it."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=other,
        stderr=other,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **variables},
    )
    os.close(other)
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(main, 65_536):
            shown += part
    os.close(main)
    return process.wait(20), shown


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs the installed ``sertag`` in a folder of the test's own."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(SERTAG), *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done

    return run


def analysed(samples: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Frames, and which are speech."""
    frames = frames_of(samples, SETTINGS)
    return frames, speech_frames(frames, SETTINGS)


def statistics(samples: FloatArray) -> CallStatistics:
    """Of samples as a call."""
    return CallStatistics.of(*analysed(samples), SETTINGS)


def described(sums: CallStatistics) -> Voice:
    """The voice of a call, beside training speakers of the same bands."""
    return sums.voice(MEAN, DEVIATION)


def made_take(
    seconds: float, *, level: float = -20.0, voicing: float = 0.7, seed: int = 0, speech: bool = True
) -> Take:
    """A take without a sound behind it, all speech or none: bands around 20 dB below a steady level."""
    random = np.random.default_rng(seed)
    frames = np.empty((SETTINGS.frames_in(seconds), SETTINGS.columns), dtype=np.float32)
    frames[:, : SETTINGS.mels] = level - 20 + random.normal(0, 8, (len(frames), SETTINGS.mels))
    frames[:, SETTINGS.pitch] = random.normal(0, 0.2, len(frames))
    frames[:, SETTINGS.voicing] = voicing
    frames[:, SETTINGS.level] = level
    spoken = np.full(len(frames), speech)
    return Take(frames, spoken, CallStatistics.of(frames, spoken, SETTINGS))


def made_example(speaker: str, emotion: str, target: int, *takes: Take, corpus: str = "made") -> Example:
    """An utterance of a speaker with its takes."""
    path = Path(f"{speaker}-{emotion}-{id(takes)}.wav")
    return Example(Utterance(path, corpus, f"{corpus} {speaker}", emotion), target, takes)


def network_input(
    normalisation: Normalisation,
    frames: FloatArray,
    speech: BoolArray,
    length: int,
    call: Call | None = None,
) -> FloatArray:
    """What the network gets of one window."""
    out = np.full((length, SETTINGS.inputs, VIEWS), np.nan, dtype=np.float32)
    normalisation.views(SETTINGS, call).fill(out, frames, speech)
    return out


def plain_listener(
    run: Callable[[FloatArray], FloatArray], labels: int, calibration: Calibration
) -> Listener:
    """A listener for windows of 3 s: any network, emotions without effects, no foreign line."""
    inputs = SETTINGS.inputs
    normalisation = Normalisation(np.zeros(inputs, dtype=np.float32), np.ones(inputs, dtype=np.float32))
    nothing = np.zeros((labels, inputs))
    effects = EmotionEffects(nothing, np.zeros(labels), nothing)
    length = SETTINGS.frames_in(3.0)
    return Listener(run, SETTINGS, length, normalisation, effects, EVERY_LINE, calibration)


class Counting:
    """An observer that counts."""

    def __init__(self) -> None:
        self.total = 0
        self.steps = 0

    def stage(self, name: str, total: int) -> None:
        """A stage of ``total`` steps begins."""
        assert name
        self.total += total

    def step(self) -> None:
        """A step is done."""
        self.steps += 1
