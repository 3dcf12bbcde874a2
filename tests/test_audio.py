from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sertag import Tagger, audio
from sertag.audio import AudioReader
from sertag.errors import RecordingError
from sertag.types import FloatArray

from conftest import voice, write


def read(path: Path, rate: int = 16_000, *, mix: bool = True) -> FloatArray:
    with AudioReader(str(path)) as reader:
        return np.concatenate(list(reader.blocks(rate, mix=mix)))


def heard(path: Path) -> tuple[float, list[str]]:
    """Seconds decoded, and warnings."""
    with AudioReader(str(path)) as reader:
        for _ in reader.blocks(16_000, mix=True):
            pass
        return reader.duration, reader.warnings


def overwritten(content: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """Other bytes at some distance from the first occurrence of a mark."""
    at = content.index(mark) + offset
    return content[:at] + value + content[at + len(value) :]


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
    assert heard(path)[1] == []


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


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.wav"))
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "nowhere.wav").symlink_to("gone.wav")
    codes = {}
    for path in (tmp_path, *tmp_path.iterdir(), Path("/dev/zero"), tmp_path / "pipe.wav" / "a.wav"):
        with pytest.raises(RecordingError) as caught:
            read(path)
        codes[path.name] = caught.value.code
    assert codes == {
        tmp_path.name: "not_audio",
        "pipe.wav": "not_audio",
        "socket.wav": "not_audio",
        "zero": "not_audio",
        "loop.wav": "vanished",
        "nowhere.wav": "vanished",
        "a.wav": "vanished",
    }


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.wav", voice(1.0))
    (tmp_path / "text.wav").write_bytes(b"text\n" * 50)
    (tmp_path / "empty.wav").write_bytes(b"")
    slow = write(tmp_path / "slow.wav", voice(0.1), 100)
    before = os.listdir("/proc/self/fd")
    assert len(read(whole)) == 16_000
    for path in (tmp_path, tmp_path / "text.wav", tmp_path / "empty.wav", slow):
        with pytest.raises(RecordingError):
            read(path)
    assert os.listdir("/proc/self/fd") == before


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


@pytest.mark.parametrize(
    ("name", "options", "warning"),
    [
        ("a.wav", {}, "is cut off: holds 3.0 s of 6.0 s"),
        ("a.wav", {"subtype": "GSM610"}, "is cut off: holds 3.0 s of 6.0 s"),
        ("a.rf64", {}, "is cut off: holds 3.0 s of 6.0 s"),
        ("a.w64", {}, "is cut off: holds 3.0 s of 6.0 s"),
        ("a.aiff", {}, "is cut off: holds 3.0 s of 6.0 s"),
        ("a.au", {}, "is cut off: holds 3.0 s of 6.0 s"),
        ("a.flac", {}, r"decoding stopped after [23]\.\d s of 6.0 s: flac decoder lost sync"),
        ("a.ogg", {"subtype": "VORBIS"}, r"is cut off: breaks off after [123]\.\d s"),
        ("a.ogg", {"subtype": "OPUS"}, r"is cut off: breaks off after [123]\.\d s"),
        ("a.mp3", {}, r"is cut off: holds [23]\.\d s of 6.0 s"),
    ],
)
def test_a_cut_recording_is_read_as_far_as_it_goes(
    tmp_path: Path, name: str, options: dict[str, str], warning: str
) -> None:
    path = tmp_path / name
    write(path, voice(6.0), 16_000, **options)
    whole = read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seconds, warnings = heard(path)
    assert 1.5 < seconds < 4
    assert len(warnings) == 1
    assert re.fullmatch(warning, warnings[0])
    part = read(path)[:24_000]
    np.testing.assert_allclose(part, whole[: len(part)], atol=1e-6)


def test_a_damaged_block_ends_the_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", voice(30.0))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    seconds, warnings = heard(path)
    assert 13 < seconds < 17
    assert warnings == [f"decoding stopped after {seconds:.1f} s of 30.0 s: flac decoder lost sync"]


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFD0, 0x80000000])
def test_a_length_that_no_recorder_meant(tmp_path: Path, length: int) -> None:
    path = write(tmp_path / "a.wav", voice(2.0))
    path.write_bytes(overwritten(path.read_bytes(), b"data", 4, length.to_bytes(4, "little")))
    assert heard(path) == (2.0, [])


