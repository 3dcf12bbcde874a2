"""Trains the speech detector, ``sertag/models/speech.npz``.

``python -m model_build.speech_detector --speech FOLDER --prompts FOLDER --music FOLDER --out FILE``

Made-up calls (:mod:`model_build.scenes`) of CREMA-D's clean utterances, of spoken prompts in other languages
and of music without singing are analysed as at run time; the network of :mod:`sertag.speech` learns their
labels.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_build.corpora import read_corpora
from model_build.scenes import (
    RATE,
    ROUGHLY_CLEAN,
    Material,
    framed,
    labelled,
    samples_of,
    training_scene,
)
from model_build.speech_figures import held_out
from sertag.features import FeatureSettings
from sertag.speech import FOLD, FUTURE, PAST, TAPS, Columns, Detector, network_input, silence
from sertag.types import FloatArray

_WIDTH = 32
_BATCH = 16
_RATE = 3e-3
_SMOOTHING = 0.01
# In seconds.
_LONGEST_UTTERANCE, _LONGEST_MUSIC = 8, 120


def read_material(speech: Path, prompts: Path, music: Path) -> Material:
    """Clean utterances of the training speakers, prompts and pieces of music: the first part of each."""
    spoken = [item.path for item in read_corpora([speech]).utterances if not held_out(item)]
    parts = (samples_of(path)[: _LONGEST_UTTERANCE * RATE] for path in (*spoken, *_files(prompts)))
    scenes = (labelled(samples, ROUGHLY_CLEAN) for samples in parts)
    pieces = [samples_of(path)[: _LONGEST_MUSIC * RATE] for path in _files(music)]
    return Material([scene for scene in scenes if scene.speech.any()], pieces)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def training_data(material: Material, count: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Scenes as the network sees them.

    Returns:
        Inputs ``(count, steps + context, columns * FOLD)``, 16 bits wide, and labels
        ``(count, steps, FOLD)``.
    """
    settings = FeatureSettings()
    columns = Columns(settings)
    before, after = silence(PAST, columns.count), silence(FUTURE, columns.count)
    inputs, labels = [], []
    for number in range(count):
        frames, speech = framed(training_scene(material, np.random.default_rng((seed, number))), settings)
        rows = np.concatenate([before, network_input(columns.of(frames)), after])
        inputs.append(rows.astype(np.float16).reshape(-1, columns.count * FOLD))
        labels.append(speech.astype(np.float32).reshape(-1, FOLD))
    return np.stack(inputs), np.stack(labels)


def train(inputs: FloatArray, labels: FloatArray, epochs: int, seed: int) -> Detector:
    """Fits the network; prints the mean loss of each epoch."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    model = _network(inputs.shape[-1])
    random = np.random.default_rng(seed)
    steps = len(inputs) // _BATCH
    decay = tf.keras.optimizers.schedules.CosineDecay(_RATE, steps * epochs, alpha=0.01)
    model.compile(
        tf.keras.optimizers.AdamW(decay, weight_decay=1e-4, clipnorm=1.0),
        tf.keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=_SMOOTHING),
    )
    for epoch in range(epochs):
        order = random.permutation(len(inputs))
        chosen = (np.sort(order[at * _BATCH : (at + 1) * _BATCH]) for at in range(steps))
        losses = [model.train_on_batch(inputs[part].astype(np.float32), labels[part]) for part in chosen]
        print(f"epoch {epoch + 1} of {epochs}: loss {np.mean(losses):.4f}", flush=True)
    layers = [model.get_layer(f"layer{number}").get_weights() for number in range(len(TAPS) + 1)]
    return Detector(
        FeatureSettings(), tuple(kernel for kernel, _ in layers), tuple(bias for _, bias in layers)
    )


def _network(width: int) -> Any:
    """The network of :class:`sertag.speech.Detector` in Keras.

    Dilated convolutions as dense layers on shifted copies: on a CPU many times as fast as TensorFlow's.
    """
    from tensorflow import keras

    inputs = hidden = keras.Input((None, width))
    for number, taps in enumerate(TAPS):
        seen = [_shifted(hidden, tap - taps[0], taps[-1] - tap) for tap in taps]
        joined = keras.layers.Concatenate()(seen) if len(seen) > 1 else hidden
        out = keras.layers.Dense(
            _WIDTH, activation="relu", kernel_initializer="he_normal", name=f"layer{number}"
        )(joined)
        hidden = out + _shifted(hidden, -taps[0], taps[-1]) if number else out
    return keras.Model(inputs, keras.layers.Dense(FOLD, name=f"layer{len(TAPS)}")(hidden))


def _shifted(hidden: Any, first: int, last: int) -> Any:
    """Without the first and the last steps."""
    return hidden[:, first : -last or None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains and writes the detector."""
    parser = argparse.ArgumentParser(description="Trains the speech detector.")
    parser.add_argument("--speech", type=Path, required=True, help="folder with CREMA-D")
    parser.add_argument("--prompts", type=Path, required=True, help="folder of speech in other languages")
    parser.add_argument("--music", type=Path, required=True, help="folder of music without singing")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--scenes", type=int, default=4_800, help="made-up calls of 24 s")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=10)
    given = parser.parse_args(arguments)
    material = read_material(given.speech, given.prompts, given.music)
    print(f"{len(material.utterances)} utterances, {len(material.music)} pieces of music", flush=True)
    inputs, labels = training_data(material, given.scenes, given.seed)
    train(inputs, labels, given.epochs, given.seed).save(given.out)


if __name__ == "__main__":
    main()
