from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sertag import Tagger
from sertag.adaptation import BLOCK_SECONDS, Block, BlockStream, Call, EmotionEffects
from sertag.call_statistics import CallStatistics, Voice
from sertag.features import FeatureSettings
from sertag.normalisation import Normalisation
from sertag.types import BoolArray, FloatArray
from sertag.windows import WindowStream

from conftest import DEVIATION, MEAN, SETTINGS, analysed, described, network_input, statistics, voice, write

MELS = SETTINGS.mels
# Of these the tests of blocks need many: a hundred frames a second would be a waste of time.
COARSE = FeatureSettings(
    sample_rate=8_000, frame_length=4_000, hop_length=4_000, fft_length=4_096, mels=4, mel_high=3_800.0
)
BLOCK = COARSE.frames_in(BLOCK_SECONDS)


def call_of(seconds: float) -> FloatArray:
    """A voice on a line with some noise, so that no pause is digital silence."""
    samples = voice(seconds)
    noise = np.random.default_rng(0).normal(0, 0.001, len(samples))
    return np.asarray(samples + noise, dtype=np.float32)


def known(caller: Voice) -> Call:
    return Call(caller, caller.trust(20.0), 1.0)


def effects(seed: int = 0) -> EmotionEffects:
    random = np.random.default_rng(seed)
    mean, level, deviation = (random.normal(0, 0.3, shape) for shape in ((3, 66), (3,), (3, 66)))
    return EmotionEffects(mean - mean.mean(axis=0), level - level.mean(), deviation - deviation.mean(axis=0))


@pytest.mark.parametrize("gain", [0.5, 0.1])
def test_the_gain_of_the_line_does_not_matter_to_the_second_view(gain: float) -> None:
    normalisation = Normalisation(MEAN, DEVIATION)
    samples = call_of(30.0)
    seconds = []
    _, speech = analysed(samples)
    for line in (samples, samples * np.float32(gain)):
        frames, _ = analysed(line)
        caller = described(CallStatistics.of(frames, speech, SETTINGS))
        # A line that is softer is trusted no less, and only partly: the rest is the window's own level.
        assert 0.4 < caller.trust(20.0) < 0.7
        part = slice(0, 150)
        seconds.append(network_input(normalisation, frames[part], speech[part], 150, known(caller)))
    # Where a frame is barely voiced, its pitch may not be found on the softer line.
    assert np.mean(np.abs(seconds[0] - seconds[1])[..., 1] < 0.01) > 0.99


def test_a_voice_louder_than_in_its_call_is_louder_in_the_second_view_alone() -> None:
    caller = described(statistics(call_of(60.0)))
    normalisation = Normalisation(MEAN, DEVIATION)
    soft, loud = (
        network_input(normalisation, frames, speech, 150, known(caller))
        for frames, speech in (analysed(call_of(3.0) * np.float32(gain)) for gain in (0.5, 1.0))
    )
    difference = (loud - soft)[20:130, :MELS].mean(axis=(0, 1))
    assert difference[0] == pytest.approx(0, abs=0.02)
    assert difference[1] > 0.2


def test_an_even_mix_changes_nothing() -> None:
    caller = described(statistics(voice(5.0)))
    same = effects().remove(caller, np.full(3, 1 / 3), MELS)
    np.testing.assert_allclose(same.mean, caller.mean, atol=1e-9)
    np.testing.assert_allclose(same.deviation, caller.deviation)
    assert (same.level, same.seconds) == pytest.approx((caller.level, caller.seconds))


def test_one_emotion_throughout_is_taken_out() -> None:
    caller, known, mix = described(statistics(voice(5.0))), effects(), np.array([0.0, 1.0, 0.0])
    calm = known.remove(caller, mix, MELS)
    assert calm.level == pytest.approx(caller.level - known.level[1])
    # The effects on log-mel are on absolute level; a voice's log-mel is relative to its own.
    lower = (caller.mean[:MELS] + caller.level) - (calm.mean[:MELS] + calm.level)
    np.testing.assert_allclose(lower, known.mean[1, :MELS] * caller.deviation[:MELS], atol=1e-9)
    np.testing.assert_allclose(
        caller.mean[MELS:] - calm.mean[MELS:], known.mean[1, MELS:] * caller.deviation[MELS:], atol=1e-9
    )
    np.testing.assert_allclose(calm.deviation * np.exp(known.deviation[1]), caller.deviation)
    assert calm.seconds == caller.seconds


def coarse_frames(count: int, seed: int) -> tuple[FloatArray, BoolArray]:
    random = np.random.default_rng(seed)
    frames = random.normal(-40, 10, (count, COARSE.columns)).astype(np.float32)
    return frames, random.random(count) < 0.6


def blocks(frames: FloatArray, speech: BoolArray, sizes: Sequence[int], hop: int = 5) -> list[Block]:
    """The blocks of windows of ten frames, after pushes of these sizes in turn."""
    windows, stream, out, at, turn = WindowStream(10, hop), BlockStream(COARSE), [], 0, 0
    while at < len(frames):
        part = slice(at, at + sizes[turn % len(sizes)])
        at, turn = part.stop, turn + 1
        last = at >= len(frames)
        cut = windows.push(frames[part], speech[part], last=last)
        out += list(stream.push(frames[part], speech[part], cut, last=last))
    return out


