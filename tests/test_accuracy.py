"""The shipped model's accuracy, measured by scanning: SERTAG_CREMA_D=folder pytest tests/test_accuracy.py."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas
import pytest

from model_build.corpora import read_corpora
from model_build.metrics import uar
from sertag import Tagger

from conftest import Cli

CREMA_D = os.environ.get("SERTAG_CREMA_D")


@pytest.mark.skipif(CREMA_D is None, reason="SERTAG_CREMA_D does not name a folder with CREMA-D")
def test_scanning_the_unseen_speakers_gives_the_cards_uar(cli: Cli, tmp_path: Path) -> None:
    metadata = Tagger().model.metadata
    unseen = set(metadata.about["split"]["test"])
    chosen = [clip for clip in read_corpora([Path(str(CREMA_D))]).utterances if clip.speaker in unseen]
    (tmp_path / "clips").mkdir()
    for clip in chosen:
        (tmp_path / "clips" / clip.path.name).symlink_to(clip.path.absolute())
    assert cli("scan", "clips", "--out", "r.csv", "-q").returncode == 0
    labels = list(metadata.labels)
    truth = {clip.path.name: labels.index(clip.emotion) for clip in chosen}
    targets, predicted = [], []
    for file, rows in pandas.read_csv(tmp_path / "r.csv").groupby("file"):
        tagged = rows[rows["emotion"] != "no_speech"]
        weights = (tagged["end"] - tagged["start"]).to_numpy()
        shares = weights @ tagged[[f"p_{label}" for label in labels]].to_numpy()
        targets.append(truth[str(file)])
        predicted.append(int(np.argmax(shares)) if len(tagged) else len(labels))
    assert len(targets) == len(chosen)
    figure = uar(np.array(targets), np.array(predicted), len(labels))
    assert figure == pytest.approx(metadata.about["accuracy"]["uar"], abs=0.01)
    assert figure >= 0.60
