"""The model card: what a model was trained on, how well it does, and what it cannot know."""

from __future__ import annotations

import math
from collections.abc import Iterator

from model_build.corpora import own
from model_build.dataset import NOISE_SNR
from model_build.evaluate import ANGRY
from model_build.figures import CorpusFigures, Figures
from model_build.metrics import Interval, shown
from model_build.predict import CLEAR, MODES, ONE_CLIP
from model_build.protocol import DESCRIPTIONS
from model_build.simulate import MIXES, SECONDS
from sertag.metadata import ModelMetadata

_ACTED = """\
The speech it learnt from is acted: a few sentences, said on demand. Real anger, on a real telephone,
sounds different.
"""
_TAUGHT = """\
Beside the labels the network learnt what the encoder of Moonshine tiny (Jeffries et al. 2024; MIT licence)
hears in the training clips, and what classifiers on it answer that were fitted on other training
speakers. The encoder learnt to transcribe English, from recordings without emotion labels; whether voices
of these corpora were among them is not known. Nothing of it is in the file.
"""
_LIMITS = """\
A voice does not show what a person feels. Languages, ages, accents and recording
conditions that are not in the data were not measured. The error rates above hold for speakers like
those of the corpus, and will be worse elsewhere. Never let a tag decide about a person.

In the European Union, Article 5(1)(f) of the AI Act prohibits inferring the emotions of people at
their place of work; a call centre that tracks its employees' emotions by voice is the Commission's own
example. Analysing customers falls under its high-risk rules and data protection law. This is not legal
advice.
"""


def model_card(metadata: ModelMetadata, figures: Figures, size: int) -> str:
    """The card as Markdown."""
    about = metadata.about
    lines = [
        f"# {metadata.name}",
        "",
        f"A sertag {metadata.version} model: {len(metadata.labels)} emotions"
        f" ({', '.join(metadata.labels)}), windows of {metadata.window:g} s, {size / 1000:,.0f} kB,"
        f" {about['parameters']:,} parameters ({about['quantisation']}).",
        "",
        *_accuracy(figures),
        "",
        *_data(metadata),
        "",
        "## What it cannot know",
        "",
        *([_ACTED] if all(corpus["name"] != own.NAME for corpus in about["corpora"]) else []),
        _LIMITS,
    ]
    return "\n".join(lines)


def _accuracy(figures: Figures) -> Iterator[str]:
    yield "## Accuracy"
    yield ""
    description = DESCRIPTIONS[figures.protocol]
    yield f"{description[0].upper()}{description[1:]}. Measured on the quantised file with the code that"
    yield "`sertag scan` runs; in brackets the 95 % bootstrap interval over speakers. A clip's label is its"
    yield "largest duration-weighted mean probability among the corpus's labels; a clip without a window of"
    yield "speech counts as wrong. *One clip*: every clip a recording of its own. *Call-adapted*: all clips"
    yield "of a speaker as one call. *Telephone*: through 8 kHz mu-law. *Noise*: each speaker"
    yield f"in one of eight noises, from hiss to rumble, {NOISE_SNR:g} dB below what is said on average."
    yield ""
    yield "| corpus | | | UAR | accuracy | ECE | Brier | clips | speakers |"
    yield "| --- | --- | --- | --- | --- | ---: | --- | ---: | ---: |"
    for corpus in figures.corpora:
        for (mode, condition), evaluation in corpus.evaluations.items():
            yield (
                f"| {corpus.corpus} | {mode} | {condition} | {evaluation.uar} | {evaluation.accuracy}"
                f" | {shown(evaluation.calibration_error)} | {evaluation.brier}"
                f" | {evaluation.clips:,} | {evaluation.speakers} |"
            )
    for corpus in figures.corpora:
        yield from _corpus(corpus)
    yield from _calls(figures)


