"""Which channels of a recording are analysed, and what they are called."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sertag.errors import RecordingError, UsageError

_ROLES = re.compile(r"left=([\w.-]+),right=([\w.-]+)")


@dataclass(frozen=True)
class Channels:
    """How recordings are divided: mixed down, split, or split into two roles."""

    split: bool = False
    roles: tuple[str, str] | None = None

    @classmethod
    def parse(cls, text: str) -> Channels:
        """Reads ``mix``, ``split`` or ``left=ROLE,right=ROLE``.

        Raises:
            UsageError: for anything else.
        """
        if text in ("mix", "split"):
            return cls(split=text == "split")
        match = _ROLES.fullmatch(text)
        if match is None or match[1] == match[2]:
            raise UsageError(f"--channels {text}: give mix, split, or left=ROLE,right=ROLE with two roles")
        return cls(split=True, roles=(match[1], match[2]))

    def __str__(self) -> str:
        if self.roles:
            return "left={},right={}".format(*self.roles)
        return "split" if self.split else "mix"

    def names(self, count: int) -> tuple[str, ...]:
        """Names of the channels of a recording that has ``count`` of them.

        Raises:
            RecordingError: ``role_missing`` where roles were given and there are not two channels.
        """
        if self.roles:
            if count != 2:
                raise RecordingError(
                    "role_missing", f"has {count} channel{'s' * (count > 1)}, and two roles were given"
                )
            return self.roles
        if not self.split or count == 1:
            return ("mix",)
        return ("left", "right") if count == 2 else tuple(str(number + 1) for number in range(count))
