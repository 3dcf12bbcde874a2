"""Temperatures that make probabilities mean what they say, and what is usual in calls that nobody rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from model_build.dataset import CLEAN, Example, by_speaker
from model_build.metrics import IntArray, fit_temperature
from model_build.predict import Heard, listen, probabilities_of, windows_of
from sertag.adaptation import DoubleArray
from sertag.listener import Calibration, Listener
from sertag.mix import EvenCalls, variety


def calibrate(listener: Listener, validation: Sequence[Example]) -> Listener:
    """The listener with its calibration fitted on validation speakers: one clip at a time, then adapted.

    Without validation speakers temperatures stay 1, and even calls unknown.
    """
    if not validation:
        return listener
    clips = [(listen(listener, [example.takes[CLEAN]]), [example.target]) for example in validation]
    one_clip = _fitted(clips, lambda temperature: Calibration(temperature, temperature))
    listener = replace(listener, calibration=Calibration(one_clip, one_clip))
    even = _even_calls(listener, validation)
    listener = replace(listener, calibration=Calibration(one_clip, one_clip, even))
    calls = [
        (
            listen(listener, [example.takes[CLEAN] for example in clips_of]),
            [example.target for example in clips_of],
        )
        for clips_of in by_speaker(validation).values()
    ]
    adapted = _fitted(calls, lambda temperature: Calibration(one_clip, temperature, even))
    return replace(listener, calibration=Calibration(one_clip, adapted, even))


def mean_calibration(calibrations: Sequence[Calibration]) -> Calibration:
    """The mean of some calibrations, of temperatures the geometric one.

    It is for a network that has no validation speakers of its own.
    """
    known = [each.even for each in calibrations if each.even]
    answers = np.mean([even.answers for even in known], axis=0) if known else None
    return Calibration(
        float(np.exp(np.mean([np.log(each.one_clip) for each in calibrations]))),
        float(np.exp(np.mean([np.log(each.adapted) for each in calibrations]))),
        None if answers is None else EvenCalls(answers, float(np.mean([even.variety for even in known]))),
    )


def _even_calls(listener: Listener, validation: Sequence[Example]) -> EvenCalls | None:
    """What speakers of more than half of the emotions tell, as if each were as frequent; None without."""
    labels = len(listener.effects.level)
    calls = [call for clips in by_speaker(validation).values() if (call := _first_hearings(listener, clips))]
    calls = [call for call in calls if len(set(call[0])) > labels / 2]
    if not calls:
        return None
    targets, answers, weights = (np.concatenate(each) for each in zip(*calls, strict=True))
    shares = weights * (targets == np.arange(labels)[:, np.newaxis])
    counts = shares.sum(axis=1, keepdims=True)
    usual = shares @ answers / np.maximum(counts, 1e-9)
    present = counts[:, 0] > 0
    # Where nobody has an emotion, it makes no difference to the mean.
    usual[~present] = usual[present].mean(axis=0)
    found = [
        variety(answers, weights / np.bincount(targets)[targets], usual.mean(axis=0))
        for targets, answers, weights in calls
    ]
    return EvenCalls(usual * listener.calibration.one_clip, float(np.mean(found)))


def _first_hearings(
    listener: Listener, clips: Sequence[Example]
) -> tuple[IntArray, DoubleArray, DoubleArray] | None:
    """Targets, answers and weights of the windows of clips, each by itself; None where nobody speaks."""
    heard = [
        (example.target, *listener.first_hearing(windows))
        for example in clips
        if (windows := windows_of(example.takes[CLEAN], listener.length))
    ]
    if not heard:
        return None
    targets, answers, weights = zip(*heard, strict=True)
    repeated = np.repeat(targets, [len(each) for each in answers])
    return repeated, np.concatenate(answers), np.concatenate(weights)


def _fitted(calls: list[tuple[list[Heard], list[int]]], of: Callable[[float], Calibration]) -> float:
    targets = np.array([target for _, clips in calls for target in clips])

    def probabilities(temperature: float) -> DoubleArray:
        return np.concatenate([probabilities_of(call, of(temperature)) for call, _ in calls])

    return fit_temperature(probabilities, targets)
