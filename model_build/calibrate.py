"""Temperatures that make probabilities mean what they say, and what is usual in calls that nobody rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from model_build.dataset import CLEAN, Example, by_speaker, call_of
from model_build.metrics import fit_temperature
from model_build.predict import Heard, cut_call, listen, probabilities_of, windows_of
from sertag.listener import Calibration, Listener, apart, coverage
from sertag.mix import EvenCalls, softmax, variety
from sertag.types import DoubleArray
from sertag.windows import FrameWindow

_SURELY, _SLOPE = 0.85, 2.0
"""An emotion that is told so surely has the power 0 where it rules in a call, a less sure one so much more.
Chosen on simulated calls of validation speakers."""


def calibrate(listener: Listener, speakers: Sequence[Example]) -> Listener:
    """The listener with its calibration fitted on validation speakers: one clip at a time, then adapted.

    Clips without speech say nothing. Where no others are, temperatures stay 1, and even calls unknown.
    """
    validation = [example for example in speakers if example.has_speech]
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
    known = [each.even for each in calibrations if each.even]
    even = None
    if known:
        even = EvenCalls(
            np.mean([each.answers for each in known], axis=0),
            float(np.mean([each.variety for each in known])),
            np.mean([each.powers for each in known], axis=0),
        )
    return Calibration(
        float(np.exp(np.mean([np.log(each.one_clip) for each in calibrations]))),
        float(np.exp(np.mean([np.log(each.adapted) for each in calibrations]))),
        even,
    )


def _even_calls(listener: Listener, validation: Sequence[Example]) -> EvenCalls | None:
    """What speakers of more than half of the emotions tell, as if each were as frequent; None without."""
    labels = len(listener.effects.level)
    calls = [
        clips
        for clips in by_speaker([example for example in validation if _windows(listener, example)]).values()
        if len({example.target for example in clips}) > labels / 2
    ]
    if not calls:
        return None
    heard = [
        (example.target, *listener.hear_apart(_windows(listener, example)))
        for clips in calls
        for example in clips
    ]
    of_clips, answers_of, weights_of = zip(*heard, strict=True)
    targets = np.repeat(of_clips, [len(each) for each in answers_of])
    answers, weights = np.concatenate(answers_of), np.concatenate(weights_of)
    shares = weights * (targets == np.arange(labels)[:, np.newaxis])
    counts = shares.sum(axis=1, keepdims=True)
    usual = shares @ answers / np.maximum(counts, 1e-9)
    present = counts[:, 0] > 0
    # Where nobody has an emotion, it makes no difference to the mean.
    usual[~present] = usual[present].mean(axis=0)
    powers = _SLOPE * (_SURELY - np.diagonal(softmax(usual)))
    powers[~present] = powers[present].mean()
    found = [_variety(listener, clips, usual.mean(axis=0)) for clips in calls]
    return EvenCalls(usual * listener.calibration.one_clip, float(np.mean(found)), powers)


def _windows(listener: Listener, example: Example) -> list[FrameWindow]:
    return windows_of(example.takes[CLEAN], listener.length)


def _variety(listener: Listener, clips: Sequence[Example], usual: DoubleArray) -> float:
    """How various a speaker's clips are heard to be as one call, had it as much of each emotion."""
    takes = [example.takes[CLEAN] for example in clips]
    cut, windows = cut_call(takes, listener.length)
    rows = apart(windows)
    targets = np.repeat([example.target for example in clips], [len(each) for each in cut])[rows]
    weights = coverage([windows[row] for row in rows], listener.length) / np.bincount(targets)[targets]
    answers = listener.hear_plainly(windows, call_of(takes)).logits[rows] / listener.calibration.one_clip
    return variety(answers, weights, usual)


def _fitted(calls: list[tuple[list[Heard], list[int]]], of: Callable[[float], Calibration]) -> float:
    targets = np.array([target for _, clips in calls for target in clips])

    def probabilities(temperature: float) -> DoubleArray:
        return np.concatenate([probabilities_of(call, of(temperature)) for call, _ in calls])

    return fit_temperature(probabilities, targets)
