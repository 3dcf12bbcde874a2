"""What a build works with: the recordings of all corpora, read and analysed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_build.corpora import Corpora, Utterance, read_corpora, read_unlabelled
from model_build.dataset import Example, make_examples
from model_build.observer import Observer
from model_build.protocol import Part, parts_of
from model_build.recipe import SESSIONS, Recipe
from sertag import __version__
from sertag.engines.local import processors
from sertag.errors import RecordingError, UsageError
from sertag.features import FeatureSettings
from sertag.labels import in_order


@dataclass(frozen=True, eq=False)
class Material:
    """Recordings that can be decoded, and who trains and tests with them.

    Attributes:
        corpora: the labelled ones.
        unlabelled: examples of voices for the teacher to label.
        heard: examples of all utterances.
        labels: classes, by number.
        features: how the examples were analysed.
        parts: the trainings of the protocol.
        described: what a model's metadata say of labelled and unlabelled collections.
        skipped: how many files were left out, by reason.
    """

    corpora: Corpora
    unlabelled: tuple[Example, ...]
    heard: Mapping[Utterance, Example]
    labels: tuple[str, ...]
    features: FeatureSettings
    parts: tuple[Part, ...]
    described: dict[str, list[dict[str, Any]]]
    skipped: dict[str, int]

    @classmethod
    def read(
        cls, folders: Sequence[Path], unlabelled: Path | None, recipe: Recipe, observer: Observer
    ) -> Material:
        """Finds and reads recordings.

        Args:
            folders: of labelled ones.
            unlabelled: a folder of voices for the teacher to label.
            recipe: what is to be done with them.
            observer: is told how it goes.

        Raises:
            SertagError: where there is nothing to train on.
        """
        corpora, voices = read_corpora(folders), read_unlabelled(unlabelled)
        labels = in_order(utterance.emotion for utterance in corpora.utterances)
        parts = parts_of(recipe.protocol, corpora.utterances)
        if len(labels) < 2:
            raise UsageError(f"every recording is labelled {labels[0]}; training needs two emotions at least")
        features = FeatureSettings()
        utterances = (*corpora.utterances, *voices.utterances)
        heard, undecoded = _examples(utterances, labels, features, recipe, observer)
        _check_labels(labels, heard)
        for part in parts:
            _check_part(part, heard)
        if recipe.protocol == "split":
            _check_taught(labels, parts[0], heard)
        parts = tuple(part.only(heard) for part in parts)
        skipped = {**corpora.skipped, **undecoded}
        corpora, voices = corpora.only(heard), voices.only(heard)
        examples = (heard[utterance] for utterance in voices.utterances)
        return cls(
            corpora=corpora,
            unlabelled=tuple(example for example in examples if example.has_speech),
            heard=heard,
            labels=labels,
            features=features,
            parts=parts,
            described={
                "corpora": [corpus.describe() for corpus in corpora.corpora],
                "unlabelled": [collection.describe() for collection in voices.corpora],
            },
            skipped=skipped,
        )

    def of(self, utterances: Iterable[Utterance]) -> list[Example]:
        """The examples of those of some utterances that could be decoded."""
        return [self.heard[utterance] for utterance in utterances if utterance in self.heard]

    def identity(self, recipe: Recipe) -> dict[str, object]:
        """All but its speakers that a training's weights depend on."""
        return {
            **self.described,
            "version": __version__,
            "labels": self.labels,
            "features": asdict(self.features),
            "window": recipe.window,
            "training": recipe.describe(),
        }


def _examples(
    utterances: Sequence[Utterance],
    labels: Sequence[str],
    features: FeatureSettings,
    recipe: Recipe,
    observer: Observer,
) -> tuple[dict[Utterance, Example], dict[str, int]]:
    """Examples of all usable utterances, and how many could not be decoded, by reason."""
    skipped: Counter[str] = Counter()
    heard: dict[Utterance, Example] = {}
    observer.stage("reading", len(utterances))
    for result in make_examples(
        utterances,
        labels,
        features,
        sessions=SESSIONS,
        seed=recipe.seed,
        workers=processors(),
        teacher=recipe.teacher,
    ):
        if isinstance(result, RecordingError):
            skipped[result.code] += 1
        else:
            heard[result.utterance] = result
        observer.step()
    return heard, dict(skipped)


def _check_labels(labels: Sequence[str], heard: Mapping[Utterance, Example]) -> None:
    """Finds out before hours of training that an emotion is never heard.

    Raises:
        UsageError: saying which.
    """
    spoken = {item.emotion for item, example in heard.items() if example.has_speech}
    if mute := [label for label in labels if label not in spoken]:
        raise UsageError(f"no recording labelled {mute[0]} holds speech that can be decoded; leave them out")


def _check_part(part: Part, heard: Mapping[Utterance, Example]) -> None:
    """Finds out before hours of training that nobody is left on a side.

    Raises:
        UsageError: saying on which.
    """
    for name in ("training", "validation", "test"):
        side = getattr(part, name)
        if side and not any(item in heard and heard[item].has_speech for item in side):
            raise UsageError(f"no recording of the {name} speakers holds speech that can be decoded")


def _check_taught(labels: Sequence[str], part: Part, heard: Mapping[Utterance, Example]) -> None:
    """Finds out before hours of training that an emotion of the model's is nobody's who trains it.

    Raises:
        UsageError: saying which, and whose it is.
    """
    taught = {item.emotion for item in part.training if item in heard and heard[item].has_speech}
    for label in labels:
        if label not in taught:
            others = sorted({item.speaker for item in heard if item.emotion == label})
            raise UsageError(
                f"no training speaker is labelled {label}, only {', '.join(others)}; leave it out, record"
                " others with it, or see --protocol folds"
            )
