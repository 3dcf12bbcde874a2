"""Timelines and failures as the objects of JSON and JSON Lines."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sertag.summary import summarise
from sertag.timeline import ChannelTimeline, Failure, Timeline, Window
from sertag.writers.base import SCHEMA, Run


def timeline_object(timeline: Timeline, run: Run) -> dict[str, Any]:
    """One recording, with everything that a report needs."""
    return {
        "schema": SCHEMA,
        "file": timeline.file,
        "modified": _time(timeline.modified),
        "duration": round(timeline.duration, 3),
        "sample_rate": timeline.sample_rate,
        "model": model_object(run),
        "settings": run.settings,
        "warnings": timeline.warnings,
        "talk": asdict(timeline.talk) if timeline.talk else None,
        "channels": [_channel_object(timeline, channel) for channel in timeline.channels],
    }


def failure_object(failure: Failure) -> dict[str, Any]:
    """A recording that could not be tagged."""
    return {
        "schema": SCHEMA,
        "file": failure.file,
        "error": {"code": failure.code, "message": failure.message},
    }


def model_object(run: Run) -> dict[str, str]:
    """Which model it was."""
    return {"name": run.model_name, "sha256": run.model_sha256}


def _time(seconds: float) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC; None for a year that it cannot write."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def _channel_object(timeline: Timeline, channel: ChannelTimeline) -> dict[str, Any]:
    return {
        "channel": channel.channel,
        "timeline": [_window_object(window, timeline.labels) for window in channel.windows],
        "summary": _rounded(asdict(summarise(timeline, channel))),
    }


def _window_object(window: Window, labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "start": round(window.start, 3),
        "end": round(window.end, 3),
        "emotion": window.emotion,
        "confidence": None if window.confidence is None else round(window.confidence, 4),
        "speech": round(window.speech, 4),
        "level": round(window.level, 1),
        "probabilities": None
        if window.probabilities is None
        else {label: round(p, 4) for label, p in zip(labels, window.probabilities, strict=True)},
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
