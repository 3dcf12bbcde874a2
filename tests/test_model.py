from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sertag.errors import ModelError
from sertag.interpreter import installed_packages
from sertag.model import SHIPPED, Model
from sertag.windows import FrameWindow

DEFAULT = SHIPPED / "default.tflite"
INSTALLED = installed_packages()


def window(model: Model, seed: int) -> FrameWindow:
    features = model.metadata.features
    frames = np.random.default_rng(seed).normal(-40, 12, (model.metadata.window_frames, features.columns))
    return FrameWindow(0, frames.astype(np.float32), np.ones(len(frames), dtype=bool))


@pytest.mark.parametrize("package", INSTALLED)
def test_an_answer_does_not_depend_on_the_one_before(package: str) -> None:
    model = Model(package=package)
    first, second = window(model, 1), window(model, 2)
    before = model.probabilities(first)
    between = model.probabilities(second)
    assert model.probabilities(first).tobytes() == before.tobytes()
    assert between.tobytes() != before.tobytes()
    assert before.sum() == pytest.approx(1, abs=1e-6)


def test_both_interpreters_agree() -> None:
    if len(INSTALLED) < 2:
        pytest.skip("one interpreter is installed")
    answers = []
    for package in INSTALLED:
        model = Model(package=package)
        answers.append(np.stack([model.probabilities(window(model, seed)) for seed in range(20)]))
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


def test_the_shipped_model_keeps_its_promises() -> None:
    metadata = Model().metadata
    accuracy, split = metadata.about["accuracy"], metadata.about["split"]
    assert DEFAULT.stat().st_size <= 1_000_000
    assert accuracy["uar"] >= 0.60
    assert accuracy["speakers"] == len(split["test"]) >= 12
    sides = [set(split[side]) for side in ("training", "validation", "test")]
    assert len(set.union(*sides)) == sum(map(len, sides))
    assert metadata.about["corpora"][0]["name"] == "CREMA-D"
    card = DEFAULT.with_suffix(".md").read_text(encoding="utf-8")
    assert f"{accuracy['uar']:.3f} [{accuracy['uar_95'][0]:.3f}, {accuracy['uar_95'][1]:.3f}]" in card
    assert metadata.about["corpora"][0]["sha256"] in card


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
        {"features": {"mels": 10}},
        {"window": 1.0},
        {"temperature": 0},
        {"normalisation": {"mean": [], "deviation": []}},
        {"about": None},
        {"window": 3.005},
        {"features": {"hop_length": 0}},
        {"features": {"hop_length": "320"}},
        {"features": {"fft_length": 512}},
        {"features": {"mel_high": 9_000.0}},
    ],
)
def test_wrong_metadata_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    content = DEFAULT.read_bytes()
    with zipfile.ZipFile(DEFAULT) as archive:
        document = json.loads(archive.read("sertag.json"))
    path = tmp_path / "wrong.tflite"
    path.write_bytes(content[: document["network"]["bytes"]])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("sertag.json", json.dumps({**document, **change}))
    with pytest.raises(ModelError, match=r"wrong\.tflite: "):
        Model(str(path))


def test_an_unknown_name() -> None:
    with pytest.raises(ModelError, match=r"nope: neither a model file nor .*default"):
        Model("nope")
