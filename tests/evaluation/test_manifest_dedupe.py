"""One picture, one ready row of a manifest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workspaces import digests

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.evaluation.manifest_dedupe import NOTE, dedupe_manifest
from pipeline.support.commons_urls import source_key
from pipeline.support.documents import read_json, write_json

Repath = Callable[..., Any]
A = [
    "https://commons.wikimedia.org/wiki/Special:FilePath/A.jpg",
    "http://commons.wikimedia.org/wiki/File:A.jpg",
]


def image(name: str, url: str = "", *labels: str, **fields: Any) -> ManifestRow:
    return ManifestRow(
        **{"name": name, "url": url, "expected_any": list(labels), "status": "ready", **fields}
    )


@pytest.fixture
def dedupe(tmp_path: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    def call(images: list[ManifestRow] | None, *flags: str) -> Any:
        if images is not None:
            write_json(tmp_path / "m.json", BenchmarkManifest(name="m", images=images))
        return repath(
            "evaluation", "dedupe-benchmark-manifest", "--manifest", "m.json", "--report", "r.json", *flags
        )

    return call


def rows_of(tmp_path: Path) -> list[ManifestRow]:
    return read_json(tmp_path / "m.json", BenchmarkManifest).images


def test_the_first_row_keeps_its_picture_in_whatever_form_the_url_stands(dedupe, tmp_path: Path) -> None:
    images = [image("a", A[0], "Can"), image("b", A[1], "Can", notes="By Ann."), image("c", "c.png", "Can")]
    ran = dedupe(images)
    assert ran.code == 0, ran.err
    assert rows_of(tmp_path) == [
        images[0], images[1].replace(url="", status="todo", notes=f"By Ann. {NOTE}"), images[2],
    ]  # fmt: skip
    assert ran.json["groups"] == [
        {"url": A[0], "keep_name": "a", "duplicate_names": ["b"], "same_expectation": True}
    ]
    assert (ran.json["before"]["ready"], ran.json["after"]["ready"]) == (3, 2)


def test_the_last_may_keep_it_and_the_others_their_url(dedupe, tmp_path: Path) -> None:
    dedupe([image("a", A[0]), image("b", A[1])], "--keep-last", "--keep-url")
    assert [(each.url, each.status) for each in rows_of(tmp_path)] == [(A[0], "todo"), (A[1], "ready")]
    dedupe(None)  # what was kept is cleared by a run that is asked to, and the ready row stays
    assert [(each.url, each.status) for each in rows_of(tmp_path)] == [("", "todo"), (A[1], "ready")]


def test_a_row_with_boxes_drawn_keeps_its_picture() -> None:
    done = dedupe_manifest([image("a", "a.png"), image("b", "a.png", boxes=[])], keep="first", clear_url=True)
    assert [each.url for each in done.rows] == ["", "a.png"]


def test_rows_that_expect_different_labels_of_one_picture_are_told(dedupe) -> None:
    ran = dedupe([image("a", "a.png", "Can"), image("b", "a.png")])
    assert ran.json["groups_at_odds"] == 1
    assert "b expects other labels" in ran.err


def test_run_again_and_dry_nothing_changes(dedupe, tmp_path: Path) -> None:
    images = [image("a", "a.png"), image("b", "a.png")]
    assert dedupe(images, "--dry-run").json["entries_changed"] == 1
    assert rows_of(tmp_path) == images
    dedupe(None)
    before = digests(tmp_path)
    assert dedupe(None).json["entries_changed"] == 0
    assert digests(tmp_path) == before


@pytest.mark.parametrize("flags", [("--keep-first", "--keep-last"), ("--clear-url", "--keep-url")])
def test_flags_that_contradict_each_other_are_refused(dedupe, flags: tuple[str, ...]) -> None:
    assert dedupe([], *flags).code == 2


def test_the_real_manifest_has_five_pictures_that_stand_twice(real: Path, dedupe, tmp_path: Path) -> None:
    shutil.copy(real / "repath-mobile/municipal-benchmark-manifest-v2.json", tmp_path / "m.json")
    before = rows_of(tmp_path)
    ran = dedupe(None)
    assert (ran.json["duplicate_url_groups"], ran.json["entries_changed"]) == (5, 8)
    after = rows_of(tmp_path)
    assert [(each.name, each.expected_any) for each in after] == [
        (each.name, each.expected_any) for each in before
    ]
    # The notes of these rows told of an earlier dedupe already.
    assert all(each.notes.count(NOTE) == 1 for each in after if not each.is_ready)


images = st.lists(
    st.builds(
        image,
        st.sampled_from("abc"),
        st.sampled_from(["", "a.png", "./a.png", *A]),
        st.sampled_from(["Can", "Jar"]),
        status=st.sampled_from(["ready", "todo"]),
        notes=st.sampled_from([None, "", NOTE, "Completed."]),
    ),
    max_size=8,
)


@given(images, st.sampled_from(["first", "last"]), st.booleans())
def test_no_picture_is_lost_none_is_ready_twice_and_no_expectation_changes(
    images: list[ManifestRow], keep: Any, clear_url: bool
) -> None:
    done = dedupe_manifest(images, keep=keep, clear_url=clear_url)
    ready = [source_key(each.url) for each in done.rows if each.is_ready]
    assert len(set(ready)) == len(ready)
    assert set(ready) == {source_key(each.url) for each in images if each.is_ready}
    assert [(each.name, each.labels()) for each in done.rows] == [
        (each.name, each.labels()) for each in images
    ]
    again = dedupe_manifest(done.rows, keep=keep, clear_url=clear_url)
    assert again.rows == done.rows
    assert again.changed == 0
