from __future__ import annotations

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path

import numpy as np
import pandas
import pytest
import soundfile
import soxr

import sertag
from sertag import RecordingError, Tagger, Timeline
from sertag.errors import SertagError, UsageError
from sertag.features import FeatureSettings, frames_of
from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.model import SHIPPED
from sertag.speech import speech_frames
from sertag.timeline import Windows

from conftest import SAMPLES, voice, write


def same(one: Timeline, other: Timeline) -> bool:
    return [channel.windows for channel in one.channels] == [channel.windows for channel in other.channels]


def test_a_call_from_end_to_end() -> None:
    timeline = Tagger(channels="split").tag(SAMPLES / "parcel-call.wav")
    assert timeline.file == "parcel-call.wav"
    assert timeline.sample_rate == 8_000
    assert [channel.channel for channel in timeline.channels] == ["left", "right"]
    for channel in timeline.channels:
        windows = channel.windows
        assert [window.start for window in windows] == [1.5 * number for number in range(len(windows))]
        assert all(window.end - window.start == 3.0 for window in windows[:-1])
        assert windows[-1].end == round(timeline.duration, 3)
        emotions = {window.emotion for window in windows}
        assert NO_SPEECH in emotions
        assert len(emotions) > 1
        for window in windows:
            if window.emotion == NO_SPEECH:
                assert (window.confidence, window.probabilities) == (None, None)
            else:
                assert window.probabilities is not None
                assert sum(window.probabilities) == pytest.approx(1, abs=1e-3)
                assert window.confidence == max(window.probabilities)


def test_numbers_are_those_of_the_outputs(tmp_path: Path) -> None:
    sound = voice(7.0, rate=44_100)[: 44_100 * 6 + 1]
    timeline = Tagger(min_confidence=0.5).tag(write(tmp_path / "a.wav", sound, 44_100))
    windows = timeline.channels[0].windows
    assert timeline.duration == len(sound) / 44_100
    assert windows.end[-1] == round(timeline.duration, 3)
    for decimals, array in ((3, windows.start), (3, windows.end), (1, windows.level), (4, windows.speech)):
        assert array.tolist() == [round(number, decimals) for number in array.tolist()]
    for window in windows:
        assert window.probabilities == tuple(round(share, 4) for share in window.probabilities or ())
        assert window.confidence is not None
        assert (window.emotion == UNCERTAIN) == (window.confidence < 0.5)


def test_windows_are_a_sequence() -> None:
    windows = Tagger().tag(SAMPLES / "voice-memo.flac").channels[0].windows
    every = list(windows)
    assert [windows[number] for number in range(len(windows))] == every
    assert windows[-1] == every[-1]
    assert list(windows[2:5]) == every[2:5]
    assert windows[2:5] == windows[2:5] != windows[1:4]
    assert Windows.joined([windows[:4], windows[4:]]) == windows
    with pytest.raises(IndexError):
        windows[len(windows)]


@pytest.mark.parametrize("sample", ["parcel-call.wav", "voice-memo.flac"])
def test_a_call_is_adapted_to_unless_it_shall_not_be(sample: str) -> None:
    assert (
        Tagger(SHIPPED / "default.tflite").tag(SAMPLES / sample).channels[0]
        == Tagger().tag(SAMPLES / sample).channels[0]
    )
    adapted, plain = (Tagger(adapt=adapt).tag(SAMPLES / sample).channels[0] for adapt in (True, False))
    assert Tagger().tag(SAMPLES / sample).channels[0] == adapted
    assert adapted.speech_seconds == plain.speech_seconds
    different = 0
    for one, other in zip(adapted.windows, plain.windows, strict=True):
        assert (one.start, one.end, one.speech, one.level) == (
            other.start,
            other.end,
            other.speech,
            other.level,
        )
        assert (one.emotion == NO_SPEECH) == (other.emotion == NO_SPEECH)
        different += one.probabilities != other.probabilities
    assert different > len(adapted.windows) / 2


