from __future__ import annotations

import numpy as np
import pytest

from sertag import call_statistics
from sertag.call_statistics import RANGE, CallStatistics

from conftest import DEVIATION, MEAN, SETTINGS, analysed, described, statistics, voice

MELS = SETTINGS.mels


def test_clips_add_up_to_the_call() -> None:
    # On a line with some noise, so that no pause is digital silence.
    noise = np.random.default_rng(0).normal(0, 0.001, 64_000)
    frames, speech = analysed((voice(4.0) + noise).astype(np.float32))
    parts = [slice(0, 60), slice(60, 130), slice(130, None)]
    whole = CallStatistics.of(frames, speech, SETTINGS)
    first, second, third = (CallStatistics.of(frames[part], speech[part], SETTINGS) for part in parts)
    total = first + second + third
    assert whole.counts[0] == np.count_nonzero(speech) > 100
    assert 0 < whole.pairs <= whole.counts[0] - 1
    assert 0 < whole.rests <= np.count_nonzero(~speech)
    for name in ("counts", "totals", "squares", "power"):
        np.testing.assert_allclose(getattr(total, name), getattr(whole, name), rtol=1e-9)
    # Where a call is cut, one step and the ends of a pause at most are lost.
    assert whole.pairs - 2 <= total.pairs <= whole.pairs
    assert whole.rests - 40 <= total.rests <= whole.rests
    one, other = described(total), described(whole)
    np.testing.assert_allclose(one.mean, other.mean)
    np.testing.assert_allclose(one.deviation, other.deviation)
    assert (one.level, one.seconds) == pytest.approx((other.level, other.seconds))


def test_a_voice_is_the_mean_and_deviation_of_its_speech() -> None:
    frames, speech = analysed(voice(3.0))
    found, spoken = described(CallStatistics.of(frames, speech, SETTINGS)), frames[speech]
    voiced = spoken[spoken[:, SETTINGS.pitch] != 0, SETTINGS.pitch]
    assert found.level == pytest.approx(10 * np.log10(np.mean(10 ** (spoken[:, SETTINGS.level] / 10))))
    np.testing.assert_allclose(found.mean[:MELS] + found.level, spoken[:, :MELS].mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(found.deviation[:MELS], spoken[:, :MELS].std(axis=0), atol=1e-3)
    assert found.mean[SETTINGS.pitch] == pytest.approx(voiced.mean(), abs=1e-4)
    assert found.mean[SETTINGS.voicing] == pytest.approx(spoken[:, SETTINGS.voicing].mean(), abs=1e-4)


def test_trust_grows_with_the_seconds_of_speech() -> None:
    spoken = statistics(voice(5.0))
    short, longer = (described(each).trust(20.0) for each in (spoken, spoken + spoken + spoken + spoken))
    assert 0 < short < longer < 1
    seconds = spoken.counts[0] * SETTINGS.hop_seconds
    assert short == pytest.approx(seconds / (seconds + 20))
    assert described(spoken).trust(seconds) == pytest.approx(0.5)
    nobody = described(statistics(np.zeros(32_000, dtype=np.float32)))
    assert nobody.trust(20.0) == 0
    assert np.isfinite([*nobody.mean, *nobody.deviation, nobody.level]).all()


def test_a_pitch_that_is_hardly_ever_heard_is_that_of_the_training() -> None:
    frames, speech = analysed(voice(3.0))
    own = described(CallStatistics.of(frames, speech, SETTINGS))
    frames[:, SETTINGS.pitch] = 0.0
    whispered = described(CallStatistics.of(frames, speech, SETTINGS))
    assert own.mean[SETTINGS.pitch] != MEAN[SETTINGS.pitch]
    assert whispered.mean[SETTINGS.pitch] == MEAN[SETTINGS.pitch]
    assert whispered.deviation[SETTINGS.pitch] == DEVIATION[SETTINGS.pitch]


def made(speech: str, mel: dict[int, float]) -> CallStatistics:
    """Statistics of frames of -30 dB in all bands, but for some; ``s`` is speech, ``.`` none."""
    frames = np.full((len(speech), SETTINGS.columns), -30.0, dtype=np.float32)
    for row, level in mel.items():
        frames[row, :MELS] = level
    return CallStatistics.of(frames, np.array([each == "s" for each in speech], dtype=bool), SETTINGS)


def test_steps_are_between_neighbours_in_speech() -> None:
    sums = made("ss.sss..s", {1: -24.0, 3: -60.0, 4: -31.0, 8: 0.0})
    assert sums.pairs == 3
    np.testing.assert_allclose(sums.steps, 6.0 + 29.0 + 1.0)


def test_rests_are_frames_close_to_speech_and_no_deeper_than_the_range() -> None:
    reach = SETTINGS.frames_in(0.2)
    far = reach + 5
    sums = made("." * far + "s" + "." * 3 + "s" + "." * far, {far + 2: -50.0, 0: 0.0, far - 1: -200.0})
    assert sums.rests == 2 * reach + 3
    np.testing.assert_allclose(sums.quiet, -30.0 * (sums.rests - 2) - 50.0 + (-30.0 - RANGE), rtol=1e-6)


@pytest.mark.parametrize("speech", ["", "s", ".", "...", "sss"])
def test_the_shortest_of_channels_have_statistics_too(speech: str) -> None:
    sums = made(speech, {})
    assert (sums.pairs, sums.rests) == (max(0, speech.count("s") - 1), 0)
    assert sums.steps.shape == sums.quiet.shape == (MELS,)
    assert np.isfinite([*sums.steps, *sums.quiet, sums.level]).all()


def test_a_long_call_is_summed_up_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    frames = random.normal(-40, 12, (3_000, SETTINGS.columns)).astype(np.float32)
    speech = np.repeat(random.random(300) < 0.6, 10)
    whole = CallStatistics.of(frames, speech, SETTINGS)
    for together in (1, 7, 100, np.count_nonzero(speech) - 1, np.count_nonzero(speech)):
        monkeypatch.setattr(call_statistics, "_TOGETHER", together)
        pieces = CallStatistics.of(frames, speech, SETTINGS)
        for name in ("counts", "totals", "squares", "power", "pairs", "steps", "rests", "quiet"):
            np.testing.assert_allclose(getattr(pieces, name), getattr(whole, name), rtol=1e-12)
