"""A table written again: what a person changed wins, and all else follows what is wanted."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.support.errors import InputError
from pipeline.support.renewal import renew


@dataclass(frozen=True)
class Row:
    name: str
    text: str = ""
    by_hand: bool = False


def _renew(wanted: list[Row], there: list[Row]):
    return renew(
        wanted,
        there,
        range(2, len(there) + 2),
        as_written=lambda row: not row.by_hand,
        columns=("text", "by_hand"),
        source="t.csv",
    )


rows = st.lists(
    st.builds(Row, st.sampled_from("abcde"), st.sampled_from(["x", "y"]), st.booleans()),
    unique_by=lambda row: row.name,
)
fresh = st.lists(
    st.builds(Row, st.sampled_from("abcde"), st.sampled_from(["x", "y"])), unique_by=lambda row: row.name
)


@given(fresh, rows)
def test_rows_changed_by_hand_stay_and_the_others_are_what_is_wanted(
    wanted: list[Row], there: list[Row]
) -> None:
    done = _renew(wanted, there)
    mine = {row.name: row for row in there if row.by_hand}
    assert {row.name: row for row in done.rows if row.by_hand} == mine
    assert [row for row in done.rows if not row.by_hand] == [row for row in wanted if row.name not in mine]
    assert {kept.name for kept in done.kept} == set(mine)
    assert len({row.name for row in done.rows}) == len(done.rows)


@given(fresh, rows)
def test_written_again_it_is_the_same(wanted: list[Row], there: list[Row]) -> None:
    once = _renew(wanted, there)
    twice = _renew(wanted, once.rows)
    assert twice.rows == once.rows
    assert (twice.added, twice.renewed, twice.dropped) == (0, 0, 0)


def test_what_differs_is_named_and_a_row_that_is_wanted_no_more_is_said_to_be() -> None:
    done = _renew([Row("a", "x")], [Row("b", "mine", by_hand=True), Row("a", "mine", by_hand=True)])
    assert [str(kept) for kept in done.kept] == ["a: text, by_hand", "b: no longer asked for"]
    assert [row.name for row in done.rows] == ["a", "b"]


def test_a_name_that_stands_twice_is_told_with_both_lines() -> None:
    with pytest.raises(InputError, match="line 2 and on line 4"):
        _renew([], [Row("a"), Row("b"), Row("a")])
