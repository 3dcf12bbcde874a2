"""Accuracy of a finished model file, measured with the code that tags recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import soxr

from model_build.augment import TELEPHONE_RATE
from model_build.corpora import Corpora, Utterance
from model_build.metrics import IntArray, Interval, bootstrap, calibration_error, confusion, uar
from model_build.observer import Observer
from sertag.audio import AudioReader
from sertag.errors import RecordingError, UsageError
from sertag.tagger import Tagger
from sertag.timeline import Timeline
from sertag.types import FloatArray


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures one clip at a time.

    ``confusion`` has a row per true label and, behind the labels' columns, one for clips that were
    all ``no_speech``; these are wrong and do not count in the calibration error.
    """

    labels: tuple[str, ...]
    uar: Interval
    accuracy: Interval
    calibration_error: float
    confusion: IntArray
    speakers: int
    uar_by_sex: dict[str, float]

    @property
    def clips(self) -> int:
        """How many clips there were."""
        return int(self.confusion.sum())

    @property
    def recalls(self) -> dict[str, float]:
        """Share of each label's clips that was found."""
        counts = self.confusion.sum(axis=1)
        return {
            label: float(self.confusion[index, index] / counts[index])
            for index, label in enumerate(self.labels)
            if counts[index]
        }


@dataclass(frozen=True)
class CorpusEvaluation:
    """Figures on one corpus, and how many of its clips were left out, by reason."""

    corpus: str
    clean: Evaluation
    telephone: Evaluation
    left_out: dict[str, int]


def evaluate_corpora(tagger: Tagger, corpora: Corpora, observer: Observer) -> list[CorpusEvaluation]:
    """Measures a model on each corpus: on clips as they are, and through a telephone.

    Speakers whom the model's training or validation saw are left out, as are clips whose label the
    model does not know.

    Raises:
        UsageError: where no clip is left.
    """
    split = tagger.model.metadata.about["split"]
    met = {*split["training"], *split["validation"]}
    results = []
    for corpus in corpora.corpora:
        left_out: Counter[str] = Counter()
        usable = []
        for utterance in corpus.utterances:
            if utterance.speaker in met:
                left_out["the model was trained on the speaker"] += 1
            elif utterance.emotion not in tagger.model.metadata.labels:
                left_out[f"the model does not know the label {utterance.emotion}"] += 1
            elif not _decodes(utterance):
                left_out["cannot be decoded"] += 1
            else:
                usable.append(utterance)
        if usable:
            observer.stage(corpus.name, 2 * len(usable))
            clean, telephone = (
                evaluate_file(tagger, usable, telephone=telephone, on_clip=observer.step)
                for telephone in (False, True)
            )
            results.append(CorpusEvaluation(corpus.name, clean, telephone, dict(left_out)))
    if not results:
        raise UsageError("no clip is left that the model was not trained on and whose label it knows")
    return results


def evaluate_file(
    tagger: Tagger,
    utterances: Sequence[Utterance],
    *,
    telephone: bool = False,
    on_clip: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Tags every utterance as `sertag scan` would, and compares.

    Args:
        tagger: the model; its labels must include the utterances'.
        utterances: what to tag. A clip that is all ``no_speech`` counts as wrong.
        telephone: whether to make an 8 kHz mu-law file of each first, and tag that.
        on_clip: told after each.

    Raises:
        RecordingError: for an utterance that cannot be decoded.
    """
    labels = tagger.model.metadata.labels
    classes = len(labels)
    targets = np.array([labels.index(utterance.emotion) for utterance in utterances])
    predicted: IntArray = np.empty(len(utterances), dtype=np.int64)
    confidence = np.empty(len(utterances), dtype=np.float32)
    with TemporaryDirectory() as folder:
        for row, utterance in enumerate(utterances):
            path = _telephoned(utterance.path, Path(folder)) if telephone else utterance.path
            shares = clip_probabilities(tagger.tag(path))
            predicted[row] = classes if shares is None else int(np.argmax(shares))
            confidence[row] = 0.0 if shares is None else shares.max()
            on_clip()
    speakers = [utterance.speaker for utterance in utterances]
    right, heard = predicted == targets, predicted < classes
    sexes = np.array([utterance.sex for utterance in utterances])
    return Evaluation(
        labels=labels,
        uar=bootstrap(lambda rows: uar(targets[rows], predicted[rows], classes), speakers),
        accuracy=bootstrap(lambda rows: float(right[rows].mean()), speakers),
        calibration_error=calibration_error(confidence[heard], right[heard]),
        confusion=confusion(targets, predicted, classes + 1)[:classes],
        speakers=len(set(speakers)),
        uar_by_sex={
            str(sex): uar(targets[sexes == sex], predicted[sexes == sex], classes)
            for sex in sorted(set(sexes) - {""})
        },
    )


def clip_probabilities(timeline: Timeline) -> FloatArray | None:
    """A clip's probabilities: the duration-weighted mean over its windows; None where nobody speaks."""
    tagged = [
        (window.end - window.start, window.probabilities)
        for channel in timeline.channels
        for window in channel.windows
        if window.probabilities is not None
    ]
    if not tagged:
        return None
    durations, probabilities = map(np.array, zip(*tagged, strict=True))
    return np.asarray(durations @ probabilities / durations.sum(), dtype=np.float32)


def _decodes(utterance: Utterance) -> bool:
    try:
        with AudioReader(str(utterance.path)) as reader:
            return any(len(block) for block in reader.blocks(reader.sample_rate, mix=True))
    except RecordingError:
        return False


def _telephoned(path: Path, folder: Path) -> Path:
    with AudioReader(str(path)) as reader:
        samples = np.concatenate(list(reader.blocks(reader.sample_rate, mix=True)))[:, 0]
    narrow = soxr.resample(samples, reader.sample_rate, TELEPHONE_RATE, quality="HQ")
    out = folder / "telephone.wav"
    soundfile.write(out, narrow, TELEPHONE_RATE, subtype="ULAW")
    return out
