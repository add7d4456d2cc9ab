from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.text import fits_in_notes, note_value
from pipeline.data.dedupe import NOTE
from pipeline.data.notes import has_failed, renewed_notes


def test_notes_of_the_former_picture_go_and_those_of_a_person_stay() -> None:
    notes = f"priority_score=19; title=File:Old; can.jpg; query=old can; checked by Ann; {NOTE}"
    assert renewed_notes(notes, "title=File:New.jpg") == (
        "priority_score=19; checked by Ann; title=File:New.jpg"
    )
    assert renewed_notes("Needs a photo; variant=2; no_match", "a=b") == "Needs a photo; variant=2; a=b"
    assert renewed_notes("", "a=b") == "a=b"


def test_a_failure_is_remembered_also_as_the_system_in_use_writes_it() -> None:
    assert has_failed("action=collect; suggest_failed=no_result")
    assert has_failed("no_match")
    assert has_failed("variant=1; no_match")
    assert not has_failed("title=no_match at all.jpg")
    assert not has_failed("")


@given(st.text(max_size=30), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_value_that_fits_is_read_back(before: str, value: str) -> None:
    value = value.strip(" \t;")
    if value and value == value.strip() and fits_in_notes(value):
        assert note_value(renewed_notes("", f"title={value}; query=x"), "title") == value
        assert note_value(renewed_notes(before, f"title={value}; query=x"), "query") is not None


def test_a_value_that_would_forge_a_key_does_not_fit() -> None:
    assert not fits_in_notes("Can; url=https://evil.example/x.jpg")
    assert not fits_in_notes("Can\nname")
    assert fits_in_notes("Can; bottle, and jar")
