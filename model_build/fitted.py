"""One training of a protocol: from examples to a listener."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import tensorflow as tf

from model_build.architectures import build_network
from model_build.calibrate import calibrate, uncalibrated
from model_build.dataset import Example, Windower
from model_build.fit import fit_effects, fit_lines, fit_normalisation
from model_build.kept import KeptNetworks
from model_build.material import Material
from model_build.protocol import Part
from model_build.recipe import Recipe
from model_build.teacher import lessons_of
from model_build.train import TrainingObserver, train
from sertag.adaptation import EmotionEffects
from sertag.listener import Calibration, Listener
from sertag.types import FloatArray

_SMALL = 3
"""Corpora with less than this part of the largest's clips are shown to the network twice an epoch."""


@dataclass(frozen=True)
class Fitted:
    """A trained network with what belongs to it; ``silent`` clips were not trained on."""

    network: tf.keras.Model
    listener: Listener
    epochs: int
    interrupted: bool
    silent: int

    def calibrated(self, calibration: Calibration) -> Fitted:
        """The same with other temperatures and usual answers; what foreign lines add is the network's own."""
        own = replace(calibration, foreign=self.listener.calibration.foreign)
        return replace(self, listener=replace(self.listener, calibration=own))


def fit_part(
    part: Part, material: Material, recipe: Recipe, kept: KeptNetworks, observer: TrainingObserver
) -> Fitted:
    """Trains on a part's training speakers, and fits the temperatures on its validation speakers.

    Args:
        part: who is on which side.
        material: what they say.
        recipe: how to train.
        kept: the networks that need not be trained again; a finished one is added.
        observer: is told how it goes.

    Raises:
        KeyboardInterrupt: before the first epoch was over.
    """
    # Silence teaches nothing; where nothing is learnt it stays, to count as wrong.
    given, features, labels = material.of(part.training), material.features, material.labels
    training = [example for example in given if example.has_speech]
    normalisation = fit_normalisation(training, features)
    effects = fit_effects(training, len(labels), features, normalisation)
    lines = fit_lines(training, features, recipe.seed)
    windower = Windower(features, normalisation, features.frames_in(recipe.window))
    weights, epochs, interrupted = kept.weights(part), recipe.epochs, False
    if weights is None:
        weights, epochs = _trained(
            part.name, training, material.unlabelled, windower, effects, recipe, observer
        )
        interrupted = epochs < recipe.epochs
        if not interrupted:
            kept.keep(part, weights)
    network = build_network(features, windower.length, len(labels), recipe.network)
    network.set_weights(weights)
    listener = Listener(
        run=_runs(network),
        settings=features,
        length=windower.length,
        normalisation=normalisation,
        effects=effects,
        lines=lines,
        calibration=uncalibrated(labels, {example.utterance.corpus for example in training}),
    )
    listener = calibrate(listener, material.of(part.validation))
    return Fitted(network, listener, epochs, interrupted, len(given) - len(training))


def _runs(network: tf.keras.Model) -> Callable[[FloatArray], FloatArray]:
    """The network as a listener runs it."""
    shape = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    graph = tf.function(partial(network, training=False), input_signature=[shape])

    def run(inputs: FloatArray) -> FloatArray:
        return np.asarray(graph(tf.constant(inputs)))

    return run


def _trained(
    name: str,
    training: Sequence[Example],
    unlabelled: Sequence[Example],
    windower: Windower,
    effects: EmotionEffects,
    recipe: Recipe,
    observer: TrainingObserver,
) -> tuple[list[FloatArray], int]:
    """A network's weights, and after how many epochs.

    Raises:
        KeyboardInterrupt: before the first was over.
    """
    lessons = {}
    if recipe.teacher:
        observer.stage(f"{name}: lessons", 1)
        lessons = lessons_of(training, unlabelled, len(effects.level), recipe.seed)
        observer.step()
    trained = train(
        _balanced(training),
        [example for example in lessons if not example.is_labelled],
        windower,
        effects,
        recipe.training,
        recipe.network,
        lessons,
        name=name,
        observer=observer,
    )
    if not trained.history:
        raise KeyboardInterrupt
    return trained.weights, len(trained.history)


def _balanced(examples: Sequence[Example]) -> list[Example]:
    """The examples, twice those of corpora that are small beside the largest."""
    clips = Counter(example.utterance.corpus for example in examples)
    small = {corpus for corpus, count in clips.items() if count < max(clips.values()) / _SMALL}
    return [example for example in examples for _ in range(1 + (example.utterance.corpus in small))]
