"""Temperatures that make probabilities mean what they say, and the variety of calls that nobody rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from model_build.dataset import CLEAN, Example, by_speaker
from model_build.metrics import fit_temperature
from model_build.predict import Heard, listen, probabilities_of, windows_of
from sertag.adaptation import DoubleArray, variety
from sertag.listener import Calibration, Listener


def calibrate(listener: Listener, validation: Sequence[Example]) -> Listener:
    """The listener with its calibration fitted on validation speakers: one clip at a time, then adapted.

    Without validation speakers temperatures stay 1, and the variety unknown.
    """
    if not validation:
        return listener
    clips = [(listen(listener, [example.takes[CLEAN]]), [example.target]) for example in validation]
    one_clip = _fitted(clips, lambda temperature: Calibration(temperature, temperature))
    listener = replace(listener, calibration=Calibration(one_clip, one_clip))
    even = _even_variety(listener, validation)
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
    known = [each.variety for each in calibrations if each.variety]
    return Calibration(
        float(np.exp(np.mean([np.log(each.one_clip) for each in calibrations]))),
        float(np.exp(np.mean([np.log(each.adapted) for each in calibrations]))),
        float(np.mean(known)) if known else 0.0,
    )


def _even_variety(listener: Listener, validation: Sequence[Example]) -> float:
    """Of speakers of more than half of the emotions, the mean variety with each as frequent; 0 without."""
    found = []
    for clips in by_speaker(validation).values():
        counts = Counter(example.target for example in clips)
        answers, weights = [], []
        for example in clips:
            windows = windows_of(example.takes[CLEAN], listener.length)
            if windows:
                alone, covered = listener.first_hearing(windows)
                answers.append(alone)
                weights.append(covered / counts[example.target])
        if answers and len(counts) > len(listener.effects.level) / 2:
            found.append(variety(np.concatenate(answers), np.concatenate(weights)))
    return float(np.mean(found)) if found else 0.0


def _fitted(calls: list[tuple[list[Heard], list[int]]], of: Callable[[float], Calibration]) -> float:
    targets = np.array([target for _, clips in calls for target in clips])

    def probabilities(temperature: float) -> DoubleArray:
        return np.concatenate([probabilities_of(call, of(temperature)) for call, _ in calls])

    return fit_temperature(probabilities, targets)