def test_without_adaptation_a_window_is_what_it_is_alone(tmp_path: Path) -> None:
    samples, rate = soundfile.read(SAMPLES / "voice-memo.flac", dtype="float32")
    window = write(tmp_path / "a.flac", samples[3 * rate : 6 * rate], rate)
    call, part = (Tagger(hop=3.0, adapt=False).tag(path) for path in (SAMPLES / "voice-memo.flac", window))
    expected, found = call.channels[0].windows[1], part.channels[0].windows[0]
    # What comes before and after a window only has a say in which of its frames are speech.
    assert found.emotion == expected.emotion
    assert found.probabilities == pytest.approx(expected.probabilities, abs=0.1)


def test_a_channel_is_adapted_to_its_own_voice_alone(tmp_path: Path) -> None:
    sound, rate = soundfile.read(SAMPLES / "parcel-call.wav", dtype="float32")
    other = voice(len(sound) / rate, rate=rate, pitch=260.0)[: len(sound)]
    swapped = write(tmp_path / "a.wav", np.stack([sound[:, 0], other], axis=1), rate)
    tagger = Tagger(channels="split")
    before, after = (tagger.tag(path).channels for path in (SAMPLES / "parcel-call.wav", swapped))
    assert before[0] == after[0]
    assert before[1].windows != after[1].windows


def test_tagging_others_in_between_changes_nothing() -> None:
    tagger = Tagger()
    first = tagger.tag(SAMPLES / "voice-memo.flac")
    tagger.tag(SAMPLES / "parcel-call.wav")
    assert same(first, tagger.tag(SAMPLES / "voice-memo.flac"))
    assert same(first, Tagger().tag(SAMPLES / "voice-memo.flac"))


def test_threads_may_share_a_tagger() -> None:
    tagger, recordings = Tagger(), [SAMPLES / "parcel-call.wav", SAMPLES / "voice-memo.flac"] * 8
    expected = {path: tagger.tag(path).to_frame() for path in recordings[:2]}
    with ThreadPoolExecutor(4) as threads:
        for path, timeline in zip(recordings, threads.map(tagger.tag, recordings), strict=True):
            pandas.testing.assert_frame_equal(timeline.to_frame(), expected[path])


# Adaptation magnifies what the highest bands differ by; on three real calls no probability differs by .01.
@pytest.mark.parametrize(("adapt", "tolerance"), [(False, 0.01), (True, 0.03)])
def test_a_telephone_call_is_tagged_as_it_is_when_resampled(
    tmp_path: Path, adapt: bool, tolerance: float
) -> None:
    samples = np.concatenate([voice(15.0, rate=8_000, pitch=pitch, seed=3) for pitch in (120.0, 220.0)])
    call = write(tmp_path / "a.wav", samples, 8_000, subtype="ULAW")
    decoded = soundfile.read(call, dtype="float32")[0]
    wide = write(tmp_path / "b.wav", soxr.resample(decoded, 8_000, 16_000), subtype="FLOAT")
    found, expected = (Tagger(adapt=adapt).tag(path).channels[0].windows for path in (call, wide))
    for one, other in zip(found, expected, strict=True):
        assert NO_SPEECH not in (one.emotion, other.emotion)
        assert (one.speech, one.level) == (other.speech, other.level)
        assert one.probabilities == pytest.approx(other.probabilities, abs=tolerance)


@pytest.mark.parametrize("seconds", [0.02, 0.4, 2.9, 3.0, 3.001, 4.5, 4.51])
def test_short_recordings_are_tagged_too(tmp_path: Path, seconds: float) -> None:
    timeline = Tagger().tag(write(tmp_path / "a.wav", voice(seconds)))
    windows = timeline.channels[0].windows
    assert len(windows) == max(1, 1 + int(np.ceil((seconds - 3.0) / 1.5 - 1e-9)))
    assert timeline.duration == pytest.approx(seconds, abs=1e-4)
    assert windows[-1].end == round(timeline.duration, 3)
    if seconds >= 0.4:
        assert windows[0].emotion != NO_SPEECH


