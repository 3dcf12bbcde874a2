"""Timelines without a recording behind them."""

from __future__ import annotations

import numpy as np

from sertag.timeline import ChannelTimeline, Talk, Timeline, Windows
from sertag.writers import Run

LABELS, VALENCE = ("angry", "happy", "sad"), (-1, 1, -1)
HOP, WINDOW = 1.5, 3.0
RUN = Run(LABELS, VALENCE, HOP, "made", "0" * 64, {"channels": "split", "hop": HOP})


def made_windows(count: int, duration: float, seed: int) -> Windows:
    """Windows of random emotions, some uncertain and some without speech."""
    random = np.random.default_rng(seed)
    start = np.round(np.arange(count) * HOP, 3)
    emotion = random.integers(-1, len(LABELS) + 1, count).astype(np.int16)
    shares = np.round(random.dirichlet(np.ones(len(LABELS)), count), 4)
    return Windows(
        LABELS,
        start,
        np.minimum(np.round(start + WINDOW, 3), round(duration, 3)),
        emotion,
        np.round(random.uniform(0, 1, count), 4),
        np.round(random.uniform(-90, 0, count), 1),
        np.where(emotion[:, None] >= 0, shares, 0.0),
    )


def made_timeline(
    *counts: int, file: str = "made.wav", warnings: tuple[str, ...] = (), seed: int = 0
) -> Timeline:
    """A recording whose channels have so many windows; its last window is cut off."""
    names = ("left", "right") if len(counts) == 2 else ("mix",)
    duration = HOP * (max(counts) - 1) + WINDOW - 0.1234567
    channels = tuple(
        ChannelTimeline(name, made_windows(count, duration, seed + number), round(duration / 3, 3))
        for number, (name, count) in enumerate(zip(names, counts, strict=True))
    )
    talk = Talk(1.5, 0.123) if len(counts) > 1 else None
    return Timeline(
        file, 1.7e9 + 0.25, duration, 8_000, LABELS, VALENCE, HOP, channels, talk=talk, warnings=warnings
    )
