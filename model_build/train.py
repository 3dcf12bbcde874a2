"""Trains the network on some speakers and stops early on others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf

from model_build.architectures import NetworkSettings, build_network
from model_build.dataset import Example, Windower
from model_build.metrics import IntArray, softmax, uar
from model_build.observer import Observer
from sertag.types import FloatArray


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained. ``patience`` is in epochs without a better validation UAR."""

    epochs: int = 120
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 2e-2
    label_smoothing: float = 0.1
    patience: int = 40
    seed: int = 1


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave."""

    number: int
    loss: float
    validation_uar: float


class TrainingObserver(Observer, Protocol):
    """Is told how a build goes."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch of the training is done."""


@dataclass(frozen=True)
class Training:
    """The network with its best weights, and how it got there."""

    network: tf.keras.Model
    history: tuple[Epoch, ...]
    interrupted: bool

    @property
    def best(self) -> Epoch | None:
        """The epoch whose weights were kept; None where training ended before the first."""
        return max(self.history, key=lambda epoch: epoch.validation_uar, default=None)


def train(
    training: Sequence[Example],
    validation: Sequence[Example],
    windower: Windower,
    classes: int,
    settings: TrainingSettings,
    network_settings: NetworkSettings,
    *,
    observer: TrainingObserver,
) -> Training:
    """Adam with decoupled weight decay, categorical cross-entropy, one learning-rate cycle.

    Ctrl-C ends the training and keeps the best weights so far.
    """
    tf.keras.utils.set_random_seed(settings.seed)
    random = np.random.default_rng(settings.seed)
    network = build_network(windower.settings, windower.length, classes, network_settings)
    steps = settings.epochs * max(1, len(training) // settings.batch)
    observer.stage("training", steps)
    rate = OneCycle(settings.learning_rate, steps)
    optimizer = tf.keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss_of = tf.keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=settings.label_smoothing
    )

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(windows: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(targets, network(windows, training=True))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    history: list[Epoch] = []
    best_weights = network.get_weights()
    best = -1.0
    interrupted = False
    try:
        for number in range(1, settings.epochs + 1):
            losses = []
            batches = _batches(training, windower, classes, settings.batch, random)
            for windows, targets in batches:
                losses.append(float(step(windows, targets)))
                observer.step()
            figure = evaluate(network, validation, windower, classes)
            history.append(Epoch(number, float(np.mean(losses)), figure))
            if figure > best:
                best, best_weights = figure, network.get_weights()
            observer.epoch(history[-1])
            if number - max(history, key=lambda epoch: epoch.validation_uar).number >= settings.patience:
                break
    except KeyboardInterrupt:
        interrupted = True
    network.set_weights(best_weights)
    return Training(network, tuple(history), interrupted)


def _batches(
    examples: Sequence[Example], windower: Windower, classes: int, size: int, random: np.random.Generator
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """One random window of one random take of every example, in random order."""
    order = random.permutation(len(examples))
    for at in range(0, max(size, len(order) - size + 1), size):
        chosen = [examples[index] for index in order[at : at + size]]
        windows = [
            windower.random_window(example.takes[random.integers(len(example.takes))], random)
            for example in chosen
        ]
        targets = np.eye(classes, dtype=np.float32)[[example.target for example in chosen]]
        yield np.stack(windows), targets


def clip_logits(
    network: tf.keras.Model, examples: Sequence[Example], windower: Windower
) -> list[tuple[FloatArray, FloatArray]]:
    """Per example, the logits of its clean take's windows and the frames that each covers.

    A take without a window of speech has none.
    """
    cut = [windower.windows(example.takes[0]) for example in examples]
    flat = np.stack([window for windows in cut for window, _ in windows])
    logits = np.concatenate(
        [network(flat[at : at + 256], training=False).numpy() for at in range(0, len(flat), 256)]
    )
    ends = np.cumsum([len(windows) for windows in cut])
    return [
        (part, np.array([weight for _, weight in windows], dtype=np.float32))
        for part, windows in zip(np.split(logits, ends[:-1]), cut, strict=True)
    ]


def evaluate(network: tf.keras.Model, examples: Sequence[Example], windower: Windower, classes: int) -> float:
    """UAR one clip at a time: a clip's label is its largest duration-weighted mean probability."""
    predicted: IntArray = np.array(
        [
            int(np.argmax(weights @ softmax(logits))) if len(logits) else classes
            for logits, weights in clip_logits(network, examples, windower)
        ]
    )
    return uar(np.array([example.target for example in examples]), predicted, classes)


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
