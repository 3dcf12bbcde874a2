"""What a recording's header says where libsndfile keeps it to itself.

How long the recording was to be, which codec it has that libsndfile does not read, and views of a
file for what libsndfile would read a part of only.
"""

from __future__ import annotations

import os
import re

_AAC, _MP4 = "AAC", "AAC or another codec in MP4"
_SIGNATURES = (
    (4, b"ftyp", _MP4),
    (4, b"moov", _MP4),
    (4, b"mdat", _MP4),
    (0, b"#!AMR", "AMR"),
    (0, b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "WMA"),
    (0, b"\xff\xf1", _AAC),
    (0, b"\xff\xf9", _AAC),
    (0, b"ADIF", _AAC),
    (0, b"\x0bw", "AC-3"),
    (0, b"\x7f\xfe\x80\x01", "DTS"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"TTA1", "TTA"),
    (0, b"MP+", "Musepack"),
    (0, b"MPCK", "Musepack"),
    (0, b"ajkg", "Shorten"),
    (0, b"#!SILK", "SILK"),
    (1, b"#!SILK", "SILK"),
    (0, b".ra\xfd", "RealAudio"),
    (0, b".RMF", "RealMedia"),
    (0, b"FLV\x01", "Flash video"),
    (8, b"AVI ", "AVI"),
    (28, b"Speex   ", "Speex in Ogg"),
    (28, b"\x7fFLAC", "FLAC in Ogg"),
)
"""Offset, bytes, and what a file that has them there is."""
_WAV_CODECS = {
    0x22: "TrueSpeech",
    0x42: "G.723.1",
    0x45: "G.726",
    0x64: "G.726",
    0x83: "G.729",
    0x92: "AC-3",
    0xFF: _AAC,
    0x160: "WMA",
    0x161: "WMA",
    0x162: "WMA",
    0x163: "WMA",
    0x1610: _AAC,
    0x2000: "AC-3",
    0xA106: _AAC,
    0xA109: "Speex",
}
"""Format tags of WAV, as RFC 2361 and its successors list them, that libsndfile does not know."""

_FINDING = frozenset(("WAV", "WAVEX", "AIFF", "AU", "CAF", "W64", "RF64", "FLAC"))
_PLAIN = frozenset(("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"))

_SAMPLE_DUMP = b"\xf0\x7e"

_PROMISES = (
    # Bytes, of which some are there: WAV, AIFF, 8SVX; AU; WVE; W64.
    re.compile(
        r"^ *(?:data|SSND|BODY|Data Size|riff) *: (?P<promised>\d+) \(should be (?P<held>\d+)\)", re.M
    ),
    re.compile(r"^Data length (?P<promised>\d+) should be (?P<held>\d+)", re.M),
    re.compile(r"Calculated frame count (?P<held>\d+) does .* 'ds64' chunk of (?P<promised>\d+)\."),
    re.compile(r"File seems to be truncated\. (?P<held>\d+) <--> (?P<promised>\d+)"),
)
_MOST_OFF = 2**16
"""How far below a power of two, in bytes, writers to a pipe put the length that they do not know."""
_LARGEST_PAGE = 27 + 255 + 255 * 255
_FIRST_PAGE, _LAST_PAGE = 2, 4


def foreign_codec(head: bytes) -> str | None:
    """What a file of some codec that libsndfile does not read is, by its first kilobytes."""
    if head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE":
        at = head.find(b"fmt ")
        tag = int.from_bytes(head[at + 8 : at + 10], "little" if head[:4] == b"RIFF" else "big")
        name = _WAV_CODECS.get(tag) if at > 0 else None
        return f"{name} in WAV" if name else None
    return next((name for at, mark, name in _SIGNATURES if head.startswith(mark, at)), None)


def finds_samples(format: str, subtype: str) -> bool:
    """Whether libsndfile finds any sample of such a file at once, and exactly."""
    return format in _FINDING and subtype in _PLAIN


def is_sample_dump(head: bytes) -> bool:
    """Whether a file is a MIDI sample dump.

    Of a damaged one libsndfile writes to standard output, among our own, and reads what lacks as silence.
    """
    return head.startswith(_SAMPLE_DUMP)


