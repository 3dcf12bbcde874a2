"""Utterances to feature frames, clean and augmented, and to batches of windows."""

from __future__ import annotations

import io
import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial, reduce
from itertools import groupby
from operator import add
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from model_build.augment import TELEPHONE_RATE, augment, vary_speaker
from model_build.corpora import Utterance
from model_build.noise import in_noise, in_unheard_noise
from sertag.adaptation import Call
from sertag.audio import AudioReader
from sertag.call_statistics import CallStatistics
from sertag.engines.worker import die_with_parent
from sertag.errors import RecordingError, SertagError
from sertag.features import FeatureSettings, frames_of
from sertag.normalisation import Normalisation
from sertag.speech import clip_speech, speech_frames
from sertag.types import BoolArray, FloatArray, HalfArray

if TYPE_CHECKING:
    from model_build.encoder import SpeechEncoder

CLEAN, TELEPHONE, FIRST_SESSION = 0, 1, 2
"""Takes of an example: as it is, through an 8 kHz mu-law telephone, and then in augmented sessions."""

UNKNOWN = -1
"""The class of an example that nobody has labelled."""

NOISE_SNR = 20.0
"""How far the noise to be measured in lies below what a speaker says on average.

In dB, in the telephone's band. Soft clips are nearer to it: at 10 dB many of some speakers' are lost in it.
"""

_SESSION_CLIPS, _SESSION_SECONDS = 200, 900
"""A session has no more clips of a speaker, and unless a single one is longer, lasts no longer."""


@dataclass(frozen=True, eq=False)
class Take:
    """One recording of an utterance: frames ``(n, columns)``, which are speech ``(n,)``, statistics.

    ``heard`` is the teacher's summary, and empty where there is no teacher.
    """

    frames: FloatArray
    speech: BoolArray
    statistics: CallStatistics
    heard: HalfArray = field(default_factory=lambda: np.empty(0, dtype=np.float16))

    @classmethod
    def of(cls, samples: FloatArray, settings: FeatureSettings, encoder: SpeechEncoder | None = None) -> Take:
        """The take of samples (1-D, full scale 1.0)."""
        frames = frames_of(samples, settings)
        speech = clip_speech(samples, settings.sample_rate, frames, settings)
        statistics = CallStatistics.of(frames, speech, settings)
        if encoder is None:
            return cls(frames, speech, statistics)
        return cls(frames, speech, statistics, encoder.summary(samples))

    def replaced(self, frames: FloatArray, settings: FeatureSettings) -> Take:
        """Other frames of what the teacher heard."""
        speech = speech_frames(frames, settings)
        return Take(frames, speech, CallStatistics.of(frames, speech, settings), self.heard)


@dataclass(frozen=True, eq=False)
class Example:
    """An utterance with its class and its takes; one speaker's takes of the same number share a line.

    Of what is not labelled the class is not known yet: ``UNKNOWN``. ``noisy`` is a take to be measured with,
    in noise that no training hears; there is none of what nobody labelled, nor where nothing is said.
    """

    utterance: Utterance
    target: int
    takes: tuple[Take, ...]
    noisy: Take | None = None

    @property
    def is_labelled(self) -> bool:
        """Whether somebody told the emotion."""
        return bool(self.utterance.emotion)

    @property
    def has_speech(self) -> bool:
        """Whether somebody is heard in the clean take."""
        return bool(self.takes[CLEAN].speech.any())


def make_examples(
    utterances: Sequence[Utterance],
    labels: Sequence[str],
    settings: FeatureSettings,
    *,
    sessions: int,
    seed: int,
    workers: int,
    teacher: bool = False,
) -> Iterator[Example | RecordingError]:
    """Decodes and analyses utterances on several processes, speaker by speaker.

    Args:
        utterances: what to read, in any order.
        labels: classes, by number.
        settings: of the features.
        sessions: how many augmented takes to make of each.
        seed: of the augmentation.
        workers: how many processes to use.
        teacher: whether the teacher hears every take too.

    Yields:
        An example, or the reason why the recording gives none, per utterance.

    Raises:
        SertagError: ``no_worker`` where a process is killed.
    """
    ordered = sorted(utterances, key=lambda utterance: (utterance.speaker, str(utterance.path)))
    groups = []
    for _, clips in groupby(ordered, key=lambda utterance: utterance.speaker):
        speakers = list(clips)
        groups += [speakers[at : at + _SESSION_CLIPS] for at in range(0, len(speakers), _SESSION_CLIPS)]
    seeds = np.random.SeedSequence(seed).spawn(len(groups))
    work = partial(_takes, settings=settings, sessions=sessions, teacher=teacher)
    # Started afresh, not forked: a fork of a process that runs TensorFlow's threads may hang.
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin) as pool:
        try:
            with _ctrl_c_held_back():
                # Not by map, which cancels what is to come, and over that pools stumble that lose a worker.
                futures = deque(pool.submit(work, *job) for job in zip(groups, seeds, strict=True))
            for group in groups:
                for utterance, result in zip(group, futures.popleft().result(), strict=True):
                    if isinstance(result, RecordingError):
                        yield result
                    else:
                        target = labels.index(utterance.emotion) if utterance.emotion else UNKNOWN
                        yield Example(utterance, target, *result)
        except BrokenProcessPool:
            raise SertagError(
                "no_worker",
                f"one of {workers} processes that read recordings was killed; is memory short?",
            ) from None
        except BaseException:
            # Whoever stops does not wait for a speaker to be done.
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
            raise


