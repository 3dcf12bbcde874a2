"""Calls that training draws, so that the network meets in training much of what adaptation makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_build.dataset import Example
from model_build.metrics import IntArray
from sertag.adaptation import Call, EmotionEffects
from sertag.call_statistics import CallStatistics
from sertag.features import FeatureSettings
from sertag.normalisation import Normalisation
from sertag.types import DoubleArray

_HALF_TRUST_SECONDS = 20.0
_EVEN = 2.0
# Here the mix is known but for the errors put in, so its lead alone tells whether one emotion rules: how far
# it is on the way from an even share to all of the call.
_NOBODY_RULES, _ONE_RULES = 0.16, 0.28


class CallSampler:
    """Draws calls that an example's take may be from.

    None for 10 % of windows, the clip alone for 15 %, all clips of the speaker for 15 %, else a call of 5
    to 40 clips: in 60 % of these one emotion rules with 40 to 95 %, in every eighth a second voice says
    nearly as many on the channel. At run time the mix of emotions is a guess, so here it is the truth with
    errors. No line is foreign, and all calls are trusted by half at 20 s.

    Args:
        examples: what calls are made of; one that comes twice counts once.
        effects: of the emotions on a call's statistics.
        normalisation: of the inputs.
    """

    def __init__(
        self, examples: Sequence[Example], effects: EmotionEffects, normalisation: Normalisation
    ) -> None:
        examples = list(dict.fromkeys(examples))
        self._effects = effects
        self._normalisation = normalisation
        self._targets = np.array([example.target for example in examples])
        self._sums = np.array([[_row(take.statistics) for take in example.takes] for example in examples])
        names = np.array([example.utterance.speaker for example in examples])
        self._clips = {str(name): np.flatnonzero(names == name) for name in np.unique(names)}
        self._by_emotion = {
            name: [clips[self._targets[clips] == target] for target in np.unique(self._targets[clips])]
            for name, clips in self._clips.items()
        }
        self._speakers = sorted(self._clips)
        self._number = {example: row for row, example in enumerate(examples)}
        self._whole: dict[tuple[str, int], DoubleArray] = {}

    def draw(self, example: Example, take: int, random: np.random.Generator) -> Call | None:
        """A call with the take of that number in it; None for no call."""
        speaker = example.utterance.speaker
        settings = example.takes[take].statistics.settings
        kind = random.random()
        if kind < 0.1:
            return None
        own = np.array([self._number[example]])
        if kind < 0.25:
            return self._call(self._sums[own, take].sum(axis=0), own, settings, random)
        if kind < 0.4:
            clips = self._clips[speaker]
            if (speaker, take) not in self._whole:
                self._whole[speaker, take] = self._sums[clips, take].sum(axis=0)
            return self._call(self._whole[speaker, take], clips, settings, random)
        size = int(random.integers(4, 40))
        chosen = [self._drawn(speaker, size, random), own]
        if random.random() < 0.12:
            others = self._clips[self._speakers[random.integers(len(self._speakers))]]
            chosen.append(random.choice(others, size))
        call = np.concatenate(chosen)
        return self._call(self._sums[call, take].sum(axis=0), call, settings, random)

    def _drawn(self, speaker: str, size: int, random: np.random.Generator) -> IntArray:
        """So many of the speaker's clips: each equally likely, or with one emotion ruling."""
        clips, by_emotion = self._clips[speaker], self._by_emotion[speaker]
        if random.random() < 0.4 or len(by_emotion) == 1:
            return np.asarray(random.choice(clips, size))
        ruling = int(random.integers(len(by_emotion)))
        share = random.uniform(0.4, 0.95)
        rest = clips[self._targets[clips] != self._targets[by_emotion[ruling][0]]]
        count = int(random.binomial(size, share))
        return np.concatenate([random.choice(by_emotion[ruling], count), random.choice(rest, size - count)])

    def _call(
        self, sums: DoubleArray, clips: IntArray, settings: FeatureSettings, random: np.random.Generator
    ) -> Call:
        voice = _statistics(sums, settings).voice(self._normalisation.mean, self._normalisation.deviation)
        labels = len(self._effects.level)
        counts = np.bincount(self._targets[clips], minlength=labels).astype(np.float64)
        error = random.uniform(0.0, 0.6)
        guessed = (1 - error) * counts + error * counts.sum() * random.dirichlet(np.ones(labels))
        mix = (guessed + _EVEN / labels) / (counts.sum() + _EVEN)
        lead = (mix.max() - 1 / labels) / (1 - 1 / labels)
        ruled = np.clip((lead - _NOBODY_RULES) / (_ONE_RULES - _NOBODY_RULES), 0.0, 1.0)
        voice = self._effects.remove(voice, ruled * mix, settings.mels)
        return Call(voice, voice.trust(_HALF_TRUST_SECONDS), 1.0)


def _row(statistics: CallStatistics) -> DoubleArray:
    """Statistics as a row of numbers, so that those of a call's clips add up at once."""
    return np.concatenate([statistics.counts, statistics.totals, statistics.squares, [statistics.power]])


def _statistics(row: DoubleArray, settings: FeatureSettings) -> CallStatistics:
    counts, totals, squares = row[:-1].reshape(3, settings.inputs)
    # Of the line nothing is asked here.
    nothing = np.zeros(settings.mels)
    return CallStatistics(counts, totals, squares, float(row[-1]), 0, nothing, 0, nothing, settings)
