from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.labeled import LabeledRow
from pipeline.data.dedupe import NOTE, dedupe
from pipeline.support.commons_urls import source_key

COMMONS = "https://commons.wikimedia.org/wiki/"


def row(name: str, url: str, label: str = "Tin Can", notes: str = "") -> LabeledRow:
    return LabeledRow(name=name, url=url, item_id="i", canonical_label=label, source="s", notes=notes)


ROWS = [
    row("a", f"{COMMONS}Special:FilePath/Tin%20can.jpg"),
    row("b", "images/b.png"),
    row("c", f"{COMMONS}File:Tin_can.jpg", notes="query=can"),
    row("d", ""),
    row("e", "", label=""),
    row("retrain_f", "./images/b.png"),
]


def test_all_but_the_first_row_of_a_source_lose_their_url_and_say_so() -> None:
    result = dedupe(ROWS)
    assert [r.url for r in result.rows] == [ROWS[0].url, "images/b.png", "", "", "", ""]
    assert result.rows[2].notes == f"query=can; {NOTE}"
    assert result.rows[5].notes == NOTE
    assert [(group.kept, group.cleared) for group in result.groups] == [("a", ("c",)), ("b", ("retrain_f",))]
    assert result.cleared == 2


def test_the_last_row_is_kept_where_that_is_asked_for() -> None:
    assert [r.url for r in dedupe(ROWS, keep="last").rows] == ["", "", ROWS[2].url, "", "", ROWS[5].url]


def test_rows_that_are_no_duplicates_are_the_very_same() -> None:
    result = dedupe(ROWS)
    assert all(result.rows[index] is ROWS[index] for index in (0, 1, 3, 4))


urls = st.sampled_from(
    ["", " ", "a.png", "./a.png", ROWS[0].url, ROWS[2].url, "https://x.org/a", "http://X.org/a"]
)
rows = st.lists(
    st.builds(
        row,
        st.text("ab_", min_size=1),
        urls,
        st.sampled_from(["", "Tin Can"]),
        st.sampled_from(["", "k=v", NOTE]),
    )
)


@given(rows, st.sampled_from(["first", "last"]))
def test_dedupe_keeps_order_and_labels_leaves_each_source_once_and_is_idempotent(
    rows: list[LabeledRow], keep: str
) -> None:
    once = dedupe(rows, keep=keep).rows  # type: ignore[arg-type]
    kept = [(r.name, r.item_id, r.canonical_label, r.source) for r in rows]
    assert [(r.name, r.item_id, r.canonical_label, r.source) for r in once] == kept
    keys = [source_key(r.url) for r in once if source_key(r.url)]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {source_key(r.url) for r in rows} - {""}
    again = dedupe(once, keep=keep)  # type: ignore[arg-type]
    assert again.rows == once
    assert again.groups == []
