from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sertag.errors import ModelError
from sertag.interpreter import installed_packages
from sertag.metadata import pack, unpack
from sertag.mix import softmax
from sertag.model import SHIPPED, Model
from sertag.normalisation import VIEWS
from sertag.types import FloatArray

DEFAULT = SHIPPED / "default.tflite"
METADATA = unpack(DEFAULT.read_bytes(), DEFAULT)[1]
INSTALLED = installed_packages()
EFFECTS = {
    "mean": METADATA.effects.mean.tolist(),
    "level": METADATA.effects.level.tolist(),
    "deviation": METADATA.effects.deviation.tolist(),
}
USUAL, FOREIGN = METADATA.calibration.usual.tolist(), METADATA.calibration.foreign.tolist()
NORMALISATION = {
    "mean": METADATA.normalisation.mean.tolist(),
    "deviation": METADATA.normalisation.deviation.tolist(),
}
LINES = {name: value.tolist() for name, value in vars(METADATA.lines).items()}


def inputs(model: Model, seed: int) -> FloatArray:
    shape = (1, model.metadata.window_frames, model.metadata.features.inputs, VIEWS)
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def rewritten(path: Path, change: dict[str, object]) -> Path:
    """The shipped model with other metadata."""
    with zipfile.ZipFile(DEFAULT) as archive:
        document = json.loads(archive.read("sertag.json"))
    path.write_bytes(DEFAULT.read_bytes()[: document["network"]["bytes"]])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("sertag.json", json.dumps({**document, **change}))
    return path


@pytest.mark.parametrize("package", INSTALLED)
def test_an_answer_does_not_depend_on_the_one_before(package: str) -> None:
    model = Model(package=package)
    first, second = inputs(model, 1), inputs(model, 2)
    before, between, again = (model.run(each).tobytes() for each in (first, second, first))
    assert before == again
    assert before != between
    assert model.run(np.concatenate([first, second, first])).tobytes() == before + between + again


def test_both_interpreters_agree() -> None:
    if len(INSTALLED) < 2:
        pytest.skip("one interpreter is installed")
    answers = []
    for package in INSTALLED:
        model = Model(package=package)
        logits = model.run(np.concatenate([inputs(model, seed) for seed in range(20)]))
        answers.append(softmax(logits.astype(np.float64)))
    np.testing.assert_allclose(answers[0], answers[1], atol=0.05)


def test_nothing_is_printed_when_a_model_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from sertag.model import Model; Model()"], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_unzip_lists_the_metadata() -> None:
    with zipfile.ZipFile(DEFAULT) as archive:
        document = json.loads(archive.read("sertag.json"))
    network = DEFAULT.read_bytes()[: document["network"]["bytes"]]
    assert document["network"]["sha256"] == hashlib.sha256(network).hexdigest()
    assert document["labels"] == ["angry", "disgusted", "fearful", "happy", "neutral", "sad"]