def _begin() -> None:
    """What a process that reads does first."""
    die_with_parent()
    # Ctrl-C reaches the whole process group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Processes that are started meanwhile are not reached by it before they ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _takes(
    group: Sequence[Utterance],
    seed: np.random.SeedSequence,
    *,
    settings: FeatureSettings,
    sessions: int,
    teacher: bool,
) -> list[tuple[tuple[Take, ...], Take | None] | RecordingError]:
    decoded = [_samples(utterance, settings.sample_rate) for utterance in group]
    clips = [samples for samples in decoded if not isinstance(samples, RecordingError)]
    random = np.random.default_rng(seed)
    encoder = _encoder() if teacher else None
    takes = [
        of_clip
        for some in _for_a_session(clips, settings.sample_rate)
        for of_clip in _versions(some, random, settings, sessions, encoder)
    ]
    first = group[0]
    noisy: Sequence[Take | None] = [None] * len(clips)
    if first.emotion:
        noisy = _noisy_takes(clips, [of_clip[CLEAN] for of_clip in takes], settings, first)
    of_clips = zip(takes, noisy, strict=True)
    return [samples if isinstance(samples, RecordingError) else next(of_clips) for samples in decoded]


def _for_a_session(clips: Sequence[FloatArray], rate: int) -> Iterator[list[FloatArray]]:
    """A speaker's clips, so many at a time that all their versions fit into memory."""
    some: list[FloatArray] = []
    held = 0
    for clip in clips:
        if some and held + len(clip) > _SESSION_SECONDS * rate:
            yield some
            some, held = [], 0
        some.append(clip)
        held += len(clip)
    if some:
        yield some


def _versions(
    clips: Sequence[FloatArray],
    random: np.random.Generator,
    settings: FeatureSettings,
    sessions: int,
    encoder: SpeechEncoder | None,
) -> Iterator[tuple[Take, ...]]:
    """The takes of each clip, of sessions that all clips are part of."""
    versions = [clips, [through_telephone(clip, settings.sample_rate) for clip in clips]]
    versions += [augment(clips, settings.sample_rate, random) for _ in range(sessions)]
    takes = [[Take.of(clip, settings, encoder) for clip in version] for version in versions]
    heard = [_in_noise(session, settings, random) for session in takes[FIRST_SESSION:]]
    return zip(*takes[:FIRST_SESSION], *heard, strict=True)


def _noisy_takes(
    clips: Sequence[FloatArray], clean: Sequence[Take], settings: FeatureSettings, one: Utterance
) -> Sequence[Take | None]:
    """A speaker's clips in noise to be measured in, whoever else is measured.

    Args:
        clips: samples.
        clean: their takes.
        settings: of the features.
        one: of the speaker's utterances.
    """
    if not any(take.speech.any() for take in clean):
        return [None] * len(clips)
    spoken = np.concatenate([take.frames[take.speech] for take in clean])
    noisy = in_unheard_noise(clips, spoken, settings, one.speaker, NOISE_SNR)
    return [Take.of(samples, settings) for samples in noisy]


def _in_noise(session: list[Take], settings: FeatureSettings, random: np.random.Generator) -> list[Take]:
    """A session as it is, or in noise."""
    clips = in_noise([take.frames for take in session], [take.speech for take in session], settings, random)
    if clips is None:
        return session
    return [take.replaced(frames, settings) for take, frames in zip(session, clips, strict=True)]


@cache
def _encoder() -> SpeechEncoder:
    # Few need what it needs.
    from model_build.encoder import SpeechEncoder

    return SpeechEncoder()


def _samples(utterance: Utterance, rate: int) -> FloatArray | RecordingError:
    try:
        with AudioReader(str(utterance.path)) as reader:
            return np.concatenate(list(reader.blocks(rate, mix=True)))[:, 0]
    except RecordingError as error:
        return RecordingError(error.code, f"{utterance.path}: {error.message}")


def through_telephone(samples: FloatArray, rate: int) -> FloatArray:
    """Samples as an 8 kHz mu-law file of them would be read."""
    file = io.BytesIO()
    narrow = soxr.resample(samples, rate, TELEPHONE_RATE, quality="HQ")
    soundfile.write(file, narrow, TELEPHONE_RATE, format="WAV", subtype="ULAW")
    file.seek(0)
    narrow, _ = soundfile.read(file, dtype="float32")
    return np.asarray(soxr.resample(narrow, TELEPHONE_RATE, rate, quality="HQ"), dtype=np.float32)


def by_speaker(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """The examples of every speaker."""
    out: dict[str, list[Example]] = {}
    for example in examples:
        out.setdefault(example.utterance.speaker, []).append(example)
    return out


def call_of(takes: Sequence[Take]) -> CallStatistics:
    """The statistics of the call that some takes make together."""
    return reduce(add, (take.statistics for take in takes))


@dataclass(frozen=True)
class Windower:
    """Cuts takes into the network's windows at random, for training."""

    settings: FeatureSettings
    normalisation: Normalisation
    length: int

    def random_window(
        self, out: FloatArray, take: Take, call: Call | None, random: np.random.Generator
    ) -> None:
        """Fills ``out`` with a window of the take as another speaker might have said it, parts of it masked.

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
        frames, call = vary_speaker(frames, call, self.settings, random)
        views = self.normalisation.views(self.settings, call)
        views.fill(out[offset:], frames, speech)
        out[:offset] = views.silence
        _mask(out, self.settings.mels, random)


def _mask(window: FloatArray, mels: int, random: np.random.Generator) -> None:
    """SpecAugment (Park et al. 2019): up to two bands and two stretches become the mean."""
    wide, where = random.random((2, 2, 2))
    for (bands, frames), (low, first) in zip(wide, where, strict=True):
        width = int(9 * bands)
        start = int((mels - width + 1) * low)
        window[:, start : start + width] = 0.0
        width = int(21 * frames)
        start = int((len(window) - width + 1) * first)
        window[start : start + width] = 0.0
