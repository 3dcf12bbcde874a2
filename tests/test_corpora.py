from __future__ import annotations

from pathlib import Path

import pytest

from model_build.corpora import read_corpora, read_unlabelled
from sertag.errors import UsageError


def test_names_decide_and_not_extensions(tmp_path: Path) -> None:
    for name in (
        "1001_DFA_ANG_XX.wav",
        "a/1002_IEO_HAP_LO.opus",
        "b/1091_WSI_NEU_XX.FLAC",
        "1040_ITH_SAD_X.mp3",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("1001_DFA_XXX_XX.wav", "call-17.wav", "x1001_DFA_ANG_XX.wav"):
        (tmp_path / name).touch()
    corpus = read_corpora([tmp_path])
    assert [(item.speaker, item.emotion) for item in corpus.utterances] == [
        ("CREMA-D 1001", "angry"),
        ("CREMA-D 1002", "happy"),
        ("CREMA-D 1040", "sad"),
        ("CREMA-D 1091", "neutral"),
    ]
    assert corpus.skipped == {"name of no known corpus": 3}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("03-01-02-01-02-01-12.wav", ("RAVDESS 12", "calm", "female")),
        ("Actor_07/03-01-07-02-02-01-07.ogg", ("RAVDESS 07", "disgusted", "male")),
        ("DC_sa03.opus", ("SAVEE DC", "sad", "male")),
        ("KL/su11.wav", ("SAVEE KL", "surprised", "male")),
        ("OAF_back_ps.wav", ("TESS OAF", "surprised", "female")),
        ("OA_bite_neutral.wav", ("TESS OAF", "neutral", "female")),
        ("03a01Fa.wav", ("EMO-DB 03", "happy", "male")),
        ("16b10Tb.opus", ("EMO-DB 16", "sad", "female")),
        ("1001_DFA_DIS_XX.wav", ("CREMA-D 1001", "disgusted", "male")),
        ("1091_WSI_NEU_XX.wav", ("CREMA-D 1091", "neutral", "female")),
    ],
)
def test_names_of_every_corpus(tmp_path: Path, name: str, expected: tuple[str, str, str]) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    (utterance,) = read_corpora([tmp_path]).utterances
    assert (utterance.speaker, utterance.emotion, utterance.sex) == expected


def test_boredom_is_left_out(tmp_path: Path) -> None:
    for name in ("16b10Lb.wav", "16b10Tb.wav"):
        (tmp_path / name).touch()
    corpora = read_corpora([tmp_path])
    assert [item.emotion for item in corpora.utterances] == ["sad"]
    assert corpora.skipped == {"EMO-DB: boredom, which no other corpus knows": 1}


