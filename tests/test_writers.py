from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pandas
import pytest
from made import LABELS, RUN, made_timeline
from rich.console import Console

from sertag.labels import NO_SPEECH, UNCERTAIN
from sertag.summary import Record, negative_share, summarise
from sertag.timeline import Failure
from sertag.writers import FORMATS, Run, Totals
from sertag.writers.summary_table import SummaryWriter
from sertag.writers.table import TableWriter

CARRIED = replace(RUN, carried=("agent", "=note"))
ODD = 'a"b,\r\n\\xff ü 😀.wav'


def written(format: str, record: Record, run: Run = RUN, carried: tuple[str, ...] = ()) -> str:
    stream = io.StringIO()
    writer = FORMATS[format](stream, run)
    writer.add(record, carried)
    writer.fail(Failure("bad.wav", "empty", "has 0 bytes"), carried)
    writer.finish(Totals(1, 1, record.timeline.duration))
    return stream.getvalue()


@pytest.mark.parametrize("counts", [(1,), (1_000,), (1_001, 5), (2_500, 2_500)])
def test_csv_and_json_hold_the_frame(counts: tuple[int, ...]) -> None:
    record = Record.of(made_timeline(*counts, file=ODD))
    frame = record.timeline.to_frame()
    table = pandas.read_csv(io.StringIO(written("csv", record), newline=""))
    pandas.testing.assert_frame_equal(table, frame, check_dtype=False)
    line = json.loads(written("jsonl", record).splitlines()[0])
    assert json.loads(written("json", record))["recordings"][0] == line
    assert line["duration"] == round(record.timeline.duration, 3)
    windows = [
        {"file": line["file"], "channel": channel["channel"], **window}
        for channel in line["channels"]
        for window in channel["timeline"]
    ]
    for found, (_, row) in zip(windows, frame.iterrows(), strict=True):
        silent = row["emotion"] == NO_SPEECH
        assert found["confidence"] == (None if silent else row["confidence"])
        for name in ("file", "channel", "start", "end", "emotion", "speech"):
            assert found[name] == row[name]
        assert found["probabilities"] == (None if silent else {label: row[f"p_{label}"] for label in LABELS})


def test_json_lines_tell_levels_talk_warnings_and_summaries() -> None:
    record = Record.of(made_timeline(5, 5, warnings=("is cut off",)))
    line = json.loads(written("jsonl", record).splitlines()[0])
    assert line["talk"] == {"silence": 1.5, "overlap": 0.123}
    assert line["warnings"] == ["is cut off"]
    for found, channel, summary in zip(
        line["channels"], record.timeline.channels, record.summaries, strict=True
    ):
        assert [window["level"] for window in found["timeline"]] == channel.windows.level.tolist()
        assert found["summary"] == json.loads(summary.json)
        assert found["summary"] == json.loads(json.dumps(asdict(summarise(record.timeline, channel))))
    alone = Record.of(made_timeline(5))
    assert json.loads(written("jsonl", alone).splitlines()[0])["talk"] is None


def test_columns_are_carried_into_every_format() -> None:
    record, values = Record.of(made_timeline(3, 2)), ("7\r\n", '=1+1 "x"')
    rows = list(csv.DictReader(io.StringIO(written("csv", record, CARRIED, values), newline="")))
    assert list(rows[0])[-2:] == ["agent", "=note"]
    assert {(row["agent"], row["=note"]) for row in rows} == {values}
    assert len(rows) == 5
    for objects in (
        [json.loads(line) for line in written("jsonl", record, CARRIED, values).splitlines()],
        json.loads(written("json", record, CARRIED, values))["recordings"],
    ):
        assert [list(found)[:3] for found in objects] == [["schema", "file", "carried"]] * 2
        assert [found["carried"] for found in objects] == [
            dict(zip(CARRIED.carried, values, strict=True))
        ] * 2
    for line in written("jsonl", record).splitlines():
        assert "carried" not in json.loads(line)


def test_a_name_with_a_carriage_return_is_one_field() -> None:
    record = Record.of(made_timeline(1, file="a\rb.wav"))
    assert [row["file"] for row in csv.DictReader(io.StringIO(written("csv", record), newline=""))] == [
        "a\rb.wav"
    ]


