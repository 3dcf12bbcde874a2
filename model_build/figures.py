"""The figures of a protocol: what all its trainings came to, each speaker tested once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_build.dataset import CLEAN, Example
from model_build.evaluate import Evaluation, Evaluations
from model_build.metrics import rounded
from model_build.observer import Observer
from model_build.predict import ADAPTED, CLEAR, CONDITIONS, MODES, ONE_CLIP, Predictions, predict, predict_all
from model_build.protocol import Protocol
from model_build.simulate import CallClips, CallFigures, simulate_calls
from sertag.listener import Calibration, Listener


@dataclass(frozen=True)
class Tested:
    """What one training's network made of its test speakers.

    ``quantised`` holds the finished file's predictions by mode and condition, ``floating`` those of the
    network before quantisation, of clean clips, by mode.
    """

    calibration: Calibration
    quantised: dict[tuple[str, str], Predictions]
    floating: dict[str, Predictions]
    calls: dict[tuple[str, int], CallClips]


def measure_part(
    name: str,
    quantised: Listener,
    floating: Listener,
    test: Sequence[Example],
    labels: tuple[str, ...],
    observer: Observer,
) -> Tested:
    """Measures one training on its test speakers."""
    observer.stage(f"{name}: testing", len(MODES) * (len(CONDITIONS) + 1))
    answers = predict_all(quantised, test, labels, observer)
    before = {}
    for mode in MODES:
        before[mode] = predict(floating, test, labels, CLEAN, adapted=mode == ADAPTED)
        observer.step()
    calls = simulate_calls(quantised, test, observer)
    return Tested(quantised.calibration, answers, before, calls)


@dataclass(frozen=True)
class CorpusFigures:
    """Figures on one corpus, by mode and condition; UAR of the float network by mode."""

    corpus: str
    evaluations: Evaluations
    float_uar: dict[str, float]


@dataclass(frozen=True)
class Figures:
    """The figures of a protocol, pooled over its trainings."""

    protocol: Protocol
    corpora: tuple[CorpusFigures, ...]
    calls: dict[tuple[str, int], CallFigures]

    @classmethod
    def of(cls, protocol: Protocol, tested: Sequence[Tested]) -> Figures:
        """Pools what the trainings' networks made of their test speakers."""
        first = tested[0]
        quantised, floating = dict(first.quantised), dict(first.floating)
        calls = dict(first.calls)
        for other in tested[1:]:
            for key in quantised:
                quantised[key] += other.quantised[key]
            for mode in floating:
                floating[mode] += other.floating[mode]
            for call, clips in other.calls.items():
                calls[call] = calls[call] + clips if call in calls else clips
        names = sorted({item.corpus for item in quantised[ONE_CLIP, CLEAR].utterances})
        labels = len(quantised[ONE_CLIP, CLEAR].labels)
        return cls(
            protocol,
            tuple(
                CorpusFigures(
                    name,
                    {key: Evaluation.of(predictions.among(name)) for key, predictions in quantised.items()},
                    {mode: Evaluation.of(floating[mode].among(name)).uar.value for mode in MODES},
                )
                for name in names
            ),
            {key: CallFigures.of(clips, labels) for key, clips in calls.items()},
        )

    def summary(self) -> dict[str, Any]:
        """The main figures, for a model's metadata."""
        return {
            "protocol": self.protocol,
            "corpora": {
                each.corpus: {
                    f"{mode}, {condition}": {
                        "clips": evaluation.clips,
                        "speakers": evaluation.speakers,
                        "uar": evaluation.uar.rounded(),
                        "accuracy": evaluation.accuracy.rounded(),
                        "calibration_error": rounded(evaluation.calibration_error),
                        "brier": evaluation.brier.rounded(),
                    }
                    for (mode, condition), evaluation in each.evaluations.items()
                }
                for each in self.corpora
            },
        }
