"""Puts measured figures into docs/performance.md, between its markers.

``python benchmarks/page.py`` reads what ``sertag benchmark --full --json`` and ``python benchmarks/compare.py
--json`` printed, from ``benchmark.json`` and ``compare.json`` beside it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def figures(benchmark: dict[str, Any], compared: list[dict[str, Any]]) -> dict[str, str]:
    """What comes between each pair of markers."""
    return {
        "machine": _machine(benchmark),
        "targets": _table(("", "target", "measured"), _targets(benchmark)),
        "cases": _cases(benchmark["cases"], benchmark["workers"]),
        "stages": _stages(benchmark["cases"]),
        "lengths": _scaling(benchmark["lengths"], "length of a recording"),
        "sizes": _scaling(benchmark["sizes"], "hours in the archive"),
        "comparison": _table(
            ("one process, one thread", "× real time", "MB", "what it does"),
            [
                (way["name"], f"{way['times_real_time']:,.1f}", f"{way['megabytes']:,.0f}", way["about"])
                for way in compared
            ],
        ),
    }


def fill(page: str, parts: dict[str, str]) -> str:
    """The page with its parts replaced.

    Raises:
        ValueError: where it lacks a pair of markers.
    """
    for name, part in parts.items():
        place = re.search(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", page, re.DOTALL)
        if place is None:
            raise ValueError(f"the page has no place for {name}")
        page = f"{page[: place.start()]}{part}\n{page[place.end() :]}"
    return page


def _machine(benchmark: dict[str, Any]) -> str:
    machine = benchmark["machine"]
    versions = ", ".join(
        version if name == "interpreter" else f"{name} {version}"
        for name, version in machine["versions"].items()
    )
    busy = f"; busy before, load {machine['load']:.1f}" if machine["busy"] else ""
    return (
        f"{machine['processor']}, {machine['processors']} processors, {machine['memory'] / 2**30:.0f} GB,"
        f" {machine['system']}{busy}. Python {machine['python']}, {versions}; model {machine['model']}."
    )


def _targets(benchmark: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    cases = {case["name"]: case for case in benchmark["cases"]}
    calls, talk, clips, long = (cases[name] for name in ("calls", "talk", "clips", "long"))
    scans = [case["scans"][-1] for case in benchmark["cases"]]
    scans += [point["scan"] for point in benchmark["lengths"] + benchmark["sizes"]]
    start_up = benchmark["start_up"]
    yield "calls, each channel speaks half the time", "≥ 5,000 × real time", _speed(calls)
    yield "the same, times the floor", "≤ 10", f"{calls['floor_ratio']:.1f}"
    yield "the same, two workers over one", "≥ 1.85", f"{calls['gain']:.2f}"
    yield "calls, speech throughout", "≥ 3,000 × real time", _speed(talk)
    yield "one long WAV, two workers over one", "≥ 1.7", f"{long['gain']:.2f}"
    yield "clips of 2 s", "≥ 400 a second", f"{clips['scans'][-1]['recordings_per_second']:,.0f}"
    yield "`sertag --help`", "< 0.2 s", f"{start_up['help_seconds']:.2f} s"
    yield "`sertag scan` of one short WAV", "< 0.6 s", f"{start_up['scan_seconds']:.2f} s"
    yield "largest worker", "< 150 MB", f"{max(scan['worker_megabytes'] for scan in scans):.0f} MB"
    yield "largest run", "< 400 MB", f"{max(scan['run_megabytes'] for scan in scans):.0f} MB"
    for title, key in (("1 s to 10 h long", "lengths"), ("1 to 1,000 h in all", "sizes")):
        if costs := [point["seconds_per_hour"] for point in benchmark[key]]:
            yield f"cost per hour, {title}: largest over smallest", "flat", f"{max(costs) / min(costs):.2f}"


def _speed(case: dict[str, Any]) -> str:
    return f"{case['scans'][-1]['times_real_time']:,.0f} ×"


def _cases(cases: list[dict[str, Any]], workers: int) -> str:
    headings = (
        *("", "recordings", "hours", "speech", "windows heard", "1 worker", f"{workers} workers", "gain"),
        *("× the floor", "recordings/s", "windows/s", "MB a worker", "MB in all"),
    )
    rows = [
        (
            f"**{case['name']}**: {case['about']}",
            f"{case['recordings']:,}",
            f"{case['channel_hours']:.1f}",
            f"{case['speech_share']:.0%}",
            f"{case['windows_heard'] / case['windows']:.0%}",
            f"{case['scans'][0]['times_real_time']:,.0f} ×",
            _speed(case),
            f"{case['gain']:.2f}",
            f"{case['floor_ratio']:.1f}",
            f"{case['scans'][-1]['recordings_per_second']:,.1f}",
            f"{case['scans'][-1]['windows_per_second']:,.0f}",
            f"{case['scans'][-1]['worker_megabytes']:.0f}",
            f"{case['scans'][-1]['run_megabytes']:.0f}",
        )
        for case in cases
    ]
    return _table(headings, rows)


def _stages(cases: list[dict[str, Any]]) -> str:
    rows = [
        (
            stage,
            *(
                f"{cell['times_real_time']:,.0f} × ({cell['share']:.0%})" if cell["seconds"] else "-"
                for cell in (case["stages"][stage] for case in cases)
            ),
        )
        for stage in cases[0]["stages"]
    ]
    rows.append(("all, of the scan with one worker", *(f"{case['stages_of_scan']:.0%}" for case in cases)))
    return _table(("stage", *(case["name"] for case in cases)), rows)


def _scaling(points: list[dict[str, Any]], axis: str) -> str:
    if not points:
        return "Not measured: `--full` was not given."
    costs = [point["seconds_per_hour"] for point in points]
    names = ", ".join(f'"{point["name"]}"' for point in points)
    chart = (
        "```mermaid\nxychart-beta\n"
        f'    x-axis "{axis}" [{names}]\n'
        f'    y-axis "seconds per hour of audio" 0 --> {1.2 * max(costs):.2f}\n'
        f"    bar [{', '.join(f'{cost:.3f}' for cost in costs)}]\n```\n\n"
    )
    headings = (axis, "recordings", "hours", "seconds per hour", "× real time", "MB a worker", "MB in all")
    rows = [
        (
            point["name"],
            f"{point['recordings']:,}",
            f"{point['channel_hours']:,.1f}",
            f"{point['seconds_per_hour']:.2f}",
            f"{point['scan']['times_real_time']:,.0f} ×",
            f"{point['scan']['worker_megabytes']:.0f}",
            f"{point['scan']['run_megabytes']:.0f}",
        )
        for point in points
    ]
    return chart + _table(headings, rows)


def _table(headings: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in headings[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, rule, *rows))


def main() -> None:
    """Fills the page."""
    page = HERE.parent / "docs" / "performance.md"
    try:
        benchmark = json.loads((HERE / "benchmark.json").read_text(encoding="utf-8"))
        compared = json.loads((HERE / "compare.json").read_text(encoding="utf-8"))
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}; {page} tells how it is made")
    text = fill(page.read_text(encoding="utf-8"), figures(benchmark, compared))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