def test_the_table_of_summaries() -> None:
    stream = io.StringIO()
    writer = SummaryWriter(stream, CARRIED)
    call = Record.of(made_timeline(40, 40, file=ODD, warnings=("is cut off", "is odd")))
    memo = Record.of(made_timeline(1))
    silent = made_timeline(3)
    windows = silent.channels[0].windows
    windows = replace(windows, emotion=windows.emotion * 0 - 1, probabilities=windows.probabilities * 0)
    silent = replace(silent, channels=(replace(silent.channels[0], windows=windows),))
    writer.add(call, ("7", "x"))
    writer.fail(Failure("bad.wav", "empty", "has 0 bytes"), ("8", "y"))
    writer.add(memo, ("9", ""))
    writer.add(Record.of(silent), ("", ""))
    writer.finish(Totals(3, 1, 3.0))
    text = stream.getvalue()
    assert text.splitlines()[0] == (
        "file,channel,duration,speech_seconds,silence_seconds,overlap_seconds,dominant,share_angry,share_happy,"
        "share_sad,share_uncertain,q1_dominant,q2_dominant,q3_dominant,q4_dominant,q1_negative,q2_negative,"
        "q3_negative,q4_negative,trend,most_negative_start,most_negative_end,most_negative,mean_level,warnings,"
        "agent,=note"
    )
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(row["file"], row["channel"], row["agent"]) for row in rows] == [
        (ODD, "left", "7"),
        (ODD, "right", "7"),
        ("made.wav", "mix", "9"),
        ("made.wav", "mix", ""),
    ]
    summaries = [summarise(call.timeline, channel) for channel in call.timeline.channels]
    for row, summary in zip(rows, summaries, strict=False):
        assert (row["silence_seconds"], row["overlap_seconds"]) == ("1.500", "0.123")
        assert row["warnings"] == "is cut off; is odd"
        assert row["dominant"] == summary.dominant
        assert [float(row[f"share_{label}"]) for label in LABELS] == list(summary.emotions.values())
        assert float(row[f"share_{UNCERTAIN}"]) == summary.uncertain
        for number, quarter in enumerate(summary.quarters, 1):
            assert row[f"q{number}_dominant"] == quarter.dominant
            assert float(row[f"q{number}_negative"]) == negative_share(call.timeline, quarter)
        assert float(row["trend"]) == pytest.approx(float(row["q4_negative"]) - float(row["q1_negative"]))
        assert summary.most_negative is not None
        assert row["most_negative_start"] == f"{summary.most_negative.start:.3f}"
        assert float(row["most_negative"]) == summary.most_negative.negative
        assert summary.mean_level is not None
        assert float(row["mean_level"]) == pytest.approx(summary.mean_level, abs=0.051)
    assert rows[2]["silence_seconds"] == rows[2]["overlap_seconds"] == rows[2]["warnings"] == ""
    assert {name for name, value in rows[3].items() if value} == {
        *("file", "channel", "duration", "speech_seconds", "share_uncertain"),
        *(f"share_{label}" for label in LABELS),
    }


@pytest.mark.parametrize(("encoding", "block"), [("utf-8", "█"), ("latin-1", "#")])
def test_a_person_reads_a_table(encoding: str, block: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    writer = TableWriter(Console(file=stream))
    writer.add(Record.of(made_timeline(30, file="a[b]\x1b[2J\n.wav")), ("7",))
    writer.fail(Failure("bad.wav", "empty", "has 0 bytes"), ("8",))
    writer.finish(Totals(1, 1, 3.0))
    stream.seek(0)
    text = stream.read()
    assert "a[b]\\x1b[2J\\n.wav" in text
    assert "0:00:43.5" in text
    assert block in text


@pytest.mark.parametrize("format", list(FORMATS))
def test_a_whole_day_is_written_with_little_memory(tmp_path: Path, format: str) -> None:
    code = f"""
import tracemalloc
from made import RUN, made_timeline
from sertag.summary import Record
from sertag.writers import FORMATS, Totals
record = Record.of(made_timeline(57_600, 57_600))
with open({str(tmp_path / "out")!r}, "w", encoding="utf-8", newline="") as stream:
    writer = FORMATS[{format!r}](stream, RUN)
    tracemalloc.start()
    writer.add(record)
    print(tracemalloc.get_traced_memory()[1])
    writer.finish(Totals(1, 0, 86_400.0))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert (tmp_path / "out").stat().st_size > 5e6
    assert int(done.stdout) < 3e6
