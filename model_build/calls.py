"""Calls that training draws, so that the network meets in training what adaptation makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_build.dataset import Example, call_of
from sertag.adaptation import CallStatistics, DoubleArray, EmotionEffects, Voice
from sertag.listener import EVEN_VOICE
from sertag.normalisation import Normalisation


class CallSampler:
    """Draws voices of calls that an example's take may be from.

    None for 10 % of windows, that of the clip alone for 15 %, of all clips of the speaker for 15 %, else of
    a call of 5 to 40 clips: in 60 % of these one emotion rules with 40 to 95 %, in every eighth a second
    voice speaks on the channel. At run time the mix of emotions is a guess, so here it is the truth with
    errors.
    """

    def __init__(
        self, examples: Sequence[Example], effects: EmotionEffects, normalisation: Normalisation
    ) -> None:
        self._effects = effects
        self._normalisation = normalisation
        self._of: dict[str, list[Example]] = {}
        for example in examples:
            self._of.setdefault(example.utterance.speaker, []).append(example)
        self._targets = {
            speaker: np.array([example.target for example in clips]) for speaker, clips in self._of.items()
        }
        self._speakers = sorted(self._of)
        self._whole: dict[tuple[str, int], CallStatistics] = {}

    def draw(self, example: Example, take: int, random: np.random.Generator) -> Voice | None:
        """The voice in a call with the take of that number in it; None for no call."""
        speaker = example.utterance.speaker
        clips = self._of[speaker]
        kind = random.random()
        if kind < 0.1:
            return None
        if kind < 0.25:
            return self._voice(example.takes[take].statistics, [example], random)
        if kind < 0.4:
            if (speaker, take) not in self._whole:
                self._whole[speaker, take] = call_of([clip.takes[take] for clip in clips])
            return self._voice(self._whole[speaker, take], clips, random)
        size = int(random.integers(4, 40))
        chosen = [clips[index] for index in random.choice(len(clips), size, p=self._shares(speaker, random))]
        if random.random() < 0.12:
            others = self._of[self._speakers[random.integers(len(self._speakers))]]
            chosen += [others[index] for index in random.integers(0, len(others), size)]
        chosen.append(example)
        return self._voice(call_of([clip.takes[take] for clip in chosen]), chosen, random)

    def _shares(self, speaker: str, random: np.random.Generator) -> DoubleArray | None:
        """How likely each clip of the speaker is: equally, or with one emotion ruling."""
        targets = self._targets[speaker]
        if random.random() < 0.4:
            return None
        ruling = targets == random.choice(np.unique(targets))
        if ruling.all():
            return None
        share = random.uniform(0.4, 0.95)
        return np.where(ruling, share / ruling.sum(), (1 - share) / (~ruling).sum())

    def _voice(
        self, statistics: CallStatistics, clips: Sequence[Example], random: np.random.Generator
    ) -> Voice:
        labels = len(self._effects.level)
        counts = np.bincount([clip.target for clip in clips], minlength=labels).astype(np.float64)
        error = random.uniform(0.0, 0.6)
        guessed = (1 - error) * counts + error * counts.sum() * random.dirichlet(np.ones(labels))
        mix = (guessed + EVEN_VOICE / labels) / (counts.sum() + EVEN_VOICE)
        voice = statistics.voice(self._normalisation.mean, self._normalisation.deviation)
        return self._effects.remove(voice, mix, statistics.settings.mels)
