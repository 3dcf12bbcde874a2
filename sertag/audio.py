"""A recording to blocks of samples per channel, at the model's rate."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from types import TracebackType

import numpy as np
import soundfile
import soxr

from sertag.errors import RecordingError
from sertag.headers import (
    FileView,
    finds_samples,
    foreign_codec,
    is_chained_ogg,
    is_cut_ogg,
    is_mpeg,
    is_sample_dump,
    promised_frames,
    unfinished_wav,
    unmeasured_mpeg,
)
from sertag.interpreter import silenced
from sertag.opening import open_recording
from sertag.types import FloatArray

BLOCK_SECONDS = 30.0
"""Length of the blocks, so that memory does not grow with the recording."""
BLOCK_VALUES = 4_000_000
"""Most samples of all channels together in a block, before and after resampling."""
LOWEST_RATE, HIGHEST_RATE = 1_000, 10_000_000
"""Sample rates in Hz between which a recording can hold a voice, and be resampled."""

_LOUDEST = 1e6
"""Floats beyond this (full scale is 1) are cut, so that their squares stay finite."""
_UNRECOGNISED, _UNSUPPORTED, _UNIMPLEMENTED = 1, 4, 18
"""libsndfile's SF_ERR_UNRECOGNISED_FORMAT, SF_ERR_UNSUPPORTED_ENCODING and SFE_UNIMPLEMENTED."""
_UNKNOWN_LENGTH = 2**63 - 1
"""What libsndfile gives for the frames of a FLAC file that was written to a pipe."""
_MISSED = 0.1
"""Seconds that may lack of what a header promises: writers count their own header, or a last frame."""
_HEAD = 4_096
_LOOK = 1_024
"""Samples per channel that are asked for beyond those that a header tells of."""
_CONVERT = "convert it: ffmpeg -i FILE OUT.wav"
_DAMAGE = (soundfile.SoundFileError, OSError, ValueError, OverflowError, MemoryError)
"""What soundfile may raise for a damaged file."""


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file that is read from start to end.

    Of one that can seek, soundfile seeks to where it is after every read: slow, lossy in some codecs, and
    an error where a header promises more than there is.
    """

    def seekable(self) -> bool:
        return False


class AudioReader:
    """Decodes one recording, block by block, whatever container and codec libsndfile reads.

    A recording that is cut off or damaged is decoded as far as it goes, and ``warnings`` tell of it.

    Raises:
        RecordingError: with code ``vanished``, ``no_permission``, ``empty``, ``not_audio``,
            ``unsupported_codec``, ``unsupported_rate`` or ``decode_failed``.
    """

    def __init__(self, path: str) -> None:
        self._descriptor, status = open_recording(path)
        self._damage: Exception | None = None
        self._size = status.st_size
        self.modified = float(status.st_mtime)
        """Time of the file's last modification, in seconds since 1970."""
        self.warnings: list[str] = []
        """What is wrong with the recording, though it was decoded; complete once all blocks were read."""
        self.samples_read = 0
        """Samples per channel decoded so far, at the recording's own rate."""
        self.channels_energy = self.mix_energy = 0.0
        """Where channels were mixed: what they would have in a mix if they had nothing to do with each other,
        and what it has; sums of squares so far."""
        try:
            with silenced():
                self._file, self._promised = self._decoder()
            self.channels: int = self._file.channels
            self.sample_rate: int = self._file.samplerate
            if not LOWEST_RATE <= self.sample_rate <= HIGHEST_RATE:
                raise RecordingError(
                    "unsupported_rate",
                    f"says {self.sample_rate} samples a second; a voice takes {LOWEST_RATE} or more, "
                    f"and more than {HIGHEST_RATE} cannot be resampled",
                )
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(*_DAMAGE):
            self._file.close()
        os.close(self._descriptor)

    @property
    def progress(self) -> float:
        """Share of the file's bytes read so far."""
        return min(1.0, os.lseek(self._descriptor, 0, os.SEEK_CUR) / self._size)

    @property
    def duration(self) -> float:
        """Seconds decoded so far; the recording's duration once all blocks were read."""
        return self.samples_read / self.sample_rate

    @property
    def length(self) -> int | None:
        """Samples per channel, by the header, where :meth:`skip` is cheap and exact; else None."""
        known = self._promised is not None and finds_samples(self._file.format, self._file.subtype)
        return int(self._file.frames) if known else None

    def skip(self, samples: int) -> None:
        """Lets the first block begin after so many samples.

        Raises:
            RecordingError: ``decode_failed`` where the recording is cut off or damaged before.
        """
        try:
            self.samples_read = self._file.seek(samples)
        except _DAMAGE as error:
            raise self._failure(error) from error

    def blocks(self, rate: int, *, mix: bool, channel: int | None = None) -> Iterator[FloatArray]:
        """Blocks of shape ``(samples, channels)`` at ``rate`` Hz, ``(samples, 1)`` mixed or of one channel.

        All blocks together hold ``round(duration * rate)`` samples, at least one, but for what was skipped.
        What is not a finite number becomes silence.
        """
        columns = slice(None) if channel is None else slice(channel, channel + 1)
        channels = 1 if mix or channel is not None else self.channels
        resampler = (
            None
            if rate == self.sample_rate
            else soxr.ResampleStream(self.sample_rate, rate, channels, dtype="float32")
        )
        produced = round(self.samples_read * rate / self.sample_rate)
        for block, last in self._decoded(rate):
            samples = _mixed(block) if mix else block[:, columns]
            if mix and self.channels > 1:
                self.channels_energy += float(np.vdot(block, block)) / self.channels**2
                self.mix_energy += float(np.vdot(samples, samples))
            if resampler is not None:
                samples = resampler.resample_chunk(np.ascontiguousarray(samples), last=last)
            if last:
                total = max(1, round(self.samples_read * rate / self.sample_rate))
                samples = _fit(samples, total - produced)
            produced += len(samples)
            yield samples

    def _decoded(self, rate: int) -> Iterator[tuple[FloatArray, bool]]:
        most = BLOCK_VALUES / (self.channels * max(1.0, rate / self.sample_rate))
        size = max(1, min(round(BLOCK_SECONDS * self.sample_rate), int(most)))
        block = self._read(size)
        if len(block) == 0:
            if self.samples_read == 0:
                raise RecordingError("empty", "holds no sample")
            self._conclude()
        while len(block):
            following = self._read(size)
            last = len(following) == 0
            if last:
                self._conclude()
            yield block, last
            block = following

    def _read(self, size: int) -> FloatArray:
        # Where the header tells of no more, a look is enough.
        size = min(size, max(self._file.frames - self.samples_read, _LOOK))
        block: FloatArray = np.full((size, self.channels), np.nan, dtype=np.float32)
        if self._damage:
            return block[:0]
        # libmpg123 writes to standard error.
        with silenced() if self._file.subtype.startswith("MPEG") else contextlib.nullcontext():
            try:
                block = self._file.read(out=block)
            except _DAMAGE as error:
                if self.samples_read == 0 and np.isnan(block).all():
                    raise self._failure(error) from error
                self._damage = error
                # What was not decoded is as it was.
                decoded = np.flatnonzero(~np.isnan(block).all(axis=1))
                block = block[: decoded[-1] + 1 if len(decoded) else 0]
        self.samples_read += len(block)
        # What is no number makes this false too.
        if block.size and -_LOUDEST <= block.min() <= block.max() <= _LOUDEST:
            return block
        block = np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return np.clip(block, -_LOUDEST, _LOUDEST, out=block)

    def _conclude(self) -> None:
        """Warns where there should have been more."""
        held = f"{self.duration:.1f} s"
        missing = None if self._promised is None else self._promised / self.sample_rate - self.duration
        whole = "" if self._promised is None else f" of {self._promised / self.sample_rate:.1f} s"
        if self._damage and (missing is None or missing > _MISSED):
            self.warnings.append(f"decoding stopped after {held}{whole}: {_reason(self._damage)}")
        elif missing is not None and missing > _MISSED:
            self.warnings.append(f"is cut off: holds {held}{whole}")
        elif self._file.format == "OGG" and is_chained_ogg(self._descriptor):
            self.warnings.append(f"goes on with another stream after {held}; to read all, {_CONVERT}")
        elif self._file.format == "OGG" and is_cut_ogg(self._descriptor):
            self.warnings.append(f"is cut off: breaks off after {held}")
        elif self._file.format == "MP3" and is_mpeg(os.read(self._descriptor, 3)):
            self.warnings.append(
                f"goes on after the {held} that its header tells of; to read all, {_CONVERT}"
            )

    def _decoder(self) -> tuple[_Sequential, int | None]:
        """The decoder, and how many samples per channel the header promises, where it does."""
        head = self._head()
        if is_sample_dump(head):
            raise RecordingError("not_audio", "is a MIDI sample dump")
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        file = self._decode(self._descriptor)
        if file.format == "MP3":
            at = os.lseek(self._descriptor, 0, os.SEEK_CUR)
            unmeasured = self._decode(unmeasured_mpeg(self._descriptor))
            if unmeasured.frames != file.frames:
                return unmeasured, None
            os.lseek(self._descriptor, at, os.SEEK_SET)
        elif file.frames == 0 and (view := unfinished_wav(self._descriptor, head)):
            self.warnings.append("was never finished by what recorded it; all that is there was read")
            return self._decode(view), None
        elif file.frames == _UNKNOWN_LENGTH:
            return file, None
        return file, promised_frames(file.extra_info, file.frames)

    def _decode(self, file: int | FileView) -> _Sequential:
        # By descriptor: of a path, soundfile would take the format from the extension.
        try:
            return _Sequential(file, closefd=False)
        except _DAMAGE as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> RecordingError:
        code = error.code if isinstance(error, soundfile.LibsndfileError) else None
        if name := foreign_codec(self._head()):
            return RecordingError(
                "unsupported_codec", f"is {name}, which libsndfile does not read; {_CONVERT}"
            )
        if code == _UNRECOGNISED:
            return RecordingError("not_audio", "is not audio in a format that libsndfile reads")
        if code in (_UNSUPPORTED, _UNIMPLEMENTED):
            return RecordingError(
                "unsupported_codec", f"has a codec that libsndfile does not read; {_CONVERT}"
            )
        return RecordingError("decode_failed", f"cannot be decoded: {_reason(error)}")

    def _head(self) -> bytes:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, _HEAD)


def _reason(error: Exception) -> str:
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string).strip().removeprefix("Error : ").rstrip(".")
    return str(error) or type(error).__name__


def _mixed(block: FloatArray) -> FloatArray:
    """The mean of all channels, shape ``(samples, 1)``."""
    # NumPy takes sixteen times as long for the mean of rows that are as short as these.
    return np.asarray(np.ascontiguousarray(block.T).mean(axis=0)[:, np.newaxis])


def _fit(samples: FloatArray, count: int) -> FloatArray:
    """Cuts or extends the last block, as a resampler may end a sample early or late."""
    if len(samples) >= count:
        return samples[: max(0, count)]
    return np.pad(samples, ((0, count - len(samples)), (0, 0)))