def test_metadata_hold_many_speakers_and_names_that_are_no_text(tmp_path: Path) -> None:
    names = [f"caller {number:06d}" for number in range(50_000)] + ["caller \udcff", 'the "one" \\udcff']
    split = {"training": names, "validation": [], "test": []}
    network, _ = unpack(DEFAULT.read_bytes(), DEFAULT)
    content = pack(network, replace(METADATA, about={**METADATA.about, "split": split}))
    assert unpack(content, tmp_path)[1].about["split"] == split


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.tflite")), ids=lambda path: path.stem)
def test_a_shipped_model_keeps_its_promises(path: Path) -> None:
    metadata = Model(path.stem).metadata
    figures, split = metadata.about["accuracy"]["corpora"], metadata.about["split"]
    assert path.stat().st_size <= 1_000_000
    assert figures["CREMA-D"]["one clip, clean"]["uar"][0] >= 0.60
    assert figures["CREMA-D"]["one clip, clean"]["speakers"] >= 12
    sides = [set(split[side]) for side in ("training", "validation", "test")]
    assert len(set.union(*sides)) == sum(map(len, sides))
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    for corpus in metadata.about["corpora"]:
        uar = figures[corpus["name"]]["one clip, clean"]["uar"][0]
        told = [float(figure) for figure in re.findall(r"(\d\.\d{3}) \[", card)]
        assert min(abs(figure - uar) for figure in told) <= 0.001
        assert corpus["sha256"] in card


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda _: b"", "no sertag metadata"),
        (lambda _: b"text\n" * 1_000, "no sertag metadata"),
        (lambda content: content[:-2_000], "no sertag metadata"),
        (lambda content: content[:50_000] + b"\0" * 8 + content[50_008:], "network is damaged"),
        (lambda content: content[: content.rindex(b"PK\x01\x02") - 900] + content[-900:], "metadata"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, break_it, reason: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "broken.tflite"
    path.write_bytes(break_it(DEFAULT.read_bytes()))
    with pytest.raises(ModelError, match=reason):
        Model(str(path))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "sertag-model/99"},
        {"labels": ["sad", "angry"]},
        {"labels": 3},
        {"labels": ["sad"], "valence": [-1]},
        {"features": {"mels": 10}},
        {"window": 1.0},
        {"temperature": 0},
        {"temperature": 1.5},
        {"temperature": {}},
        {"temperature": {"one_clip": 1.5, "adapted": 1.5}},
        {"temperature": {"alone": 1.5, "one_clip": 1.5, "adapted": 0}},
        {"temperature": {"alone": 1.5, "one_clip": float("nan"), "adapted": 1.5}},
        {"temperature": {"alone": 1.5, "one_clip": 1.5, "adapted": "warm"}},
        {"temperature": {"alone": 1.5, "one_clip": 1.5, "adapted": 1.5, "other": 1.5}},
        {"usual_answers": {}},
        {"usual_answers": 2.5},
        {"usual_answers": USUAL[:-1]},
        {"usual_answers": [[2000.0] * 6] * 6},
        {"usual_answers": [[float("nan")] * 6] * 6},
        {"usual_answers": None},
        {"foreign_lines_add": None},
        {"foreign_lines_add": FOREIGN[:-1]},
        {"foreign_lines_add": [USUAL[0]]},
        {"foreign_lines_add": ["much"] * 6},
        {"effects": None},
        {"effects": {}},
        {"effects": {**EFFECTS, "mean": EFFECTS["mean"][:-1]}},
        {"effects": {**EFFECTS, "mean": EFFECTS["level"]}},
        {"effects": {**EFFECTS, "level": EFFECTS["level"][:-1]}},
        {"effects": {**EFFECTS, "deviation": [row[:-1] for row in EFFECTS["deviation"]]}},
        {"effects": {**EFFECTS, "deviation": "none"}},
        {"effects": {**EFFECTS, "level": [float("nan"), *EFFECTS["level"][1:]]}},
        {"effects": {**EFFECTS, "other": []}},
        {"normalisation": {"mean": [], "deviation": []}},
        {"about": None},
        {"window": 3.005},
        {"window": 10**400},
        {"valence": [0.5, -1, -1, 1, 0, -1]},
        {"valence": [-1, -1, -1, 10**9, 0, -1]},
        {"valence": [float("inf"), -1, -1, 1, 0, -1]},
        {"name": ""},
        {"name": None},
        {"name": "two\nlines"},
        {"version": ["1"]},
        {"network": {"bytes": float("inf"), "sha256": ""}},
        {"temperature": {"alone": 10**400, "one_clip": 1.5, "adapted": 1.5}},
        {"temperature": {"alone": 1e-300, "one_clip": 1.5, "adapted": 1.5}},
        {"effects": {**EFFECTS, "level": [900.0, *EFFECTS["level"][1:]]}},
        {"normalisation": {**NORMALISATION, "mean": [1e300, *NORMALISATION["mean"][1:]]}},
        {"normalisation": {**NORMALISATION, "deviation": [1e-30, *NORMALISATION["deviation"][1:]]}},
        {"normalisation": {**NORMALISATION, "deviation": 10**400}},
        {"lines": {**LINES, "spreads": [0.0, *LINES["spreads"][1:]]}},
        {"lines": {**LINES, "spreads": "wide"}},
        {"lines": {**LINES, "unrests": [-0.1, *LINES["unrests"][1:]]}},
        {"lines": {**LINES, "unrests": [float("inf"), *LINES["unrests"][1:]]}},
        {"lines": {**LINES, "unrests": LINES["unrests"][1:]}},
        {"lines": {**LINES, "centres": []}},
        {"lines": {**LINES, "centres": [row[1:] for row in LINES["centres"]]}},
        {"lines": {**LINES, "excess": [1.5, *LINES["excess"][1:]]}},
        {"lines": {**LINES, "directions": [row[1:] for row in LINES["directions"]]}},
        {"lines": {**LINES, "directions": [[2.0, *row[1:]] for row in LINES["directions"]]}},
        {"lines": {**LINES, "directions": []}},
        {"lines": None},
        {"features": {"hop_length": 0}},
        {"features": {"hop_length": "320"}},
        {"features": {"fft_length": 512}},
        {"features": {"mel_high": 9_000.0}},
    ],
)
def test_wrong_metadata_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = rewritten(tmp_path / "wrong.tflite", change)
    with pytest.raises(ModelError, match=r"wrong\.tflite: ") as caught:
        Model(str(path))
    assert "\n" not in caught.value.message


def test_a_model_of_the_first_schema_is_refused(tmp_path: Path) -> None:
    path = rewritten(tmp_path / "old.tflite", {"schema": "sertag-model/1", "temperature": 1.2})
    with pytest.raises(
        ModelError, match=r"is of schema 'sertag-model/1'; this version reads 'sertag-model/12'"
    ):
        Model(str(path))


def test_metadata_that_are_right_are_taken(tmp_path: Path) -> None:
    path = rewritten(
        tmp_path / "right.tflite",
        {"effects": EFFECTS, "normalisation": NORMALISATION, "lines": LINES, "name": "another"},
    )
    metadata = Model(str(path)).metadata
    assert metadata.name == "another"
    assert np.array_equal(metadata.effects.mean, METADATA.effects.mean)
    assert np.array_equal(metadata.lines.directions, METADATA.lines.directions)
    assert np.array_equal(metadata.calibration.usual, USUAL)
    assert np.array_equal(metadata.calibration.foreign, FOREIGN)


@pytest.mark.parametrize("name", ["nope", "n" * 300, "n/" * 3_000, "/dev/null/nope", "/dev/zero", "."])
def test_an_unknown_name(name: str) -> None:
    with pytest.raises(ModelError, match=r": neither a model file nor .*default"):
        Model(name)


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ModelError, match="is larger than any model"):
        Model(str(path))
