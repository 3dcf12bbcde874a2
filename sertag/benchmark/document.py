"""Results as an object for JSON: figures as they were measured, and those that follow from them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sertag.benchmark.measure import Benchmark, Case, Point
from sertag.benchmark.runs import Scan

SCHEMA = "sertag-benchmark/1"
"""Version of the object's shape."""


def document(benchmark: Benchmark) -> dict[str, Any]:
    """All results; seconds with 4 decimals, ratios with 2."""
    return {
        "schema": SCHEMA,
        "machine": {**asdict(benchmark.machine), "busy": benchmark.machine.busy},
        "workers": benchmark.workers,
        "start_up": {
            "help_seconds": round(benchmark.help_seconds, 4),
            "scan_seconds": round(benchmark.scan_seconds, 4),
        },
        "cases": [_case(case) for case in benchmark.cases],
        "lengths": [_point(point) for point in benchmark.lengths],
        "sizes": [_point(point) for point in benchmark.sizes],
    }


def _case(case: Case) -> dict[str, Any]:
    walk = case.walk
    return {
        "name": case.name,
        "about": case.about,
        "recordings": walk.recordings,
        "channel_hours": round(walk.audio_seconds / 3_600, 4),
        "speech_share": round(walk.speech_share, 4),
        "windows": walk.windows,
        "windows_heard": walk.heard,
        "scans": [_scan(scan, walk.audio_seconds, walk.recordings, walk.windows) for scan in case.scans],
        "gain": round(case.gain, 2),
        "floor_seconds": round(case.floor_seconds, 4),
        "floor_ratio": round(case.floor_ratio, 2),
        "stages": {
            stage: {
                "seconds": round(seconds, 4),
                "share": round(seconds / walk.seconds, 4),
                "times_real_time": round(walk.audio_seconds / seconds, 1) if seconds else None,
            }
            for stage, seconds in walk.stages.items()
        },
        "stages_of_scan": round(walk.seconds / case.scans[0].seconds, 4),
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "name": point.name,
        "size": point.size,
        "recordings": point.recordings,
        "channel_hours": round(point.audio_seconds / 3_600, 4),
        "seconds_per_hour": round(point.scan.seconds / point.audio_seconds * 3_600, 4),
        "scan": _scan(point.scan, point.audio_seconds, point.recordings, None),
    }


def _scan(scan: Scan, audio_seconds: float, recordings: int, windows: int | None) -> dict[str, Any]:
    rates = {} if windows is None else {"windows_per_second": round(windows / scan.seconds, 1)}
    return {
        "workers": scan.workers,
        "seconds": round(scan.seconds, 4),
        "processor_seconds": round(scan.processor_seconds, 4),
        "times_real_time": round(audio_seconds / scan.seconds, 1),
        "recordings_per_second": round(recordings / scan.seconds, 2),
        **rates,
        "worker_megabytes": _rounded(scan.worker_megabytes),
        "run_megabytes": _rounded(scan.run_megabytes),
    }


def _rounded(megabytes: float | None) -> float | None:
    return None if megabytes is None else round(megabytes, 1)
