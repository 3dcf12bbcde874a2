"""Which frames are speech.

A small convolutional network hears what music, ringing, keys and noise have in common with speech
and what not. It sees bands relative to the running level of the last seconds, so that gain decides
nothing. Every decision looks at most ``LOOK_AHEAD`` frames ahead and at a bounded past, so that
live and batch runs agree and a long recording streams.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.fft

from sertag.features import FeatureSettings, FrameStream
from sertag.types import BoolArray, FloatArray

LOOK_AHEAD = 96
"""Frames (1.92 s) that have to be known before a frame is decided."""
MINIMUM_SHARE = 0.1
"""Share of a window that has to be speech for the window to be tagged."""

CLIP = 246
"""A recording of no more frames (4.92 s) is a clip, decided as a whole; no window of 3 s waits for that."""

FOLD = 4
"""Frames that the network takes and decides together."""
TAPS = ((0,), (-1, 0, 1), (-3, 0, 3), (-27, -18, -9, 0, 9))
"""For each layer, which steps of ``FOLD`` frames it sees, relative to its own."""
PAST, FUTURE = (abs(sum(extreme(taps) for taps in TAPS)) * FOLD for extreme in (min, max))
"""Frames that the network sees before and after those it decides."""
SILENT = -3.0
"""What the bands of the network's input are in silence, and before and after the recording."""

_WEIGHTS = Path(__file__).parent / "models" / "speech.npz"
_MARGIN = 12
_GROUP = 4
_LOUDEST_PAST, _LOUDEST_AHEAD = 300, 20
_QUIETEST = -72.0
_DECIBELS = 20.0
_LOG_ODDS = -1.0
_TELEPHONE_BAND = 300.0, 3_400.0
_CLOSED, _SHORTEST = 4, 4

BATCH = 256
"""Frames that are decided together."""
MEMORY = BATCH + _MARGIN + PAST + _LOUDEST_PAST
"""Frames before one that may have a say in whether it is speech."""


def speech_frames(frames: FloatArray, settings: FeatureSettings) -> BoolArray:
    """Decides for each frame whether it is speech.

    Args:
        frames: feature frames, shape ``(n, settings.columns)``.
        settings: how they were made.

    Returns:
        True where the frame is speech, shape ``(n,)``.

    Raises:
        ValueError: for frames of another make than the detector was trained with.
    """
    return SpeechGate(settings).push(frames, last=True)


def clip_speech(samples: FloatArray, rate: int, frames: FloatArray, settings: FeatureSettings) -> BoolArray:
    """Decides for each frame of a whole recording whether it is speech.

    Whoever cut out a clip heard somebody. Where that is too soft to be heard above a room's rumble, it is
    looked for again in the telephone's band alone.

    Args:
        samples: of one channel, shape ``(samples,)``.
        rate: of the samples in Hz, one that a :class:`FrameStream` takes.
        frames: feature frames of these, shape ``(n, settings.columns)``.
        settings: how they were made.

    Returns:
        True where the frame is speech, shape ``(n,)``.

    Raises:
        ValueError: for frames of another make than the detector was trained with.
    """
    speech = speech_frames(frames, settings)
    if len(speech) > CLIP or np.count_nonzero(speech) >= MINIMUM_SHARE * len(speech):
        return speech
    stream = FrameStream(settings, rate)
    band = _telephone_band(samples, rate)
    return speech | speech_frames(np.concatenate([stream.push(band), stream.finish()]), settings)


