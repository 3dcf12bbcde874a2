"""Trains a speech detector for real, on next to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model_build.melodies import music
from sertag.features import FeatureSettings
from sertag.speech import Detector

from conftest import voice, write

pytest.importorskip("tensorflow", reason="training needs the extra 'build'")


def test_the_command_trains_a_detector_that_loads(tmp_path: Path) -> None:
    for actor in (1001, 1005):
        write(tmp_path / "speech" / f"{actor}_IEO_ANG_HI.wav", voice(3.0, seed=actor))
    write(tmp_path / "prompts" / "uno" / "dos.wav", voice(20.0, pitch=220.0, seed=3, rate=8_000), 8_000)
    write(tmp_path / "music" / "tune.wav", music(30.0, 16_000, np.random.default_rng(0)).astype(np.float32))
    given = {name: str(tmp_path / name) for name in ("speech", "prompts", "music")}
    given |= {"out": str(tmp_path / "speech.npz"), "scenes": "32", "epochs": "8"}
    options = (word for name, value in given.items() for word in (f"--{name}", value))
    run = subprocess.run(
        [sys.executable, "-m", "model_build.speech_detector", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    # Of CREMA-D's actors, each fifth is kept for measuring.
    assert "2 utterances, 1 pieces of music" in run.stdout
    losses = [float(line.rsplit(" ", 1)[1]) for line in run.stdout.splitlines() if ": loss " in line]
    assert len(losses) == 8
    assert losses[-1] < 0.75 * losses[0]
    detector = Detector.load(tmp_path / "speech.npz")
    assert detector.settings == FeatureSettings()
    assert [kernel.shape[1] for kernel in detector.kernels] == [32, 32, 32, 32, 4]