def test_nothing_comes_twice(tmp_path: Path) -> None:
    for name in ("wav/1001_DFA_ANG_XX.wav", "mp3/1001_DFA_ANG_XX.mp3", "DC/a01.wav", "JE/a01.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    corpora = read_corpora([tmp_path, tmp_path / "wav"])
    assert [item.speaker for item in corpora.utterances] == ["CREMA-D 1001", "SAVEE DC", "SAVEE JE"]
    assert corpora.skipped == {"comes twice": 2}
    (tmp_path / "mine.csv").write_text("file,emotion,speaker\nDC/a01.wav,angry,ann\nDC/a01.wav,angry,bob\n")
    mine = read_corpora([tmp_path / "mine.csv"])
    assert [(item.speaker, item.emotion) for item in mine.utterances] == [("mine ann", "angry")]
    assert mine.skipped == {"comes twice": 1}


def test_speakers_are_the_same_wherever_their_folder_is_named_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("angry/ann/a.wav", "sad/ann/a.wav"):
        (tmp_path / "calls" / name).parent.mkdir(parents=True)
        (tmp_path / "calls" / name).touch()
    monkeypatch.chdir(tmp_path / "calls")
    for place in (tmp_path / "calls", Path(), Path("../calls")):
        assert {item.speaker for item in read_corpora([place]).utterances} == {"calls ann"}


def test_where_nothing_is_found_what_was_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("file,emotion,speaker\na.wav,angry,ann\nb.wav,sad,ann\n")
    with pytest.raises(
        UsageError, match=r"whose files are there; 2 left out \(file of the table is not there\)"
    ):
        read_corpora([tmp_path / "mine.csv"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("03-01-06-02-01-02-24.wav", (None, "strong", "01", 2, "speech")),
        ("03-02-02-01-02-01-12.wav", (None, "normal", "02", 1, "song")),
        ("1001_IEO_ANG_MD.wav", (None, "md", "IEO", None, "speech")),
        ("1040_ITH_SAD_X.wav", (None, "unspecified", "ITH", None, "speech")),
        ("OA_bite_neutral.wav", (64, "", "bite", None, "speech")),
        ("YAF_back_ps.wav", (26, "", "back", None, "speech")),
        ("DC_sa03.wav", (None, "", "sa03", None, "speech")),
        ("15b10Ab.wav", (25, "", "b10", 2, "speech")),
    ],
)
def test_what_else_a_name_tells(tmp_path: Path, name: str, expected: tuple[object, ...]) -> None:
    (tmp_path / name).touch()
    (found,) = read_corpora([tmp_path], sung=True).utterances
    assert (found.age, found.intensity, found.statement, found.repetition, found.style) == expected


@pytest.mark.parametrize("name", ["1092_DFA_ANG_XX.wav", "03-01-06-01-02-01-25.wav", "17a01Fa.wav"])
def test_actors_that_do_not_exist(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match="no recording with the name of a known corpus"):
        read_corpora([tmp_path])


def test_what_is_sung_is_left_out_unless_wanted(tmp_path: Path) -> None:
    for name in ("03-02-02-01-02-01-12.wav", "03-01-02-01-02-01-12.wav"):
        (tmp_path / name).touch()
    assert read_corpora([tmp_path]).skipped == {"RAVDESS: sung": 1}
    assert [item.style for item in read_corpora([tmp_path]).utterances] == ["speech"]
    both = read_corpora([tmp_path], sung=True)
    assert ([item.style for item in both.utterances], both.skipped) == (["speech", "song"], {})


AGES = '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n'
# The second row of a clip is of votes on the face.
VOTES = """\
"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"
"100001",1,0,0,1,8,0,"1001_DFA_ANG_XX",10,0.8,"N"
"200001",9,0,0,0,1,0,"1001_DFA_ANG_XX",10,0.9,"A"
"100002",0,4,0,0,0,4,"1002_IEO_SAD_LO",8,0.5,"D:S"
"100003",0,0,0,2,1,4,"1040_ITH_SAD_XX",7,0.6,"S"
"""


@pytest.fixture
def crema_d(tmp_path: Path) -> Path:
    """Where ``AudioWAV`` holds three clips."""
    folder = tmp_path / "crema-d"
    (folder / "AudioWAV").mkdir(parents=True)
    for name in ("1001_DFA_ANG_XX.wav", "1002_IEO_SAD_LO.wav", "1040_ITH_SAD_X.wav"):
        (folder / "AudioWAV" / name).touch()
    return folder


@pytest.mark.parametrize(
    ("home", "given"),
    [
        ("crema-d", ["crema-d"]),
        ("crema-d/deep", ["crema-d"]),
        ("crema-d", ["crema-d/AudioWAV"]),
        ("meta", ["crema-d", "meta"]),
        ("meta", ["meta/VideoDemographics.csv", "crema-d", "meta/tabulatedVotes.csv"]),
    ],
)
def test_the_tables_of_crema_d(crema_d: Path, home: str, given: list[str]) -> None:
    place = crema_d.parent
    (place / home).mkdir(exist_ok=True)
    (place / home / "VideoDemographics.csv").write_text(AGES)
    (place / home / "tabulatedVotes.csv").write_text(VOTES)
    found = read_corpora([place / name for name in given])
    assert [(item.age, item.perceived) for item in found.utterances] == [
        (51, "neutral"),
        (None, ""),
        (None, "sad"),
    ]
    assert found.skipped == {}


def test_without_its_tables_crema_d_still_tells_sexes(crema_d: Path) -> None:
    found = read_corpora([crema_d]).utterances
    assert [(item.age, item.sex, item.perceived) for item in found] == [
        (None, "male", ""),
        (None, "female", ""),
        (None, "male", ""),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("VideoDemographics.csv", "ActorID,Sex\n1001,Male\n"),
        ("VideoDemographics.csv", "ActorID,Age\n1001,old\n"),
        ("tabulatedVotes.csv", VOTES.replace('"F"', '"X"')),
        ("tabulatedVotes.csv", VOTES.replace("fileName", "file")),
    ],
)
def test_a_malformed_table_of_crema_d(crema_d: Path, name: str, text: str) -> None:
    (crema_d / name).write_text(text)
    with pytest.raises(UsageError, match=f"{name}: is not CREMA-D's table"):
        read_corpora([crema_d])


