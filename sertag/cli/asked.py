"""What ``sertag scan`` is asked for: whether it can be, and what it comes to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from sertag.discovery import EXTENSIONS, Recording, find_recordings
from sertag.errors import UsageError
from sertag.files import real_path
from sertag.leftovers import journal_files
from sertag.listing import RecordingList
from sertag.outputs import Destination, Target, refuse_same, summary_target, target_of


def check_options(
    out: list[Path],
    *,
    formatted: bool,
    journal: Path | None,
    resumes: bool,
    timeout: float | None,
) -> None:
    """Refuses options that do not go together.

    Raises:
        UsageError: saying which.
    """
    if out and formatted:
        raise UsageError("--format is for standard output; with --out the extension names the format")
    if not out and (journal or resumes):
        raise UsageError("--journal, --update and --retry-failed are for files; name one with --out")
    if timeout is not None and not timeout > 0:
        raise UsageError(f"--timeout {timeout:g}: give seconds, more than 0")


def check_overwrite(*, overwrite: bool, files: bool, update: bool) -> None:
    """Refuses an ``--overwrite`` that cannot be meant.

    Raises:
        UsageError: saying why.
    """
    if overwrite and update:
        raise UsageError("--overwrite starts anew, --update adds to what is there; give one of them")
    if overwrite and not files:
        raise UsageError("--overwrite is for files; name one with --out or --summary")


def source_of(
    paths: list[str] | None,
    list_file: str | None,
    include: list[str],
    exclude: list[str],
    own: frozenset[bytes],
) -> tuple[Callable[[], Iterable[Recording]], tuple[str, ...]]:
    """What finds the recordings, as often as is wanted, and the columns that come with them.

    Raises:
        UsageError: where recordings or their list are not there, or are not what they should be.
    """
    if list_file is not None:
        if paths:
            raise UsageError("--list: give recordings by name or in a list, not both")
        listed = RecordingList(list_file, include=include, exclude=exclude, own=own)
        return listed.__iter__, listed.carried
    if not paths:
        raise UsageError("Missing argument 'PATH...', or --list.")
    # Paths that do not exist are told at once.
    find_recordings(paths)
    return partial(find_recordings, paths, include=include, exclude=exclude, own=own), ()


def places_of(
    out: list[Path], summary: Path | None, journal: Path | None, log: Path | None
) -> tuple[list[Target], Destination | None]:
    """The outputs, and where they are to be files that a run goes on with.

    Raises:
        UsageError: where a file would be two things at once.
    """
    targets = [target_of(path) for path in out] + ([summary_target(summary)] if summary else [])
    destination = Destination.of(targets, journal) if out else None
    files = destination.named() if destination else [("an output", target.path) for target in targets]
    refuse_same([*files, *([("the log", log)] if log else [])])
    return targets, destination


def own_files(targets: list[Target], destination: Destination | None, log: Path | None) -> frozenset[bytes]:
    """The files that a run writes, without links."""
    paths = [*(target.path for target in targets), *([log] if log else [])]
    if destination:
        paths += [destination.failures, *journal_files(destination.journal)]
    return frozenset(os.fsencode(real_path(path)) for path in paths)


def spare(given: list[str], targets: list[Target], others: list[Path | None]) -> None:
    """Refuses to write over recordings, or over their list.

    Raises:
        UsageError: saying which.
    """
    for path in others:
        # It may lie in a folder that is given.
        if path and path.exists() and path.suffix.lower() in EXTENSIONS:
            raise UsageError(f"{path}: is a recording")
    for path in [*(target.path for target in targets), *others]:
        if path and path.exists() and any(os.path.exists(g) and os.path.samefile(path, g) for g in given):
            raise UsageError(f"{path}: is one of the recordings, or their list")
