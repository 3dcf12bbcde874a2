from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_build.corpora import Utterance
from model_build.kept import KeptNetworks
from model_build.protocol import Part

CLIPS = tuple(
    Utterance(Path(f"{name}.wav"), "sad", speaker, "made") for name, speaker in (("a", "ann"), ("b", "bob"))
)
PART = Part("fold 1 of 2", CLIPS, (), ())
WEIGHTS = [np.ones((2, 3), dtype=np.float32), np.arange(12, dtype=np.float32)]


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    kept = KeptNetworks(folder, {"epochs": 2})
    assert kept.weights(PART) is None
    kept.clear()
    many = [np.full(2, number, dtype=np.float32) for number in range(22)]
    kept.keep(PART, many)
    found = KeptNetworks(folder, {"epochs": 2}).weights(PART)
    assert found is not None
    assert len(found) == len(many)
    assert all(map(np.array_equal, found, many))
    # Who trained it counts, not in which order, nor what the part is called.
    again = replace(PART, name="fold 2 of 2", training=CLIPS[::-1], test=CLIPS)
    assert kept.weights(again) is not None
    kept.clear()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("build", "part"), [({"epochs": 3}, PART), ({"epochs": 2}, replace(PART, training=CLIPS[:1]))]
)
def test_another_network_is_not(tmp_path: Path, build: dict[str, object], part: Part) -> None:
    KeptNetworks(tmp_path, {"epochs": 2}).keep(PART, WEIGHTS)
    assert KeptNetworks(tmp_path, build).weights(part) is None


@pytest.mark.parametrize(
    "corrected",
    [
        replace(CLIPS[0], emotion="happy"),
        replace(CLIPS[0], perceived="angry"),
        replace(CLIPS[0], sex="female"),
    ],
)
def test_what_is_known_of_its_clips_counts(tmp_path: Path, corrected: Utterance) -> None:
    KeptNetworks(tmp_path, {}).keep(PART, WEIGHTS)
    part = replace(PART, training=(corrected, *CLIPS[1:]))
    assert KeptNetworks(tmp_path, {}).weights(part) is None
    moved = tuple(replace(item, path=Path("elsewhere", item.path.name)) for item in CLIPS)
    assert KeptNetworks(tmp_path, {}).weights(replace(PART, training=moved)) is not None


def test_clearing_spares_the_networks_of_other_builds(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    other = KeptNetworks(folder, {"epochs": 3})
    other.keep(PART, WEIGHTS)
    own = KeptNetworks(folder, {"epochs": 2})
    own.keep(PART, WEIGHTS)
    found = KeptNetworks(folder, {"epochs": 2})
    assert found.weights(PART) is not None
    found.clear()
    assert own.weights(PART) is None
    assert other.weights(PART) is not None
    other.clear()
    assert not folder.exists()


def test_where_nothing_can_be_kept_the_build_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.write_text("mine")
    kept = KeptNetworks(folder, {})
    kept.keep(PART, WEIGHTS)
    assert kept.weights(PART) is None
    kept.clear()
    assert folder.read_text() == "mine"


@pytest.mark.parametrize("size", [0, 10, 300])
def test_half_a_file_is_none(tmp_path: Path, size: int) -> None:
    kept = KeptNetworks(tmp_path, {})
    kept.keep(PART, WEIGHTS)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:size])
    assert kept.weights(PART) is None
