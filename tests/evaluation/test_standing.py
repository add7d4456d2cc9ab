"""A manifest built again over one that people and other commands have worked on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.evaluation.manifests import SEEDED, WANTED
from pipeline.evaluation.standing import with_standing_rows
from pipeline.support.documents import read_json, write_json

Repath = Callable[..., Any]


def asked(name: str, label: str = "Can", **fields: Any) -> ManifestRow:
    row = {"name": name, "url": "", "expected_any": [label], "expected_all": [], "required": True}
    return ManifestRow(**{**row, "status": "todo", "notes": WANTED, **fields})


def manifest(*rows: ManifestRow) -> BenchmarkManifest:
    return BenchmarkManifest(name="m", generated_at="now", images=list(rows))


@pytest.fixture
def build(real: Path, repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    repath(
        "data",
        "build-taxonomy",
        "--pack",
        real / "repath-core/fort-collins-co-us.pack.json",
        "--out",
        "t.json",
    )
    seed = real / "repath-mobile/benchmark-manifest.seed.json"

    def call(*flags: str) -> Any:
        files = ["--taxonomy", "t.json", "--seed", seed, "--out", "m.json"]
        return repath("evaluation", "build-benchmark-manifest", *files, *flags)

    return call


def test_what_was_seeded_and_filled_outlives_a_build_and_fresh_starts_anew(
    build, tmp_path: Path, repath: Repath
) -> None:
    assert build().json["rows"] == 253
    plain = (tmp_path / "m.json").read_bytes()
    assert build().json["kept"] == 0
    assert (tmp_path / "m.json").read_bytes() == plain
    repath("evaluation", "seed-benchmark-depth-variants", "--manifest", "m.json", "--max-new", "9")
    repath("evaluation", "seed-negative-benchmark-entries", "--manifest", "m.json", "--count", "5")
    data = json.loads((tmp_path / "m.json").read_text())
    data["images"][3].update(url="mine.png", status="ready", notes="By Ann.")
    (tmp_path / "m.json").write_text(json.dumps(data))
    ran = build()
    assert (ran.json["rows"], ran.json["kept"]) == (253 + 9 + 2, 9 + 2 + 1)
    after = read_json(tmp_path / "m.json", BenchmarkManifest).images
    assert after[3].notes == "By Ann."
    assert [row.name for row in after[-2:]] == [
        "todo_negative_forest-trail_1",
        "todo_negative_mountain-landscape_1",
    ]
    again = (tmp_path / "m.json").read_bytes()
    build()
    assert (tmp_path / "m.json").read_bytes() == again
    assert build("--fresh").json["rows"] == 253
    assert (tmp_path / "m.json").read_bytes() == plain


def test_the_real_manifest_stands_whole_when_it_is_built_again(real: Path, build, tmp_path: Path) -> None:
    there = read_json(real / "repath-mobile/municipal-benchmark-manifest-v2.json", BenchmarkManifest).images
    write_json(tmp_path / "m.json", manifest(*there))
    assert build().json["kept"] == 420
    after = read_json(tmp_path / "m.json", BenchmarkManifest).images
    assert sorted(row.to_json() for row in after) == sorted(row.to_json() for row in there)


def test_an_untouched_placeholder_goes_with_its_label_and_a_filled_one_stays() -> None:
    there = manifest(asked("todo_a"), asked("todo_b", url="b.png", status="ready"), asked("todo_c"))
    done = with_standing_rows(manifest(asked("todo_c"), asked("todo_d")), there)
    assert [row.name for row in done.manifest.images] == ["todo_c", "todo_d", "todo_b"]
    assert (done.kept, done.dropped) == (1, 1)


def test_a_picture_of_the_seed_follows_the_seed() -> None:
    old = asked("box", url="old.png", status="ready", notes=SEEDED)
    new = old.replace(url="new.png")
    assert with_standing_rows(manifest(new), manifest(old)).manifest.images == [new]
    synced = old.replace(url="own.png", synced_url="own.png")
    assert with_standing_rows(manifest(new), manifest(synced)).manifest.images == [synced]


def test_a_broken_manifest_in_the_way_is_told_and_stays(build, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("{")
    ran = build()
    assert ran.code == 1
    assert "m.json" in ran.err
    assert (tmp_path / "m.json").read_text() == "{"


rows = st.lists(
    st.builds(
        asked,
        st.sampled_from("abcd"),
        st.sampled_from(["Can", "Jar"]),
        url=st.sampled_from(["", "x.png"]),
        status=st.sampled_from(["todo", "ready"]),
        notes=st.sampled_from([WANTED, SEEDED, "By Ann.", None]),
        item_id=st.sampled_from(["i", "j"]),
    ),
    max_size=6,
)


@given(
    st.lists(st.builds(asked, st.sampled_from("abcd"), item_id=st.sampled_from(["i", "j"])), max_size=4), rows
)
def test_no_row_that_was_worked_on_is_lost_and_twice_is_as_once(
    built: list[ManifestRow], there: list[ManifestRow]
) -> None:
    once = with_standing_rows(manifest(*built), manifest(*there))
    mine = [row for row in there if row.notes in {"By Ann.", None}]
    assert all(row in once.manifest.images for row in mine)
    assert len(once.manifest.images) >= len(built)
    assert with_standing_rows(manifest(*built), once.manifest).manifest.images == once.manifest.images
