"""The model card: what a model was trained on, how well it does, and what it cannot know."""

from __future__ import annotations

from model_build.corpora import own
from model_build.evaluate import Evaluation
from sertag.metadata import ModelMetadata

_ACTED = """\
The speech it learnt from is acted: a few sentences, said on demand. Real anger, on a real telephone,
sounds different.
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


def model_card(metadata: ModelMetadata, evaluation: Evaluation, float_uar: float, size: int) -> str:
    """The card as Markdown."""
    about = metadata.about
    split, training = about["split"], about["training"]
    lines = [
        f"# {metadata.name}",
        "",
        f"A sertag {metadata.version} model: {len(metadata.labels)} emotions"
        f" ({', '.join(metadata.labels)}), windows of {metadata.window:g} s, {size / 1000:,.0f} kB,"
        f" {about['parameters']:,} parameters ({about['quantisation']}).",
        "",
        "## Accuracy on voices it has never heard",
        "",
        f"{evaluation.clips:,} clips of {evaluation.speakers} speakers whom neither training nor validation"
        " saw, one clip at a time, measured on the quantised file with the code that `sertag scan` runs;"
        " in brackets the 95 % bootstrap interval over speakers. A clip's label is its largest"
        " duration-weighted mean probability; a clip without a window of speech counts as wrong.",
        "",
        "| | |",
        "| --- | --- |",
        f"| UAR (unweighted average recall) | {evaluation.uar} |",
        f"| accuracy | {evaluation.accuracy} |",
        f"| expected calibration error, 15 bins | {evaluation.calibration_error:.3f} |",
        f"| UAR of the float network, before quantisation | {float_uar:.3f} |",
        f"| UAR on the validation speakers, who chose the epoch | {about['validation_uar']:.3f} |",
        "",
        "Rows are the truth, columns the answer:",
        "",
        "| | " + " | ".join(metadata.labels) + " | no speech | recall |",
        "| --- |" + " ---: |" * (len(metadata.labels) + 2),
    ]
    for label, row in zip(metadata.labels, evaluation.confusion, strict=True):
        counts = " | ".join(str(count) for count in row)
        lines.append(f"| {label} | {counts} | {evaluation.recalls.get(label, float('nan')):.3f} |")
    lines += ["", "## Data", ""]
    for corpus in about["corpora"]:
        lines.append(
            f"{corpus['name']}, {corpus['licence']}: {corpus['clips']:,} clips of {corpus['speakers']}"
            f" speakers; SHA-256 over names and bytes `{corpus['sha256']}`."
        )
    for reason, count in about["skipped"].items():
        lines.append(f"Left out: {count} ({reason}).")
    lines += [
        "",
        f"- training: {', '.join(split['training'])}",
        f"- validation (epoch and temperature): {', '.join(split['validation'])}",
        f"- test (nothing was chosen on them): {', '.join(split['test'])}",
        "",
        "## Training",
        "",
        "`sertag build-model CORPUS... --out MODEL.tflite "
        + " ".join(f"--{name} {value}" for name, value in about["command"].items())
        + "`",
        "",
        ", ".join(f"{name} {value}" for name, value in training.items())
        + f". Kept: epoch {about['epoch']}. Temperature {metadata.temperature:.3f}.",
        "",
        f"Runs in {' and '.join(about['interpreters'])}.",
        "",
        "## What it cannot know",
        "",
        *([_ACTED] if all(corpus["name"] != own.NAME for corpus in about["corpora"]) else []),
        _LIMITS,
    ]
    return "\n".join(lines)
