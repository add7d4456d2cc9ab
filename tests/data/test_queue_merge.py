"""The retraining queue merged into the labeled rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.support.documents import read_csv, write_csv
from pipeline.support.retraining_queue import NEGATIVES, POSITIVES, QueueEntry

Repath = Callable[..., Any]


def entry(
    label: str = "Tin Can", variant: int = 1, score: str = "3", *, negative: bool = False
) -> LabeledRow:
    action = NEGATIVES if negative else POSITIVES
    return QueueEntry(label, action, score, variant, label.lower().replace(" ", "-")).row()


@pytest.fixture
def merge(tmp_path: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    def call(queue: list[LabeledRow], labeled: list[LabeledRow] | None = None, *flags: str) -> Any:
        write_csv(tmp_path / "q.csv", queue, LABELED_COLUMNS)
        if labeled is not None:
            write_csv(tmp_path / "l.csv", labeled, LABELED_COLUMNS)
        return repath("data", "merge-retraining-queue", "--queue", "q.csv", "--input", "l.csv", *flags)

    return call


def rows_of(tmp_path: Path, name: str = "l.csv") -> list[LabeledRow]:
    return read_csv(tmp_path / name, LabeledRow, LABELED_COLUMNS)


def other(name: str = "todo_foil", **fields: str) -> LabeledRow:
    return LabeledRow(
        **{**dict.fromkeys(LABELED_COLUMNS, ""), "name": name, "canonical_label": "Foil", **fields}
    )


def test_new_rows_come_behind_those_that_stand_there(merge, tmp_path: Path) -> None:
    queue = [entry(), entry("Foil", negative=True)]
    ran = merge(queue, [other()])
    assert ran.code == 0, ran.err
    assert rows_of(tmp_path) == [other(), *queue]
    assert (ran.json["rows_added"], ran.json["rows_total"]) == (2, 3)
    before = (tmp_path / "l.csv").read_bytes()
    again = merge(queue)
    assert (again.json["rows_added"], again.json["rows_unchanged"]) == (0, 2)
    assert (tmp_path / "l.csv").read_bytes() == before


def test_a_file_that_is_not_there_is_made(merge, tmp_path: Path) -> None:
    assert merge([entry()]).code == 0
    assert rows_of(tmp_path) == [entry()]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"url": "data/mine.jpg"}, ["url", "notes"]),
        ({"canonical_label": "Foil"}, ["canonical_label", "notes"]),
        ({"item_id": "tin-can"}, ["item_id", "notes"]),
        ({"source": "me"}, ["source", "notes"]),
        ({"notes": "checked by Ann"}, ["notes"]),
    ],
)
def test_a_row_that_was_changed_stays_whole_and_is_told(merge, tmp_path: Path, change, fields) -> None:
    mine = entry().replace(**change)
    ran = merge([entry(score="9")], [mine])
    assert rows_of(tmp_path) == [mine]
    assert ran.json["kept_by_hand"] == [{"name": mine.name, "fields": fields}]
    assert mine.name in ran.err


def test_a_row_as_it_was_queued_takes_a_new_score_and_a_picture_that_a_person_put_into_the_queue(
    merge, tmp_path: Path
) -> None:
    filled = entry(score="9").replace(url="data/found.jpg", source="me")
    ran = merge([filled], [entry()])
    assert rows_of(tmp_path) == [filled]
    assert ran.json["rows_renewed"] == 1
    assert ran.json["kept_by_hand"] == []


def test_columns_that_only_the_csv_knows_stay(merge, tmp_path: Path) -> None:
    header = ",".join([*LABELED_COLUMNS, "photographer"])
    write_csv(tmp_path / "l.csv", [entry()], LABELED_COLUMNS)
    lines = (tmp_path / "l.csv").read_text().splitlines()
    (tmp_path / "l.csv").write_text(f"{header}\n{lines[1]},Ann\n")
    merge([entry(score="9")])
    after = (tmp_path / "l.csv").read_text().splitlines()
    assert after[0] == header
    assert "priority_score=9" in after[1]
    assert after[1].endswith(",Ann")


def test_a_queue_that_would_turn_a_negative_is_refused_and_nothing_is_written(merge, tmp_path: Path) -> None:
    ran = merge([entry(negative=True).replace(canonical_label="Tin Can")], [other()])
    assert ran.code == 1
    assert "line 2" in ran.err
    assert "a negative has no label" in ran.err
    assert rows_of(tmp_path) == [other()]


def test_a_name_that_stands_twice_in_the_labeled_rows_is_told(merge) -> None:
    ran = merge([entry()], [entry(), other(), entry()])
    assert ran.code == 1
    assert "line 2 and on line 4" in ran.err


def test_out_and_dry_run_leave_the_input(merge, tmp_path: Path) -> None:
    assert merge([entry()], [other()], "--out", "new.csv").code == 0
    assert rows_of(tmp_path) == [other()]
    assert rows_of(tmp_path, "new.csv") == [other(), entry()]
    assert merge([entry()], [other()], "--dry-run").json["output"] is None
    assert rows_of(tmp_path) == [other()]


def test_the_real_queue_is_in_the_real_rows_already_and_is_added_where_it_is_not(
    real: Path, repath: Repath, tmp_path: Path
) -> None:
    mobile = real / "repath-mobile"
    labeled = tmp_path / "l.csv"
    shutil.copy(mobile / "benchmark-labeled.csv", labeled)
    flags = ["--queue", mobile / "benchmark-retraining-queue.csv", "--input", labeled]
    ran = repath("data", "merge-retraining-queue", *flags)
    assert (ran.json["rows_added"], len(ran.json["kept_by_hand"])) == (0, 36)
    assert labeled.read_bytes() == (mobile / "benchmark-labeled.csv").read_bytes()
    rows = [row for row in read_csv(labeled, LabeledRow, LABELED_COLUMNS) if not row.feeds_retraining]
    write_csv(labeled, rows, LABELED_COLUMNS)
    assert repath("data", "merge-retraining-queue", *flags).json["rows_added"] == 36
    merged = read_csv(labeled, LabeledRow, LABELED_COLUMNS)
    assert merged[: len(rows)] == rows
    assert sum(row.is_negative for row in merged[len(rows) :]) == 12