def test_frame_has_the_columns_of_the_contract() -> None:
    timeline = Tagger().tag(SAMPLES / "voice-memo.flac")
    frame = timeline.to_frame()
    assert list(frame.columns) == [
        *("file", "channel", "start", "end", "emotion", "confidence", "speech"),
        *("p_angry", "p_disgusted", "p_fearful", "p_happy", "p_neutral", "p_sad"),
    ]
    assert len(frame) == len(timeline.channels[0].windows)
    assert (frame["channel"] == "mix").all()
    tagged = frame[frame["emotion"] != NO_SPEECH]
    assert tagged.filter(like="p_").sum(axis=1).between(0.999, 1.001).all()


def test_hop_and_confidence() -> None:
    timeline = Tagger(hop=0.5, min_confidence=1.0).tag(SAMPLES / "voice-memo.flac")
    windows = timeline.channels[0].windows
    assert [window.start for window in windows] == [0.5 * number for number in range(len(windows))]
    assert {window.emotion for window in windows} <= {UNCERTAIN, NO_SPEECH}


@pytest.mark.parametrize("hop", [0.0, -1.0, 0.01, 0.33, 3.02, float("nan"), float("inf")])
def test_a_hop_that_cannot_be(hop: float) -> None:
    with pytest.raises(UsageError, match="--hop"):
        Tagger(hop=hop)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_that_cannot_be(confidence: float) -> None:
    with pytest.raises(UsageError, match="--min-confidence"):
        Tagger(min_confidence=confidence)


def test_roles() -> None:
    tagger = Tagger(channels="left=agent,right=customer")
    timeline = tagger.tag(SAMPLES / "parcel-call.wav")
    assert [channel.channel for channel in timeline.channels] == ["agent", "customer"]
    with pytest.raises(RecordingError) as caught:
        tagger.tag(SAMPLES / "voice-memo.flac")
    assert caught.value.code == "role_missing"


def test_who_speaks_when(tmp_path: Path) -> None:
    # They speak in turn, together, and not at all.
    one, two = voice(40.0, seed=1), voice(40.0, pitch=220.0, seed=2)
    one[25 * 16_000 :] = 0
    two[: 10 * 16_000] = two[35 * 16_000 :] = 0
    path = write(tmp_path / "a.wav", np.stack([one, two], axis=1), subtype="FLOAT")
    settings = FeatureSettings()
    speech = [speech_frames(frames_of(samples, settings), settings) for samples in (one, two)]
    for adapt in (True, False):
        timeline = Tagger(channels="split", adapt=adapt).tag(path)
        assert timeline.talk is not None
        assert timeline.talk.overlap == pytest.approx(0.02 * np.count_nonzero(speech[0] & speech[1]))
        assert timeline.talk.silence == pytest.approx(40 - 0.02 * np.count_nonzero(speech[0] | speech[1]))
        assert 2 < timeline.talk.overlap < 15
        assert 5 < timeline.talk.silence < 30
    assert Tagger().tag(path).talk is None
    assert Tagger(channels="split").tag(SAMPLES / "voice-memo.flac").talk is None


def test_several_who_speak_at_once_are_one_overlap(tmp_path: Path) -> None:
    sound = np.stack([voice(4.0, seed=1)] * 4, axis=1)
    timeline = Tagger(channels="split").tag(write(tmp_path / "a.wav", sound))
    assert timeline.talk is not None
    assert timeline.talk.overlap == timeline.channels[0].speech_seconds > 2
    assert timeline.talk.silence == pytest.approx(timeline.duration - timeline.talk.overlap, abs=1e-3)


