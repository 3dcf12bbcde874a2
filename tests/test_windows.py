from __future__ import annotations

import numpy as np
import pytest

from sertag.windows import FrameWindow, WindowStream


def cut(count: int, length: int, hop: int, block: int) -> list[FrameWindow]:
    frames = np.arange(count, dtype=np.float32)[:, None]
    stream = WindowStream(length, hop)
    found: list[FrameWindow] = []
    for at in range(0, count, block):
        part = frames[at : at + block]
        found += stream.push(part, part[:, 0] % 2 == 0, last=at + block >= count)
    return found


@pytest.mark.parametrize("block", [1, 7, 100, 1_000])
@pytest.mark.parametrize("hop", [1, 4, 7, 10])
@pytest.mark.parametrize("count", [1, 9, 10, 11, 14, 15, 20, 21, 99])
def test_windows_cover_everything_once_and_in_order(count: int, hop: int, block: int) -> None:
    windows = cut(count, 10, hop, block)
    assert [window.start for window in windows] == [hop * number for number in range(len(windows))]
    assert [window.start + len(window.frames) for window in windows[:-1]] == [
        window.start + 10 for window in windows[:-1]
    ]
    last = windows[-1]
    assert last.start + len(last.frames) == count
    # The last window is the first that reaches the end.
    assert all(window.start + 10 < count for window in windows[:-1])
    for window in windows:
        assert window.frames[0, 0] == window.start
        assert np.array_equal(window.speech, window.frames[:, 0] % 2 == 0)


def test_a_hop_beyond_the_window_would_leave_gaps() -> None:
    with pytest.raises(ValueError, match="hop"):
        WindowStream(10, 11)


@pytest.mark.parametrize(("spoken", "enough"), [(0, False), (14, False), (15, True), (150, True)])
def test_speech_share(spoken: int, enough: bool) -> None:
    window = FrameWindow(0, np.zeros((150, 1), dtype=np.float32), np.arange(150) < spoken)
    assert window.has_speech is enough