def promised_frames(log: str, frames: int) -> int:
    """Samples per channel that a header promises, of which libsndfile found ``frames``.

    What was written to a pipe promises 2 or 4 GiB, or nothing; that counts as no promise.

    Args:
        log: what libsndfile noted when it opened the file.
        frames: how many it said that it can read.
    """
    for pattern in _PROMISES:
        if match := pattern.search(log):
            promised, held = int(match["promised"]), int(match["held"])
            if promised <= held or held == 0 or (promised + _MOST_OFF) % 2**31 <= _MOST_OFF:
                return frames
            return round(frames * promised / held)
    return frames


def is_cut_ogg(descriptor: int) -> bool:
    """Whether an Ogg file ends before the page that is marked as its last."""
    page = _last_page(descriptor)
    return len(page) < 27 or not page[5] & _LAST_PAGE or len(page) < _page_length(page)


def is_chained_ogg(descriptor: int) -> bool:
    """Whether an Ogg file goes on with another stream than the first one, which libsndfile reads alone."""
    last = _last_page(descriptor)
    page = os.pread(descriptor, _LARGEST_PAGE, 0)
    streams = set()
    while len(page) >= 27 and page[5] & _FIRST_PAGE:
        streams.add(_stream(page))
        page = page[_page_length(page) :]
    return len(last) >= 27 and _stream(last) not in streams


def _last_page(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _LARGEST_PAGE, max(0, size - _LARGEST_PAGE))
    at = tail.rfind(b"OggS")
    return b"" if at < 0 else tail[at:]


def _page_length(page: bytes) -> int:
    return 27 + page[26] + sum(page[27 : 27 + page[26]])


def _stream(page: bytes) -> bytes:
    """The number of the stream that a page is of."""
    return page[14:18]


def is_mpeg(head: bytes) -> bool:
    """Whether MPEG audio, or the tag before it, begins with these three bytes."""
    return head == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0")


class FileView:
    """A file, open for reading, that claims another size than it has, or other bytes in one place.

    Args:
        descriptor: the file's; stays open.
        size: bytes that it claims to have.
        patch: offset and bytes that stand in the place of the file's own.
    """

    def __init__(self, descriptor: int, size: int, patch: tuple[int, bytes] = (0, b"")) -> None:
        self._descriptor = descriptor
        self._size = size
        self._patch = patch
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a place, which may lie behind the file's end."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes; none where the file has ended or fails."""
        try:
            os.lseek(self._descriptor, self._at, os.SEEK_SET)
            content = bytearray(os.read(self._descriptor, count))
        except OSError:
            # Nobody above could catch it: C calls this.
            return b""
        if not content and self._at + count == self._size:
            # libmpg123 looks for a tag at the end before all else, and gives up where nothing is.
            content = bytearray(count)
        at, patch = self._patch
        for index, value in enumerate(patch, start=at - self._at):
            if 0 <= index < len(content):
                content[index] = value
        self._at += len(content)
        return bytes(content)


def unmeasured_mpeg(descriptor: int) -> FileView:
    """An MPEG file that tells no length.

    libsndfile estimates one from the file's size and the first frame's bit rate, and reads no further: of
    a variable rate it may lose most. The largest ratio of two bit rates is 40.
    """
    return FileView(descriptor, os.fstat(descriptor).st_size * 64)


def unfinished_wav(descriptor: int, head: bytes) -> FileView | None:
    """A WAV file whose writer never came to fill in the length of its samples, as one of 4 GiB."""
    at = head.find(b"data", 12)
    size = os.fstat(descriptor).st_size
    if head[:4] != b"RIFF" or at < 0 or any(head[at + 4 : at + 8]) or size <= at + 8:
        return None
    if _are_chunks(descriptor, at + 8, size):
        return None
    return FileView(descriptor, size, (at + 4, b"\xff\xff\xff\xff"))


def _are_chunks(descriptor: int, at: int, size: int) -> bool:
    """Whether a RIFF file goes on from some byte on with chunks alone, as behind samples that are none."""
    while at < size:
        head = os.pread(descriptor, 8, at)
        if not (len(head) == 8 and head[:4].isascii() and head[:4].decode("ascii").isprintable()):
            return False
        length = int.from_bytes(head[4:], "little")
        at += 8 + length + length % 2
    # Not every writer fills up the last one.
    return at in (size, size + 1)
