"""Measures the speech gate: frames right at some noise levels, and what is mistaken for speech.

``python -m model_build.speech_figures --speech FOLDER --music FOLDER [--library NAME]``
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from model_build import sounds
from model_build.corpora import Utterance, read_corpora
from model_build.scenes import (
    RATE,
    Scene,
    at_level,
    band_passed,
    conversation,
    labelled,
    samples_of,
    telephone,
    with_noise,
)
from model_build.vad_libraries import LIBRARIES
from sertag.features import FeatureSettings, frames_of
from sertag.speech import speech_frames
from sertag.types import BoolArray, FloatArray
from sertag.windows import WindowStream

Gate = Callable[[FloatArray], BoolArray]
"""Samples at ``RATE`` to one decision per frame of 20 ms."""

_WINDOW, _HOP = 150, 75
_SNRS = (None, 20.0, 10.0, 5.0)
_STEADY = (sounds.white, sounds.pink, sounds.brown, sounds.room, sounds.car, sounds.buzz)


def own_gate(samples: FloatArray) -> BoolArray:
    """The program's own decisions."""
    settings = FeatureSettings()
    return speech_frames(frames_of(samples, settings), settings)


def held_out(utterance: Utterance) -> bool:
    """Whether the detector was not trained with a speaker: all but four fifths of CREMA-D."""
    return utterance.corpus != "CREMA-D" or int(utterance.path.name[:4]) % 5 == 0


def windows_with_speech(speech: BoolArray) -> list[bool]:
    """For each window of 3 s, every 1.5 s, whether it is tagged."""
    stream = WindowStream(_WINDOW, _HOP)
    nothing = np.zeros((len(speech), 1), dtype=np.float32)
    return [window.has_speech for window in stream.push(nothing, speech, last=True)]


def frames_right(
    gate: Gate, utterances: Sequence[Scene], snr: float | None, scenes: int
) -> tuple[float, float]:
    """Share of frames decided right in made-up calls of a minute, and share of all that is speech."""
    right, spoken, count = 0, 0, 0
    for number in range(scenes):
        random = np.random.default_rng(number)
        scene = conversation(utterances, random, 60.0)
        scene = Scene(band_passed(scene.samples), scene.speech)
        if snr is not None:
            noise = _STEADY[number % len(_STEADY)](len(scene.samples) / RATE, RATE, random)
            scene = with_noise(scene, band_passed(noise), snr)
        decided = gate(telephone(at_level(scene.samples, random.uniform(-40.0, -15.0))))
        length = min(len(decided), len(scene.speech))
        right += int(np.sum(decided[:length] == scene.speech[:length]))
        spoken += int(np.sum(scene.speech))
        count += length
    return right / count, spoken / count


def no_speech_share(gate: Gate, pieces: Sequence[FloatArray | sounds.Samples]) -> float:
    """Share of the windows that are ``no_speech``, by telephone at several levels."""
    flags: list[bool] = []
    for number, piece in enumerate(pieces):
        level = np.random.default_rng(number).uniform(-40.0, -12.0)
        flags += windows_with_speech(gate(telephone(band_passed(at_level(piece, level)))))
    return 1.0 - float(np.mean(flags))


def clips_found(gate: Gate, clips: Sequence[FloatArray], change: Callable[[FloatArray], FloatArray]) -> float:
    """Share of single utterances with at least one window that is tagged."""
    return float(np.mean([any(windows_with_speech(gate(change(clip)))) for clip in clips]))


def microseconds(gate: Gate) -> float:
    """Processor time per second of audio, in microseconds."""
    samples = np.random.default_rng(0).normal(0.0, 0.01, 120 * RATE).astype(np.float32)
    gate(samples[:RATE])
    start = time.process_time()
    gate(samples)
    return (time.process_time() - start) / 120 * 1e6


def _print_figures(gate: Gate, speech: Path, music: Path, scenes: int, clips: int) -> None:
    utterances: dict[str, list[Utterance]] = {}
    for utterance in read_corpora([speech]).utterances:
        if held_out(utterance):
            utterances.setdefault(utterance.corpus, []).append(utterance)
    for corpus, found in utterances.items():
        random = np.random.default_rng(0)
        chosen = [found[at] for at in sorted(random.permutation(len(found))[:clips])]
        samples = [samples_of(utterance.path) for utterance in chosen]
        clean = [scene for scene in map(labelled, samples) if scene.speech.any()]
        for snr in _SNRS:
            share, spoken = frames_right(gate, clean, snr, scenes)
            name = "clean" if snr is None else f"{snr:g} dB"
            print(
                f"{corpus}, {name}: {100 * share:.1f} % of frames right ({100 * spoken:.0f} % speech)",
                flush=True,
            )
        heard = [clip for clip in samples if np.max(np.abs(clip)) > 1e-3]
        print(
            f"{corpus}: {100 * clips_found(gate, heard, lambda clip: clip):.2f} % of {len(heard)} clips found"
        )
        by_phone = clips_found(gate, heard, lambda clip: telephone(band_passed(clip)))
        print(f"{corpus}, telephone: {100 * by_phone:.2f} % of clips found")
        quiet = clips_found(gate, heard, lambda clip: at_level(clip, -50.0))
        print(f"{corpus}, at -50 dB: {100 * quiet:.2f} % of clips found", flush=True)
    for path in sorted(path for path in music.rglob("*") if path.is_file()):
        print(
            f"{path.name}: {100 * no_speech_share(gate, [samples_of(path)]):.1f} % of windows no_speech",
            flush=True,
        )
    makers = sounds.TONES | sounds.NOISES | {"silence": sounds.silence}
    for name, maker in makers.items():
        pieces = [maker(30.0, RATE, np.random.default_rng(1_000 + take)) for take in range(scenes)]
        print(f"{name}: {100 * no_speech_share(gate, pieces):.1f} % of windows no_speech", flush=True)
    idle = [telephone(np.zeros(30 * RATE, dtype=np.float32)), np.zeros(30 * RATE, dtype=np.float32)]
    alarms = np.mean([np.mean(gate(samples)) for samples in idle])
    print(f"silence: {100 * alarms:.2f} % of frames speech")


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--speech", type=Path, required=True, help="folder of labelled corpora")
    parser.add_argument("--music", type=Path, required=True, help="folder of hold music, not trained with")
    parser.add_argument("--library", choices=sorted(LIBRARIES), help="measure a library instead")
    parser.add_argument("--scenes", type=int, default=24, help="made-up calls and sounds of each kind")
    parser.add_argument("--clips", type=int, default=10_000, help="most utterances of a corpus")
    arguments = parser.parse_args()
    gate = LIBRARIES[arguments.library]() if arguments.library else own_gate
    _print_figures(gate, arguments.speech, arguments.music, arguments.scenes, arguments.clips)
    print(f"{microseconds(gate):.0f} microseconds of processor time per second of audio")


if __name__ == "__main__":
    main()
