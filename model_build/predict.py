"""What a network makes of labelled clips: one by one, and as the clips of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from model_build.corpora import Utterance
from model_build.dataset import CLEAN, TELEPHONE, Example, Take, by_speaker, call_of
from model_build.metrics import IntArray
from model_build.observer import Observer
from sertag.listener import Calibration, CallLogits, Listener, call_probabilities, coverage
from sertag.mix import softmax
from sertag.types import DoubleArray
from sertag.windows import FrameWindow, WindowStream

CLEAR, BY_TELEPHONE, IN_NOISE = "clean", "telephone", "noise"
CONDITIONS = (CLEAR, BY_TELEPHONE, IN_NOISE)
"""What figures are told of: clips as they are, through 8 kHz mu-law, and in noise."""
ONE_CLIP, ADAPTED = "one clip", "call-adapted"
MODES = (ONE_CLIP, ADAPTED)
"""Every clip as a recording of its own; all clips of a speaker as one call."""


@dataclass(frozen=True, eq=False)
class Heard:
    """What a listener heard in one clip of a call; a clip in which nobody speaks has no window.

    Attributes:
        heard: what the network says of its windows.
        weights: how much each window counts in the call, shape ``(windows,)``.
        durations: how much each counts in the clip, likewise.
    """

    heard: CallLogits
    weights: DoubleArray
    durations: DoubleArray


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network made of clips: probabilities ``(clips, labels)``, all 0 where it heard nobody."""

    labels: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    probabilities: DoubleArray

    @cached_property
    def targets(self) -> IntArray:
        """The clips' labels, by number."""
        return np.array([self.labels.index(utterance.emotion) for utterance in self.utterances])

    @cached_property
    def predicted(self) -> IntArray:
        """The labels of the largest probability; behind the last label where nobody was heard."""
        return answers(self.probabilities)

    @property
    def heard(self) -> np.ndarray:  # type: ignore[type-arg]
        """Which clips have a window of speech."""
        return np.asarray(self.probabilities.any(axis=1))

    @property
    def speakers(self) -> list[str]:
        """Who speaks in each clip."""
        return [utterance.speaker for utterance in self.utterances]

    def __add__(self, other: Predictions) -> Predictions:
        """Both together."""
        return Predictions(
            self.labels,
            self.utterances + other.utterances,
            np.concatenate([self.probabilities, other.probabilities]),
        )

    def among(self, corpus: str) -> Predictions:
        """Those of one corpus, with no labels but its own to choose from."""
        rows = [row for row, item in enumerate(self.utterances) if item.corpus == corpus]
        own = {self.utterances[row].emotion for row in rows}
        kept = [index for index, label in enumerate(self.labels) if label in own]
        chosen = self.probabilities[np.ix_(rows, kept)]
        total = chosen.sum(axis=1, keepdims=True)
        return Predictions(
            tuple(self.labels[index] for index in kept),
            tuple(self.utterances[row] for row in rows),
            np.divide(chosen, total, out=np.zeros_like(chosen), where=total > 0),
        )


def answers(probabilities: DoubleArray) -> IntArray:
    """The labels of the largest probability ``(clips,)``; behind the last where nobody was heard."""
    labels = probabilities.shape[1]
    return np.where(probabilities.any(axis=1), np.argmax(probabilities, axis=1), labels)


