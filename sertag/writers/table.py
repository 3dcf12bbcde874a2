"""A table for a person at a terminal: the segments of every recording."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.segments import segments_of
from sertag.summary import Record
from sertag.text import visible
from sertag.timeline import Failure
from sertag.writers.base import Totals

_STYLES = {
    "angry": "red",
    "disgusted": "green",
    "fearful": "magenta",
    "happy": "yellow",
    "sad": "blue",
    "surprised": "cyan",
    UNCERTAIN: "dim",
    NO_SPEECH: "dim",
}
_BAR = 20


class TableWriter:
    """A table per recording, a row per segment of each channel.

    Args:
        console: of a person; where it cannot show blocks, bars are of ``#``.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._block = "#" if console.options.ascii_only else "█"

    def add(self, record: Record, carried: tuple[str, ...] = ()) -> None:  # noqa: ARG002
        """Prints the recording's segments."""
        timeline = record.timeline
        table = Table(title=Text(visible(timeline.file), style="bold"), title_justify="left", box=None)
        for heading in ("channel", "start", "end", "emotion", "confidence"):
            table.add_column(heading, justify="right" if heading in ("start", "end") else "left")
        for channel in timeline.channels:
            for segment in segments_of(timeline, channel):
                style = _STYLES.get(segment.emotion, "")
                sure = segment.confidence
                bar = "" if sure is None else f"{self._block * round(sure * _BAR):{_BAR}} {sure:.2f}"
                table.add_row(
                    Text(channel.channel),
                    clock(segment.start),
                    clock(segment.end),
                    Text(segment.emotion, style=style),
                    Text(bar, style=style),
                )
        self._console.print(table)

    def fail(self, failure: Failure, carried: tuple[str, ...] = ()) -> None:
        """Nothing: failures are told on standard error."""

    def finish(self, totals: Totals) -> None:
        """Nothing: totals are told on standard error."""


def clock(seconds: float) -> str:
    """A time as ``h:mm:ss.s``."""
    tenths = round(seconds * 10)
    return f"{tenths // 36_000}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"
