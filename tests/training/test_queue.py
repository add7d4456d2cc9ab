"""The retraining queue out of a priority table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.analysis import PRIORITY_COLUMNS, PriorityRow
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.support.documents import read_csv, write_csv
from pipeline.support.errors import ContractError
from pipeline.support.retraining_queue import TARGET
from pipeline.training.queue import Size, build_queue

Repath = Callable[..., Any]


def priority(label: str, score: str = "3", action: str = "collect_more_positives") -> PriorityRow:
    counts = dict.fromkeys(PRIORITY_COLUMNS, "1")
    return PriorityRow(**{**counts, "label": label, "priority_score": score, "recommended_action": action})


def queue(table: list[PriorityRow], **more: Any) -> list[LabeledRow]:
    size = more.pop("size", Size())
    return build_queue(table, range(2, len(table) + 2), source="p.csv", size=size, **more)


@pytest.fixture
def build(tmp_path: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    def call(*table: PriorityRow, flags: tuple[str, ...] = ()) -> Any:
        write_csv(tmp_path / "p.csv", table, PRIORITY_COLUMNS)
        return repath(
            "training", "build-retraining-queue", "--priority-csv", "p.csv", "--out", "q.csv", *flags
        )

    return call


def rows_of(path: Path) -> list[LabeledRow]:
    return read_csv(path, LabeledRow, LABELED_COLUMNS)


def test_the_priorities_behind_the_real_queue_give_it_byte_for_byte(
    real: Path, tmp_path: Path, build
) -> None:
    there = real / "repath-mobile/benchmark-retraining-queue.csv"
    table = {
        (row.note(TARGET) or row.canonical_label): priority(
            row.note(TARGET) or row.canonical_label,
            row.note("priority_score") or "",
            row.note("action") or "",
        )
        for row in rows_of(there)
    }
    ran = build(*table.values())
    assert ran.code == 0, ran.err
    assert (tmp_path / "q.csv").read_bytes() == there.read_bytes()
    assert (ran.json["positive_labels_selected"], ran.json["negative_labels_selected"]) == (8, 4)


def test_the_highest_scores_come_first_and_only_so_many_labels(build, tmp_path: Path) -> None:
    ran = build(
        priority("Low", "1"), priority("High", "9.50"), priority("Middle", "2"),
        priority("Fp", "4", "add_hard_negatives"), flags=("--positive-top", "2", "--variants", "1"),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    rows = rows_of(tmp_path / "q.csv")
    assert [row.name for row in rows] == [
        "retrain_positive_high_v1", "retrain_positive_middle_v1", "retrain_negative_fp_v1",
    ]  # fmt: skip
    assert rows[0].notes == "action=collect_more_positives; priority_score=9.5; variant=1"
    assert rows[2].canonical_label == ""
    assert rows[2].note(TARGET) == "Fp"


def test_a_row_that_was_changed_by_hand_stays_and_is_told(build, tmp_path: Path) -> None:
    build(priority("Tin Can", "3"), priority("Foil", "2"), flags=("--variants", "2"))
    path = tmp_path / "q.csv"
    rows = rows_of(path)
    mine = rows[1].replace(url="data/mine.jpg", notes=f"{rows[1].notes}; by Ann")
    write_csv(path, [rows[0], mine, *rows[2:]], LABELED_COLUMNS)
    ran = build(priority("Tin Can", "5"), flags=("--variants", "2"))
    after = rows_of(path)
    assert after == [rows[0].replace(notes=rows[0].notes.replace("=3;", "=5;")), mine]
    assert ran.json["kept_by_hand"] == [{"name": mine.name, "fields": ["url", "notes"]}]
    assert (ran.json["renewed"], ran.json["dropped"]) == (1, 2)
    assert mine.name in ran.err
    # Also where its label is no longer asked for.
    ran = build(priority("Foil", "1"), flags=("--variants", "1"))
    assert mine in rows_of(path)
    assert ran.json["kept_by_hand"] == [{"name": mine.name, "fields": []}]


def test_run_twice_it_gives_the_same_bytes(build, tmp_path: Path) -> None:
    table = (priority("Tin Can", "3"), priority("Foil", "2", "add_hard_negatives"))
    build(*table)
    before = (tmp_path / "q.csv").read_bytes()
    assert build(*table).json["added"] == 0
    assert (tmp_path / "q.csv").read_bytes() == before


def test_variants_that_have_a_picture_are_not_asked_for_again(build, tmp_path: Path) -> None:
    row = {"item_id": "", "canonical_label": "Tin Can", "source": "", "notes": ""}
    done = [
        LabeledRow(name="retrain_positive_tin-can_v1", url="a.jpg", **row),
        LabeledRow(name="retrain_positive_tin-can_v2", url="", **row),
        LabeledRow(name="retrain_positive_tin-can_v3", url="c.jpg", **row),
    ]
    write_csv(tmp_path / "l.csv", done, LABELED_COLUMNS)
    build(priority("Tin Can"), flags=("--labeled", "l.csv", "--variants", "2"))
    assert [row.name for row in rows_of(tmp_path / "q.csv")] == [
        "retrain_positive_tin-can_v2",
        "retrain_positive_tin-can_v4",
    ]


def test_a_dry_run_writes_nothing(build, tmp_path: Path) -> None:
    ran = build(priority("Tin Can"), flags=("--dry-run",))
    assert (ran.json["queue_rows"], ran.json["output"]) == (3, None)
    assert not (tmp_path / "q.csv").exists()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (priority(""), "line 3, column label: is empty"),
        (priority("Foil", "many"), "line 3 (Foil), column priority_score: must be a number"),
        (priority("Foil", "nan"), "column priority_score"),
        (priority("Foil", "-1"), "column priority_score"),
        (
            priority("Foil", "1", "do_something"),
            "column recommended_action: must be collect_more_positives or",
        ),
        (priority("Foil; action=x"), "column label: a label that notes cannot hold"),
        (priority("Tin Can"), "line 3 (Tin Can), column label: stands on line 2 already"),
    ],
)
def test_a_priority_that_cannot_be_used_is_told_with_line_and_column(
    build, tmp_path: Path, row, said
) -> None:
    ran = build(priority("Tin Can"), row)
    assert ran.code == 1
    assert said in ran.err
    assert not (tmp_path / "q.csv").exists()


def test_a_queue_in_the_way_that_is_none_is_refused_and_stays(build, tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text(f"{','.join(LABELED_COLUMNS)}\ntodo_foil,,,Foil,,\n")
    before = path.read_bytes()
    assert "named retrain_*" in build(priority("Tin Can")).err
    assert path.read_bytes() == before


tables = st.lists(
    st.builds(
        priority,
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12),
        st.sampled_from(["0", "1.5", "7", "x", "inf"]),
        st.sampled_from(["collect_more_positives", "add_hard_negatives", ""]),
    ),
    max_size=6,
)


@given(tables, st.integers(0, 4), st.integers(1, 3))
def test_any_table_is_refused_in_words_or_gives_names_of_their_own(
    table: list[PriorityRow], top: int, variants: int
) -> None:
    try:
        rows = queue(table, size=Size(top, top, variants))
    except ContractError:
        return
    assert len({row.name for row in rows}) == len(rows)
    assert all(row.is_negative == row.name.startswith("retrain_negative_") for row in rows)
    assert len(rows) <= 2 * top * variants
