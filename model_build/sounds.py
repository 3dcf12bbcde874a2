"""What is heard on a line besides speech, synthesised: tones, noises, and something like music."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.signal

Samples = npt.NDArray[np.float64]
"""Samples of one channel, ``(n,)``."""
Sound = Callable[[float, int, np.random.Generator], Samples]
"""Makes seconds of a sound at a sample rate; 1-D, of any level, loudest sample about 1."""

_DTMF_LOW, _DTMF_HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_RING = (
    ((440, 480), (2.0, 4.0)),
    ((425,), (1.0, 4.0)),
    ((400, 450), (0.4, 0.2, 0.4, 2.0)),
    ((400,), (1.0, 2.0)),
)
_BUSY = (((480, 620), (0.5, 0.5)), ((425,), (0.5, 0.5)), ((400,), (0.375, 0.375)), ((425,), (0.25, 0.25)))
_DIAL = ((350, 440), (425,), (400,), (425, 450), (440,))


def _time(seconds: float, rate: int) -> Samples:
    return np.arange(round(seconds * rate)) / rate


def _sines(frequencies: tuple[float, ...], time: Samples) -> Samples:
    return np.asarray(sum(np.sin(2 * np.pi * f * time) for f in frequencies) / len(frequencies))


def _cadence(on_off: tuple[float, ...], time: Samples) -> Samples:
    """1 where the tone sounds, 0 where it rests."""
    ends = np.cumsum(on_off)
    return np.asarray(np.searchsorted(ends, time % ends[-1], side="right") % 2 == 0, dtype=np.float64)


def dial_tone(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """The steady tone of a free line."""
    return _sines(_DIAL[int(random.integers(len(_DIAL)))], _time(seconds, rate))


def ring_back(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """What a caller hears while the other telephone rings (North America, Europe, Britain, Asia)."""
    tones, on_off = _RING[int(random.integers(len(_RING)))]
    time = _time(seconds, rate)
    return _sines(tones, time) * _cadence(on_off, time + random.uniform(0, 3))


def busy(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Busy and congestion tones."""
    tones, on_off = _BUSY[int(random.integers(len(_BUSY)))]
    time = _time(seconds, rate)
    return _sines(tones, time) * _cadence(on_off, time + random.uniform(0, 3))


