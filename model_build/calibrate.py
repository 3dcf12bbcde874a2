"""Temperatures that make probabilities mean what they say, and what networks usually answer to emotions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from model_build.corpora import crema_d
from model_build.dataset import CLEAN, Example, by_speaker
from model_build.metrics import fit_temperature
from model_build.predict import Heard, listen, probabilities_alone, probabilities_of
from sertag.listener import Calibration, Listener
from sertag.types import DoubleArray

_SUPPOSED = 4.0
"""Nats for the right emotion, in answers that nobody is at hand to tell."""

_FOREIGN = {crema_d.NAME: {"fearful": 0.75, "neutral": -0.75}}
"""Nats that foreign lines add, for networks of one corpus: in EMO-DB, RAVDESS, SAVEE and TESS alike those of
CREMA-D hear too much fear and too little peace. For networks of several it differs from line to line."""


def uncalibrated(labels: Sequence[str], corpora: Collection[str]) -> Calibration:
    """Temperatures of 1, and what is usual as good networks answer to each emotion.

    Args:
        labels: of the network.
        corpora: names of those that it learns from.
    """
    known = _FOREIGN.get(next(iter(corpora)), {}) if len(corpora) == 1 else {}
    foreign = np.array([known.get(label, 0.0) for label in labels])
    return Calibration(1.0, 1.0, 1.0, _supposed(len(labels)), foreign - foreign.mean())


def calibrate(listener: Listener, speakers: Sequence[Example]) -> Listener:
    """The listener with its calibration fitted on validation speakers.

    Clips without speech say nothing. Where no others are, the calibration stays as it is.
    """
    validation = [example for example in speakers if example.has_speech]
    if not validation:
        return listener
    clips = [([example.takes[CLEAN]], [example.target]) for example in validation]
    heard_alone = [(listen(listener, clip, adapted=False), target) for clip, target in clips]
    alone = _fitted(heard_alone, probabilities_alone)
    usual = _usual_answers(listener, validation, [clip for (clip,), _ in heard_alone], alone)

    def calibration(one_clip: float, adapted: float) -> Calibration:
        return Calibration(alone, one_clip, adapted, usual, listener.calibration.foreign)

    listener = replace(listener, calibration=calibration(alone, alone))
    heard_so = [(listen(listener, clip), target) for clip, target in clips]
    one_clip = _fitted(heard_so, lambda call, warm: probabilities_of(call, calibration(warm, warm)))
    calls = [
        (
            listen(listener, [example.takes[CLEAN] for example in clips_of]),
            [example.target for example in clips_of],
        )
        for clips_of in by_speaker(validation).values()
    ]
    adapted = _fitted(calls, lambda call, warm: probabilities_of(call, calibration(one_clip, warm)))
    return replace(listener, calibration=calibration(one_clip, adapted))


def calibrations_by_others(
    listeners: Sequence[Listener], tests: Sequence[Sequence[Example]]
) -> list[Calibration]:
    """For each fold's network the mean of what suits the others on the speakers that these have not met.

    So all speakers but a fold's own train its network, as all do for the one that is written, whose
    calibration is come by alike; and nobody has a say in a calibration that is tested on him.

    Args:
        listeners: one a fold.
        tests: who tests each; of more folds than there are listeners the rest is left out.
    """
    suiting = [
        calibrate(listener, test).calibration for listener, test in zip(listeners, tests, strict=False)
    ]
    if len(suiting) == 1:
        return [listeners[0].calibration]
    return [mean_calibration(suiting[:number] + suiting[number + 1 :]) for number in range(len(suiting))]


def mean_calibration(calibrations: Sequence[Calibration]) -> Calibration:
    """The mean of some calibrations, of temperatures the geometric one.

    It is for a network that has no validation speakers of its own.
    """
    temperatures = [(each.alone, each.one_clip, each.adapted) for each in calibrations]
    alone, one_clip, adapted = np.exp(np.mean(np.log(temperatures), axis=0)).tolist()
    usual, foreign = (
        np.mean(each, axis=0)
        for each in zip(*((one.usual, one.foreign) for one in calibrations), strict=True)
    )
    return Calibration(alone, one_clip, adapted, usual, foreign)


def _supposed(labels: int) -> DoubleArray:
    """What is usual where nobody tells."""
    return _SUPPOSED * np.eye(labels)


def _usual_answers(
    listener: Listener, validation: Sequence[Example], heard: Sequence[Heard], temperature: float
) -> DoubleArray:
    """Mean logits of each emotion's windows, of speakers of more than half of the emotions.

    Where nobody speaks in so many, they are supposed, and answers by the temperature that they are heard at.
    """
    labels = len(listener.effects.level)
    emotions: dict[str, set[int]] = {}
    for example in validation:
        emotions.setdefault(example.utterance.speaker, set()).add(example.target)
    sums, counts = np.zeros((labels, labels)), np.zeros((labels, 1))
    for example, clip in zip(validation, heard, strict=True):
        if len(emotions[example.utterance.speaker]) > labels / 2:
            sums[example.target] += clip.weights @ clip.heard.logits
            counts[example.target] += clip.weights.sum()
    present = counts[:, 0] > 0
    if not present.any():
        return temperature * _supposed(labels)
    usual = sums / np.maximum(counts, 1e-9)
    # An emotion that nobody has is heard as any.
    usual[~present] = usual[present].mean(axis=0)
    return np.asarray(usual)


def _fitted(
    calls: Sequence[tuple[list[Heard], list[int]]], of: Callable[[list[Heard], float], DoubleArray]
) -> float:
    targets = np.array([target for _, clips in calls for target in clips])

    def probabilities(temperature: float) -> DoubleArray:
        return np.concatenate([of(call, temperature) for call, _ in calls])

    return fit_temperature(probabilities, targets)
