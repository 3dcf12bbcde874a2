"""Calls put together from clips of speakers whom the network has never heard: what does adaptation change?

Real calls are not balanced: a caller may be angry throughout, or neutral for nine tenths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_build.dataset import CLEAN, Example, Take, by_speaker
from model_build.metrics import IntArray, Interval, difference, uar
from model_build.observer import Observer
from model_build.predict import answers, listen, probabilities_alone, probabilities_of
from sertag.call_statistics import CallStatistics
from sertag.listener import Listener
from sertag.types import FloatArray

EVEN, TWO_VOICES = "even", "two voices"
RULING = ("neutral", "angry", "sad", "happy")
"""Emotions that fill four fifths of a simulated call."""
MIXES = (EVEN, *RULING, TWO_VOICES)
SECONDS = (30, 60, 180)
"""Speech in a simulated call."""
DRAWS = 5
"""Calls of every mix and length per speaker."""

_SHARE = 0.8


@dataclass(frozen=True, eq=False)
class CallClips:
    """Clips of simulated calls of one mix: truth, answers adapted and one by one, shapes ``(clips,)``."""

    targets: IntArray
    adapted: IntArray
    alone: IntArray
    speakers: tuple[str, ...]

    def __add__(self, other: CallClips) -> CallClips:
        """Both together."""
        return CallClips(
            np.concatenate([self.targets, other.targets]),
            np.concatenate([self.adapted, other.adapted]),
            np.concatenate([self.alone, other.alone]),
            self.speakers + other.speakers,
        )


@dataclass(frozen=True)
class CallFigures:
    """What adaptation does to calls of one mix; changes with the paired interval over speakers."""

    uar_alone: float
    uar_adapted: float
    uar_change: Interval
    accuracy_alone: float
    accuracy_adapted: float
    accuracy_change: Interval

    @classmethod
    def of(cls, clips: CallClips, labels: int) -> CallFigures:
        """The figures of some calls."""
        targets, alone, adapted = clips.targets, clips.alone, clips.adapted

        def uar_of(rows: IntArray, answers: IntArray) -> float:
            return uar(targets[rows], answers[rows], labels)

        def accuracy_of(rows: IntArray, answers: IntArray) -> float:
            return float((answers[rows] == targets[rows]).mean())

        everything = np.arange(len(targets))
        return cls(
            uar_alone=uar_of(everything, alone),
            uar_adapted=uar_of(everything, adapted),
            uar_change=difference(
                lambda rows: uar_of(rows, adapted), lambda rows: uar_of(rows, alone), clips.speakers
            ),
            accuracy_alone=accuracy_of(everything, alone),
            accuracy_adapted=accuracy_of(everything, adapted),
            accuracy_change=difference(
                lambda rows: accuracy_of(rows, adapted), lambda rows: accuracy_of(rows, alone), clips.speakers
            ),
        )


def simulate_calls(
    listener: Listener, examples: Sequence[Example], observer: Observer
) -> dict[tuple[str, int], CallClips]:
    """Listens to calls of every mix and length, and to their clips one by one.

    Args:
        listener: the network, which never heard the examples' speakers.
        examples: with all the mixes' emotions for every speaker; other speakers are left out.
        observer: is told of every speaker.

    Returns:
        The clips of all calls, by mix and seconds of speech; of a single speaker none of two voices.
    """
    speakers = {
        speaker: clips
        for speaker, clips in by_speaker([example for example in examples if example.has_speech]).items()
        if set(RULING) <= {example.utterance.emotion for example in clips}
    }
    out: dict[tuple[str, int], CallClips] = {}
    names = sorted(speakers)
    observer.stage("simulating calls", len(names))
    for number, name in enumerate(names):
        random = np.random.default_rng([number, len(names)])
        for mix in MIXES:
            if mix == TWO_VOICES and len(names) < 2:
                continue
            for seconds in SECONDS:
                for _ in range(DRAWS):
                    voices = [speakers[name]]
                    if mix == TWO_VOICES:
                        other = names[(number + 1 + random.integers(len(names) - 1)) % len(names)]
                        voices.append(speakers[other])
                    heard = _listen(listener, _draw(voices, mix, seconds, random))
                    key = (mix, seconds)
                    out[key] = out[key] + heard if key in out else heard
        observer.step()
    return out


def _listen(listener: Listener, drawn: Sequence[tuple[Example, Take]]) -> CallClips:
    clips = [take for _, take in drawn]
    call = listen(listener, clips)
    calibration = listener.calibration
    adapted = probabilities_of(call, calibration)
    alone = probabilities_alone(listen(listener, clips, adapted=False), calibration.alone)
    return CallClips(
        np.array([example.target for example, _ in drawn]),
        answers(adapted),
        answers(alone),
        tuple(example.utterance.speaker for example, _ in drawn),
    )


def _draw(
    voices: Sequence[Sequence[Example]], mix: str, seconds: float, random: np.random.Generator
) -> list[tuple[Example, Take]]:
    """Clips, voice after voice in turn, until there is enough speech; a clip comes again only varied."""
    by_emotion: list[dict[str, list[Example]]] = []
    for clips in voices:
        of_voice: dict[str, list[Example]] = {}
        for example in clips:
            of_voice.setdefault(example.utterance.emotion, []).append(example)
        by_emotion.append(of_voice)
    drawn: list[tuple[Example, Take]] = []
    used: set[int] = set()
    heard = 0.0
    while heard < seconds:
        of_voice = by_emotion[len(drawn) % len(voices)]
        emotions = sorted(of_voice)
        others = [emotion for emotion in emotions if emotion != mix]
        rules = mix in of_voice and random.random() < _SHARE
        emotion = mix if rules else str(random.choice(others if mix in of_voice else emotions))
        fresh = [clip for clip in of_voice[emotion] if id(clip) not in used]
        example = (fresh or of_voice[emotion])[random.integers(len(fresh or of_voice[emotion]))]
        take = example.takes[CLEAN]
        if not fresh:
            take = _varied(take, random)
        used.add(id(example))
        drawn.append((example, take))
        heard += take.statistics.seconds
    return drawn


def _varied(take: Take, random: np.random.Generator) -> Take:
    """A take said once more: at another tempo, a little higher or lower, louder or softer."""
    settings = take.statistics.settings
    length = max(1, round(len(take.frames) * random.uniform(0.9, 1.1)))
    rows = np.minimum((np.arange(length) * len(take.frames) / length).astype(np.int64), len(take.frames) - 1)
    frames: FloatArray = take.frames[rows].copy()
    gain = np.float32(random.uniform(-2.0, 2.0))
    frames[:, : settings.mels] += gain
    frames[:, settings.level] += gain
    voiced = frames[:, settings.pitch] != 0
    frames[voiced, settings.pitch] += np.float32(random.normal(0.0, 0.03))
    speech = take.speech[rows]
    return Take(frames, speech, CallStatistics.of(frames, speech, settings))
