"""What is estimated from the training speakers before the network is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from model_build.dataset import CLEAN, FIRST_SESSION, Example, Take, by_speaker, call_of
from sertag.adaptation import EmotionEffects
from sertag.call_statistics import CallStatistics
from sertag.familiarity import KnownLines, outline
from sertag.features import FeatureSettings
from sertag.normalisation import Normalisation
from sertag.types import BoolArray, DoubleArray

_FEWEST_CLIPS = 3
_CALL_SECONDS = 30.0
_CLIP_SECONDS = 1.0
_RULING_SHARE = 0.8
_DIRECTIONS = 16
_EVEN_SHARE = 0.3
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


def fit_lines(examples: Sequence[Example], settings: FeatureSettings, seed: int) -> KnownLines:
    """What calls on known lines are like, from calls put together of the training speakers' clips.

    Each corpus came over a line of its own, and over another by telephone. Spread and unrest are those of
    calls, and clips, whose speakers had no part in the line, where it has others.
    """
    random = np.random.default_rng(seed)
    speakers = list(by_speaker(examples).values())
    calls = [
        {line: [outline(call, settings) for call in own] for line, own in _calls(clips, random).items()}
        for clips in speakers
    ]
    whole = _Lines(calls)
    of_calls: dict[_Line, list[float]] = {line: [] for line in whole.names}
    of_clips: dict[_Line, list[tuple[float, float]]] = {line: [] for line in whole.names}
    for part in range(min(_PARTS, len(speakers))):
        others = [each for row, each in enumerate(calls) if row % _PARTS != part]
        without = _Lines(others or calls, whole)
        for clips, own in zip(speakers[part::_PARTS], calls[part::_PARTS], strict=True):
            for line, outlines in own.items():
                of_calls[line] += [without.distance(line, each) for each in outlines]
                of_clips[line] += [
                    (without.distance(line, outline(each, settings)) ** 2, 1 / each.seconds)
                    for each in (clip.takes[line.take].statistics for clip in clips)
                    if each.seconds >= _CLIP_SECONDS
                ]
    spreads = [max(float(np.mean(of_calls[line])), 1e-3) for line in whole.names]
    unrests = [_unrest(of_clips[line], spread) for line, spread in zip(whole.names, spreads, strict=True)]
    return replace(whole.known, spreads=np.array(spreads), unrests=np.array(unrests))


def _unrest(clips: Sequence[tuple[float, float]], spread: float) -> float:
    """What a second adds to a spread, by clips: each one's squared distance, and 1 over its seconds."""
    if not clips:
        return 0.0
    squares, parts = np.array(clips).mean(axis=0)
    return math.sqrt(max(squares - spread**2, 0.0) / parts)


class _Line(NamedTuple):
    """What calls of a corpus came over."""

    corpus: str
    take: int


def _calls(clips: Sequence[Example], random: np.random.Generator) -> dict[_Line, list[CallStatistics]]:
    """Calls of one speaker, clean and by telephone: of any emotions, and of each with it ruling."""
    of_emotion: dict[int, list[Example]] = {}
    for clip in clips:
        of_emotion.setdefault(clip.target, []).append(clip)
    emotions = list(of_emotion.values())
    corpus = clips[0].utterance.corpus
    calls: dict[_Line, list[CallStatistics]] = {}
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
            calls.setdefault(_Line(corpus, take), []).append(call_of(drawn))
    return calls


class _Lines:
    """The lines of some speakers' calls, whose spreads and unrests are not known yet.

    Args:
        calls: outlines of each speaker's calls.
        whole: the lines of all speakers, for those that these speakers have none of.
    """

    def __init__(self, calls: Sequence[dict[_Line, list[DoubleArray]]], whole: _Lines | None = None) -> None:
        own: dict[_Line, list[DoubleArray]] = {}
        for speaker in calls:
            for line, outlines in speaker.items():
                own.setdefault(line, []).append(np.array(outlines))
        centres = {}
        for line, of in own.items():
            together = np.concatenate(of)
            centres[line] = _mean_known(together, ~np.isnan(together), axis=0)
        if whole:
            centres = dict(zip(whole.names, whole.known.centres, strict=True)) | centres
        self.names: tuple[_Line, ...] = tuple(centres)
        off = [np.nan_to_num(each - centres[line]) for line, of in own.items() for each in of]
        self.known: KnownLines = _known(np.array(list(centres.values())), np.concatenate(off))

    def distance(self, line: _Line, outlined: DoubleArray) -> float:
        """How far an outline is from a line."""
        return float(self.known.distances(outlined)[self.names.index(line)])


def _known(centres: DoubleArray, off: DoubleArray) -> KnownLines:
    """Lines by their centres, and what calls are off these, which is alike on all lines.

    A share of the covariance is that of no direction in particular (Ledoit and Wolf 2004), as the speakers
    are few.
    """
    covariance = off.T @ off / len(off)
    # Of one clip again and again there is none.
    even = max(np.trace(covariance) / len(covariance), 1e-9)
    variances, directions = np.linalg.eigh(
        (1 - _EVEN_SHARE) * covariance + _EVEN_SHARE * even * np.eye(len(covariance))
    )
    rest = variances[:-_DIRECTIONS].mean()
    nothing = np.zeros(len(centres))
    return KnownLines(
        centres, nothing, nothing, directions[:, -_DIRECTIONS:].T, 1 - rest / variances[-_DIRECTIONS:]
    )


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
