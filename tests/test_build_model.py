"""Trains for real, on a corpus of synthetic voices with CREMA-D's names."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from inspect import signature
from pathlib import Path

import numpy as np
import pandas
import pytest

from model_build.corpora import read_corpora
from model_build.split import split_speakers
from sertag import Tagger
from sertag.cli.build_model import build_model

from conftest import SERTAG, Cli, voice, wait_until, write

pytest.importorskip("tensorflow", reason="training needs the extra 'build'")

EMOTIONS = {"ANG": 260.0, "SAD": 90.0, "HAP": 170.0}
SPEAKERS = range(1001, 1009)
SILENT = "1008_WSI_SAD_XX"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight speakers whose emotion is their pitch, so that a network can learn it in moments."""
    folder = tmp_path_factory.mktemp("corpus")
    for speaker in SPEAKERS:
        random = np.random.default_rng(speaker)
        for code, pitch in EMOTIONS.items():
            for number, sentence in enumerate(("DFA", "IEO", "IWW", "TAI", "MTI", "ITH")):
                samples = voice(
                    float(random.uniform(1.2, 4.0)),
                    pitch=pitch * float(random.uniform(0.93, 1.07)),
                    formant=float(random.uniform(500, 700)),
                    seed=speaker * 10 + number,
                )
                write(folder / "deep" / f"{speaker}_{sentence}_{code}_XX.flac", samples)
    (folder / "README.txt").write_text("no recording")
    write(folder / "1076_MTI_SAD_XX.wav", voice(1.0))
    write(folder / f"{SILENT}.wav", np.zeros(16_000, dtype=np.float32))
    (folder / "1008_IOM_SAD_XX.wav").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def built(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("built") / "mine.tflite"
    done = subprocess.run(
        [SERTAG, "build-model", corpus, "--out", out, "--epochs", "25", "--window", "2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out, done.stdout


def test_what_was_left_out_is_said(built: tuple[Path, str]) -> None:
    assert "Left out: 1 (CREMA-D: silent)" in built[1]
    assert "Left out: 1 (name of no known corpus)" in built[1]
    assert "Left out: 1 (empty)" in built[1]


def test_that_listeners_were_not_heard_is_said(built: tuple[Path, str]) -> None:
    assert "CREMA-D: its table tabulatedVotes.csv was not there" in built[1]
    assert "with what listeners heard" not in built[0].with_suffix(".md").read_text()


def test_the_model_works_and_says_where_it_is_from(built: tuple[Path, str], corpus: Path) -> None:
    out, printed = built
    metadata = Tagger(str(out)).model.metadata
    assert metadata.name == "mine"
    assert metadata.labels == ("angry", "happy", "sad")
    assert metadata.valence == (-1, 1, -1)
    assert metadata.window == 2.0
    assert sum(map(len, metadata.about["split"].values())) == len(SPEAKERS)
    found = read_corpora([corpus])
    used = found.only(item for item in found.utterances if item.path.stat().st_size)
    assert metadata.about["corpora"][0]["clips"] == 145
    assert "CREMA-D 1008" in metadata.about["split"]["training"]
    assert "Left out: 1 (no_speech)" in printed
    assert metadata.about["corpora"][0]["sha256"] == used.corpora[0].digest()
    assert sorted(metadata.about["interpreters"]) == sorted(
        name
        for name in metadata.about["interpreters"]
        if name.startswith(("ai-edge-litert", "tflite-runtime"))
    )
    assert len(metadata.about["interpreters"]) == 2
    with zipfile.ZipFile(out) as archive:
        assert "NaN" not in archive.read("sertag.json").decode()
    card = out.with_suffix(".md").read_text()
    for part in (
        "ODbL",
        metadata.about["corpora"][0]["sha256"],
        "--epochs 25",
        "--seed 1",
        "AI Act",
        "acted",
    ):
        assert part in card


def test_a_scan_gives_the_uar_that_was_printed(
    built: tuple[Path, str], corpus: Path, cli: Cli, tmp_path: Path
) -> None:
    out, printed = built
    about = Tagger(str(out)).model.metadata.about
    labels = ("angry", "happy", "sad")
    truth = {"ANG": "angry", "HAP": "happy", "SAD": "sad"}
    right: dict[str, list[bool]] = {label: [] for label in labels}
    assert cli("scan", corpus, "--model", out, "--out", "all.csv", "-q").returncode == 3
    table = pandas.read_csv(tmp_path / "all.csv")
    for file, rows in table.groupby("file"):
        speaker, _, code, _ = Path(str(file)).stem.split("_")
        usable = speaker != "1076" and (rows["emotion"] != "no_speech").any()
        if f"CREMA-D {speaker}" not in about["split"]["test"] or not usable:
            continue
        weights = (rows["end"] - rows["start"]).to_numpy()
        shares = rows[[f"p_{label}" for label in labels]].fillna(0).to_numpy()
        right[truth[code]].append(labels[int(np.argmax(weights @ shares))] == truth[code])
    uar = float(np.mean([np.mean(values) for values in right.values()]))
    clips = sum(map(len, right.values()))
    assert f"one clip clean {clips} 1 {uar:.3f} (one speaker)" in " ".join(printed.split())
    figures = about["accuracy"]["corpora"]["CREMA-D"]["one clip, clean"]
    assert figures["uar"][0] == pytest.approx(uar, abs=1e-4)
    assert uar > 0.6


def trained(protocol: str, corpus: Path, out: Path) -> str:
    """What a build of one epoch prints."""
    done = subprocess.run(
        [SERTAG, "build-model", corpus, "--out", out, "--epochs", "1", "--protocol", protocol],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_folds_test_every_speaker_and_then_train_on_all(corpus: Path, tmp_path: Path) -> None:
    out, kept = tmp_path / "all.tflite", tmp_path / "all.tflite.trained"
    kept.mkdir()
    (kept / "another.npz").touch()
    printed = trained("folds", corpus, out)
    assert "speaker-independent folds" in printed
    assert f"\n{kept}: holds networks of other builds of this name; " in printed
    assert [file.name for file in kept.iterdir()] == ["another.npz"]
    about = Tagger(str(out)).model.metadata.about
    assert about["accuracy"]["protocol"] == "folds"
    figures = about["accuracy"]["corpora"]["CREMA-D"]["one clip, clean"]
    assert (figures["speakers"], figures["clips"]) == (len(SPEAKERS), 145)
    assert len(about["split"]["training"]) == len(SPEAKERS)
    assert about["split"]["validation"] == about["split"]["test"] == []
    assert f"trained on all {len(SPEAKERS)} speakers" in out.with_suffix(".md").read_text()


def test_a_random_split_says_that_its_voices_are_known(corpus: Path, tmp_path: Path) -> None:
    # Without anybody angry.
    for path in (corpus / "deep").iterdir():
        if "_ANG_" not in path.name:
            shutil.copy(path, tmp_path)
    out = tmp_path / "known.tflite"
    trained("random", tmp_path, out)
    card = out.with_suffix(".md").read_text()
    assert "measured on networks that had heard the same voices in other recordings." in card
    assert "nan" not in card
    assert "precision" not in card


def test_a_build_that_was_cut_off_goes_on(corpus: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "cut.tflite", tmp_path / "whole.tflite"
    kept = tmp_path / "cut.tflite.trained"

    def command(out: Path) -> list[str | Path]:
        options = ["--epochs", "2", "--protocol", "random"]
        return [sys.executable, "-c", _ANNOUNCING, corpus, "--out", out, *options]

    with subprocess.Popen(command(out), stdout=subprocess.DEVNULL, start_new_session=True) as process:
        wait_until(lambda: list(kept.glob("*.npz")), seconds=120)
        os.killpg(process.pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == [kept]
    goes_on, uncut = (
        subprocess.run(command(path), capture_output=True, text=True, check=False) for path in (out, whole)
    )
    assert (goes_on.returncode, uncut.returncode) == (0, 0)
    # Of two trainings, one with the test's recordings left out and one with all, only the second is left.
    assert uncut.stdout.count(_OVER) == 2 * 2
    assert goes_on.stdout.count(_OVER) == 2
    assert not kept.exists()
    first, second = (Tagger(str(path)).model.metadata.about["accuracy"] for path in (out, whole))
    assert first == second


def test_ctrl_c_keeps_the_weights(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "part.tflite"
    process = subprocess.Popen(
        [sys.executable, "-c", _ANNOUNCING, corpus, "--out", out, "--epochs", "5000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == _OVER
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "sertag: interrupted; the model is that of epoch" in errors
    about = Tagger(str(out)).model.metadata.about
    assert about["interrupted"] is True
    assert 0 < about["epochs"] < 5_000


# The real command line, which also says when an epoch is over.
_OVER = "an epoch is over\n"
_ANNOUNCING = """
import sys
from sertag.cli import build_progress, main
def epoch(self, epoch): print("an epoch is over", flush=True)
build_progress.BuildProgress.epoch = epoch
sys.argv = ["sertag", "build-model", *sys.argv[1:]]
main()
"""


def test_ctrl_c_before_the_first_epoch_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "none.tflite"
    for number in range(1001, 1040):
        for take in range(20):
            name = f"{number}_{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[take]}AA_{('ANG', 'SAD')[take % 2]}_XX.flac"
            write(tmp_path / "large" / name, voice(5.0))
    process = subprocess.Popen(
        [SERTAG, "build-model", tmp_path / "large", "--out", out],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    # The last is a worker, however little it has come to yet.
    wait_until(lambda: len(children.read_text().split()) > 1)
    # As a terminal does: the signal goes to the workers as well.
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "sertag: interrupted; nothing was written\n"
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (["nowhere", "--out", "m.tflite"], 2, "nowhere: no such folder"),
        (["nothing", "--out", "m.tflite"], 2, "nothing: no recording with the name of a known corpus"),
        (["two", "--out", "m.tflite"], 2, "2 speakers found; training, validation and test need one each"),
        (["angry", "--out", "m.tflite"], 2, "every recording is labelled angry; training needs two emotions"),
        (["two", "--out", f"{'m' * 101}.tflite"], 2, f"--out {'m' * 101}.tflite: a model's name has"),
        (["two", "--out", "m.bin"], 2, "--out m.bin: a model's name ends in .tflite"),
        (
            ["two", "--out", "no/m.tflite"],
            1,
            "no/m.tflite: cannot be written; is its folder there",
        ),
        (["two", "--out", "m.tflite", "--window", "0.1"], 2, "--window 0.1: give a multiple of 0.04 s, from"),
        (
            ["two", "--out", "m.tflite", "--seed", "-1"],
            2,
            "Invalid value for '--seed': Input should be greater",
        ),
        (["two", "--out", "notes.tflite"], 2, "notes.md: is there, and no model's card; call the model othe"),
        (["two", "--out", "other.tflite"], 2, "other.tflite: is there, and no model of sertag's; call this "),
        (
            ["pair", "--out", "m.tflite", "--protocol", "random"],
            2,
            "no emotion has enough recordings for a r",
        ),
        (
            ["mute", "--out", "m.tflite"],
            2,
            "no recording labelled happy holds speech that can be decoded; le",
        ),
        (["two", "--out", "m.tflite", "--unlabelled", "nothing"], 2, "--unlabelled nothing: who is to label"),
    ],
)
def test_one_clear_line(
    cli: Cli, corpus: Path, tmp_path: Path, arguments: list[str], status: int, line: str
) -> None:
    (tmp_path / "nothing").mkdir()
    write(tmp_path / "nothing/call.wav", voice(1.0))
    for name in ("1001_DFA_ANG_XX.flac", "1002_DFA_ANG_XX.flac"):
        (tmp_path / "two").mkdir(exist_ok=True)
        shutil.copy(corpus / "deep" / name, tmp_path / "two")
    (tmp_path / "notes.md").write_text("mine")
    (tmp_path / "other.tflite").write_bytes(b"another's")
    (tmp_path / "pair").mkdir()
    for code in ("ANG", "SAD"):
        shutil.copy(corpus / "deep" / f"1001_DFA_{code}_XX.flac", tmp_path / "pair")
    (tmp_path / "mute").mkdir()
    for speaker in SPEAKERS:
        shutil.copy(corpus / "deep" / f"{speaker}_DFA_ANG_XX.flac", tmp_path / "mute")
    write(tmp_path / "mute/1001_DFA_HAP_XX.wav", np.zeros(16_000, dtype=np.float32))
    (tmp_path / "angry").mkdir()
    for speaker in SPEAKERS:
        shutil.copy(corpus / "deep" / f"{speaker}_DFA_ANG_XX.flac", tmp_path / "angry")
    done = cli("build-model", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"sertag: {line}")
    assert len(done.stderr.splitlines()) == 1


def test_an_emotion_of_test_speakers_alone_is_told(cli: Cli, corpus: Path, tmp_path: Path) -> None:
    """Nothing would teach it, and the model would have it among its labels."""
    table = tmp_path / "own.csv"
    rows = [
        f"{corpus}/deep/{speaker}_{sentence}_{code}_XX.flac,{emotion},{speaker}\n"
        for speaker in SPEAKERS
        for sentence, code, emotion in (("DFA", "ANG", "angry"), ("IEO", "SAD", "sad"))
    ]
    table.write_text("file,emotion,speaker\n" + "".join(rows))
    (speaker, *_) = (name.split()[-1] for name in split_speakers(read_corpora([table]).utterances).test)
    rare = f"{corpus}/deep/{speaker}_DFA_HAP_XX.flac,surprised,{speaker}\n"
    table.write_text("file,emotion,speaker\n" + "".join(rows) + rare)
    done = cli("build-model", table, "--out", "m.tflite", "--epochs", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sertag: no training speaker is labelled surprised, only own {speaker}; ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("missing", "option", "line"),
    [
        ("tensorflow", "-q", "build-model needs TensorFlow 2.15 (Python 3.11): pip install 'sertag[build]'"),
        ("onnx", "--teacher", "--teacher needs a speech encoder (…): pip install 'sertag[teacher]'"),
    ],
)
def test_without_the_extra_one_line_says_what_to_install(
    tmp_path: Path, missing: str, option: str, line: str
) -> None:
    code = (
        f"import sys; sys.modules['{missing}'] = None; from sertag.cli import main;"
        f"sys.argv = ['sertag', 'build-model', '.', '--out', 'm.tflite', '{option}']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    first, _, last = line.partition("…")
    assert done.stderr.startswith(f"sertag: {first}")
    assert done.stderr.endswith(f"{last}\n")
    assert len(done.stderr.splitlines()) == 1


def test_a_teacher_teaches(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the teacher needs the extra 'teacher'")
    if platform.machine() != "x86_64" or sys.platform != "linux":
        pytest.skip("no encoder for this machine")
    for name, pitch in (("a", 100.0), ("b", 200.0)):
        for number in range(9):
            write(tmp_path / f"voices/play/{name}/{number}.wav", voice(2.0, pitch=pitch, seed=number))
    (tmp_path / "voices/play/a/broken.wav").write_bytes(b"no sound")
    out = tmp_path / "taught.tflite"
    done = subprocess.run(
        [
            SERTAG,
            "build-model",
            corpus,
            "--out",
            out,
            "--epochs",
            "40",
            "--teacher",
            "--unlabelled",
            tmp_path / "voices",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    about = Tagger(str(out)).model.metadata.about
    assert about["command"]["teacher"] is True
    assert about["training"]["context"] == 2
    assert about["accuracy"]["corpora"]["CREMA-D"]["one clip, clean"]["uar"][0] > 0.6
    card = out.with_suffix(".md").read_text()
    assert "--seed 1 --teacher --unlabelled FOLDER`" in card
    assert "play, licence not stated: 18 clips of 2 voices, unlabelled" in card
    assert about["skipped"]["not_audio"] == 1
    assert "Moonshine tiny" in card


def test_the_command_trains_as_long_as_the_recipe() -> None:
    from model_build.train import TrainingSettings

    assert signature(build_model).parameters["epochs"].default == TrainingSettings().epochs


@pytest.mark.parametrize(
    ("examples", "batch"), [(1, 64), (1_024, 64), (2_048, 128), (4_096, 256), (99_999, 256)]
)
def test_of_few_examples_batches_are_smaller(examples: int, batch: int) -> None:
    from model_build.train import TrainingSettings

    assert TrainingSettings().batch_of(examples) == batch


def test_no_speaker_is_on_two_sides_and_the_split_is_fixed(corpus: Path) -> None:
    utterances = read_corpora([corpus]).utterances
    split = split_speakers(utterances)
    sides = [*split.training, *split.validation, *split.test]
    assert sorted(sides) == sorted({utterance.speaker for utterance in utterances})
    assert len(sides) == len(set(sides))
    assert split == split_speakers(utterances[::-1])
