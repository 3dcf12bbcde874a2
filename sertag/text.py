"""Text for people."""

from __future__ import annotations


def visible(text: str) -> str:
    """Text without what a terminal would obey: a file's name may hold anything."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
