"""CREMA-D (Cao et al. 2014): ``1001_DFA_ANG_XX.wav`` is actor, sentence, intended emotion, level.

Two of its tables say more: ``VideoDemographics.csv`` the actors' ages, ``tabulatedVotes.csv`` what listeners
heard.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from model_build.corpora.utterance import LeftOut, Utterance
from sertag.errors import UsageError

NAME = "CREMA-D"
LICENCE = "ODbL 1.0, contents DbCL 1.0"
EXAMPLE = "1001_DFA_ANG_XX.wav"

_DEMOGRAPHICS, _VOTES = "VideoDemographics.csv", "tabulatedVotes.csv"
TABLES = frozenset((_DEMOGRAPHICS, _VOTES))
"""Names of the tables that :func:`with_tables` reads."""

_DEFECTS = {
    "1076_MTI_SAD_XX": "silent",
    "1006_TIE_HAP_XX": "byte-identical under two labels",
    "1006_TIE_NEU_XX": "byte-identical under two labels",
    "1013_WSI_DIS_XX": "byte-identical under two labels",
    "1013_WSI_SAD_XX": "byte-identical under two labels",
    "1017_IWW_ANG_XX": "byte-identical under two labels",
    "1017_IWW_FEA_XX": "byte-identical under two labels",
}
# Actors 1001 to 1091; the original calls one file 1040_ITH_SAD_X.
_NAME = re.compile(r"(10(?:0[1-9]|[1-8]\d|9[01]))_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(XX?|LO|MD|HI)")
_EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgusted",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
_LEVELS = {"LO": "lo", "MD": "md", "HI": "hi"}
# Of VideoDemographics.csv, so that no figure by sex needs the table; the other 48 are men.
_WOMEN = (
    "1002 1003 1004 1006 1007 1008 1009 1010 1012 1013 1018 1020 1021 1024 1025 1028 1029 1030 1037 1043 1046"
    " 1047 1049 1052 1053 1054 1055 1056 1058 1060 1061 1063 1072 1073 1074 1075 1076 1078 1079 1082 1084"
    " 1089 1091"
)


def parse(path: Path) -> Utterance | LeftOut | None:
    """What a file's name says, or None where it is no CREMA-D name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    if path.stem in _DEFECTS:
        return LeftOut(_DEFECTS[path.stem])
    actor, sentence, emotion, level = match.groups()
    return Utterance(
        path,
        NAME,
        f"{NAME} {actor}",
        _EMOTIONS[emotion],
        sex="female" if actor in _WOMEN else "male",
        intensity=_LEVELS.get(level, "unspecified"),
        statement=sentence,
    )


def with_tables(utterances: Iterable[Utterance], tables: Sequence[Path]) -> Iterator[Utterance]:
    """Utterances with the ages and perceived labels that CREMA-D's tables give.

    Raises:
        UsageError: for a table that is malformed.
    """
    ages: dict[str, int] = {}
    perceived: dict[str, str] = {}
    for table in tables:
        try:
            with open(table, encoding="utf-8-sig", newline="") as file:
                if table.name == _DEMOGRAPHICS:
                    ages |= {f"{NAME} {row['ActorID']}": int(row["Age"]) for row in csv.DictReader(file)}
                else:
                    perceived |= dict(_perceived(csv.DictReader(file)))
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise UsageError(f"{table}: is not CREMA-D's table of that name ({error!r})") from error
    for utterance in utterances:
        # The tables write 1040_ITH_SAD_XX.
        name = re.sub("_X$", "_XX", utterance.path.stem)
        yield replace(utterance, age=ages.get(utterance.speaker), perceived=perceived.get(name, ""))


def _perceived(rows: csv.DictReader[str]) -> Iterator[tuple[str, str]]:
    """Name and label of every clip whose listeners were not tied."""
    for row in rows:
        # Row numbers from 100,001 on are votes on the voice, from 200,001 on the face, from 300,001 on both.
        if int(row[""]) // 100_000 == 1:
            votes = {emotion: int(row[code[0]]) for code, emotion in _EMOTIONS.items()}
            most = max(votes.values())
            winners = [emotion for emotion, count in votes.items() if count == most]
            if len(winners) == 1:
                yield row["fileName"], winners[0]
