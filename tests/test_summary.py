from __future__ import annotations

from itertools import pairwise

import pytest

from sertag import Tagger
from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.segments import segments_of
from sertag.summary import summarise
from sertag.timeline import ChannelTimeline, Timeline, Window

from conftest import SAMPLES

LABELS, VALENCE = ("angry", "happy"), (-1, 1)


def timeline(emotions: list[str], *, hop: float = 1.5, window: float = 3.0) -> Timeline:
    """A recording whose windows have these emotions: the angry ones with .8, the happy ones with .7."""
    duration = hop * (len(emotions) - 1) + window
    shares = {"angry": (0.8, 0.2), "happy": (0.3, 0.7), UNCERTAIN: (0.5, 0.5)}
    windows = tuple(
        Window(
            hop * number,
            hop * number + window,
            emotion,
            max(shares[emotion]) if emotion in shares else None,
            0.0 if emotion == NO_SPEECH else 0.5,
            -90.0 if emotion == NO_SPEECH else -20.0,
            shares.get(emotion),
        )
        for number, emotion in enumerate(emotions)
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
    assert sum(summary.emotions.values()) == pytest.approx(1)
    assert 0 < summary.speech_seconds < heard.duration
    assert sum(quarter.speech_seconds for quarter in summary.quarters) == pytest.approx(
        summary.speech_seconds, rel=0.2
    )
