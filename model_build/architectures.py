"""The network: a strided convolutional front end, an LSTM as the core, pooling, classes."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from sertag.features import FeatureSettings
from sertag.normalisation import VIEWS

layers = tf.keras.layers


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the network; ``context`` counts the convolutions over time before the LSTM."""

    filters: tuple[int, int, int] = (8, 32, 48)
    dense: int = 96
    context: int = 0
    width: int = 128
    lstm: int = 64
    dropout: float = 0.1


TAUGHT = NetworkSettings(filters=(12, 32, 64), dense=128, context=2)
"""Room for what a teacher says, at 1.4 times the time; from labels alone more room gained nothing."""


def build_network(
    settings: FeatureSettings, length: int, classes: int, network: NetworkSettings, *, unroll: bool = False
) -> tf.keras.Model:
    """Windows ``(batch, length, settings.inputs, VIEWS)`` to logits ``(batch, classes)``.

    Time is strided by 8, to a step of 160 ms: finer steps cost the LSTM time and gained nothing.
    Attention and maximum pool what the LSTM says over the window; a second LSTM that runs backwards
    gained nothing either.

    Args:
        settings: of the features.
        length: the window's length in frames.
        classes: how many there are.
        network: sizes.
        unroll: the LSTM step by step instead of as a loop, with the same weights: twice as fast to train,
            but the converter fuses only a loop.
    """
    inputs = layers.Input((length, settings.inputs, VIEWS))
    mel = inputs[:, :, : settings.mels]
    # Separable further up only: depthwise convolutions of few channels are slow in tflite-runtime.
    kinds = (layers.Conv2D, layers.Conv2D, layers.SeparableConv2D)
    for filters, convolution in zip(network.filters, kinds, strict=True):
        mel = convolution(filters, 3, strides=2, padding="same", use_bias=False)(mel)
        mel = layers.BatchNormalization()(mel)
        mel = layers.ReLU()(mel)
    steps = mel.shape[1]
    mel = layers.Reshape((steps, mel.shape[2] * mel.shape[3]))(mel)
    mel = layers.Dropout(network.dropout / 2)(mel)
    mel = layers.Dense(network.dense, use_bias=False)(mel)
    mel = layers.BatchNormalization()(mel)
    mel = layers.ReLU()(mel)
    pitch = layers.Reshape((length, (settings.inputs - settings.mels) * VIEWS))(inputs[:, :, settings.mels :])
    pitch = layers.Conv1D(16, 5, strides=2, padding="same", activation="relu")(pitch)
    pitch = layers.Conv1D(16, 5, strides=4, padding="same", activation="relu")(pitch)
    x = layers.Concatenate()([mel, pitch])
    for number in range(network.context):
        # Much cheaper in tflite-runtime than an LSTM of more units.
        wider = layers.Conv1D(network.width, 3, padding="same", use_bias=False)(x)
        wider = layers.ReLU()(layers.BatchNormalization()(wider))
        x = layers.Add()([x, wider]) if number else wider
    x = layers.Dropout(network.dropout)(x)
    x = layers.LSTM(network.lstm, return_sequences=True, unroll=unroll)(x)
    x = layers.Dropout(network.dropout)(x)
    weight = layers.Softmax(axis=1)(layers.Dense(1)(x))
    attended = tf.reduce_sum(x * weight, axis=1)
    pooled = layers.Concatenate()([attended, tf.reduce_max(x, axis=1)])
    pooled = layers.Dropout(network.dropout)(pooled)
    return tf.keras.Model(inputs, layers.Dense(classes)(pooled))
