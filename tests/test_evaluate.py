from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from model_build.card import _corpus
from model_build.corpora import read_corpora
from model_build.dataset import CLEAN, Example, make_examples
from model_build.evaluate import Evaluation
from model_build.figures import CorpusFigures
from model_build.predict import CLEAR, CONDITIONS, MODES, ONE_CLIP, Predictions, predict
from sertag import Tagger
from sertag.engines.local import processors

from conftest import SERTAG, Cli, alive, at_a_terminal, voice, wait_until, write

_BUSY = 0.5
"""A worker that took so many seconds of a processor is about to read, or does."""


SAD = np.array([[0.2, 0.8], [0.1, 0.9]])


def _seconds(process: int) -> float:
    """What a process took of a processor until now."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips with RAVDESS's and CREMA-D's names; of RAVDESS 07 all are silent."""
    folder = tmp_path_factory.mktemp("corpus")
    for actor in (1, 2, 7):
        for emotion in (1, 2, 3, 4, 5):
            samples = voice(2.0, pitch=80.0 * emotion, seed=actor) * (actor != 7)
            write(folder / f"03-01-{emotion:02d}-01-01-01-{actor:02d}.flac", samples)
    met = Tagger().model.metadata.about["split"]["training"]
    stranger = next(name for name in (f"CREMA-D {actor}" for actor in range(1001, 1092)) if name not in met)
    for speaker in (met[0], met[1], stranger):
        write(folder / f"{speaker.split()[1]}_DFA_ANG_XX.flac", voice(2.0))
    return folder


