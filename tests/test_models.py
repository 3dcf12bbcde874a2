from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sertag.metadata import pack, unpack
from sertag.model import SHIPPED

from conftest import SERTAG, Cli

DEFAULT = SHIPPED / "default.tflite"
CARD = DEFAULT.with_suffix(".md").read_text(encoding="utf-8")


def on_a_terminal(*arguments: str) -> str:
    """What a person sees, 140 columns wide, without colours."""
    terminal, process_side = pty.openpty()
    environment = {**os.environ, "COLUMNS": "140", "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen([SERTAG, "models", *arguments], stdout=process_side, env=environment)
    os.close(process_side)
    seen = b""
    # The end of a terminal is an error on Linux.
    try:
        while part := os.read(terminal, 65_536):
            seen += part
    except OSError:
        pass
    os.close(terminal)
    assert process.wait() == 0
    return seen.decode()


def test_a_line_per_model(cli: Cli) -> None:
    done = cli("models")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {line.split("\t")[0]: line.split("\t") for line in done.stdout.splitlines()}
    assert sorted(rows) == sorted(path.stem for path in SHIPPED.glob("*.tflite"))
    _, labels, size, licences, *figures, window = rows["default"]
    assert labels == "angry disgusted fearful happy neutral sad"
    assert int(size) == DEFAULT.stat().st_size
    assert "CREMA-D: ODbL 1.0" in licences
    _, metadata = unpack(DEFAULT.read_bytes(), DEFAULT)
    corpora = metadata.about["accuracy"].get("corpora", {}).values()
    clean = [modes["one clip, clean"] for modes in corpora]
    largest = max(clean, key=lambda figure: int(figure["clips"]), default={"uar": [None, None, None]})
    assert figures == ["" if figure is None else f"{figure:.4f}" for figure in largest["uar"]]
    assert window == "3"


def test_a_table_on_a_terminal() -> None:
    seen = on_a_terminal()
    for part in ("model", "licences of the training data", "UAR, one clip", "default", "angry", " kB", "3 s"):
        assert part in seen
    assert "\t" not in seen


@pytest.mark.parametrize("name", ["default", str(DEFAULT)])
def test_the_card(cli: Cli, name: str) -> None:
    done = cli("models", name)
    assert (done.returncode, done.stdout, done.stderr) == (0, CARD, "")


def test_the_card_on_a_terminal_is_rendered() -> None:
    seen = on_a_terminal("default")
    assert "What it cannot know" in seen
    assert "## " not in seen
    assert "| ---" not in seen


def test_metadata_as_json(cli: Cli) -> None:
    all_of_them = json.loads(cli("models", "--json").stdout)
    one = json.loads(cli("models", "default", "--json").stdout)
    assert one in all_of_them
    _, metadata = unpack(DEFAULT.read_bytes(), DEFAULT)
    assert (one["file"], one["bytes"]) == (str(DEFAULT), DEFAULT.stat().st_size)
    assert (one["name"], tuple(one["labels"]), one["about"]) == ("default", metadata.labels, metadata.about)
    assert one["normalisation"]["mean"] == pytest.approx(metadata.normalisation.mean.tolist(), abs=1e-4)
    assert one["lines"]["spreads"] == metadata.lines.spreads.tolist()
    assert one["lines"]["directions"][7] == pytest.approx(metadata.lines.directions[7].tolist(), abs=1e-4)
    assert one["effects"]["level"] == pytest.approx(metadata.effects.level.tolist(), abs=1e-4)
    assert one["effects"]["mean"][5] == pytest.approx(metadata.effects.mean[5].tolist(), abs=1e-4)
    calibration = metadata.calibration
    assert one["calibration"]["alone"] == calibration.alone > 0
    assert one["calibration"]["one_clip"] == calibration.one_clip > 0
    np.testing.assert_allclose(one["calibration"]["usual"], calibration.usual, atol=1e-4)
    assert one["calibration"]["foreign"] == calibration.foreign.tolist()


def test_without_a_card_the_metadata_are_told(cli: Cli, tmp_path: Path) -> None:
    shutil.copy(DEFAULT, tmp_path / "mine.tflite")
    done = cli("models", "mine.tflite")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("default, version ")
    assert "corpora:" in lines
    assert "  name: CREMA-D" in lines
    assert any(line.startswith("  training: CREMA-D 10") for line in lines)


def test_metadata_of_any_shape_are_told(cli: Cli, tmp_path: Path) -> None:
    network, metadata = unpack(DEFAULT.read_bytes(), DEFAULT)
    about: dict[str, Any] = {
        "split": {"training": [], "validation": [], "test": []},
        "odd": [{"a": 1}, "b", {}],
        "none": None,
    }
    (tmp_path / "odd.tflite").write_bytes(pack(network, replace(metadata, about=about)))
    assert cli("models", "odd.tflite").stdout.splitlines()[-4:] == ["odd:", "  a: 1", "  b", "none: None"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("nope", "nope: neither a model file nor the name of a shipped model ("),
        ("text.tflite", "text.tflite: holds no sertag metadata"),
    ],
)
def test_one_clear_line(cli: Cli, tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / "text.tflite").write_text("no model")
    done = cli("models", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"sertag: {line}")
    assert len(done.stderr.splitlines()) == 1


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys; from sertag.cli import app; app(['models'], standalone_mode=False);"
        "heavy = {'ai_edge_litert', 'tflite_runtime', 'tensorflow', 'librosa', 'pandas', 'soundfile'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_larger_than_any_model_is_not_read(cli: Cli, tmp_path: Path) -> None:
    with open(tmp_path / "m.tflite", "wb") as file:
        file.truncate(2**34)
    done = cli("models", "m.tflite")
    assert done.returncode == 1
    assert done.stderr == "sertag: m.tflite: is larger than any model, 64 MiB\n"
