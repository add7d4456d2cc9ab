from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.support.documents import _csv_line, write_csv

fields = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")),
    st.text("a,\"\n '"),
    st.integers(),
    st.floats(),
    st.none(),
)


@given(st.lists(fields, min_size=1, max_size=6))
def test_a_line_is_what_the_csv_module_writes(values: list[object]) -> None:
    theirs = io.StringIO(newline="")
    csv.writer(theirs, lineterminator="\n").writerow(values)
    assert _csv_line(values) == theirs.getvalue()


@given(st.lists(st.text('a,"\n\r '), min_size=1, max_size=4))
def test_a_line_is_read_back_as_it_was_also_with_a_carriage_return(values: list[str]) -> None:
    # Python before 3.13 leaves a bare carriage return unquoted, and then refuses to read it.
    assert list(csv.reader(io.StringIO(_csv_line(values), newline=""), strict=True)) == [values]


def test_more_rows_than_are_written_at_once_all_arrive_in_order(tmp_path: Path) -> None:
    rows = [
        LabeledRow(name=f"r{n}", url="", item_id="", canonical_label="", source="", notes="")
        for n in range(9000)
    ]
    write_csv(tmp_path / "rows.csv", rows, LABELED_COLUMNS)
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["name"] for row in csv.DictReader(stream)] == [row.name for row in rows]
