"""What is estimated from the training speakers before the network is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from model_build.dataset import CLEAN, FIRST_SESSION, Example, Take, by_speaker, call_of
from sertag.adaptation import CallStatistics, DoubleArray, EmotionEffects
from sertag.familiarity import KnownLines, outline
from sertag.features import FeatureSettings
from sertag.normalisation import Normalisation
from sertag.types import BoolArray

_FEWEST_CLIPS = 3
_CALL_SECONDS = 30.0
_CLIP_SECONDS = 1.0
_RULING_SHARE = 0.8
_DIRECTIONS, _SPEAKERS_A_DIRECTION = 8, 4
_PARTS = 10


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
    return Normalisation(mean, deviation)


def fit_lines(
    examples: Sequence[Example], settings: FeatureSettings, normalisation: Normalisation, seed: int
) -> KnownLines:
    """What calls on known lines are like, from calls put together of the training speakers' clips.

    The spread is that of calls whose speakers had no part in the directions, the unrest that of these
    speakers' clips; of several corpora, the widest counts, so that none of them is foreign for being small.
    """
    random = np.random.default_rng(seed)

    def outlined(call: CallStatistics) -> DoubleArray:
        voice = call.voice(normalisation.mean, normalisation.deviation)
        return outline(voice, normalisation, settings)

    speakers = list(by_speaker(examples).values())
    calls = [np.array([outlined(call) for call in _calls(clips, random)]) for clips in speakers]
    of_calls: dict[str, list[float]] = {}
    of_clips: dict[str, list[tuple[float, float]]] = {}
    for part in range(min(_PARTS, len(speakers))):
        others = [each for row, each in enumerate(calls) if row % _PARTS != part]
        known = _known(others or calls)
        for clips, own in zip(speakers[part::_PARTS], calls[part::_PARTS], strict=True):
            corpus = clips[0].utterance.corpus
            of_calls.setdefault(corpus, []).extend(known.distance(call) for call in own)
            of_clips.setdefault(corpus, []).extend(
                (known.distance(outlined(each)) ** 2, 1 / each.seconds)
                for clip in clips
                for each in (take.statistics for take in clip.takes[:FIRST_SESSION])
                if each.seconds >= _CLIP_SECONDS
            )
    spreads = {corpus: float(np.mean(each)) for corpus, each in of_calls.items()}
    unrests = [_unrest(of_clips[corpus], spread) for corpus, spread in spreads.items()]
    return replace(_known(calls), spread=max(*spreads.values(), 1e-3), unrest=max(unrests))


def _unrest(clips: Sequence[tuple[float, float]], spread: float) -> float:
    """What a second adds to a spread, by clips: each one's squared distance, and 1 over its seconds."""
    if not clips:
        return 0.0
    squares, parts = np.array(clips).mean(axis=0)
    return math.sqrt(max(squares - spread**2, 0.0) / parts)


def _calls(clips: Sequence[Example], random: np.random.Generator) -> Iterator[CallStatistics]:
    """Calls of one speaker, clean and by telephone: of any emotions, and of each with it ruling."""
    of_emotion: dict[int, list[Example]] = {}
    for clip in clips:
        of_emotion.setdefault(clip.target, []).append(clip)
    emotions = list(of_emotion.values())
    for ruling in (None, *emotions):
        for take in range(min(FIRST_SESSION, len(clips[0].takes))):
            drawn, heard = [], 0.0
            while heard < _CALL_SECONDS:
                among = emotions[random.integers(len(emotions))]
                if ruling and random.random() < _RULING_SHARE:
                    among = ruling
                clip = among[random.integers(len(among))]
                drawn.append(clip.takes[take])
                heard += clip.takes[CLEAN].statistics.seconds
            yield call_of(drawn)


def _known(outlines: Sequence[DoubleArray]) -> KnownLines:
    """The lines of some speakers' calls; as many directions as so few speakers can show."""
    calls = np.concatenate(outlines)
    centre = calls.mean(axis=0)
    count = max(1, min(_DIRECTIONS, len(outlines) // _SPEAKERS_A_DIRECTION))
    return KnownLines(centre, np.linalg.svd(calls - centre, full_matrices=False)[2][:count], 1.0, 0.0)


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
