from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mutants import CODES

SCRIPT = Path(__file__).with_name("mutants.py")


def outcomes(kind: str, count: int) -> list[dict[str, Any]]:
    """What came of each file; a process that dies takes only the file with it that it had in hand."""
    done: list[dict[str, Any]] = []
    while len(done) < count:
        child = subprocess.run(
            [sys.executable, str(SCRIPT), kind, str(len(done)), str(count)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        lines = [json.loads(line) for line in child.stdout.splitlines()]
        finished = [line for line in lines if "outcome" in line]
        done += finished
        if child.returncode:
            assert len(lines) > 2 * len(finished), "died before it had a file in hand"
            done.append({**lines[-1], "outcome": f"died with status {child.returncode}", "seconds": 0.0})
    return done


def check(kind: str, count: int, allowed: set[str]) -> None:
    done = outcomes(kind, count)
    assert [each["number"] for each in done] == list(range(count))
    print(kind, Counter(each["outcome"] for each in done), "slowest:", max(each["seconds"] for each in done))
    assert [each for each in done if each["outcome"] not in allowed] == []
    assert [each for each in done if each["seconds"] > 5] == []
    # Damage that leaves everything as it was, or breaks everything, would prove nothing.
    results = sum(each["outcome"] == "result" for each in done)
    assert 0 < results < 0.9 * count


def test_damaged_recordings() -> None:
    check("audio", 120, {"result", *CODES})


def test_damaged_models() -> None:
    check("model", 120, {"result", "bad_model", "usage"})


@pytest.mark.slow
def test_many_damaged_recordings() -> None:
    check("audio", 2_000, {"result", *CODES})


@pytest.mark.slow
def test_many_damaged_models() -> None:
    check("model", 500, {"result", "bad_model", "usage"})
