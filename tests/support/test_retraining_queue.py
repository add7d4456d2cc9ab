"""Rows of the retraining queue: made from what they say, and told apart from those that people changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.text import fits_in_notes
from pipeline.support.documents import read_csv, read_csv_lines
from pipeline.support.errors import ContractError
from pipeline.support.retraining_queue import (
    NEGATIVES,
    POSITIVES,
    QueueEntry,
    check_queue,
    is_as_written,
    stem_of,
    taken_apart,
)

labels = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30).filter(
    lambda text: (
        bool(text.strip()) and text == text.strip() and not text.endswith(";") and fits_in_notes(text)
    )
)
entries = st.builds(
    lambda label, action, score, variant, shared: QueueEntry(
        label, action, score, variant, stem_of(label, shared=shared)
    ),
    labels,
    st.sampled_from([POSITIVES, NEGATIVES]),
    st.sampled_from(["19", "0.5", "7.25"]),
    st.integers(1, 999),
    st.booleans(),
)


def test_the_real_queue_is_as_written_and_the_real_filled_rows_are_not(real: Path) -> None:
    queue = read_csv(real / "repath-mobile/benchmark-retraining-queue.csv", LabeledRow, LABELED_COLUMNS)
    assert len(queue) == 36
    assert all(is_as_written(row) for row in queue)
    filled = read_csv(real / "repath-mobile/benchmark-labeled.csv", LabeledRow, LABELED_COLUMNS)
    assert not any(is_as_written(row) for row in filled)


@given(entries)
def test_a_row_that_is_made_is_as_written_and_has_the_side_of_its_name(entry: QueueEntry) -> None:
    row = entry.row()
    assert is_as_written(row)
    assert row.is_negative == (entry.action == NEGATIVES) == row.name.startswith("retrain_negative_")
    assert taken_apart(row.name) == (row.name.rsplit("_v", 1)[0], entry.variant)


@given(
    entries, st.sampled_from(LABELED_COLUMNS), st.text(st.characters(codec="ascii", categories=["L", "N"]))
)
def test_a_row_with_any_field_changed_is_not_as_written(entry: QueueEntry, column: str, text: str) -> None:
    row = entry.row()
    changed = row.replace(**{column: text})
    assert is_as_written(changed) == (changed == row)


def test_labels_that_share_a_slug_get_names_of_their_own() -> None:
    assert stem_of("Tin Can") == "tin-can"
    assert stem_of("C Can", shared=True) != stem_of("C++ Can", shared=True)
    assert stem_of("紙").startswith("label-")
    assert stem_of("紙") != stem_of("瓶")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("retrain_negative_foil_v1,,,Foil,,", "column canonical_label: a negative has no label"),
        ("retrain_positive_foil_v1,,,,,", "column canonical_label: this positive has no label"),
        ("todo_foil,,,Foil,,", "named retrain_*"),
        ("retrain_positive_can_v1,,,Can,,", "stands on line 2 already"),
    ],
)
def test_a_queue_that_may_not_be_merged_is_told_with_line_and_column(
    tmp_path: Path, row: str, said: str
) -> None:
    path = tmp_path / "q.csv"
    path.write_text(f"{','.join(LABELED_COLUMNS)}\nretrain_positive_can_v1,,,Can,,\n{row}\n")
    rows, lines = read_csv_lines(path, LabeledRow, LABELED_COLUMNS)
    with pytest.raises(ContractError, match="line 3") as caught:
        check_queue(rows, lines, source=str(path))
    assert said in str(caught.value)
