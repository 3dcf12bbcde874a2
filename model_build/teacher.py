"""What a large encoder hears in the training clips, for the network to learn beside the labels.

A label says what an actor was asked for, in six words. Classifiers on the encoder's hearing say how much a
clip is like each emotion, and the hearing itself says what else there is in it (Hinton et al. 2015; Romero et
al. 2015). Both are had for every take: the network must hear what the teacher heard (Beyer et al. 2022). And
they are had of voices whose emotions nobody has told (Xie et al. 2020): there are more of those.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from model_build.dataset import Example, by_speaker
from model_build.metrics import IntArray
from sertag.types import FloatArray

TEACHER_SHARE = 0.6
"""Of the target of a labelled example; the label's is the rest."""

_DIMENSIONS, _COMPONENTS = 512, 128
_PARTS = 5
_MOST = 12_500
# Of the regression.
_STRENGTH, _ITERATIONS = 0.001, 60
# Of the networks, which err otherwise than the regression and than one another.
_NETWORKS, _UNITS, _DROPOUT = 2, 256, 0.5
_EPOCHS, _BATCH, _RATE, _DECAY, _SMOOTHING = 20, 128, 2e-3, 5e-2, 0.05
# A call of less trust tells the network next to nothing of the voice, one of more nearly all.
_LEAST_TRUST, _FULL_TRUST = 0.12, 0.52


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the teacher says of an example's takes, of each alone and as part of its speaker's call.

    ``answers`` are probabilities ``(2, takes, labels)``, ``share`` of the target; ``hearing`` principal
    components ``(2, takes, components)`` whose squares add up to 1 on average.
    """

    answers: FloatArray
    share: float
    hearing: FloatArray

    @property
    def columns(self) -> int:
        """Of a hearing, both views together."""
        return self.hearing.shape[0] * self.hearing.shape[2]

    @property
    def likeliest(self) -> int:
        """The label that the answers to all takes are most for, as part of the call."""
        return int(self.answers[1].mean(axis=0).argmax())

    def of(self, take: int, trust: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Answer, hearing (both views, one after the other) and weights, for a call of such trust."""
        known = float(np.clip((trust - _LEAST_TRUST) / (_FULL_TRUST - _LEAST_TRUST), 0.0, 1.0))
        alone, called = self.answers[:, take]
        weights = np.repeat(np.array([1.0, known], dtype=np.float32), self.hearing.shape[2])
        return (1 - known) * alone + known * called, self.hearing[:, take].ravel(), weights