def test_figures_of_every_corpus(cli: Cli, corpus: Path) -> None:
    done = cli("evaluate", "default", corpus, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    crema_d, ravdess = json.loads(done.stdout)
    assert crema_d["figures"][0]["clips"] == 1
    assert crema_d["left_out"] == {"the model was trained on the speaker": 2}
    assert ravdess["left_out"] == {"the model does not know the label calm": 3}
    modes = [(figures["mode"], figures["condition"]) for figures in ravdess["figures"]]
    assert modes == [(mode, condition) for mode in MODES for condition in CONDITIONS]
    for figures in ravdess["figures"]:
        assert (figures["clips"], figures["speakers"]) == (12, 3)
        # Silent clips count as wrong.
        assert np.array(figures["confusion"])[:, -1].sum() == 4
        assert figures["uar"][0] <= 2 / 3
        assert set(figures["uar_by_sex"]) == {"female", "male"}
        assert 0 <= figures["brier"][0] <= 2
        assert figures["uar"][1] <= figures["uar"][0] <= figures["uar"][2]
    table = cli("evaluate", "default", corpus).stdout
    assert "RAVDESS" in table
    assert "telephone" in table
    assert "call-adapted" in table
    assert "CREMA-D: 2 clips left out: the model was trained on the speaker" in table


def reading(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A command that reads recordings, and those of its workers that are busy with it."""
    for actor in range(1, 25):
        for take in range(1, 9):
            name = f"03-01-05-0{take % 2 + 1}-0{take // 4 + 1}-0{take // 2 % 2 + 1}-{actor:02d}"
            write(folder / f"{name}.flac", voice(4.0, seed=take))
    process = subprocess.Popen(
        [SERTAG, "evaluate", "default", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def busy() -> list[int]:
        found = [int(child) for child in children.read_text().split()]
        # The first is multiprocessing's own.
        return [child for child in found[1:] if _seconds(child) > _BUSY]

    wait_until(lambda: bool(busy()), seconds=60)
    return process, busy()


def test_nobody_reads_on_for_a_command_that_was_killed(tmp_path: Path) -> None:
    process, busy = reading(tmp_path)
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(alive, busy)), seconds=60)


@pytest.mark.parametrize(
    ("signal_", "group", "status", "line"),
    [
        (
            signal.SIGKILL,
            False,
            1,
            "sertag: one of {workers} processes that read recordings was killed; is memo",
        ),
        (signal.SIGINT, True, 130, "sertag: interrupted"),
    ],
)
def test_one_clear_line_where_reading_ends_early(
    tmp_path: Path, signal_: signal.Signals, group: bool, status: int, line: str
) -> None:
    process, busy = reading(tmp_path)
    if group:
        os.killpg(process.pid, signal_)
    else:
        os.kill(busy[0], signal_)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, "")
    assert errors.startswith(line.format(workers=processors()))
    assert len(errors.splitlines()) == 1


def test_a_narrow_terminal_gets_all_figures(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", voice(2.0))
    (tmp_path / "mine.csv").write_text("file,emotion,speaker\na.wav,angry,ann\n")
    status, shown = at_a_terminal([SERTAG, "evaluate", "default", "mine.csv"], tmp_path)
    assert status == 0
    text = shown.decode()
    assert "…" not in text
    assert text.count("(one speaker)") == 2 * len(MODES) * len(CONDITIONS)


def test_what_was_left_out_is_said(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "a.wav", voice(2.0))
    (tmp_path / "mine.csv").write_text("file,emotion,speaker\na.wav,angry,ann\nb.wav,sad,ann\n")
    assert "\nLeft out: 1 (file of the table is not there)\n" in cli("evaluate", "default", "mine.csv").stdout
    (own,) = json.loads(cli("evaluate", "default", "mine.csv", "--json").stdout)
    assert own["skipped"] == {"file of the table is not there": 1}


def test_a_corpus_of_which_nothing_is_left_is_told_of(cli: Cli, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "known").mkdir()
    met = Tagger().model.metadata.about["split"]["training"][0].split()[1]
    shutil.copy(corpus / f"{met}_DFA_ANG_XX.flac", tmp_path / "known")
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk/03-01-05-01-01-01-01.wav").write_bytes(b"junk")
    done = cli("evaluate", "default", "known", "junk")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sertag: no clip is left to measure; left out of CREMA-D: 1 (the model was trained on the speaker),"
        " RAVDESS: 1 (cannot be decoded)\n"
    )
    write(tmp_path / "a.wav", voice(2.0))
    (tmp_path / "mine.csv").write_text("file,emotion,speaker\na.wav,angry,ann\n")
    table = cli("evaluate", "default", "known", "mine.csv").stdout
    assert "\nCREMA-D: 1 clips left out: the model was trained on the speaker\n" in table
    known, own = json.loads(cli("evaluate", "default", "known", "mine.csv", "--json").stdout)
    assert (known["figures"], own["figures"] != []) == ([], True)


def test_the_figures_are_those_of_the_timelines(corpus: Path) -> None:
    tagger = Tagger()
    chosen = [
        item for item in read_corpora([corpus]).utterances if item.speaker in ("RAVDESS 01", "RAVDESS 02")
    ]
    known = [item for item in chosen if item.emotion in tagger.model.metadata.labels]
    right = []
    for utterance in known:
        # Clips of one window: their label is the window's.
        (window,) = tagger.tag(utterance.path).channels[0].windows
        right.append(window.emotion == utterance.emotion)
    labels = tagger.model.metadata.labels
    examples = make_examples(known, labels, tagger.model.metadata.features, sessions=0, seed=0, workers=1)
    heard = [example for example in examples if isinstance(example, Example)]
    predictions = predict(tagger.model.listener, heard, labels, CLEAN, adapted=False)
    assert Evaluation.of(predictions).accuracy.value == pytest.approx(np.mean(right))


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["default", "nowhere"], 2, "nowhere: no such folder"),
        (["nope", "."], 1, "nope: neither a model file nor the name of a shipped model"),
        (["default", "."], 2, ".: no recording with the name of a known corpus"),
        (
            ["default", "calm"],
            2,
            "no clip is left to measure; left out of RAVDESS: 1 (the model does not know the label calm)",
        ),
    ],
)
def test_one_clear_line(cli: Cli, tmp_path: Path, arguments: list[str], status: int, line: str) -> None:
    if "calm" in arguments:
        write(tmp_path / "calm/03-01-02-01-01-01-01.wav", voice(1.0))
    done = cli("evaluate", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"sertag: {line}")
    assert len(done.stderr.splitlines()) == 1


def test_what_no_clip_defines_is_said_in_words(cli: Cli, tmp_path: Path) -> None:
    for emotion in ("angry", "sad"):
        write(tmp_path / f"{emotion}.wav", np.zeros(16_000, dtype=np.float32))
    (tmp_path / "mine.csv").write_text("file,emotion,speaker\nangry.wav,angry,ann\nsad.wav,sad,ann\n")
    table = cli("evaluate", "default", "mine.csv").stdout
    assert "undefined" in table
    assert "nan" not in table
    predictions = Predictions(("angry", "sad"), read_corpora([tmp_path / "mine.csv"]).utterances, SAD)
    figures = CorpusFigures(
        "mine", {(ONE_CLIP, CLEAR): Evaluation.of(predictions)}, dict.fromkeys(MODES, 0.5)
    )
    card = " ".join(_corpus(figures))
    assert "found with recall 0.00, as it is never answered (one clip" in card
    assert "nan" not in card
