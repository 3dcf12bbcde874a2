"""What a large encoder hears in the training clips, for the network to learn beside the labels.

A label says what an actor was asked for, in six words. A classifier on the encoder's hearing says how much a
clip is like each emotion, and the hearing itself says what else there is in it (Hinton et al. 2015; Romero et
al. 2015). Both are had for every take: the network must hear what the teacher heard (Beyer et al. 2022).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from model_build.dataset import Example, by_speaker
from model_build.metrics import IntArray
from sertag.types import FloatArray

TEACHER_SHARE = 0.6
"""Of the target; the label's is the rest."""

_DIMENSIONS, _COMPONENTS = 512, 128
_STRENGTH = 0.001
_PARTS = 5
_MOST = 12_500
_ITERATIONS = 60
# A call of less trust tells the network next to nothing of the voice, one of more nearly all.
_LEAST_TRUST, _FULL_TRUST = 0.12, 0.52


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the teacher says of an example's takes, of each alone and as part of its speaker's call.

    ``answers`` are probabilities ``(2, takes, labels)``, ``hearing`` principal components
    ``(2, takes, components)`` whose squares add up to 1 on average.
    """

    answers: FloatArray
    hearing: FloatArray

    @property
    def columns(self) -> int:
        """Of a hearing, both views together."""
        return self.hearing.shape[0] * self.hearing.shape[2]

    def of(self, take: int, trust: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Answer, hearing (both views, one after the other) and weights, for a call of such trust."""
        known = float(np.clip((trust - _LEAST_TRUST) / (_FULL_TRUST - _LEAST_TRUST), 0.0, 1.0))
        alone, called = self.answers[:, take]
        weights = np.repeat(np.array([1.0, known], dtype=np.float32), self.hearing.shape[2])
        return (1 - known) * alone + known * called, self.hearing[:, take].ravel(), weights


def lessons_of(examples: Sequence[Example], labels: int, seed: int) -> dict[Example, Lesson]:
    """Lessons from the training speakers alone.

    Nobody's answers are from a classifier that was fitted on them: it would repeat their labels.

    Args:
        examples: of the training speakers, with what the encoder heard.
        labels: how many there are.
        seed: of the division of the speakers.
    """
    random = np.random.default_rng(seed)
    heard = np.stack([[take.heard for take in example.takes] for example in examples])
    targets = np.array([example.target for example in examples])
    numbers = {example: row for row, example in enumerate(examples)}
    speakers = [np.array([numbers[clip] for clip in clips]) for clips in by_speaker(examples).values()]
    parts = np.empty(len(examples), dtype=np.int64)
    for number, speaker in enumerate(random.permutation(len(speakers))):
        parts[speakers[speaker]] = number % _PARTS
    some = random.permutation(len(examples))[: max(1, _MOST // heard.shape[1])]

    sample = heard[some].astype(np.float32)
    mean, deviation = sample.mean(axis=(0, 1)), sample.std(axis=(0, 1)) + 1e-4
    alone = (heard.astype(np.float32) - mean) / deviation
    views = []
    for view in (alone, _within_speakers(alone, speakers)):
        components = _components(view, some)
        views.append((_answers(components, targets, parts, labels), components[:, :, :_COMPONENTS]))
    answers = np.stack([answer for answer, _ in views], axis=1)
    hearing = np.stack([each / np.sqrt(np.mean(np.sum(each**2, axis=2))) for _, each in views], axis=1)
    return {example: Lesson(answers[row], hearing[row]) for example, row in numbers.items()}


def _within_speakers(values: FloatArray, speakers: Sequence[IntArray]) -> FloatArray:
    """Each speaker's mean and deviation taken out, line by line."""
    out = np.empty_like(values)
    for clips in speakers:
        own = values[clips]
        out[clips] = (own - own.mean(axis=0)) / (own.std(axis=0) + 0.05)
    return out


def _components(values: FloatArray, some: IntArray) -> FloatArray:
    """Principal components of ``(n, takes, columns)`` by those of some rows, half whitened, deviation 1."""
    sample = values[some].reshape(-1, values.shape[2])
    variances, directions = np.linalg.eigh(sample.T @ sample / len(sample))
    kept = slice(-1, -1 - min(_DIMENSIONS, len(sample)), -1)
    # Half: whole, the last components, which are noise, would count as much as the first.
    scale = np.maximum(variances[kept], 1e-6) ** 0.25
    components = values @ (directions[:, kept] / scale)
    return np.asarray(components / components.std(), dtype=np.float32)


def _answers(components: FloatArray, targets: IntArray, parts: IntArray, labels: int) -> FloatArray:
    """Probabilities ``(n, takes, labels)``, each by a classifier of the other parts' speakers."""
    _, takes, columns = components.shape
    # Where there is nobody else to learn from the teacher knows what the labels say.
    answers = np.repeat(np.eye(labels, dtype=np.float32)[targets][:, None], takes, axis=1)
    for part in np.unique(parts):
        own, others = parts == part, parts != part
        if len(np.unique(targets[others])) < 2:
            continue
        classifier = LogisticRegression(C=_STRENGTH, max_iter=_ITERATIONS)
        with warnings.catch_warnings():
            # The last iterations change no answer that matters.
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(components[others].reshape(-1, columns), np.repeat(targets[others], takes))
        given = np.zeros((own.sum() * takes, labels), dtype=np.float32)
        given[:, classifier.classes_] = classifier.predict_proba(components[own].reshape(-1, columns))
        answers[own] = given.reshape(-1, takes, labels)
    return answers