def _corpus(corpus: CorpusFigures) -> Iterator[str]:
    evaluation = corpus.evaluations[ONE_CLIP, CLEAR]
    yield ""
    yield f"### {corpus.corpus}"
    yield ""
    yield (
        "UAR before quantisation: "
        + ", ".join(f"{mode} {corpus.float_uar[mode]:.3f}" for mode in MODES)
        + "."
    )
    if ANGRY in evaluation.labels:
        found = f"precision {evaluation.angry_precision:.2f}\nand recall {evaluation.angry_recall:.2f}"
        if math.isnan(evaluation.angry_precision):
            found = f"recall {evaluation.angry_recall:.2f}, as it is never answered"
        yield f"Where `{ANGRY}` is 5 % of the speech, it is found with {found} (one clip, clean)."
    groups = {**evaluation.uar_by_sex, **evaluation.uar_by_age}
    if groups:
        yield "UAR by group: " + "; ".join(f"{name} {figure}" for name, figure in groups.items()) + "."
    yield ""
    yield "One clip, clean; rows are the truth, columns the answer:"
    yield ""
    yield "| | " + " | ".join(evaluation.labels) + " | no speech | recall |"
    yield "| --- |" + " ---: |" * (len(evaluation.labels) + 2)
    for label, row in zip(evaluation.labels, evaluation.confusion, strict=True):
        yield f"| {label} | {' | '.join(map(str, row))} | {evaluation.recalls[label]:.3f} |"


def _calls(figures: Figures) -> Iterator[str]:
    if not figures.calls:
        return
    yield ""
    yield "### Simulated calls"
    yield ""
    yield "Calls put together from clips of speakers whom the network had not heard, five of each kind and"
    yield "speaker; one emotion fills four fifths of the clips. Changes are against the same network without"
    yield "a call, in points, with the paired 95 % interval over speakers."
    yield ""
    yield "| mix | speech | UAR alone | adapted | change | accuracy alone | adapted | change |"
    yield "| --- | ---: | ---: | ---: | --- | ---: | ---: | --- |"
    for mix in MIXES:
        for seconds in SECONDS:
            if call := figures.calls.get((mix, seconds)):
                yield (
                    f"| {mix} | {seconds} s | {call.uar_alone:.3f} | {call.uar_adapted:.3f}"
                    f" | {_points(call.uar_change)} | {call.accuracy_alone:.3f} | {call.accuracy_adapted:.3f}"
                    f" | {_points(call.accuracy_change)} |"
                )


def _points(change: Interval) -> str:
    if math.isnan(change.low):
        # Of a single speaker nothing tells how others differ.
        return f"{100 * change.value:+.1f}"
    return f"{100 * change.value:+.1f} [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"


def _data(metadata: ModelMetadata) -> Iterator[str]:
    about = metadata.about
    yield "## Data"
    yield ""
    unlabelled = about.get("unlabelled", [])
    for corpus in [*about["corpora"], *unlabelled]:
        whom = "voices, unlabelled" if corpus in unlabelled else "speakers"
        heard = f", {corpus['perceived']:,} with what listeners heard" if corpus["perceived"] else ""
        yield (
            f"{corpus['name']}, {corpus['licence']}: {corpus['clips']:,} clips of {corpus['speakers']}"
            f" {whom}{heard}; SHA-256 over names and bytes `{corpus['sha256']}`."
        )
    for reason, count in about["skipped"].items():
        yield f"Left out: {count} ({reason})."
    split = about["split"]
    yield ""
    if split["test"]:
        yield f"- training: {', '.join(split['training'])}"
        if split["validation"]:
            yield f"- validation (temperatures, usual answers): {', '.join(split['validation'])}"
        yield f"- test (nothing was chosen on them): {', '.join(split['test'])}"
    else:
        yield f"This file was trained on all {len(split['training'])} speakers, after the figures above were"
        met = (
            " the same voices in other recordings"
            if about["command"]["protocol"] == "random"
            else " none of them"
        )
        yield f"measured on networks that had heard{met}."
    yield ""
    yield "## Training"
    yield ""
    command = dict(about["command"])
    taught = command.pop("teacher", False)
    options = " ".join([*(f"--{name} {value}" for name, value in command.items()), *["--teacher"] * taught])
    options += " --unlabelled FOLDER" if unlabelled else ""
    yield f"`sertag build-model CORPUS... --out MODEL.tflite {options}`"
    yield ""
    yield ", ".join(f"{name} {value}" for name, value in about["training"].items()) + "."
    if taught:
        yield _TAUGHT
    calibration = metadata.calibration
    temperatures = f"{calibration.alone:.3f} alone, {calibration.one_clip:.3f} for one clip"
    yield f"Temperatures: {temperatures}, {calibration.adapted:.3f} adapted."
    yield ""
    yield f"Runs in {' and '.join(about['interpreters'])}."
