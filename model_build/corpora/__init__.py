"""Labelled corpora: file names to utterances, one module per corpus."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_build.corpora import crema_d
from model_build.corpora.utterance import Utterance
from sertag.errors import UsageError

__all__ = ["Corpus", "Utterance", "read_corpora"]


@dataclass(frozen=True)
class Corpus:
    """The utterances found, in the order of their names, and what was left out and why."""

    utterances: tuple[Utterance, ...]
    skipped: dict[str, int]
    licences: dict[str, str]

    @property
    def name(self) -> str:
        """The corpora's names, joined."""
        return " + ".join(sorted(self.licences))

    def digest(self) -> str:
        """SHA-256 over all utterances' names and bytes."""
        digest = hashlib.sha256()
        for utterance in self.utterances:
            digest.update(utterance.path.name.encode("utf-8", "surrogateescape") + b"\0")
            digest.update(hashlib.sha256(utterance.path.read_bytes()).digest())
        return digest.hexdigest()


def read_corpora(folders: Sequence[Path]) -> Corpus:
    """Finds the labelled recordings below some folders; names decide, extensions don't.

    Raises:
        UsageError: where a folder is missing or no name is that of a known corpus.
    """
    utterances: list[Utterance] = []
    skipped: Counter[str] = Counter()
    for folder in folders:
        if not folder.exists():
            raise UsageError(f"{folder}: no such folder; give the folder of a corpus")
        for path in _files(folder):
            if path.stem in crema_d.DEFECTS:
                skipped[f"CREMA-D: {crema_d.DEFECTS[path.stem]}"] += 1
            elif utterance := crema_d.parse(path):
                utterances.append(utterance)
            else:
                skipped["name of no known corpus"] += 1
    if not utterances:
        places = ", ".join(map(str, folders))
        raise UsageError(
            f"{places}: no recording with the name of a known corpus (CREMA-D: 1001_DFA_ANG_XX.wav)"
        )
    utterances.sort(key=lambda utterance: (utterance.corpus, utterance.path.name))
    licences = {utterance.corpus: crema_d.LICENCE for utterance in utterances}
    return Corpus(tuple(utterances), dict(skipped), licences)


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(root, name)
