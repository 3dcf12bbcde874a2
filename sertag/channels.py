"""Which channels of a recording are analysed, and what they are called."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sertag.errors import RecordingError, UsageError

_ROLES = re.compile(r"left=([\w.-]+),right=([\w.-]+)")
_SPLIT = re.compile(r"left|right|[1-9][0-9]*")


@dataclass(frozen=True)
class Channels:
    """How recordings are divided: mixed down, split, or split into two roles.

    ``only`` names the one channel that is analysed; where it is None, all are.
    """

    split: bool = False
    roles: tuple[str, str] | None = None
    only: str | None = None

    @classmethod
    def parse(cls, text: str, only: str | None = None) -> Channels:
        """Reads ``mix``, ``split`` or ``left=ROLE,right=ROLE``, and the name of one of these channels.

        Raises:
            UsageError: for anything else.
        """
        if text in ("mix", "split"):
            channels = cls(split=text == "split")
        else:
            match = _ROLES.fullmatch(text)
            if match is None or match[1] == match[2]:
                raise UsageError(
                    f"--channels {text}: give mix, split, or left=ROLE,right=ROLE with two roles"
                )
            channels = cls(split=True, roles=(match[1], match[2]))
        if only is None:
            return channels
        if not channels.split:
            raise UsageError(f"--only {only}: needs --channels split or left=ROLE,right=ROLE")
        if channels.roles and only not in channels.roles:
            raise UsageError(f"--only {only}: --channels {text} names no such role")
        if not channels.roles and not _SPLIT.fullmatch(only):
            raise UsageError(f"--only {only}: give left or right, or of more than two channels one's number")
        return replace(channels, only=only)

    def __str__(self) -> str:
        if self.roles:
            return "left={},right={}".format(*self.roles)
        return "split" if self.split else "mix"

    def names(self, count: int) -> tuple[str, ...]:
        """Names of the channels that are analysed of a recording that has ``count`` of them.

        Raises:
            RecordingError: ``role_missing`` where roles were given and there are not two channels, or where
                the one that shall be analysed is not among them.
        """
        picked = self.picked(count)
        names = self._all(count)
        return names if picked is None else (names[picked],)

    def picked(self, count: int) -> int | None:
        """Index of the one channel that is analysed; None where all are.

        Raises:
            RecordingError: as of :meth:`names`.
        """
        names = self._all(count)
        if self.only is None:
            return None
        if self.only not in names:
            raise RecordingError(
                "role_missing",
                f"has {_channels(count)} ({', '.join(names)}), and none of them is {self.only}",
            )
        return names.index(self.only)

    def _all(self, count: int) -> tuple[str, ...]:
        if self.roles:
            if count != 2:
                raise RecordingError("role_missing", f"has {_channels(count)}, and two roles were given")
            return self.roles
        if not self.split or count == 1:
            return ("mix",)
        return ("left", "right") if count == 2 else tuple(str(number + 1) for number in range(count))


def _channels(count: int) -> str:
    return f"{count} channel{'s' * (count > 1)}"
