"""Labelled corpora: file names to utterances, one module per corpus."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_build.corpora import crema_d, emo_db, ravdess, savee, tess
from model_build.corpora.utterance import LeftOut, Utterance
from sertag.errors import UsageError

__all__ = ["Corpora", "Corpus", "Utterance", "read_corpora"]

_KNOWN = (crema_d, emo_db, ravdess, savee, tess)
_LICENCES = {module.NAME: module.LICENCE for module in _KNOWN}


@dataclass(frozen=True)
class Corpus:
    """The utterances of one corpus, in the order of their names, and its licence."""

    name: str
    licence: str
    utterances: tuple[Utterance, ...]

    def digest(self) -> str:
        """SHA-256 over all utterances' names and bytes."""
        digest = hashlib.sha256()
        for utterance in self.utterances:
            digest.update(utterance.path.name.encode("utf-8", "surrogateescape") + b"\0")
            digest.update(hashlib.sha256(utterance.path.read_bytes()).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class Corpora:
    """All corpora found, by name, and how many files were skipped, by reason."""

    corpora: tuple[Corpus, ...]
    skipped: dict[str, int]

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """The utterances of all corpora."""
        return tuple(utterance for corpus in self.corpora for utterance in corpus.utterances)


def read_corpora(folders: Sequence[Path]) -> Corpora:
    """Finds the labelled recordings below some folders; names decide, extensions don't.

    Raises:
        UsageError: where a folder is missing or no name is that of a known corpus.
    """
    found: dict[str, list[Utterance]] = {}
    skipped: Counter[str] = Counter()
    for folder in folders:
        if not folder.exists():
            raise UsageError(f"{folder}: no such folder; give the folder of a corpus")
        for path in _files(folder):
            what = _parse(path)
            if isinstance(what, Utterance):
                found.setdefault(what.corpus, []).append(what)
            else:
                skipped[what] += 1
    if not found:
        places = ", ".join(map(str, folders))
        examples = ", ".join(f"{module.NAME}: {module.EXAMPLE}" for module in _KNOWN)
        raise UsageError(f"{places}: no recording with the name of a known corpus ({examples})")
    return Corpora(
        tuple(
            Corpus(name, _LICENCES[name], tuple(sorted(found[name], key=lambda item: item.path.name)))
            for name in sorted(found)
        ),
        dict(skipped),
    )


def _parse(path: Path) -> Utterance | str:
    """The utterance that a file is, or why it is none."""
    what: Utterance | LeftOut | None
    for module in _KNOWN:
        what = module.parse(path)
        if isinstance(what, LeftOut):
            return f"{module.NAME}: {what.reason}"
        if what is not None:
            return what
    return "name of no known corpus"


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(root, name)
