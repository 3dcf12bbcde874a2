"""Utterances to feature frames, clean and augmented, and to batches of windows."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from model_build.augment import augment, vary_speaker
from model_build.corpora import Utterance
from sertag.audio import AudioReader
from sertag.errors import RecordingError
from sertag.features import FeatureSettings, frames_of
from sertag.normalisation import Normalisation, relative_frames
from sertag.speech import speech_frames
from sertag.types import BoolArray, FloatArray
from sertag.windows import FrameWindow, WindowStream


@dataclass(frozen=True, eq=False)
class Take:
    """One recording of an utterance: its frames ``(n, columns)`` and which of them are speech ``(n,)``."""

    frames: FloatArray
    speech: BoolArray


@dataclass(frozen=True, eq=False)
class Example:
    """An utterance with its class and its takes: the clean one first, then augmented ones."""

    utterance: Utterance
    target: int
    takes: tuple[Take, ...]

    @property
    def has_speech(self) -> bool:
        """Whether somebody is heard in the clean take."""
        return bool(self.takes[0].speech.any())


def make_examples(
    utterances: Sequence[Utterance],
    labels: Sequence[str],
    settings: FeatureSettings,
    *,
    augmented: int,
    seed: int,
    workers: int,
) -> Iterator[Example | RecordingError]:
    """Decodes and analyses utterances on several processes, in order.

    Yields:
        An example, or the reason why the recording gives none, per utterance.
    """
    seeds = np.random.SeedSequence(seed).spawn(len(utterances))
    work = partial(_takes, settings=settings, augmented=augmented)
    # Started afresh, not forked: a fork of a process that runs TensorFlow's threads may hang.
    context = multiprocessing.get_context("spawn")
    # Ctrl-C reaches the whole process group; the parent alone decides what it means.
    ignore = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=ignore) as pool:
        for utterance, takes in zip(utterances, pool.map(work, utterances, seeds, chunksize=16), strict=True):
            if isinstance(takes, RecordingError):
                yield takes
            else:
                yield Example(utterance, labels.index(utterance.emotion), takes)


def _takes(
    utterance: Utterance, seed: np.random.SeedSequence, *, settings: FeatureSettings, augmented: int
) -> tuple[Take, ...] | RecordingError:
    try:
        with AudioReader(str(utterance.path)) as reader:
            samples = np.concatenate(list(reader.blocks(settings.sample_rate, mix=True)))[:, 0]
    except RecordingError as error:
        return RecordingError(error.code, f"{utterance.path}: {error.message}")
    random = np.random.default_rng(seed)
    varied = [_take(augment(samples, settings.sample_rate, random), settings) for _ in range(augmented)]
    return (_take(samples, settings), *(take for take in varied if take.speech.any()))


def _take(samples: FloatArray, settings: FeatureSettings) -> Take:
    frames = frames_of(samples, settings)
    return Take(frames, speech_frames(frames, settings))


def fit_normalisation(examples: Sequence[Example], settings: FeatureSettings) -> Normalisation:
    """Statistics of the training speakers' speech frames, over all their takes."""
    count = 0
    total = np.zeros(settings.inputs)
    squares = np.zeros(settings.inputs)
    for example in examples:
        for take in example.takes:
            frames = relative_frames(take.frames, take.speech, settings)[take.speech].astype(np.float64)
            count += len(frames)
            total += frames.sum(axis=0)
            squares += (frames**2).sum(axis=0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-6))
    return Normalisation(mean.astype(np.float32), deviation.astype(np.float32))


@dataclass(frozen=True)
class Windower:
    """Cuts takes into the network's windows: at random for training, as run time does for evaluation."""

    settings: FeatureSettings
    normalisation: Normalisation
    length: int
    hop: int

    def random_window(self, take: Take, random: np.random.Generator) -> FloatArray:
        """A window of the take as another speaker might have said it, parts of it masked.

        An archive's windows start anywhere, so half of the windows of short takes start before
        the take does.
        """
        spare = len(take.frames) - self.length
        if spare >= 0:
            start = int(random.integers(0, spare + 1))
            part = slice(start, start + self.length)
            frames, speech = take.frames[part], take.speech[part]
            offset = 0
        else:
            frames, speech = take.frames, take.speech
            offset = int(random.integers(0, 1 - spare)) if random.random() < 0.5 else 0
        frames = vary_speaker(frames, self.settings, random)
        window = self.normalisation.network_input(frames, speech, self.length, self.settings)
        if offset:
            window = np.roll(window, offset, axis=0)
        return _masked(window, self.settings.mels, random)

    def windows(self, take: Take) -> list[tuple[FloatArray, int]]:
        """Run time's windows of a take, each with the number of frames it covers."""
        stream = WindowStream(self.length, self.hop)
        return [
            (self._input(window), len(window.frames))
            for window in stream.push(take.frames, take.speech, last=True)
            if window.has_speech
        ]

    def _input(self, window: FrameWindow) -> FloatArray:
        return self.normalisation.network_input(window.frames, window.speech, self.length, self.settings)


def _masked(window: FloatArray, mels: int, random: np.random.Generator) -> FloatArray:
    """SpecAugment (Park et al. 2019): up to two bands and two stretches become the mean."""
    for _ in range(2):
        width = int(random.integers(0, 9))
        start = int(random.integers(0, mels - width + 1))
        window[:, start : start + width] = 0.0
        width = int(random.integers(0, 21))
        start = int(random.integers(0, len(window) - width + 1))
        window[start : start + width] = 0.0
    return window