def test_a_folder_without_a_corpus(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recording with the name of a known corpus"):
        read_corpora([tmp_path])


def test_own_recordings_in_folders_by_emotion(tmp_path: Path) -> None:
    names = (
        "angry/ann/1.wav",
        "angry/bob/1.wav",
        "sad/ann/deep/2.flac",
        "bored/bob/3.wav",
        "angry/loose.wav",
    )
    for name in (*names, "Odd Name/ann/1.wav", "notes.txt"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).touch()
    corpora = read_corpora([tmp_path / "mine"])
    assert [(item.speaker, item.emotion) for item in corpora.utterances] == [
        ("mine ann", "angry"),
        ("mine bob", "angry"),
        ("mine ann", "sad"),
        ("mine bob", "bored"),
    ]
    assert corpora.skipped == {
        "not in a folder emotion/speaker": 2,
        "the folder Odd Name is not named like a label": 1,
    }


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    for name in ("voices/ann/1.wav", "mine/sad/bob/1.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "mine/angry").mkdir()
    (tmp_path / "mine/angry/ann").symlink_to(tmp_path / "voices/ann")
    (tmp_path / "mine/angry/ann/back").symlink_to(tmp_path / "mine")
    found = read_corpora([tmp_path / "mine"]).utterances
    assert [(item.speaker, item.emotion) for item in found] == [("mine ann", "angry"), ("mine bob", "sad")]


def test_own_recordings_in_a_table(tmp_path: Path) -> None:
    for name in ("1.wav", "deep/2.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    table = tmp_path / "labels.csv"
    table.write_text(
        "speaker,emotion,note,file\nann,angry,,1.wav\nbob,bored,x,deep/2.wav\nbob,sad,,gone.wav\n"
    )
    corpora = read_corpora([table])
    assert [(item.path, item.speaker, item.emotion) for item in corpora.utterances] == [
        (tmp_path / "1.wav", "labels ann", "angry"),
        (tmp_path / "deep/2.wav", "labels bob", "bored"),
    ]
    assert corpora.skipped == {"file of the table is not there": 1}


def test_a_table_may_tell_sex_and_age(tmp_path: Path) -> None:
    for name in ("1.wav", "2.wav"):
        (tmp_path / name).touch()
    table = tmp_path / "labels.csv"
    table.write_text("file,emotion,speaker,sex,age\n1.wav,sad,ann,female,33\n2.wav,sad,bob,,\n")
    assert [(item.sex, item.age) for item in read_corpora([table]).utterances] == [("female", 33), ("", None)]


def test_a_recording_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff\xfe\x00\x00WAVE")
    with pytest.raises(UsageError, match="is not a CSV"):
        read_corpora([tmp_path / "a.wav"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no column file, emotion, speaker"),
        ("file,emotion\n1.wav,sad\n", "has no column speaker"),
        ("file,emotion,speaker\n1.wav,Sad!,ann\n", r"labels.csv:2: give an emotion"),
        ("file,emotion,speaker\n1.wav,sad,ann\n1.wav,no_speech,ann\n", r"labels.csv:3: 'no_speech' is what"),
        ("file,emotion,speaker\n1.wav,sad,\n", r"labels.csv:2: give an emotion"),
        ("file,emotion,speaker\n1.wav\n", r"labels.csv:2: give an emotion"),
        ("file,emotion,speaker,sex\n1.wav,sad,ann,f\n", r"labels.csv:2: sex is female, male or empty"),
        ("file,emotion,speaker,age\n1.wav,sad,ann,young\n", r"labels.csv:2: sex is .*'young'"),
    ],
)
def test_a_malformed_table(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_corpora([tmp_path / "labels.csv"])


def test_unlabelled_voices_lie_in_folders_of_collections(tmp_path: Path) -> None:
    for name in ("play/b/2.wav", "play/b/1.mp3", "play/a/3.wav", "radio/x/1.wav", "radio/.cache/1.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "play/LICENCE").write_bytes(b"CC0, by nobody\nand m\xf6re\n")
    play, radio = read_unlabelled(tmp_path).corpora
    assert (play.name, play.licence, radio.name) == ("play", "CC0, by nobody", "radio")
    assert radio.licence == "licence not stated"
    found = [(item.speaker, item.path.name, item.emotion) for item in play.utterances]
    assert found == [("play a", "3.wav", ""), ("play b", "1.mp3", ""), ("play b", "2.wav", "")]
    assert [item.path.name for item in radio.utterances] == ["1.wav"]
    assert read_unlabelled(None).corpora == ()
    for nothing in (tmp_path / "play/a", tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="holds no folders collection/voice"):
            read_unlabelled(nothing)


def _own(folder: Path, *places: str) -> Path:
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).touch()
    return folder


def test_two_places_of_one_name_are_not_taken_for_one(tmp_path: Path) -> None:
    """Their speakers would be: numbers are everywhere the same."""
    clips = "angry/1/a.wav", "happy/1/b.wav"
    x, y = (_own(tmp_path / name / "calls", *clips) for name in "xy")
    with pytest.raises(UsageError, match=r"y/calls: is called calls, as .*x/calls is"):
        read_corpora([x, y])
    assert read_corpora([x, x]).skipped == {"comes twice": 2}
    table = tmp_path / "calls.csv"
    table.write_text("file,emotion,speaker\nx/calls/angry/1/a.wav,angry,1\n")
    with pytest.raises(UsageError, match=r"calls\.csv: is called calls"):
        read_corpora([x, table])


def test_one_recording_has_one_label(tmp_path: Path) -> None:
    folder = _own(tmp_path / "calls", "a.wav")
    (folder / "t.csv").write_text("file,emotion,speaker\na.wav,angry,1\na.wav,happy,1\n")
    with pytest.raises(UsageError, match=r"a\.wav: is labelled angry and happy"):
        read_corpora([folder / "t.csv"])


@pytest.mark.parametrize(
    ("clips", "hint"),
    [
        (("Angry/1/a.wav", "HAPPY/1/b.wav"), "write Angry small"),
        (("1/angry/a.wav", "1/happy/b.wav"), "its folder 1 is laid out by emotion"),
    ],
)
def test_a_folder_that_is_nearly_laid_out_by_emotion(
    tmp_path: Path, clips: tuple[str, ...], hint: str
) -> None:
    with pytest.raises(UsageError, match=hint):
        read_corpora([_own(tmp_path, *clips)])


def test_a_name_of_a_table_that_no_file_can_have(tmp_path: Path) -> None:
    _own(tmp_path, "a.wav")
    (tmp_path / "t.csv").write_text(f"file,emotion,speaker\na.wav,angry,1\n{'n' * 300}.wav,happy,2\n")
    assert read_corpora([tmp_path / "t.csv"]).skipped == {"file of the table is not there": 1}


def test_a_label_that_means_something_else(tmp_path: Path) -> None:
    _own(tmp_path, "a.wav")
    (tmp_path / "t.csv").write_text("file,emotion,speaker\na.wav,uncertain,1\n")
    with pytest.raises(UsageError, match="'uncertain' is what windows are called"):
        read_corpora([tmp_path / "t.csv"])