class SpeechGate:
    """Decides frame by frame on a stream; the result equals :func:`speech_frames` of the whole.

    The network runs on batches of fixed shape at fixed places in the recording, so that bits do not
    depend on how the frames were divided. A batch ends ``LOOK_AHEAD`` frames before a multiple of
    its length: where frames come in whole batches, none is computed twice.

    Raises:
        ValueError: for frames of another make than the detector was trained with.
    """

    def __init__(self, settings: FeatureSettings) -> None:
        self._detector = _detector()
        if settings != self._detector.settings:
            raise ValueError("the speech detector was trained with other feature settings")
        self._columns = Columns(settings)
        self._kept = np.zeros((0, self._columns.count), dtype=np.float32)
        self._start = 0
        self._decided = 0

    def push(self, frames: FloatArray, *, last: bool = False) -> BoolArray:
        """Decisions that are ready: all but the latest ``LOOK_AHEAD`` frames, or all with ``last``.

        Args:
            frames: the next feature frames, shape ``(n, columns)``.
            last: whether the recording ends with them.
        """
        self._kept = np.concatenate([self._kept, self._columns.of(frames)])
        known = self._start + len(self._kept)
        until = known if last else max(self._decided, known - LOOK_AHEAD)
        batch = _batch_of(self._decided)
        parts = [np.zeros(0, dtype=bool)]
        inputs = network_input(self._kept) if until > self._decided else self._kept
        while self._decided < until:
            speech = self._decide(inputs, batch)
            end = min(until, batch + BATCH)
            parts.append(speech[self._decided - batch : end - batch])
            self._decided = end
            batch += BATCH
        drop = max(0, _batch_of(self._decided) - _MARGIN - PAST - _LOUDEST_PAST - self._start)
        self._kept = self._kept[drop:]
        self._start += drop
        return np.concatenate(parts)

    def _decide(self, inputs: FloatArray, batch: int) -> BoolArray:
        """The batch of decisions from frame ``batch`` on, whose context may reach over the ends."""
        first = batch - _MARGIN - PAST - self._start
        end = batch + BATCH + _MARGIN + FUTURE - self._start
        known = inputs[max(first, 0) : max(end, 0)]
        context = silence(end - first, inputs.shape[1])
        at = max(-first, 0)
        context[at : at + len(known)] = known
        speech = self._detector(context) > _LOG_ODDS
        speech = _opened(~_opened(~speech, _CLOSED), _SHORTEST)
        spare = (len(speech) - BATCH) // 2
        return speech[spare : spare + BATCH]


@dataclass(frozen=True)
class Columns:
    """Feature frames to what the detector keeps of them: 16 bands, pitch, voicing, level, crest."""

    settings: FeatureSettings

    @property
    def bands(self) -> int:
        """Number of bands."""
        return self.settings.mels // _GROUP

    @property
    def count(self) -> int:
        """Width of a row."""
        return self.bands + 4

    def of(self, frames: FloatArray) -> FloatArray:
        """Rows of frames ``(n, columns)``, shape ``(n, count)``; in dB but for pitch and voicing."""
        settings, bands = self.settings, self.bands
        mels = frames[:, : settings.mels]
        out = np.empty((len(frames), self.count), dtype=np.float32)
        pairs = mels[:, ::2] + mels[:, 1::2]
        np.add(pairs[:, ::2], pairs[:, 1::2], out=out[:, :bands])
        out[:, :bands] *= np.float32(1 / _GROUP)
        out[:, bands] = frames[:, settings.pitch]
        out[:, bands + 1] = frames[:, settings.voicing]
        out[:, bands + 2] = frames[:, settings.level]
        out[:, bands + 3] = mels.max(axis=1)
        return out


def network_input(rows: FloatArray) -> FloatArray:
    """Rows relative to the loudest of the last 6 s, in steps of 20 dB; bands are cut off at -60 dB.

    Args:
        rows: consecutive rows of :class:`Columns`, shape ``(n, count)``.

    Returns:
        Shape ``(n, count)``; pitch and voicing as they were.
    """
    bands = rows.shape[1] - 4
    levels = np.full(_LOUDEST_PAST + len(rows) + _LOUDEST_AHEAD, _QUIETEST, dtype=np.float32)
    np.maximum(rows[:, bands + 2], _QUIETEST, out=levels[_LOUDEST_PAST:-_LOUDEST_AHEAD])
    out: FloatArray = rows - _running(np.maximum, levels, _LOUDEST_PAST + 1 + _LOUDEST_AHEAD)[:, None]
    out *= np.float32(1 / _DECIBELS)
    np.maximum(out, np.float32(SILENT), out=out)
    out[:, bands : bands + 2] = rows[:, bands : bands + 2]
    return out


