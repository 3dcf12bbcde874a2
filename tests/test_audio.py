from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertag.audio import AudioReader
from sertag.errors import RecordingError
from sertag.types import FloatArray

from conftest import voice, write


def read(path: Path, rate: int = 16_000, *, mix: bool = True) -> FloatArray:
    with AudioReader(str(path)) as reader:
        return np.concatenate(list(reader.blocks(rate, mix=mix)))


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.01, 1.0, 10.0, 20.00123])
def test_length_at_the_models_rate(tmp_path: Path, rate: int, seconds: float) -> None:
    path = write(tmp_path / "a.wav", voice(seconds, rate=rate), rate)
    assert len(read(path)) == round(round(seconds * rate) / rate * 16_000)


def test_resampling_keeps_the_wave(tmp_path: Path) -> None:
    time = np.arange(8_000 * 25) / 8_000
    path = write(tmp_path / "a.wav", (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), 8_000)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000 * 25) / 16_000)
    np.testing.assert_allclose(read(path)[200:-200, 0], expected[200:-200], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "rate", "options"),
    [
        ("a.wav", 8_000, {"subtype": "ULAW"}),
        ("a.wav", 8_000, {"subtype": "ALAW"}),
        ("a.wav", 8_000, {"subtype": "GSM610"}),
        ("a.wav", 8_000, {"subtype": "MS_ADPCM"}),
        ("a.wav", 8_000, {"subtype": "IMA_ADPCM"}),
        ("a.wav", 8_000, {"subtype": "PCM_U8"}),
        ("a.wav", 16_000, {"subtype": "PCM_24"}),
        ("a.wav", 16_000, {"subtype": "DOUBLE"}),
        ("a.flac", 16_000, {}),
        ("a.ogg", 44_100, {"subtype": "VORBIS"}),
        ("a.opus", 48_000, {"format": "OGG", "subtype": "OPUS"}),
        ("a.mp3", 44_100, {}),
        ("a.aiff", 16_000, {}),
        ("a.au", 8_000, {"subtype": "ULAW"}),
    ],
)
def test_containers_and_codecs(tmp_path: Path, name: str, rate: int, options: dict[str, str]) -> None:
    path = write(tmp_path / name, voice(2.0, rate=rate), rate, **options)
    samples = read(path)
    assert abs(len(samples) - 32_000) < 4_000
    assert 0.003 < float(np.std(samples)) < 0.3


def test_channels_are_mixed_or_kept(tmp_path: Path) -> None:
    left, right = voice(1.0, seed=1), voice(1.0, seed=2)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_array_equal(read(path, mix=False), np.stack([left, right], axis=1))
    np.testing.assert_allclose(read(path)[:, 0], (left + right) / 2, atol=1e-6)


def test_what_is_no_number_is_silence(tmp_path: Path) -> None:
    samples = voice(1.0)
    samples[100:200], samples[300] = np.nan, np.inf
    heard = read(write(tmp_path / "a.wav", samples, subtype="FLOAT"))[:, 0]
    assert (heard[100:200] == 0).all()
    assert heard[300] == 0
    np.testing.assert_array_equal(heard[400:], samples[400:])


def test_names_of_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9 \n.wav")
    soundfile.write(path, voice(0.5), 16_000, format="WAV")
    assert len(read(Path(os.fsdecode(path)))) == 8_000


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"this is text, whatever its name says\n" * 50, "not_audio"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "decode_failed"),
    ],
)
def test_failures_have_codes(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as caught:
        read(path)
    assert caught.value.code in (code, "not_audio" if code == "decode_failed" else code)


def test_a_header_without_samples_is_empty(tmp_path: Path) -> None:
    with pytest.raises(RecordingError) as caught:
        read(write(tmp_path / "a.wav", np.zeros(0, dtype=np.float32)))
    assert caught.value.code == "empty"


def test_a_file_that_has_gone(tmp_path: Path) -> None:
    with pytest.raises(RecordingError) as caught:
        read(tmp_path / "a.wav")
    assert caught.value.code == "vanished"


def test_a_folder_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path, code in ((tmp_path, "no_permission"), (tmp_path / "pipe.wav", "not_audio")):
        with pytest.raises(RecordingError) as caught:
            read(path)
        assert caught.value.code == code


def test_content_decides_and_not_the_extension(tmp_path: Path) -> None:
    content = write(tmp_path / "a.wav", voice(1.0)).read_bytes()
    for name in ("a.raw", "a.mp3", "a"):
        (tmp_path / name).write_bytes(content)
        assert len(read(tmp_path / name)) == 16_000


@pytest.mark.parametrize("rate", [44_100, 768_000])
def test_one_sample_is_a_recording(tmp_path: Path, rate: int) -> None:
    assert len(read(write(tmp_path / "a.wav", np.ones(1, dtype=np.float32), rate))) == 1


def test_floats_beyond_all_measure_stay_finite(tmp_path: Path) -> None:
    samples = read(write(tmp_path / "a.wav", voice(1.0) * np.float32(1e30), subtype="FLOAT"))
    assert np.isfinite(samples**2).all()
    assert samples.std() > 0
