"""A recording to blocks of samples per channel, at the model's rate."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from types import TracebackType

import numpy as np
import soundfile
import soxr

from sertag.errors import RecordingError
from sertag.types import FloatArray

BLOCK_SECONDS = 10.0
"""Length of the blocks, so that memory does not grow with the recording."""

_LOUDEST = 1e6
"""Floats beyond this (full scale is 1) are cut, so that their squares stay finite."""
_UNRECOGNISED, _UNSUPPORTED = 1, 4
"""libsndfile's SF_ERR_UNRECOGNISED_FORMAT and SF_ERR_UNSUPPORTED_ENCODING."""


class AudioReader:
    """Decodes one recording, block by block, whatever container and codec libsndfile reads.

    Raises:
        RecordingError: with code ``vanished``, ``no_permission``, ``empty``, ``not_audio``,
            ``unsupported_codec`` or ``decode_failed``.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        descriptor, self.modified = self._open()
        """Time of the file's last modification, in seconds since 1970."""
        try:
            # By descriptor: of a path, soundfile would take the format from the extension.
            self._file = soundfile.SoundFile(descriptor, closefd=True)
        except soundfile.LibsndfileError as error:
            raise self._failure(error) from error
        self.channels: int = self._file.channels
        self.sample_rate: int = self._file.samplerate
        self.samples_read = 0
        """Samples per channel decoded so far, at the recording's own rate."""

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def progress(self) -> float:
        """Share of the recording decoded so far, by what its header says."""
        return min(1.0, self.samples_read / max(1, int(self._file.frames)))

    @property
    def duration(self) -> float:
        """Seconds decoded so far; the recording's duration once all blocks were read."""
        return self.samples_read / self.sample_rate

    def blocks(self, rate: int, *, mix: bool, channel: int | None = None) -> Iterator[FloatArray]:
        """Blocks of shape ``(samples, channels)`` at ``rate`` Hz, ``(samples, 1)`` mixed or of one channel.

        All blocks together hold ``round(duration * rate)`` samples, at least one. What is not a finite number
        becomes silence.
        """
        columns = slice(None) if channel is None else slice(channel, channel + 1)
        channels = 1 if mix or channel is not None else self.channels
        resampler = (
            None
            if rate == self.sample_rate
            else soxr.ResampleStream(self.sample_rate, rate, channels, dtype="float32")
        )
        produced = 0
        for block, last in self._decoded():
            samples = block.mean(axis=1, keepdims=True, dtype=np.float32) if mix else block[:, columns]
            if resampler is not None:
                samples = resampler.resample_chunk(np.ascontiguousarray(samples), last=last)
            if last:
                total = max(1, round(self.samples_read * rate / self.sample_rate))
                samples = _fit(samples, total - produced)
            produced += len(samples)
            yield samples

    def _decoded(self) -> Iterator[tuple[FloatArray, bool]]:
        size = max(1, round(BLOCK_SECONDS * self.sample_rate))
        block = self._read(size)
        if len(block) == 0:
            raise RecordingError("empty", "holds no sample")
        while len(block):
            following = self._read(size)
            yield block, len(following) == 0
            block = following

    def _read(self, size: int) -> FloatArray:
        try:
            block: FloatArray = self._file.read(size, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise self._failure(error) from error
        self.samples_read += len(block)
        block = np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return np.clip(block, -_LOUDEST, _LOUDEST, out=block)

    def _open(self) -> tuple[int, float]:
        """A descriptor of a regular file with content, and when it was modified."""
        try:
            status = os.stat(self._path)
            if stat.S_ISDIR(status.st_mode):
                raise RecordingError("no_permission", "is a folder that this user may not list")
            if not stat.S_ISREG(status.st_mode):
                raise RecordingError("not_audio", "is not a regular file")
            if status.st_size == 0:
                raise RecordingError("empty", "has 0 bytes")
            return os.open(self._path, os.O_RDONLY), float(status.st_mtime)
        except FileNotFoundError as error:
            raise RecordingError("vanished", "is no longer there") from error
        except PermissionError as error:
            raise RecordingError("no_permission", "may not be read by this user") from error
        except OSError as error:
            raise RecordingError("decode_failed", f"cannot be read: {error.strerror}") from error

    def _failure(self, error: soundfile.LibsndfileError) -> RecordingError:
        reason = error.error_string.strip().rstrip(".")
        if error.code == _UNRECOGNISED:
            return RecordingError("not_audio", "is not audio in a format that libsndfile reads")
        if error.code == _UNSUPPORTED:
            return RecordingError("unsupported_codec", f"has a codec that libsndfile does not read: {reason}")
        return RecordingError("decode_failed", f"cannot be decoded: {reason}")


def _fit(samples: FloatArray, count: int) -> FloatArray:
    """Cuts or extends the last block, as a resampler may end a sample early or late."""
    if len(samples) >= count:
        return samples[: max(0, count)]
    return np.pad(samples, ((0, count - len(samples)), (0, 0)))
