"""Slugs, normalised aliases and notes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.text import normalized_alias, note_value, slug, with_note


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("6-Pack Holder", "6-pack-holder"),
        ("Aluminum Pie Pan / Baking Tray", "aluminum-pie-pan-baking-tray"),
        ("  Ünïcode & more!  ", "n-code-more"),
        ("a" * 79 + " b", "a" * 79),
    ],
)
def test_a_slug(label: str, expected: str) -> None:
    assert slug(label) == expected


@given(st.text())
def test_a_slug_is_safe_and_its_own_slug(label: str) -> None:
    made = slug(label)
    assert len(made) <= 80
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not made.startswith("-")
    assert not made.endswith("-")
    assert slug(made) == made


def test_an_alias_is_normalised() -> None:
    assert normalized_alias("Six-pack  Rings (plastic)") == "six pack rings plastic"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("folder", "a/b; c, d"),
        ("title", "x=y; 3"),
        ("target", "Tray"),
        ("nothing", None),
        ("old", None),
    ],
)
def test_a_note_is_found_by_its_key(key: str, value: str | None) -> None:
    notes = "folder=a/b; c, d; title=x=y; 3; target=Tray"
    assert note_value(notes, key) == value


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(["k", "source_url"]))
def test_looking_for_a_note_never_fails(notes: str, key: str) -> None:
    assert note_value(notes, key) is None or isinstance(note_value(notes, key), str)


def test_a_note_is_added_once() -> None:
    assert with_note("", "n") == "n"
    assert with_note("a=1;", "n") == "a=1; n"
    assert with_note("a=1; n", "n") == "a=1; n"
