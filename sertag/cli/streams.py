"""Standard input, output and error, closed or with nobody at the other end."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sertag.errors import SertagError
from sertag.text import visible


def open_standard_streams() -> None:
    """Gives streams that the caller closed (``2>&-``) a place to go, lest other files take theirs.

    What a terminal's encoding cannot hold is replaced.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def data_output() -> TextIO:
    """Standard output for data: the same bytes whatever the locale, every line of them at once."""
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n", line_buffering=True)
    return sys.stdout


def tell(line: str) -> None:
    """Prints a line on standard error; where that takes no more, as on a full disk, no more is told."""
    try:
        print(visible(line), file=sys.stderr)
    except OSError:
        drop(sys.stderr)


def drop(stream: TextIO) -> None:
    """Lets what is in a stream's buffer, and what comes, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def read_to_the_end(files: Sequence[Path]) -> Iterator[None]:
    """Tells that files are not written where whoever reads standard output has had enough.

    Raises:
        SertagError: ``output_failed``; without files it is no matter.
    """
    try:
        yield
    except BrokenPipeError:
        if not files:
            raise
        drop(sys.stdout)
        raise SertagError(
            "output_failed", f"{files[0]}: not written, as nobody reads standard output any more"
        ) from None


def leaves_room(*, table: bool) -> bool:
    """Whether what goes to standard output and a bar would not run into each other on one terminal.

    Args:
        table: whether a terminal gets a table, which makes room for a bar.
    """
    if sys.stdout.isatty():
        return table
    # What reads a pipe may print there too.
    return not stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