def lessons_of(
    examples: Sequence[Example], unlabelled: Sequence[Example], labels: int, seed: int
) -> dict[Example, Lesson]:
    """Lessons of the training speakers, and of unlabelled voices, whose examples are labelled by them.

    Classifiers are fitted on the training speakers alone, and nobody's answers are from classifiers that
    were fitted on them: they would repeat their labels. Of unlabelled voices the lesson is all of the target.

    Args:
        examples: of the training speakers, with what the encoder heard.
        unlabelled: of other voices, likewise, with as many takes.
        labels: how many there are.
        seed: of the division of the speakers, and of the networks.
    """
    random = np.random.default_rng(seed)
    tf.keras.utils.set_random_seed(seed)
    everything, count = [*examples, *unlabelled], len(examples)
    targets = np.array([example.target for example in examples])
    numbers = {example: row for row, example in enumerate(everything)}
    speakers, voices = (
        [np.array([numbers[clip] for clip in clips]) for clips in by_speaker(each).values()]
        for each in (examples, unlabelled)
    )
    parts = np.empty(count, dtype=np.int64)
    for number, speaker in enumerate(random.permutation(len(speakers))):
        parts[speakers[speaker]] = number % _PARTS
    heard = np.stack([[take.heard for take in example.takes] for example in everything]).astype(np.float32)
    some = random.permutation(count)[: max(1, _MOST // heard.shape[1])]

    _standardise(heard[:count], some)
    # A collection of voices comes over a line of its own.
    for rows in _collections(unlabelled, first=count):
        heard[rows] = _standardise(heard[rows], slice(None))
    answers, hearing = [], []
    for within in (False, True):
        if within:
            _take_out_voices(heard, [*speakers, *voices])
        components = _components(heard, count, some, seed)
        answers.append(_answers(components, targets, parts, labels, random))
        components = components[:, :, :_COMPONENTS]
        hearing.append(components / np.sqrt(np.mean(np.sum(components[:count] ** 2, axis=2))))
    lessons = {}
    for example, *told in zip(everything, np.stack(answers, axis=1), np.stack(hearing, axis=1), strict=True):
        if example.is_labelled:
            lessons[example] = Lesson(told[0], TEACHER_SHARE, told[1])
        else:
            lesson = Lesson(told[0], 1.0, told[1])
            lessons[replace(example, target=lesson.likeliest)] = lesson
    return lessons


def _collections(unlabelled: Sequence[Example], first: int) -> Iterator[IntArray]:
    """The rows of every collection, of which the first is given."""
    names = np.array([example.utterance.corpus for example in unlabelled])
    for name in np.unique(names):
        yield first + np.flatnonzero(names == name)


def _standardise(values: FloatArray, some: IntArray | slice) -> FloatArray:
    """The same ``(n, takes, columns)`` in place, less the mean and over the deviation of some rows."""
    values -= values[some].mean(axis=(0, 1))
    values /= values[some].std(axis=(0, 1)) + 1e-4
    return values


def _take_out_voices(values: FloatArray, speakers: Sequence[IntArray]) -> None:
    """Each speaker's mean and deviation taken out in place, which saves gigabytes."""
    for clips in speakers:
        own = values[clips]
        values[clips] = (own - own.mean(axis=0)) / (own.std(axis=0) + 0.05)


def _components(values: FloatArray, labelled: int, some: IntArray, seed: int) -> FloatArray:
    """Principal components of ``(n, takes, columns)`` by those of some rows, half whitened.

    Those of the first rows, which are labelled, have a deviation of 1.
    """
    clips, takes, columns = values.shape
    sample = values[some].reshape(-1, columns)
    count = min(_DIMENSIONS, *sample.shape)
    found = PCA(count, svd_solver="randomized", random_state=seed).fit(sample)
    # Half: whole, the last components, which are noise, would count as much as the first.
    scale = np.maximum(found.explained_variance_, 1e-6) ** 0.25
    components = (values.reshape(-1, columns) @ (found.components_.T / scale)).reshape(clips, takes, count)
    return np.asarray(components / components[:labelled].std(), dtype=np.float32)


def _answers(
    components: FloatArray, targets: IntArray, parts: IntArray, labels: int, random: np.random.Generator
) -> FloatArray:
    """Probabilities ``(n, takes, labels)``, each by classifiers of the other parts' speakers.

    Rows behind those that have a target and a part are answered by the classifiers of all parts.
    """
    clips, takes, columns = components.shape
    known = components[: len(targets)]
    # Where there is nobody else to learn from the teacher knows what the labels say, or nothing.
    answers = np.full((clips, takes, labels), 1 / labels, dtype=np.float32)
    answers[: len(targets)] = np.eye(labels)[targets][:, None]
    of_all = []
    for part in np.unique(parts):
        own, others = parts == part, parts != part
        if len(np.unique(targets[others])) < 2:
            continue
        asked = np.concatenate([known[own], components[len(targets) :]]).reshape(-1, columns)
        given = _regression(known[others], targets[others], asked, labels)
        given += _networks(known[others], targets[others], asked, labels, random)
        given = given.reshape(-1, takes, labels) / (1 + _NETWORKS)
        answers[: len(targets)][own] = given[: np.count_nonzero(own)]
        of_all.append(given[np.count_nonzero(own) :])
    if of_all:
        answers[len(targets) :] = np.mean(of_all, axis=0)
    return answers


def _regression(components: FloatArray, targets: IntArray, asked: FloatArray, labels: int) -> FloatArray:
    """Probabilities ``(asked, labels)`` by logistic regression on all takes."""
    _, takes, columns = components.shape
    classifier = LogisticRegression(C=_STRENGTH, max_iter=_ITERATIONS)
    with warnings.catch_warnings():
        # The last iterations change no answer that matters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(components.reshape(-1, columns), np.repeat(targets, takes))
    given = np.zeros((len(asked), labels), dtype=np.float32)
    given[:, classifier.classes_] = classifier.predict_proba(asked)
    return given


def _networks(
    components: FloatArray, targets: IntArray, asked: FloatArray, labels: int, random: np.random.Generator
) -> FloatArray:
    """The sum of the probabilities ``(asked, labels)`` of some networks with one hidden layer each."""
    inputs = tf.keras.Input(components.shape[2:])
    networks = tf.keras.Model(inputs, [_network(inputs, labels) for _ in range(_NETWORKS)])
    batches = _Batches(components, np.eye(labels, dtype=np.float32)[targets], random)
    rate = tf.keras.optimizers.schedules.CosineDecay(_RATE, _EPOCHS * len(batches))
    loss = tf.keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=_SMOOTHING)
    networks.compile(tf.keras.optimizers.AdamW(rate, weight_decay=_DECAY), loss)
    networks.fit(batches, epochs=_EPOCHS, verbose=0)
    answers = (tf.nn.softmax(logits) for logits in networks(asked, training=False))
    return np.asarray(sum(answers), dtype=np.float32)


class _Batches(tf.keras.utils.Sequence):  # type: ignore[misc]
    """One random take of every clip an epoch, in random order, with what each network should answer."""

    def __init__(self, components: FloatArray, expected: FloatArray, random: np.random.Generator) -> None:
        self._components, self._expected, self._random = components, expected, random
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._expected) / _BATCH)

    def __getitem__(self, number: int) -> tuple[FloatArray, list[FloatArray]]:
        rows = self._order[number * _BATCH : (number + 1) * _BATCH]
        takes = self._random.integers(self._components.shape[1], size=len(rows))
        return self._components[rows, takes], [self._expected[rows]] * _NETWORKS

    def on_epoch_end(self) -> None:
        """Draws another order."""
        self._order = self._random.permutation(len(self._expected))


def _network(inputs: tf.Tensor, labels: int) -> tf.Tensor:
    """Logits of a network with one hidden layer."""
    hidden = tf.keras.layers.Dense(_UNITS, use_bias=False)(inputs)
    hidden = tf.keras.layers.BatchNormalization(momentum=0.9)(hidden)
    hidden = tf.keras.layers.Dropout(_DROPOUT)(tf.keras.layers.ReLU()(hidden))
    return tf.keras.layers.Dense(labels)(hidden)
