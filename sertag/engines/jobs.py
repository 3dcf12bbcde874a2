"""What workers do: recordings, and the segments of long ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sertag.discovery import Recording
from sertag.engines.worker import Heard, Progress, Result, finished


@dataclass(frozen=True)
class Job:
    """A recording to tag, or one of its segments, and its place in the order of discovery."""

    position: int
    recording: Recording
    segment: int = 0
    tries: int = 0


class Division:
    """What became of a long recording's segments so far, whichever workers do them.

    Segments are handed out in order, up to the one in which the recording turns out to end or to fail: so the
    result does not depend on which of them is done first.

    Args:
        job: the recording's first segment, which is on its way already.
        segments: how many it has, by its header.
    """

    def __init__(self, job: Job, segments: int) -> None:
        self.job = job
        self.spent = 0.0
        """Seconds that workers spent on the segments that are done."""
        self._segments = self._needed = segments
        self._given = 1
        self._outcomes: dict[int, Heard | Result] = {}
        self._progress: dict[int, Progress] = {}

    @property
    def waits(self) -> bool:
        """Whether there are segments to hand out."""
        return self._given < self._needed

    def give(self) -> Job:
        """The next segment to hand out."""
        self._given += 1
        return replace(self.job, segment=self._given - 1, tries=0)

    def needs(self, segment: int) -> bool:
        """Whether the result may still depend on a segment."""
        return segment < self._needed

    def progress(self, segment: int, done: Progress) -> Progress:
        """How far the recording is, when one of its segments is so far."""
        self._progress[segment] = done
        share = sum(each.share for each in self._progress.values()) / self._segments
        return Progress(share, sum(each.seconds for each in self._progress.values()))

    def put(self, segment: int, outcome: Heard | Result, spent: float) -> Result | None:
        """Takes what became of a segment; gives the recording's result once it is certain."""
        self._outcomes[segment] = outcome
        self.spent += spent
        if isinstance(outcome, Heard):
            self._progress[segment] = Progress(1.0, outcome.part.seconds)
        if isinstance(outcome, Result) or outcome.part.ended:
            self._needed = min(self._needed, segment + 1)
        heard: list[Heard] = []
        for number in range(self._needed):
            match self._outcomes.get(number):
                case None:
                    return None
                case Result() as result:
                    return result
                case each:
                    heard.append(each)
        parts, elapsed = [each.part for each in heard], sum(each.elapsed for each in heard)
        return finished(self.job.recording.name, parts, elapsed=elapsed)