def silence(count: int, width: int) -> FloatArray:
    """The network's input where there is nothing, shape ``(count, width)``."""
    out = np.full((count, width), SILENT, dtype=np.float32)
    out[:, width - 4 : width - 2] = 0.0
    return out


@dataclass(frozen=True)
class Detector:
    """The network: dilated convolutions over steps of ``FOLD`` frames, each added to the one before.

    ``kernels`` have shape ``(taps * inputs, outputs)``, ``biases`` ``(outputs,)``; the last pair gives
    ``FOLD`` log-odds of speech per step.
    """

    settings: FeatureSettings
    kernels: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """Log-odds of the frames of ``inputs`` but the first ``PAST`` and the last ``FUTURE``."""
        hidden = inputs.reshape(len(inputs) // FOLD, -1)
        for number, taps in enumerate(TAPS):
            count = len(hidden) - (taps[-1] - taps[0])
            seen = [hidden[tap - taps[0] :][:count] for tap in taps]
            joined = np.concatenate(seen, axis=1) if len(taps) > 1 else hidden
            out = joined @ self.kernels[number]
            out += self.biases[number]
            np.maximum(out, 0.0, out=out)
            if number:
                out += hidden[-taps[0] :][:count]
            hidden = out
        return np.asarray((hidden @ self.kernels[-1] + self.biases[-1]).reshape(-1), dtype=np.float32)

    @classmethod
    def load(cls, path: Path) -> Detector:
        """Reads what :meth:`save` wrote."""
        with np.load(path) as arrays:
            settings = FeatureSettings(**json.loads(str(arrays["settings"])))
            count = len(TAPS) + 1
            return cls(
                settings,
                tuple(arrays[f"kernel{number}"].astype(np.float32) for number in range(count)),
                tuple(arrays[f"bias{number}"].astype(np.float32) for number in range(count)),
            )

    def save(self, path: Path) -> None:
        """Writes an ``.npz`` file, numbers rounded to 16 bits."""
        arrays = {"settings": np.array(json.dumps(asdict(self.settings)))}
        for number, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            arrays[f"kernel{number}"] = kernel.astype(np.float16)
            arrays[f"bias{number}"] = bias.astype(np.float16)
        np.savez_compressed(path, **arrays)


@cache
def _detector() -> Detector:
    return Detector.load(_WEIGHTS)


def _telephone_band(samples: FloatArray, rate: int) -> FloatArray:
    """What a telephone lets through: a Butterworth filter of third order, there and back, as in training."""
    low, high = _TELEPHONE_BAND
    hertz = np.maximum(scipy.fft.rfftfreq(len(samples), 1 / rate), 1.0)
    gain = 1.0 / (1.0 + ((hertz**2 - low * high) / (hertz * (high - low))) ** 6)
    return np.asarray(scipy.fft.irfft(scipy.fft.rfft(samples) * gain, len(samples)), dtype=np.float32)


def _batch_of(frame: int) -> int:
    """The first frame of the batch that a frame is in."""
    return (frame + LOOK_AHEAD) // BATCH * BATCH - LOOK_AHEAD


def _opened(flags: BoolArray, shortest: int) -> BoolArray:
    """Without the runs of True shorter than ``shortest``; and ``shortest - 1`` fewer at both ends."""
    return _running(np.maximum, _running(np.minimum, flags, shortest), shortest)


def _running(extreme: np.ufunc, values: np.ndarray, width: int) -> np.ndarray:  # type: ignore[type-arg]
    """Minimum or maximum of every stretch of ``width`` values, by doubling."""
    reach = 1
    while reach < width:
        step = min(reach, width - reach)
        values = extreme(values[:-step], values[step:])
        reach += step
    return values