@pytest.mark.parametrize(
    "behind", [b"LIST\x04\0\0\0INFO", b"id3 \x03\0\0\0abc\0LIST\x04\0\0\0INFO", b"id3 \x03\0\0\0abc"]
)
def test_what_lies_behind_no_samples_is_no_sound(tmp_path: Path, behind: bytes) -> None:
    path = write(tmp_path / "a.wav", voice(0.0))
    path.write_bytes(path.read_bytes() + behind)
    with pytest.raises(RecordingError) as caught:
        read(path)
    assert caught.value.code == "empty"


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "ULAW", "GSM610"])
def test_a_header_that_was_never_finished(tmp_path: Path, subtype: str) -> None:
    path = write(tmp_path / "a.wav", voice(2.0), subtype=subtype)
    whole = read(path)
    path.write_bytes(overwritten(path.read_bytes(), b"data", 4, bytes(4)))
    duration, warnings = heard(path)
    assert duration == pytest.approx(2.0, abs=0.03)
    assert warnings == ["was never finished by what recorded it; all that is there was read"]
    np.testing.assert_array_equal(read(path)[: len(whole)], whole)


def test_flac_from_a_pipe_has_no_length(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", voice(25.0))
    whole = read(path)
    path.write_bytes(overwritten(path.read_bytes(), b"fLaC", 21, b"\xf0\0\0\0\0"))
    assert heard(path) == (25.0, [])
    np.testing.assert_array_equal(read(path), whole)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seconds, warnings = heard(path)
    assert 11 < seconds < 14
    assert warnings == [f"decoding stopped after {seconds:.1f} s: flac decoder lost sync"]


@pytest.fixture
def variable_rate(tmp_path: Path) -> Path:
    """An MP3 whose first frames need far fewer bits than those that follow."""
    noise = np.random.default_rng(0).normal(0, 0.3, 16_000 * 10)
    samples = np.concatenate([np.zeros(16_000 * 10), noise]).astype(np.float32)
    path = tmp_path / "a.mp3"
    soundfile.write(path, samples, 16_000, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    return path


def test_mpeg_of_variable_rate_without_a_length(variable_rate: Path) -> None:
    assert heard(variable_rate) == (20.0, [])
    whole = read(variable_rate)
    content = overwritten(variable_rate.read_bytes(), b"Xing", 0, bytes(4))
    for tag in (b"", b"TAG" + bytes(125)):
        variable_rate.write_bytes(content + tag)
        seconds, warnings = heard(variable_rate)
        # The header's frame and the encoder's delay are now heard too.
        assert 20.0 < seconds < 20.3
        assert warnings == []
        assert read(variable_rate).std() == pytest.approx(whole.std(), rel=0.02)


def test_ogg_that_goes_on_with_another_stream(tmp_path: Path) -> None:
    first, second = (
        write(tmp_path / f"{seed}.ogg", voice(8.0, seed=seed), 16_000, subtype=subtype)
        for seed, subtype in ((0, "OPUS"), (1, "VORBIS"))
    )
    assert [heard(first), heard(second)] == [(8.0, []), (8.0, [])]
    for one, other in ((first, second), (second, first)):
        chain = tmp_path / "chain.ogg"
        chain.write_bytes(one.read_bytes() + other.read_bytes())
        seconds, warnings = heard(chain)
        assert seconds == 8.0
        assert [warning.partition(";")[0] for warning in warnings] == [
            "goes on with another stream after 8.0 s"
        ]


def test_channels_that_cancel_each_other_out(tmp_path: Path) -> None:
    sound = voice(2.0)
    for second, warns in ((-sound, True), (sound, False), (0 * sound, False), (-0.5 * sound, False)):
        path = write(tmp_path / "a.wav", np.stack([sound, second], axis=1))
        assert any("cancel each other out" in warning for warning in Tagger().tag(path).warnings) == warns


def test_mpeg_that_goes_on_after_its_end(variable_rate: Path) -> None:
    content = variable_rate.read_bytes()
    variable_rate.write_bytes(content + content)
    seconds, warnings = heard(variable_rate)
    assert seconds == 20.0
    assert len(warnings) == 1
    assert warnings[0].startswith("goes on after the 20.0 s that its header tells of")
    variable_rate.write_bytes(content + b"APETAGEX" + bytes(1_000))
    assert heard(variable_rate) == (20.0, [])


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "AAC or another codec in MP4"),
        (b"#!AMR\n", "AMR"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01", "WebM or Matroska"),
        (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9", "WMA"),
        (b"\xff\xf1\x50\x80", "AAC"),
        (b"\x0bw\x12\x34", "AC-3"),
        (b"OggS" + bytes(24) + b"Speex   ", "Speex in Ogg"),
        (b"RIFF\0\x10\0\0WAVEfmt \x12\0\0\0\x83\0\x01\0\x40\x1f\0\0", "G.729 in WAV"),
    ],
)
def test_codecs_that_need_another_program(tmp_path: Path, head: bytes, name: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(head + np.random.default_rng(0).bytes(4_000))
    with pytest.raises(RecordingError) as caught:
        read(path)
    assert caught.value.code == "unsupported_codec"
    assert caught.value.message == (
        f"is {name}, which libsndfile does not read; convert it: ffmpeg -i FILE OUT.wav"
    )


@pytest.mark.parametrize("rate", [1, 999, 10_000_001, 2**31 - 1])
def test_rates_that_hold_no_voice(tmp_path: Path, rate: int) -> None:
    with pytest.raises(RecordingError) as caught:
        read(write(tmp_path / "a.wav", voice(0.1), rate))
    assert caught.value.code == "unsupported_rate"


@pytest.mark.parametrize("mix", [True, False])
@pytest.mark.parametrize(("rate", "channels"), [(768_000, 64), (1_000, 1_024), (8_000, 1_024)])
def test_blocks_are_bounded(tmp_path: Path, rate: int, channels: int, mix: bool) -> None:
    random = np.random.default_rng(0)
    samples = random.normal(0, 0.1, (150_000 if rate > 8_000 else 6_000, channels)).astype(np.float32)
    path = write(tmp_path / "a.wav", samples, rate)
    with AudioReader(str(path)) as reader:
        sizes = [block.size for block in reader.blocks(16_000, mix=mix)]
    # The resampler gives in lumps.
    assert max(sizes) < 4 * audio.BLOCK_VALUES
    assert sum(sizes) == (1 if mix else channels) * round(len(samples) * 16_000 / rate)


def test_samples_do_not_depend_on_the_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stereo = np.stack([voice(12.0, rate=44_100, seed=1), voice(12.0, rate=44_100, seed=2)], axis=1)
    for name in ("a.wav", "a.flac", "a.mp3", "a.ogg"):
        path = write(tmp_path / name, stereo, 44_100)
        whole = read(path)
        with monkeypatch.context() as patch:
            patch.setattr(audio, "BLOCK_VALUES", 50_001)
            np.testing.assert_array_equal(read(path), whole)


def test_a_mix_does_not_depend_on_the_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channels = np.stack([voice(2.0, seed=seed) for seed in range(5)], axis=1)
    path = write(tmp_path / "a.wav", channels, subtype="FLOAT")
    whole = read(path)
    np.testing.assert_allclose(whole[:, 0], channels.mean(axis=1), atol=1e-7)
    monkeypatch.setattr(audio, "BLOCK_VALUES", 5 * 1_001)
    np.testing.assert_array_equal(read(path), whole)


@pytest.mark.parametrize("error_output", ["pipe", "closed"])
def test_nothing_is_printed_about_damage(variable_rate: Path, error_output: str) -> None:
    content = bytearray(variable_rate.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3_000] = bytes(3_000)
    variable_rate.write_bytes(content)
    code = "from sertag import Tagger; import sys; print(len(Tagger().tag(sys.argv[1]).channels))"
    command = 'exec "$@"' + (" 2>&-" if error_output == "closed" else "")
    done = subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, "-c", code, str(variable_rate)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_a_sample_dump_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(RecordingError) as caught:
        read(write(tmp_path / "a.sds", voice(1.0)))
    assert (caught.value.code, caught.value.message) == ("not_audio", "is a MIDI sample dump")


def test_other_threads_keep_standard_error() -> None:
    code = """if True:
        import os, threading
        from sertag.interpreter import silenced
        done = threading.Event()
        other = threading.Thread(target=done.wait)
        with silenced():
            os.write(2, b"a decoder")
        other.start()
        with silenced():
            os.write(2, b"a thread")
        done.set()
    """
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    assert told == "a thread"