def dtmf(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Keys pressed one after the other, quick or slow."""
    time, out, at = _time(seconds, rate), np.zeros(round(seconds * rate)), 0
    longest = random.uniform(0.08, 0.5)
    while at < len(out):
        end = at + round(random.uniform(0.05, longest) * rate)
        pair = (_DTMF_LOW[int(random.integers(4))], _DTMF_HIGH[int(random.integers(4))])
        out[at:end] = _sines(pair, time[at:end])
        at = end + round(random.uniform(0.05, 2 * longest) * rate)
    return out


def fax(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Fax and modem: calling tone, answer tone, frequency shift keying, phase modulation."""
    time = _time(seconds, rate)
    kind = int(random.integers(4))
    if kind == 0:
        return np.asarray(np.sin(2 * np.pi * 1_100 * time) * _cadence((0.5, 3.0), time))
    if kind == 1:
        return np.sin(2 * np.pi * 2_100 * time + np.pi * (time // 0.45))
    symbols = random.integers(0, 2 if kind == 2 else 4, len(time))
    held = symbols[(time * (300 if kind == 2 else 1_200)).astype(np.int64)]
    if kind == 2:
        low = 980 if random.random() < 0.5 else 1_650
        return np.asarray(np.sin(2 * np.pi * np.cumsum(low + 200 * held) / rate))
    modulated = np.sin(2 * np.pi * 1_800 * time + np.pi / 2 * held)
    return _band(modulated, (500, 3_100), rate)


def sweep(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """A gliding tone, up, down, or to and fro like a siren."""
    time = _time(seconds, rate)
    low, high = sorted(random.uniform(np.log(100), np.log(3_500), 2))
    period = random.uniform(0.3, 8.0)
    position = np.abs(((time / period) % 2) - 1) if random.random() < 0.5 else (time / period) % 1
    phase = 2 * np.pi * np.cumsum(np.exp(low + (high - low) * position)) / rate
    return np.asarray(np.sin(phase) + random.uniform(0, 0.5) * np.sin(2 * phase))


def beeps(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Beeps, alarms and special information tones: a few pitches in a rhythm, with harmonics."""
    time = _time(seconds, rate)
    pitches = np.exp(random.uniform(np.log(250), np.log(3_000), int(random.integers(1, 4))))
    length = random.uniform(0.06, 0.7)
    pitch = pitches[(time // length).astype(np.int64) % len(pitches)]
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    harmonics = random.uniform(0, 0.6)
    tone = np.sin(phase) + harmonics * np.sin(2 * phase) + harmonics**2 * np.sin(3 * phase)
    rest = float(random.choice([1e-9, 0.1, 0.5, 1.0, 2.5]))
    return np.asarray(tone * _cadence((length * len(pitches), rest), time))


def bell(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """A telephone's bell or electronic warble: partials, struck some twenty times a second."""
    time = _time(seconds, rate)
    base, strokes = random.uniform(500, 1_500), random.uniform(12, 28)
    partials = tuple(base * ratio for ratio in (1.0, 1.19, 1.5, 2.0, 2.74)[: int(random.integers(1, 6))])
    warble = np.exp(-random.uniform(0.5, 4.0) * ((time * strokes) % 1))
    cadence = _cadence((random.uniform(0.8, 2), random.uniform(1, 4)), time)
    return np.asarray(_sines(partials, time) * warble * cadence)


def buzz(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Mains hum, buzzers, motors: a steady harmonic sound, with some noise."""
    time = _time(seconds, rate)
    base = float(random.choice([50, 60, 100, 120, random.uniform(40, 400)]))
    slope = random.uniform(0.3, 2.0)
    tone = sum(
        np.sin(2 * np.pi * base * k * time + random.uniform(0, 6)) / k**slope
        for k in range(1, int(3_500 / base))
    )
    drift = 1 + random.uniform(0, 0.4) * np.sin(2 * np.pi * random.uniform(0.1, 8) * time)
    return _loudest_one(tone * drift) + random.uniform(0, 0.3) * random.standard_normal(len(time))


def coloured(seconds: float, rate: int, random: np.random.Generator, slope: float | None = None) -> Samples:
    """Noise with a spectrum that falls with frequency: 0 white, 0.5 pink, 1 brown."""
    spectrum = np.fft.rfft(random.standard_normal(round(seconds * rate)))
    bins = np.fft.rfftfreq(round(seconds * rate), 1 / rate)
    spectrum /= np.maximum(bins, 30.0) ** (random.uniform(-0.2, 1.1) if slope is None else slope)
    return _loudest_one(np.fft.irfft(spectrum, n=round(seconds * rate)))


def white(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """White noise."""
    return coloured(seconds, rate, random, 0.0)


def pink(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Pink noise."""
    return coloured(seconds, rate, random, 0.5)


def brown(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Brown noise."""
    return coloured(seconds, rate, random, 1.0)


def room(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """A room: coloured noise with broad resonances, fans, perhaps hum."""
    noise = coloured(seconds, rate, random)
    for _ in range(int(random.integers(1, 4))):
        centre = float(np.exp(random.uniform(np.log(120), np.log(3_000))))
        noise = noise + random.uniform(0, 1) * _band(noise, (centre / 1.2, centre * 1.2), rate)
    if random.random() < 0.4:
        noise = _loudest_one(noise) + random.uniform(0, 0.2) * buzz(seconds, rate, random)
    return _loudest_one(noise)


def car(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """A car: brown noise that swells and fades over seconds, and its engine."""
    time = _time(seconds, rate)
    engine = np.cumsum(
        random.uniform(25, 60) * (1 + 0.2 * np.sin(2 * np.pi * random.uniform(0.02, 0.2) * time))
    )
    tone = sum(np.sin(2 * np.pi * k * engine / rate) / k for k in range(1, 9))
    return np.asarray(
        coloured(seconds, rate, random, 0.9) * _wander(len(time), rate, 0.3, 6.0, random) + 0.1 * tone
    )


def gusts(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Bursts of noise, rustling, wind: coloured noise whose level jumps about by tens of dB."""
    rhythm = float(np.exp(random.uniform(np.log(0.3), np.log(8))))
    return _loudest_one(
        coloured(seconds, rate, random)
        * _wander(round(seconds * rate), rate, rhythm, random.uniform(6, 20), random)
    )


def breath(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Breathing into the handset: slow swells of noise, nothing said."""
    time = _time(seconds, rate)
    period = random.uniform(1.2, 4.0)
    swell = np.maximum(np.sin(2 * np.pi * (time / period + random.random())), 0.0) ** random.uniform(0.5, 3)
    low = random.uniform(100, 800)
    return _loudest_one(
        _band(random.standard_normal(len(time)), (low, low + random.uniform(500, 2_500)), rate) * swell
    )


def clicks(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Clicks, typing, crackle: short decaying noises at random moments."""
    out = np.zeros(round(seconds * rate))
    for at in random.integers(0, len(out), max(1, int(seconds * np.exp(random.uniform(-1, 3.5))))):
        knock = random.standard_normal(round(random.uniform(0.001, 0.06) * rate))
        knock *= np.exp(-np.linspace(0, 6, len(knock))) * random.uniform(0.1, 1)
        if random.random() < 0.5:
            knock = _band(knock, (300, random.uniform(800, 3_500)), rate)
        out[at : at + len(knock)] += knock[: len(out) - at]
    return out


def silence(seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """Digital silence, or the last bit of a converter."""
    return random.integers(-1, 2, round(seconds * rate)) / 32_768 * float(random.random() < 0.5)


TONES: dict[str, Sound] = {
    "dial tone": dial_tone,
    "ring-back": ring_back,
    "busy": busy,
    "DTMF": dtmf,
    "fax and modem": fax,
    "sweep": sweep,
    "beeps": beeps,
    "bell": bell,
}
NOISES: dict[str, Sound] = {
    "white": white,
    "pink": pink,
    "brown": brown,
    "coloured": coloured,
    "room": room,
    "car": car,
    "buzz": buzz,
    "gusts": gusts,
    "breath": breath,
    "clicks": clicks,
}
BACKGROUNDS: tuple[Sound, ...] = (white, pink, brown, coloured, room, room, car, buzz)
"""Steady noises that speech may be heard in."""


def _band(samples: Samples, edges: tuple[float, float], rate: int) -> Samples:
    high = min(edges[1], 0.49 * rate)
    sections = scipy.signal.butter(2, (edges[0], high), "bandpass", fs=rate, output="sos")
    return np.asarray(scipy.signal.sosfilt(sections, samples))


def _wander(length: int, rate: int, rhythm: float, decibels: float, random: np.random.Generator) -> Samples:
    """A gain that wanders by some dB (standard deviation), with a new value ``rhythm`` times a second."""
    count = max(2, int(length / rate * rhythm) + 2)
    values = random.normal(0, decibels, count)
    return np.asarray(10.0 ** (np.interp(np.linspace(0, count - 1, length), np.arange(count), values) / 20.0))


def _loudest_one(samples: Samples) -> Samples:
    return np.asarray(samples / max(float(np.max(np.abs(samples), initial=0.0)), 1e-9))