def windows_of(take: Take, length: int) -> list[FrameWindow]:
    """The windows of a take that run time tags, half a window from one to the next."""
    stream = WindowStream(length, length // 2)
    return [window for window in stream.push(take.frames, take.speech, last=True) if window.has_speech]


def cut_call(clips: Sequence[Take], length: int) -> tuple[list[list[FrameWindow]], list[FrameWindow]]:
    """The windows of each of a call's clips, and all of them where they lie in the call."""
    cut = [windows_of(take, length) for take in clips]
    starts = np.cumsum([0, *(len(take.frames) for take in clips)])
    placed = [
        replace(window, start=window.start + int(start))
        for windows, start in zip(cut, starts, strict=False)
        for window in windows
    ]
    return cut, placed


def listen(listener: Listener, clips: Sequence[Take], *, adapted: bool = True) -> list[Heard]:
    """What a listener hears in the clips that make up a call, one after the other.

    Args:
        listener: who listens.
        clips: of the call.
        adapted: to the voice in the call; if not, every window is heard by itself.
    """
    cut, flat = cut_call(clips, listener.length)
    if not flat:
        heard = CallLogits(np.zeros((0, len(listener.effects.level))), trust=0.0, familiarity=1.0)
    elif adapted:
        heard = listener.listen(flat, call_of(clips))
    else:
        heard = CallLogits(listener.logits(flat), trust=0.0, familiarity=1.0)
    ends = np.cumsum([len(windows) for windows in cut])[:-1]
    return [
        Heard(
            replace(heard, logits=logits),
            coverage(windows, listener.length),
            np.array([float(len(window.frames)) for window in windows]),
        )
        for windows, logits in zip(cut, np.split(heard.logits, ends), strict=True)
    ]


def probabilities_of(call: Sequence[Heard], calibration: Calibration) -> DoubleArray:
    """Adapted probabilities of the clips of one call: the duration-weighted means over their windows."""
    heard = _joined(call)
    if not len(heard.logits):
        return np.zeros((len(call), heard.logits.shape[1]))
    weights = np.concatenate([clip.weights for clip in call])
    return _by_clip(call, call_probabilities(heard, weights, calibration))


def probabilities_alone(call: Sequence[Heard], temperature: float) -> DoubleArray:
    """Probabilities of the clips of one call without regard to the call."""
    return _by_clip(call, softmax(_joined(call).logits / temperature))


def _joined(call: Sequence[Heard]) -> CallLogits:
    """The logits of all windows of a call."""
    return replace(call[0].heard, logits=np.concatenate([clip.heard.logits for clip in call]))


def _by_clip(call: Sequence[Heard], windows: DoubleArray) -> DoubleArray:
    out = np.zeros((len(call), windows.shape[1]))
    ends = np.cumsum([len(clip.weights) for clip in call])[:-1]
    for row, (part, clip) in enumerate(zip(np.split(windows, ends), call, strict=True)):
        if len(part):
            out[row] = clip.durations @ part / clip.durations.sum()
    return out


def predict(
    listener: Listener, examples: Sequence[Example], labels: tuple[str, ...], take: int, *, adapted: bool
) -> Predictions:
    """A listener's predictions, one clip at a time or adapted to all of each speaker's clips."""
    calls = list(by_speaker(examples).values()) if adapted else [[example] for example in examples]
    probabilities = []
    for clips in calls:
        call = listen(listener, [example.takes[take] for example in clips])
        probabilities.append(probabilities_of(call, listener.calibration))
    utterances = tuple(example.utterance for clips in calls for example in clips)
    return Predictions(labels, utterances, np.concatenate(probabilities))


def predict_all(
    listener: Listener, examples: Sequence[Example], labels: tuple[str, ...], observer: Observer
) -> dict[tuple[str, str], Predictions]:
    """A listener's predictions by mode and condition; the observer is told of each."""
    heard: dict[str, tuple[Sequence[Example], int]] = {
        CLEAR: (examples, CLEAN),
        BY_TELEPHONE: (examples, TELEPHONE),
        IN_NOISE: (_noisy(examples), CLEAN),
    }
    out = {}
    for mode in MODES:
        for condition, (of, take) in heard.items():
            out[mode, condition] = predict(listener, of, labels, take, adapted=mode == ADAPTED)
            observer.step()
    return out


def _noisy(examples: Sequence[Example]) -> list[Example]:
    """The examples with their takes in noise alone; clean ones where there is no other."""
    return [replace(example, takes=(example.noisy or example.takes[CLEAN],)) for example in examples]
