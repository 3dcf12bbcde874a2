"""Corpora: file names to utterances, one module per corpus."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_build.corpora import crema_d, emo_db, own, ravdess, savee, tess, unlabelled
from model_build.corpora.utterance import LeftOut, Utterance
from sertag.errors import UsageError
from sertag.labels import VALENCE

__all__ = ["Corpora", "Corpus", "Utterance", "read_corpora", "read_unlabelled"]

_KNOWN = (crema_d, emo_db, ravdess, savee, tess)
_LICENCES = {module.NAME: module.LICENCE for module in _KNOWN} | {own.NAME: own.LICENCE}


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

    def describe(self) -> dict[str, Any]:
        """What a model's metadata say of it."""
        return {
            "name": self.name,
            "licence": self.licence,
            "clips": len(self.utterances),
            "speakers": len({utterance.speaker for utterance in self.utterances}),
            "perceived": sum(bool(utterance.perceived) for utterance in self.utterances),
            "sha256": self.digest(),
        }


@dataclass(frozen=True)
class Corpora:
    """All corpora found, by name, and how many files were skipped, by reason."""

    corpora: tuple[Corpus, ...]
    skipped: dict[str, int]

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """The utterances of all corpora."""
        return tuple(utterance for corpus in self.corpora for utterance in corpus.utterances)

    def only(self, utterances: Iterable[Utterance]) -> Corpora:
        """The corpora with nothing but some of their utterances."""
        kept = set(utterances)
        parts = (
            replace(corpus, utterances=tuple(item for item in corpus.utterances if item in kept))
            for corpus in self.corpora
        )
        return replace(self, corpora=tuple(part for part in parts if part.utterances))


def read_corpora(places: Sequence[Path], *, sung: bool = False) -> Corpora:
    """Finds labelled recordings.

    Below a folder, names decide and extensions don't. Folders laid out by emotion, and CSV files,
    hold one's own recordings (:mod:`model_build.corpora.own`). CREMA-D's tables are read where they are
    given themselves, or lie below or beside a folder that is given.

    Args:
        places: folders and CSV files.
        sung: whether to take what is sung; it is left out otherwise.

    Raises:
        UsageError: where a place is missing, a table is malformed, or nothing is found.
    """
    found: dict[str, list[Utterance]] = {}
    skipped: Counter[str] = Counter()
    seen: dict[tuple[str, str], str] = {}
    own_places: dict[str, Path] = {}
    for place in places:
        for what in _read(place):
            if isinstance(what, LeftOut):
                skipped[what.reason] += 1
                continue
            if what.corpus == own.NAME:
                _refuse_namesakes(place, own_places)
            if what.style == "song" and not sung:
                skipped[f"{what.corpus}: sung"] += 1
            elif emotion := seen.get(key := _identity(what)):
                if emotion != what.emotion:
                    raise UsageError(f"{what.path}: is labelled {emotion} and {what.emotion}; leave one out")
                skipped["comes twice"] += 1
            else:
                seen[key] = what.emotion
                found.setdefault(what.corpus, []).append(what)
    if not found:
        examples = ", ".join(f"{module.NAME}: {module.EXAMPLE}" for module in _KNOWN)
        left_out = "".join(f"; {count} left out ({reason})" for reason, count in skipped.items())
        left_out += "".join(f"; {place}: {hint}" for place in places if (hint := own.nearly(place)))
        raise UsageError(
            f"{', '.join(map(str, places))}: no recording with the name of a known corpus ({examples}), no"
            f" folders emotion/speaker (emotions are {', '.join(VALENCE)}, two at least), and no table whose"
            f" files are there{left_out}"
        )
    if crema_d.NAME in found:
        found[crema_d.NAME] = list(crema_d.with_tables(found[crema_d.NAME], _tables(places)))
    return Corpora(
        tuple(
            Corpus(name, _LICENCES[name], tuple(sorted(found[name], key=_by_name))) for name in sorted(found)
        ),
        dict(skipped),
    )


def read_unlabelled(folder: Path | None) -> Corpora:
    """The unlabelled voices of a folder, each collection a corpus (:mod:`model_build.corpora.unlabelled`).

    Raises:
        UsageError: where it holds none.
    """
    places = unlabelled.collections(folder) if folder else []
    return Corpora(
        tuple(
            Corpus(place.name, unlabelled.licence(place), tuple(unlabelled.read_collection(place)))
            for place in places
        ),
        {},
    )


def _read(place: Path) -> Iterator[Utterance | LeftOut]:
    if place.is_file():
        if place.name not in crema_d.TABLES:
            yield from own.read_table(place)
    elif not place.is_dir():
        raise UsageError(f"{place}: no such folder; give the folder of a corpus, or a CSV")
    elif own.is_own_folder(place):
        yield from (own.parse(path, place) for path in _files(place))
    else:
        yield from (_parse(path) for path in _files(place) if path.name not in crema_d.TABLES)


def _refuse_namesakes(place: Path, known: dict[str, Path]) -> None:
    """Sees to it that no two places of one's own recordings have one name, as speakers are named after them.

    Raises:
        UsageError: where they do.
    """
    other = known.setdefault(own.name_of(place), place)
    if other is not place and os.path.realpath(other) != os.path.realpath(place):
        raise UsageError(
            f"{place}: is called {own.name_of(place)}, as {other} is, so nobody could tell their speakers"
            " apart; call it otherwise"
        )


def _tables(places: Sequence[Path]) -> list[Path]:
    """CREMA-D's tables."""
    near: list[Path] = []
    for place in places:
        if place.is_dir():
            near += (Path(os.path.abspath(place)).parent / name for name in sorted(crema_d.TABLES))
            near += _files(place)
        else:
            near.append(place)
    return [path for path in near if path.name in crema_d.TABLES and path.is_file()]


def _parse(path: Path) -> Utterance | LeftOut:
    """The utterance that a file's name tells of, or why there is none."""
    what: Utterance | LeftOut | None
    for module in _KNOWN:
        what = module.parse(path)
        if isinstance(what, LeftOut):
            return LeftOut(f"{module.NAME}: {what.reason}")
        if what is not None:
            return what
    return LeftOut("name of no known corpus")


def _identity(utterance: Utterance) -> tuple[str, str]:
    """What two copies of an utterance share: speaker and name, or the file where names are free."""
    if utterance.corpus == own.NAME:
        return own.NAME, str(utterance.path.resolve())
    return utterance.speaker, utterance.path.stem


def _by_name(utterance: Utterance) -> tuple[str, str]:
    return utterance.path.name, str(utterance.path)


def _files(folder: Path) -> Iterator[Path]:
    """Files below a folder in the order of their names, without dot-files; links are followed, once each."""
    seen = {os.path.realpath(folder)}
    for root, folders, names in os.walk(folder, followlinks=True):
        inner = {name: os.path.realpath(os.path.join(root, name)) for name in sorted(folders)}
        folders[:] = [name for name, real in inner.items() if not name.startswith(".") and real not in seen]
        seen.update(inner[name] for name in folders)
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(root, name)
