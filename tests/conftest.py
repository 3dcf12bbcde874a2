"""What the tests share: synthetic voices, files made of them, and the real command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from sertag.types import FloatArray

SERTAG = Path(sys.executable).with_name("sertag")
SAMPLES = Path(__file__).parent.parent / "samples"

# Started in the background, a shell's children ignore Ctrl-C; those of the tests must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

Cli = Callable[..., subprocess.CompletedProcess[str]]


def voice(
    seconds: float, *, rate: int = 16_000, pitch: float = 140.0, formant: float = 600.0, seed: int = 0
) -> FloatArray:
    """Something like a voice: pulses at a wandering pitch through formants, four syllables a second."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    wander = 1 + 0.08 * np.sin(2 * np.pi * 0.7 * time + random.uniform(0, 6))
    phase = np.cumsum(pitch * wander) / rate
    pulses = np.diff(np.floor(phase), prepend=0.0)
    for centre, width in ((formant, 90.0), (1_500.0, 120.0), (2_600.0, 180.0)):
        if centre < rate / 2 - width:
            numerator, denominator = scipy.signal.iirpeak(centre, centre / width, fs=rate)
            pulses = pulses * 0.3 + scipy.signal.lfilter(numerator, denominator, pulses)
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * time)
    samples = pulses * syllables
    samples *= 0.3 / max(float(np.abs(samples).max(initial=0.0)), 1e-9)
    return np.asarray(samples + random.normal(0, 0.0003, len(samples)), dtype=np.float32)


def write(path: Path, samples: FloatArray, rate: int = 16_000, **options: str) -> Path:
    """Writes samples, shape ``(n,)`` or ``(n, channels)``, in the format of the name or of the options."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(os.fsencode(path), samples, rate, **{"format": path.suffix[1:].upper(), **options})
    return path


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
