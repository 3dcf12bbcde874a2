"""What is estimated from the training speakers before the network is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model_build.dataset import CLEAN, Example, Take, by_speaker, call_of
from sertag.adaptation import DoubleArray, EmotionEffects
from sertag.features import FeatureSettings
from sertag.normalisation import Normalisation
from sertag.types import BoolArray

_FEWEST_CLIPS = 3


def fit_normalisation(examples: Sequence[Example], settings: FeatureSettings) -> Normalisation:
    """Statistics of the training speakers' speech frames, each take relative to its own level."""
    counts, totals, squares = np.zeros((3, settings.inputs))
    for example in examples:
        for take in example.takes:
            sums = take.statistics
            level = np.zeros(settings.inputs)
            level[: settings.mels] = sums.level
            counts += sums.counts
            totals += sums.totals - sums.counts * level
            squares += sums.squares - 2 * level * sums.totals + sums.counts * level**2
    counts = np.maximum(counts, 1.0)
    mean = (totals / counts).astype(np.float32)
    deviation = np.sqrt(np.maximum(squares / counts - (totals / counts) ** 2, 1e-4)).astype(np.float32)
    normalisation = Normalisation(mean, deviation, 1.0)
    voices = [
        call_of([example.takes[CLEAN] for example in clips]).voice(mean, deviation)
        for clips in by_speaker(examples).values()
    ]
    spread = np.mean([normalisation.distance(voice, settings) for voice in voices])
    return replace(normalisation, spread=max(float(spread), 1e-3))


def fit_effects(
    examples: Sequence[Example], labels: int, settings: FeatureSettings, normalisation: Normalisation
) -> EmotionEffects:
    """What each emotion does to the statistics of the training speakers' clean takes.

    An additive model of speaker and emotion, by alternating means, so that speakers need not have all
    emotions.
    """
    speakers: dict[str, dict[int, list[Take]]] = {}
    for example in examples:
        of_emotion = speakers.setdefault(example.utterance.speaker, {})
        of_emotion.setdefault(example.target, []).append(example.takes[CLEAN])
    mels, inputs = settings.mels, settings.inputs
    means = np.full((len(speakers), labels, inputs), np.nan)
    levels = np.full((len(speakers), labels, 1), np.nan)
    deviations = np.full((len(speakers), labels, inputs), np.nan)
    for row, of_emotion in enumerate(speakers.values()):
        whole = call_of([take for takes in of_emotion.values() for take in takes])
        scale = whole.voice(normalisation.mean, normalisation.deviation).deviation
        for target, takes in of_emotion.items():
            if len(takes) < _FEWEST_CLIPS:
                continue
            voice = call_of(takes).voice(normalisation.mean, normalisation.deviation)
            mean = voice.mean.copy()
            mean[:mels] += voice.level
            means[row, target] = mean / scale
            levels[row, target] = voice.level
            deviations[row, target] = np.log(voice.deviation)
    return EmotionEffects(_additive(means), _additive(levels)[:, 0], _additive(deviations))


def _additive(values: DoubleArray) -> DoubleArray:
    """Effects of the second axis on ``(speakers, labels, n)``, NaN where unknown; they add up to 0."""
    known = ~np.isnan(values)
    values = np.where(known, values, 0.0)
    effects = np.zeros(values.shape[1:])
    for _ in range(20):
        own = _mean_known(values - effects, known, axis=1)
        effects = _mean_known(values - own[:, None], known, axis=0)
        effects -= effects.mean(axis=0)
    return effects


def _mean_known(values: DoubleArray, known: BoolArray, axis: int) -> DoubleArray:
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.asarray(total / np.maximum(known.sum(axis=axis), 1))
