from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sertag import Tagger
from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.segments import cells_of, segments_of
from sertag.summary import summarise
from sertag.timeline import ChannelTimeline, Timeline, Windows

from conftest import SAMPLES, voice, write

LABELS, VALENCE = ("angry", "happy"), (-1, 1)


def timeline(emotions: list[str], *, hop: float = 1.5, window: float = 3.0) -> Timeline:
    """A recording whose windows have these emotions: the angry ones with .8, the happy ones with .7."""
    duration = hop * (len(emotions) - 1) + window
    shares = {"angry": (0.8, 0.2), "happy": (0.3, 0.7), UNCERTAIN: (0.5, 0.5), NO_SPEECH: (0.0, 0.0)}
    codes = {"angry": 0, "happy": 1, UNCERTAIN: 2, NO_SPEECH: -1}
    spoken = np.array([emotion != NO_SPEECH for emotion in emotions])
    start = hop * np.arange(len(emotions))
    windows = Windows(
        LABELS,
        start,
        start + window,
        np.array([codes[emotion] for emotion in emotions], dtype=np.int16),
        np.where(spoken, 0.5, 0.0),
        np.where(spoken, -20.0, -90.0),
        np.array([shares[emotion] for emotion in emotions]),
    )
    channel = ChannelTimeline("mix", windows, 0.5 * duration)
    return Timeline("a.wav", 0.0, duration, 8_000, LABELS, VALENCE, hop, (channel,))


def test_seconds_add_up() -> None:
    heard = timeline(["angry"] * 4 + [NO_SPEECH] * 3 + ["happy"] * 5 + [UNCERTAIN] * 2)
    segments = list(segments_of(heard, heard.channels[0]))
    assert segments[0].start == 0
    assert segments[-1].end == heard.duration
    for one, following in pairwise(segments):
        assert one.end == following.start
        assert one.emotion != following.emotion
    assert [segment.emotion for segment in segments] == ["angry", NO_SPEECH, "happy", UNCERTAIN]


def test_figures_of_a_call_that_turns_sour() -> None:
    heard = timeline(["happy"] * 10 + ["angry"] * 10)
    summary = summarise(heard, heard.channels[0])
    assert summary.duration == pytest.approx(31.5)
    assert sum(summary.emotions.values()) + summary.uncertain == pytest.approx(1)
    assert summary.emotions["happy"] == pytest.approx(0.5, abs=0.05)
    assert [quarter.dominant for quarter in summary.quarters] == ["happy", "happy", "angry", "angry"]
    assert summary.trend == pytest.approx(1)
    assert summary.most_negative is not None
    assert summary.most_negative.negative == pytest.approx(0.8)
    assert summary.most_negative.start >= 15
    assert summary.mean_level == pytest.approx(-20)


def test_a_call_without_speech() -> None:
    heard = timeline([NO_SPEECH] * 5)
    summary = summarise(heard, heard.channels[0])
    assert summary.emotions == {"angry": 0, "happy": 0}
    assert (summary.dominant, summary.trend, summary.most_negative, summary.mean_level) == (None,) * 4
    assert [segment.emotion for segment in segments_of(heard, heard.channels[0])] == [NO_SPEECH]


def test_a_model_of_nothing_negative_names_no_most_negative_interval() -> None:
    heard = replace(timeline(["angry"] * 4), valence=(0, 1))
    assert summarise(heard, heard.channels[0]).most_negative is None


def test_uncertain_windows_are_counted() -> None:
    heard = timeline([UNCERTAIN] * 6)
    assert summarise(heard, heard.channels[0]).uncertain == 1


@pytest.mark.parametrize("hop", [0.5, 1.5, 2.0, 3.0])
def test_a_real_recording(hop: float) -> None:
    heard = Tagger(hop=hop).tag(SAMPLES / "parcel-call.wav")
    channel = heard.channels[0]
    segments = list(segments_of(heard, channel))
    assert sum(segment.end - segment.start for segment in segments) == pytest.approx(heard.duration)
    summary = summarise(heard, channel)
    assert sum(summary.emotions.values()) == pytest.approx(1, abs=1e-3)
    assert 0 < summary.speech_seconds < heard.duration
    assert sum(quarter.speech_seconds for quarter in summary.quarters) == pytest.approx(
        summary.speech_seconds, rel=0.001
    )


@pytest.mark.parametrize("hop", [0.5, 1.5, 3.0])
@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0, 7.0])
def test_quarters_of_a_short_recording(tmp_path: Path, seconds: float, hop: float) -> None:
    heard = Tagger(hop=hop).tag(write(tmp_path / "a.wav", voice(seconds)))
    summary = summarise(heard, heard.channels[0])
    spoken = [quarter.speech_seconds for quarter in summary.quarters]
    assert sum(spoken) == pytest.approx(summary.speech_seconds, abs=0.001)
    assert min(spoken) > 0
    assert max(spoken) <= seconds / 4 + 0.0001
    assert None not in [quarter.dominant for quarter in summary.quarters]


@pytest.mark.parametrize("hop", [0.3, 1.0, 1.5, 2.0, 3.0])
def test_a_cell_is_the_mean_of_the_windows_that_cover_it(hop: float) -> None:
    random = np.random.default_rng(3)
    emotions = random.choice(["angry", "happy", UNCERTAIN, NO_SPEECH], 200).tolist()
    heard = timeline(emotions, hop=hop)
    cells = cells_of(heard, heard.channels[0])
    names = (*LABELS, UNCERTAIN, NO_SPEECH)
    assert cells.end[-1] == heard.duration
    for start, end, spoken, label, confidence, negative in zip(
        *(cells.start, cells.end, cells.speech, cells.label, cells.confidence, cells.negative), strict=True
    ):
        covering = [
            window for window in heard.channels[0].windows if window.start <= (start + end) / 2 < window.end
        ]
        tagged = [window for window in covering if window.emotion != NO_SPEECH]
        if 2 * len(tagged) < len(covering):
            assert (names[label], spoken) == (NO_SPEECH, 0)
            continue
        means = np.mean([window.probabilities or () for window in tagged], axis=0).round(9)
        certain = sum(window.emotion != UNCERTAIN for window in tagged)
        assert names[label] == (LABELS[int(means.argmax())] if 2 * certain > len(tagged) else UNCERTAIN)
        assert (confidence, negative) == pytest.approx((means.max(), means[0]))
        assert spoken == pytest.approx(np.mean([window.speech for window in covering]) * (end - start))


def test_a_tail_shorter_than_a_millisecond_belongs_to_the_last_window() -> None:
    heard = timeline(["angry"] * 3)
    longer = replace(heard, duration=heard.duration + 0.0004)
    cells = cells_of(longer, longer.channels[0])
    assert len(cells.label) == 5
    assert set(cells.label) == {0}


def test_rounded_shares_come_to_no_more_than_everything() -> None:
    heard = timeline(["angry"] * 4)
    channel = heard.channels[0]
    windows = replace(channel.windows, probabilities=np.full((4, 2), 0.50005))
    heard = replace(heard, valence=(-1, -1), channels=(replace(channel, windows=windows),))
    worst = summarise(heard, heard.channels[0]).most_negative
    assert worst is not None
    assert worst.negative == 1
