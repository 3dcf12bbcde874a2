"""Temperatures that make probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from model_build.dataset import CLEAN, Example, by_speaker
from model_build.metrics import fit_temperature
from model_build.predict import Heard, listen, probabilities_of
from sertag.adaptation import DoubleArray
from sertag.listener import Calibration, Listener


def calibrate(listener: Listener, validation: Sequence[Example]) -> Listener:
    """The listener with temperatures fitted on validation speakers: one clip at a time, then adapted.

    Without validation speakers both stay 1.
    """
    if not validation:
        return listener
    clips = [(listen(listener, [example.takes[CLEAN]]), [example.target]) for example in validation]
    one_clip = _fitted(clips, lambda temperature: Calibration(temperature, temperature))
    listener = replace(listener, calibration=Calibration(one_clip, one_clip))
    calls = [
        (
            listen(listener, [example.takes[CLEAN] for example in clips_of]),
            [example.target for example in clips_of],
        )
        for clips_of in by_speaker(validation).values()
    ]
    adapted = _fitted(calls, lambda temperature: Calibration(one_clip, temperature))
    return replace(listener, calibration=Calibration(one_clip, adapted))


def mean_calibration(calibrations: Sequence[Calibration]) -> Calibration:
    """The geometric mean of some calibrations: for a network that has no validation speakers of its own."""
    return Calibration(
        float(np.exp(np.mean([np.log(each.one_clip) for each in calibrations]))),
        float(np.exp(np.mean([np.log(each.adapted) for each in calibrations]))),
    )


def _fitted(calls: list[tuple[list[Heard], list[int]]], of: Callable[[float], Calibration]) -> float:
    targets = np.array([target for _, clips in calls for target in clips])

    def probabilities(temperature: float) -> DoubleArray:
        return np.concatenate([probabilities_of(call, of(temperature)) for call, _ in calls])

    return fit_temperature(probabilities, targets)
