"""How fast sertag is beside other ways to hear emotions: one processor, the same recordings.

``python benchmarks/compare.py`` runs what is installed and says of the rest what to install. Each way runs in
a process of its own on one thread; loading models, and a first recording, are not counted. The recordings are
two telephone calls of a minute and two channels, each of which speaks half the time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sertag.benchmark.archives import make_calls, scratch
from sertag.benchmark.runs import megabytes

RATE = 16_000
WINDOW, HOP = 3 * RATE, 3 * RATE // 2
CALLS, CALL_SECONDS = 2, 60
CHANNEL_SECONDS = CALLS * CALL_SECONDS * 2
ENOUGH_SECONDS, REPEATS = 5.0, 5

Process = Callable[[str], object]
"""Does all work on one recording."""


@dataclass(frozen=True)
class Way:
    """A way to hear emotions, what it does, the modules it needs and where they come from."""

    name: str
    about: str
    prepare: Callable[[], Process]
    modules: tuple[str, ...] = ()
    install: str = ""


@dataclass(frozen=True)
class Result:
    """Seconds for all recordings at best, and the process's peak resident memory in MB of 2**20 bytes."""

    name: str
    about: str
    seconds: float
    megabytes: float

    @property
    def times_real_time(self) -> float:
        """Seconds of audio in all channels per second."""
        return CHANNEL_SECONDS / self.seconds


def _sertag() -> Process:
    from sertag import Tagger

    return Tagger(channels="split").tag


def _floor() -> Process:
    from sertag.benchmark.floor import Part, transform

    return lambda path: transform(Part(path), mixed=False)


def _opensmile() -> Process:
    import opensmile

    process: Process = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
        channels=[0, 1],
        num_workers=1,
    ).process_file
    return process


def _notebook() -> Process:
    import keras
    import librosa
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    frames = 1 + WINDOW // 512
    layers = [keras.layers.LSTM(128), keras.layers.Dense(64, "relu"), keras.layers.Dense(6, "softmax")]
    model = keras.Sequential([keras.layers.Input((frames, 40)), *layers])

    def process(path: str) -> None:
        channels, _ = librosa.load(path, sr=RATE, mono=False)
        for channel in channels:
            windows = [
                librosa.feature.mfcc(y=channel[at : at + WINDOW], sr=RATE, n_mfcc=40).T
                for at in range(0, len(channel) - WINDOW + 1, HOP)
            ]
            model.predict(np.stack(windows), verbose=0)

    return process


def _transformer() -> Process:
    import librosa
    import torch
    import transformers

    torch.set_num_threads(1)
    model = transformers.Wav2Vec2ForSequenceClassification(transformers.Wav2Vec2Config(num_labels=6)).eval()

    def process(path: str) -> None:
        channels, _ = librosa.load(path, sr=RATE, mono=False)
        for channel in channels:
            windows = torch.from_numpy(channel).unfold(0, WINDOW, HOP)
            with torch.inference_mode():
                for batch in windows.split(8):
                    model(batch)

    return process


WAYS = (
    Way("sertag", "decoding to calibrated tags of windows of 3 s every 1.5 s", _sertag),
    Way("the floor", "decoding, and one Fourier transform every 20 ms", _floor),
    Way(
        "openSMILE eGeMAPS",
        "88 functionals of each channel as a whole; no windows, no tags",
        _opensmile,
        ("opensmile",),
        "opensmile 'pyarrow<26'",
    ),
    Way(
        "librosa and Keras",
        "librosa.load, 40 MFCC of every window of 3 s every 1.5 s, a Keras LSTM of 128 cells",
        _notebook,
        ("keras", "tensorflow"),
        "tensorflow-cpu==2.15.1",
    ),
    Way(
        "wav2vec2-base",
        "librosa.load, a transformer of 95 million random weights on the same windows",
        _transformer,
        ("torch", "transformers"),
        "torch transformers --extra-index-url https://download.pytorch.org/whl/cpu",
    ),
)


def measure(way: Way, paths: list[str]) -> Result:
    """Runs one way over recordings, up to five times; call it in a fresh process."""
    process = way.prepare()
    process(paths[0])
    taken: list[float] = []
    while len(taken) < REPEATS and sum(taken) < ENOUGH_SECONDS:
        started = time.perf_counter()
        for path in paths:
            process(path)
        taken.append(time.perf_counter() - started)
    # Not from getrusage, which counts what this process was forked from.
    peak = megabytes(Path("/proc/self/status"), "VmHWM")
    return Result(way.name, way.about, min(taken), peak)


def measure_all(folder: Path) -> list[Result]:
    """Runs all ways that are installed, each in a process of its own."""
    paths = [str(path) for path in sorted(folder.iterdir())]
    results = []
    for way in WAYS:
        if not all(map(find_spec, way.modules)):
            print(f"skipped {way.name}: pip install {way.install}", file=sys.stderr)
            continue
        print(f"measuring {way.name}", file=sys.stderr)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            try:
                results.append(fresh.submit(measure, way, paths).result())
            except ImportError as error:
                print(f"skipped {way.name}: {error}", file=sys.stderr)
    return results


def document(results: list[Result]) -> list[dict[str, Any]]:
    """All results for JSON."""
    return [{**asdict(result), "times_real_time": round(result.times_real_time, 1)} for result in results]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    arguments = parser.parse_args()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with scratch(100_000_000) as folder:
        make_calls(folder, [CALL_SECONDS] * CALLS, CALLS)
        results = measure_all(folder)
    if arguments.json:
        print(json.dumps(document(results), indent=1))
        return
    for result in results:
        print(f"{result.name:<20}{result.times_real_time:>10,.1f} × real time{result.megabytes:>8,.0f} MB")


if __name__ == "__main__":
    main()
