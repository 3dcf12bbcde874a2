"""The network: a strided convolutional front end, a bidirectional LSTM as the core, pooling, classes."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from sertag.features import FeatureSettings

layers = tf.keras.layers


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the network."""

    filters: tuple[int, int, int] = (16, 32, 48)
    dense: int = 128
    lstm: int = 96
    dropout: float = 0.3


def build_network(
    settings: FeatureSettings, length: int, classes: int, network: NetworkSettings
) -> tf.keras.Model:
    """Windows ``(batch, length, settings.inputs)`` to logits ``(batch, classes)``.

    Time is strided by 4. Attention and maximum pool what the LSTM says over the window.
    """
    inputs = layers.Input((length, settings.inputs))
    mel = layers.Reshape((length, settings.mels, 1))(inputs[:, :, : settings.mels])
    for filters, kernel, strides in zip(network.filters, (5, 3, 3), ((2, 2), (1, 2), (2, 2)), strict=True):
        mel = layers.Conv2D(filters, kernel, strides=strides, padding="same", use_bias=False)(mel)
        mel = layers.BatchNormalization()(mel)
        mel = layers.ReLU()(mel)
        mel = layers.SpatialDropout2D(network.dropout / 3)(mel)
    steps = mel.shape[1]
    mel = layers.Reshape((steps, mel.shape[2] * mel.shape[3]))(mel)
    mel = layers.Dense(network.dense, use_bias=False)(mel)
    mel = layers.BatchNormalization()(mel)
    mel = layers.ReLU()(mel)
    pitch = layers.Conv1D(16, 5, strides=2, padding="same", activation="relu")(inputs[:, :, settings.mels :])
    pitch = layers.Conv1D(16, 5, strides=2, padding="same", activation="relu")(pitch)
    x = layers.Concatenate()([mel, pitch])
    x = layers.Dropout(network.dropout)(x)
    x = layers.Bidirectional(layers.LSTM(network.lstm, return_sequences=True))(x)
    x = layers.Dropout(network.dropout)(x)
    weight = layers.Softmax(axis=1)(layers.Dense(1)(x))
    attended = tf.reduce_sum(x * weight, axis=1)
    pooled = layers.Concatenate()([attended, tf.reduce_max(x, axis=1)])
    pooled = layers.Dropout(network.dropout)(pooled)
    return tf.keras.Model(inputs, layers.Dense(classes)(pooled))
