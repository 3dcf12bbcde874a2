"""Trains the network."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf

from model_build.architectures import NetworkSettings, build_network
from model_build.calls import CallSampler
from model_build.dataset import CLEAN, FIRST_SESSION, TELEPHONE, Example, Windower
from model_build.observer import Observer
from model_build.tasks import Tasks
from model_build.teacher import Lesson
from sertag.adaptation import EmotionEffects
from sertag.normalisation import VIEWS
from sertag.types import FloatArray

_SMALLEST_BATCH, _STEPS = 64, 16
_UNLABELLED = 0.5
"""Unlabelled windows an epoch, for every labelled one, where there are as many."""


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained; ``learning_rate`` is the peak for batches of ``batch``, the largest."""

    epochs: int = 250
    batch: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 2e-2
    label_smoothing: float = 0.1
    task_weight: float = 0.2
    hearing_weight: float = 0.5
    seed: int = 1

    def batch_of(self, examples: int) -> int:
        """How large batches are: of few examples smaller, so that an epoch has steps enough."""
        return min(self.batch, max(_SMALLEST_BATCH, examples // _STEPS))


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave."""

    number: int
    loss: float


class TrainingObserver(Observer, Protocol):
    """Is told how a build goes."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch of the training is done."""


@dataclass(frozen=True)
class Training:
    """The network's last weights, and how it got there."""

    weights: list[FloatArray]
    history: tuple[Epoch, ...]


def train(
    training: Sequence[Example],
    unlabelled: Sequence[Example],
    windower: Windower,
    effects: EmotionEffects,
    settings: TrainingSettings,
    network_settings: NetworkSettings,
    lessons: Mapping[Example, Lesson],
    *,
    name: str,
    observer: TrainingObserver,
) -> Training:
    """Adam with decoupled weight decay, categorical cross-entropy, one learning-rate cycle.

    Beside the emotion the network learns the tasks of :mod:`model_build.tasks` from what it pools, and where
    there are lessons, what the teacher hears. Its answers are then a share of the target, and all of it
    where nobody else told the emotion: an epoch has a window of every labelled example, and as long as they
    last half as many of unlabelled ones.

    The cycle ends at a rate of next to nothing, so the last weights are kept: no speakers are spent on
    choosing an epoch. Ctrl-C ends the training after the last whole epoch.
    """
    classes = len(effects.level)
    tf.keras.utils.set_random_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    network = build_network(windower.settings, windower.length, classes, network_settings, unroll=True)
    size = settings.batch_of(len(training))
    more = min(len(unlabelled), int(_UNLABELLED * len(training)))
    steps = settings.epochs * max(1, (len(training) + more) // size)
    observer.stage(name, steps)
    tasks = Tasks.of([example.utterance for example in training])
    heads = [count for count in tasks.sizes if count]
    if lessons:
        heads.append(next(iter(lessons.values())).columns)
    # Adam's steps are as noisy at a rate that grows as the square root of the batch.
    rate = OneCycle(settings.learning_rate * math.sqrt(size / settings.batch), steps)
    learner = _Learner(network, heads, rate, settings)

    calls = CallSampler([*training, *unlabelled], effects, windower.normalisation)
    history: list[Epoch] = []
    weights = network.get_weights()
    with contextlib.suppress(KeyboardInterrupt):
        for number in range(1, settings.epochs + 1):
            losses = []
            chosen = [unlabelled[row] for row in random.choice(len(unlabelled), more, replace=False)]
            for batch in _batches([*training, *chosen], calls, windower, size, random):
                goals = _goals(batch, classes, settings.label_smoothing, tasks, lessons)
                losses.append(float(learner.step(batch.windows, *goals)))
                observer.step()
            history.append(Epoch(number, float(np.mean(losses))))
            weights = network.get_weights()
            observer.epoch(history[-1])
    return Training(weights, tuple(history))


class _Learner:
    """A network that is to answer more than it will be asked for, and how it learns.

    Args:
        network: to train.
        heads: how many answers each task has; the teacher's hearing comes last, where there is one.
        rate: of learning.
        settings: how it is trained.
    """

    def __init__(
        self, network: tf.keras.Model, heads: Sequence[int], rate: OneCycle, settings: TrainingSettings
    ) -> None:
        self._settings = settings
        pooled = network.layers[-1].input
        self._model = tf.keras.Model(
            network.input, [network.output, *(tf.keras.layers.Dense(size)(pooled) for size in heads)]
        )
        self._optimizer = tf.keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0)
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(
        self, windows: tf.Tensor, targets: tf.Tensor, others: list[tf.Tensor], heard: list[tf.Tensor]
    ) -> tf.Tensor:
        """Learns from a batch; its loss.

        Args:
            windows: the network's input.
            targets: of the emotions, shape ``(batch, classes)``.
            others: of the other tasks.
            heard: what the teacher hears, and its weights; nothing where there is none.
        """
        with tf.GradientTape() as tape:
            outputs = self._model(windows, training=True)
            # Of a single output Keras makes no list.
            logits, *answers = outputs if isinstance(outputs, list) else [outputs]
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
            if heard:
                hearing, weights = heard
                errors = weights * tf.square(answers.pop() - hearing)
                loss += self._settings.hearing_weight * tf.reduce_mean(tf.reduce_sum(errors, axis=1))
            for expected, answer in zip(others, answers, strict=True):
                entropy = tf.nn.softmax_cross_entropy_with_logits(expected, answer)
                # A row of zeros, where the answer is unknown, has a loss of 0 but a gradient.
                known = tf.reduce_sum(expected, axis=1)
                loss += self._settings.task_weight * tf.reduce_mean(known * entropy)
        variables = self._model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss


@dataclass(frozen=True)
class _Batch:
    """Windows ``(batch, length, inputs, VIEWS)``, and whose, of which takes, in calls of what trust."""

    examples: list[Example]
    takes: list[int]
    trusts: list[float]
    windows: FloatArray


def _batches(
    examples: Sequence[Example],
    calls: CallSampler,
    windower: Windower,
    size: int,
    random: np.random.Generator,
) -> Iterator[_Batch]:
    """One random window of one random take of every example, in random order."""
    order = random.permutation(len(examples))
    for at in range(0, max(size, len(order) - size + 1), size):
        chosen = [examples[index] for index in order[at : at + size]]
        windows = np.empty((len(chosen), windower.length, windower.settings.inputs, VIEWS), dtype=np.float32)
        batch = _Batch(chosen, [], [], windows)
        for window, example in zip(windows, chosen, strict=True):
            number = _random_take(example, random)
            call = calls.draw(example, number, random)
            windower.random_window(window, example.takes[number], call, random)
            batch.takes.append(number)
            batch.trusts.append(call.trust if call else 0.0)
        yield batch


def _goals(
    batch: _Batch, classes: int, smoothing: float, tasks: Tasks, lessons: Mapping[Example, Lesson]
) -> tuple[FloatArray, list[FloatArray], list[FloatArray]]:
    """What to answer ``(batch, classes)``, and to the tasks; what the teacher hears, and its weights."""
    labels = np.eye(classes, dtype=np.float32)[[example.target for example in batch.examples]]
    targets = (1 - smoothing) * labels + smoothing / classes
    others = tasks.targets([example.utterance for example in batch.examples])
    heard: list[FloatArray] = []
    if lessons:
        drawn = zip(batch.examples, batch.takes, batch.trusts, strict=True)
        taught = [lessons[example].of(take, trust) for example, take, trust in drawn]
        answers, *heard = (np.stack(each) for each in zip(*taught, strict=True))
        share = np.array([[lessons[example].share] for example in batch.examples], dtype=np.float32)
        targets = (1 - share) * targets + share * answers
    return targets, [each for each in others if each.shape[1]], heard


def _random_take(example: Example, random: np.random.Generator) -> int:
    """The clean take for a quarter of windows, the telephone's for an eighth, else an augmented session."""
    kind = random.random()
    sessions = range(FIRST_SESSION, len(example.takes))
    if kind < 0.25 or not sessions:
        return CLEAN
    number = TELEPHONE if kind < 0.37 else int(random.choice(sessions))
    return number if example.takes[number].speech.any() else CLEAN


class OneCycle(tf.keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Warms up linearly over the first tenth, then falls as a cosine to a hundredth (Smith 2018)."""

    def __init__(self, peak: float, steps: int) -> None:
        self._peak = peak
        self._steps = float(steps)

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The learning rate at a step."""
        done = tf.cast(step, tf.float32) / self._steps
        rising = done / 0.1
        falling = 0.505 + 0.495 * tf.cos(np.pi * tf.clip_by_value((done - 0.1) / 0.9, 0.0, 1.0))
        return self._peak * tf.minimum(rising, falling)