@pytest.mark.parametrize(
    ("channels", "only", "index"),
    [("left=agent,right=customer", "customer", 1), ("split", "left", 0), ("split", "right", 1)],
)
def test_one_channel_alone(channels: str, only: str, index: int) -> None:
    alone = Tagger(channels=channels, only=only).tag(SAMPLES / "parcel-call.wav")
    every = Tagger(channels=channels).tag(SAMPLES / "parcel-call.wav")
    assert alone.channels == (every.channels[index],)
    assert alone.talk is None


def test_a_numbered_channel_alone(tmp_path: Path) -> None:
    sound = np.stack([voice(1.0, seed=seed) for seed in range(3)], axis=1)
    path = write(tmp_path / "a.wav", sound)
    alone = Tagger(channels="split", only="3").tag(path)
    assert alone.channels == Tagger(channels="split").tag(path).channels[2:]


@pytest.mark.parametrize(
    ("channels", "only", "sample"),
    [
        ("left=agent,right=customer", "customer", "voice-memo.flac"),
        ("split", "left", "voice-memo.flac"),
        ("split", "3", "parcel-call.wav"),
    ],
)
def test_nobody_is_analysed_by_accident(channels: str, only: str, sample: str) -> None:
    with pytest.raises(RecordingError) as caught:
        Tagger(channels=channels, only=only).tag(SAMPLES / sample)
    assert caught.value.code == "role_missing"
    assert caught.value.__notes__ == [str(SAMPLES / sample)]


@pytest.mark.parametrize(
    ("channels", "only"),
    [
        ("mix", "mix"),
        ("mix", "left"),
        ("split", "customer"),
        ("split", "mix"),
        ("split", "0"),
        ("split", ""),
        ("left=agent,right=customer", "left"),
        ("left=agent,right=customer", "boss"),
    ],
)
def test_a_channel_that_cannot_be_the_only_one(channels: str, only: str) -> None:
    with pytest.raises(UsageError, match=f"^--only {only}: [^\n]+$"):
        Tagger(channels=channels, only=only)


@pytest.mark.parametrize("channels", ["", "stereo", "left=a", "left=a,right=a", "right=a,left=b"])
def test_channels_that_cannot_be(channels: str) -> None:
    with pytest.raises(UsageError, match="--channels"):
        Tagger(channels=channels)


def test_more_than_two_channels_are_numbered(tmp_path: Path) -> None:
    sound = np.stack([voice(1.0, seed=seed) for seed in range(3)], axis=1)
    timeline = Tagger(channels="split").tag(write(tmp_path / "a.wav", sound))
    assert [channel.channel for channel in timeline.channels] == ["1", "2", "3"]
    alone = Tagger().tag(write(tmp_path / "b.wav", sound[:, 1]))
    assert timeline.channels[1].windows == alone.channels[0].windows


def test_silence_is_no_speech(tmp_path: Path) -> None:
    timeline = Tagger().tag(write(tmp_path / "a.wav", np.zeros(160_000, dtype=np.float32)))
    assert {window.emotion for window in timeline.channels[0].windows} == {NO_SPEECH}
    assert timeline.channels[0].speech_seconds == 0


def test_a_name_of_other_bytes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"b\xff.wav")
    shutil.copy(SAMPLES / "voice-memo.flac", path)
    frame = Tagger().tag(path).to_frame()
    frame.to_csv(tmp_path / "frame.csv")
    assert set(frame["file"]) == {"b\\xff.wav"}


@pytest.mark.parametrize(
    "error", [RecordingError("vanished", "is not there"), SertagError("a", "b"), UsageError("c")]
)
def test_errors_come_home_from_another_process(error: SertagError) -> None:
    error.add_note("call.wav")
    for again in (pickle.loads(pickle.dumps(error)), copy(error)):
        assert type(again) is type(error)
        assert (again.code, again.message, str(again)) == (error.code, error.message, str(error))
        assert again.__notes__ == ["call.wav"]


def test_what_a_notebook_completes() -> None:
    assert set(sertag.__all__) <= set(dir(sertag))
    assert all(getattr(sertag, name).__name__ == name for name in sertag.__all__)