@pytest.mark.parametrize(
    ("count", "expected"),
    [(3, 1), (BLOCK, 1), (5 * BLOCK // 4 - 1, 1), (5 * BLOCK // 4, 2), (3 * BLOCK + 50, 3), (4 * BLOCK, 4)],
)
def test_blocks_lie_at_multiples_of_ten_minutes(count: int, expected: int) -> None:
    found = blocks(*coarse_frames(count, 0), [64])
    starts = [[window.start for window in block.windows] for block in found]
    # The last window is the first that reaches the end, wherever it starts.
    assert len(found) == expected
    assert sum(starts, []) == list(range(0, 5 * len(sum(starts, [])), 5))  # noqa: RUF017
    assert [of[0] // BLOCK for of in starts] == list(range(expected))
    assert all(start < BLOCK * (number + 1) for number, of in enumerate(starts[:-1]) for start in of)


def test_where_nothing_was_recorded_there_is_no_block() -> None:
    frames, speech = coarse_frames(0, 0)
    windows = WindowStream(10, 5).push(frames, speech, last=True)
    assert list(BlockStream(COARSE).push(frames, speech, windows, last=True)) == []


def test_a_block_has_the_statistics_of_its_own_stretch() -> None:
    frames, speech = coarse_frames(2 * BLOCK + 70, 0)
    for part, block in zip((slice(BLOCK), slice(BLOCK, None)), blocks(frames, speech, [37]), strict=True):
        expected = CallStatistics.of(frames[part], speech[part], COARSE)
        assert np.array_equal(block.statistics.totals, expected.totals)
        assert np.array_equal(block.statistics.counts, expected.counts)


@pytest.mark.parametrize("hop", [1, 5, 7, 10])
def test_every_window_comes_once_and_in_order(hop: int) -> None:
    frames, speech = coarse_frames(2 * BLOCK + 33, 1)
    all_at_once = list(WindowStream(10, hop).push(frames, speech, last=True))
    found = [window for block in blocks(frames, speech, [100], hop) for window in block.windows]
    assert [window.start for window in found] == [window.start for window in all_at_once]
    assert all(np.array_equal(one.frames, two.frames) for one, two in zip(found, all_at_once, strict=True))


@pytest.mark.parametrize("sizes", [[1], [7, 500, 3], [BLOCK], [BLOCK - 1, 2], [10 * BLOCK]])
def test_blocks_do_not_depend_on_how_the_frames_came(sizes: list[int]) -> None:
    frames, speech = coarse_frames(2 * BLOCK + 33, 2)
    for one, other in zip(blocks(frames, speech, [256]), blocks(frames, speech, sizes), strict=True):
        for name in ("counts", "totals", "squares"):
            left, right = getattr(one.statistics, name), getattr(other.statistics, name)
            assert left.tobytes() == right.tobytes()
        assert one.statistics.power == other.statistics.power
        assert [window.start for window in one.windows] == [window.start for window in other.windows]
        for a, b in zip(one.windows, other.windows, strict=True):
            assert a.frames.tobytes() == b.frames.tobytes()
            assert a.speech.tobytes() == b.speech.tobytes()


def test_the_windows_of_a_finished_block_are_let_go() -> None:
    windows, stream, done = WindowStream(10, 10), BlockStream(COARSE), 0
    known: list[weakref.ref[FloatArray]] = []
    most = 0
    for number in range(8 * BLOCK // 100):
        frames, speech = coarse_frames(100, number)
        known.append(weakref.ref(frames))
        for block in stream.push(frames, speech, windows.push(frames, speech)):
            done += len(block.windows)
            del block
        del frames, speech
        most = max(most, sum(each() is not None for each in known))
    assert done > 6 * BLOCK // 10
    assert most <= 5 * BLOCK // 400 + 2


def call(path: Path, beginning: FloatArray, rest: FloatArray) -> Path:
    return write(path, np.concatenate([beginning, rest]), 8_000, subtype="PCM_16")


def test_a_block_does_not_depend_on_the_one_before(tmp_path: Path) -> None:
    # Whether a frame is speech depends on some seconds around it, so those before the boundary are the same.
    voices = voice(20.0, rate=8_000, seed=9), voice(45.0, rate=8_000, pitch=220.0, seed=3)
    end = np.concatenate([voices[0], *[voices[1]] * 7])
    length = round((BLOCK_SECONDS - 20) * 8_000)
    calm, other = (
        np.tile(voice(29.0, rate=8_000, pitch=pitch, formant=formant, seed=seed), 20)[:length]
        for pitch, formant, seed in ((110.0, 550.0, 1), (300.0, 800.0, 2))
    )
    tagger = Tagger(hop=3.0)
    calls = [
        tagger.tag(call(tmp_path / "call.wav", beginning, end)).channels[0].windows
        for beginning in (calm, other)
    ]
    boundary = round(BLOCK_SECONDS / 3)
    assert len(calls[0]) == boundary + 105
    assert calls[0][boundary:] == calls[1][boundary:]
    # What they begin with counts: the same stretch is heard otherwise within the first ten minutes.
    same = slice(boundary - 4, boundary)
    assert [window.speech for window in calls[0][same]] == [window.speech for window in calls[1][same]]
    assert all(
        one.probabilities != two.probabilities
        for one, two in zip(calls[0][same], calls[1][same], strict=True)
    )
