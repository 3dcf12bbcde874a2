"""Makes the synthetic calls of this folder with espeak-ng (apt-get install espeak-ng).

Usage: python samples/make_samples.py [FOLDER]
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Samples = npt.NDArray[np.float64]

# Who speaks (channel), espeak-ng's voice, pitch (0 to 99), words a minute, volume, and what is said.
CALL = (
    (0, "en-gb+f3", 45, 165, 90, "Good morning, this is the parcel office, how may I help you?"),
    (1, "en-us+m3", 40, 150, 80, "Hello. I am calling about a parcel that was to come on Monday."),
    (0, "en-gb+f3", 45, 165, 90, "Let me look that up for you. May I have the number, please?"),
    (1, "en-us+m3", 35, 140, 80, "It is four, seven, one, one, zero, eight."),
    (0, "en-gb+f3", 40, 160, 85, "I am sorry, it seems that the parcel was sent back this morning."),
    (1, "en-us+m3", 85, 210, 160, "Sent back? That is the third time! This is not acceptable!"),
    (1, "en-us+m3", 90, 220, 170, "I want to talk to somebody who can do something about it, now!"),
    (0, "en-gb+f3", 40, 150, 80, "I understand. I will have it brought to you today, free of charge."),
    (1, "en-us+m3", 55, 170, 100, "Well. Thank you. That would be good."),
)
MEMO = (
    (0, "en-us+f2", 20, 115, 70, "I did not sleep much. The house is so quiet since he left."),
    (0, "en-us+f2", 15, 110, 65, "Every morning I still put two cups on the table."),
    (
        0,
        "en-us+f2",
        80,
        190,
        120,
        "And then my sister called, she is coming to stay for the summer, imagine that!",
    ),
)


def speak(rate: int, voice: str, pitch: int, words: int, volume: int, text: str) -> Samples:
    """One sentence at ``rate`` Hz."""
    command = [
        "espeak-ng",
        "--stdout",
        "-v",
        voice,
        "-p",
        str(pitch),
        "-s",
        str(words),
        "-a",
        str(volume),
        text,
    ]
    spoken = subprocess.run(command, capture_output=True, check=True).stdout
    samples, spoken_rate = soundfile.read(io.BytesIO(spoken))
    return np.asarray(soxr.resample(samples, spoken_rate, rate))


def conversation(
    script: tuple[tuple[int, str, int, int, int, str], ...], channels: int, rate: int
) -> Samples:
    """Sentences one after the other, a pause between, faint noise on every channel."""
    spoken = [(channel, speak(rate, *how)) for channel, *how in script]  # type: ignore[arg-type]
    pause = rate * 3 // 4
    length = 2 * rate + sum(len(samples) + pause for _, samples in spoken)
    out = np.random.default_rng(0).normal(0.0, 0.0005, (length, channels))
    at = rate
    for channel, samples in spoken:
        out[at : at + len(samples), channel] += 0.4 * samples
        at += len(samples) + pause
    return np.clip(out, -1.0, 1.0)


def main() -> None:
    """Writes both files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    soundfile.write(folder / "parcel-call.wav", conversation(CALL, 2, 8_000), 8_000, subtype="ULAW")
    soundfile.write(folder / "voice-memo.flac", conversation(MEMO, 1, 16_000), 16_000, subtype="PCM_16")


if __name__ == "__main__":
    main()
