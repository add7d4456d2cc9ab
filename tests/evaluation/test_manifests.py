"""The manifest that asks for a picture of every label."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.evaluation.manifests import build_benchmark_manifest
from pipeline.support.documents import read_json
from pipeline.support.errors import UnknownLabelError

Taxonomies = Callable[..., Taxonomy]


def seed(*rows: dict[str, Any]) -> BenchmarkManifest:
    return BenchmarkManifest.model_validate({"name": "seed", "images": list(rows)})


def picture(name: str, *labels: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "url": f"https://x.example/{name}.jpg", "expected_any": list(labels), **more}


def build(labels: Taxonomy, pictures: BenchmarkManifest, **more: Any) -> list[ManifestRow]:
    manifest = build_benchmark_manifest(
        labels, pictures, taxonomy_path="t.json", seed_path="s.json", generated_at="now", **more
    )
    assert manifest.source == {"taxonomy": "t.json", "seed_manifest": "s.json"}
    return manifest.images


def test_a_label_has_its_seed_pictures_or_a_placeholder_and_negatives_come_last(
    taxonomy_of: Taxonomies,
) -> None:
    rows = build(taxonomy_of("Tin Can", "Foil"), seed(picture("can", "Tin Can"), picture("cans", "Tin Can")))
    assert [(row.name, row.item_id, row.status) for row in rows] == [
        ("todo_foil", "item-Foil", "todo"),
        ("can", "item-Tin Can", "ready"),
        ("cans_2", "item-Tin Can", "ready"),
        ("todo_negative_people_scene", None, "todo"),
        ("todo_negative_street_scene", None, "todo"),
        ("todo_negative_pet_or_toy_scene", None, "todo"),
    ]
    assert all(row.required for row in rows)


def test_a_picture_of_two_labels_stands_under_both(taxonomy_of: Taxonomies) -> None:
    rows = build(taxonomy_of("A", "B"), seed(picture("both", "B", "A")))[:2]
    assert [(row.name, row.item_id, row.expected_any) for row in rows] == [
        ("both", "item-A", ["B", "A"]),
        ("both", "item-B", ["B", "A"]),
    ]


def test_rows_without_a_picture_and_negatives_of_the_seed_are_left_out(taxonomy_of: Taxonomies) -> None:
    rows = build(taxonomy_of("A"), seed({"name": "x", "url": "", "expected_any": ["A"]}, picture("bus")))
    assert [row.name for row in rows][:1] == ["todo_a"]
    assert len(rows) == 4


def test_fields_of_ones_own_stay_with_a_seed_picture(taxonomy_of: Taxonomies) -> None:
    [row, *_] = build(taxonomy_of("A"), seed(picture("a", "A", licence="CC0")))
    assert row.to_data()["licence"] == "CC0"


def test_two_labels_with_one_slug_get_names_of_their_own(taxonomy_of: Taxonomies) -> None:
    twice = taxonomy_of("a b", "A B")
    for entry in twice.vision_classes:
        entry.class_id = "a-b"  # as taxonomies of the system in use have it
    rows = build(twice, seed())
    assert [row.name for row in rows[:2]] == ["todo_a-b", "todo_a-b_2"]


def test_a_label_that_the_taxonomy_lacks_stops_the_build_unless_allowed(taxonomy_of: Taxonomies) -> None:
    pictures = seed(picture("jug", "Plastc Jug"))
    with pytest.raises(UnknownLabelError, match=r"images\[0\] \(jug\).*'Plastc Jug'.*'Plastic Jug'"):
        build(taxonomy_of("Plastic Jug"), pictures)
    rows = build(taxonomy_of("Plastic Jug"), pictures, allow_unknown_labels=True)
    assert [(row.name, row.item_id) for row in rows[:2]] == [
        ("todo_plastic-jug", "item-Plastic Jug"),
        ("jug", None),
    ]


@pytest.fixture
def built_taxonomy(real: Path, tmp_path: Path, repath: Callable[..., Any]) -> Path:
    path = tmp_path / "taxonomy.json"
    pack = real / "repath-core" / "fort-collins-co-us.pack.json"
    assert repath("data", "build-taxonomy", "--pack", pack, "--out", path).code == 0
    return path


def test_the_real_taxonomy_and_seed_give_the_rows_that_were_completed_into_v2(
    real: Path, built_taxonomy: Path, tmp_path: Path, repath: Callable[..., Any]
) -> None:
    mobile, out = real / "repath-mobile", tmp_path / "m.json"
    ran = repath(
        "evaluation", "build-benchmark-manifest", "--taxonomy", built_taxonomy,
        "--seed", mobile / "benchmark-manifest.seed.json", "--out", out,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert (ran.json["rows"], ran.json["ready"], ran.json["todo"]) == (253, 13, 240)
    built = json.loads(out.read_text())["images"]
    completed = read_json(mobile / "municipal-benchmark-manifest-v2.json", BenchmarkManifest).images
    for row, later in zip(built, completed, strict=False):
        later_row = later.to_data()
        assert list(row) == list(later_row)
        for field in ("name", "expected_any", "expected_all", "required"):
            assert row[field] == later_row[field]
        assert row.get("item_id") == later_row.get("item_id")
        assert later_row["notes"].startswith(row["notes"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"name": "s", "images": [', "ends too early"),
        ("[]", "one fault"),
        (
            '{"name": "s", "images": [{"name": "x", "url": "u", "expected_any": [], "status": "done"}]}',
            "status",
        ),
        (
            '{"name": "s", "images": [{"name": "x", "url": "u", "expected_any": ["No Such Thing"]}]}',
            "No Such Thing",
        ),
    ],
)
def test_a_bad_seed_leaves_the_manifest_as_it_was(
    content: str, said: str, built_taxonomy: Path, tmp_path: Path, repath: Callable[..., Any]
) -> None:
    (tmp_path / "seed.json").write_text(content)
    (tmp_path / "m.json").write_text("old")
    ran = repath(
        "evaluation", "build-benchmark-manifest", "--taxonomy", built_taxonomy,
        "--seed", tmp_path / "seed.json", "--out", tmp_path / "m.json",
    )  # fmt: skip
    assert ran.code == 1
    assert "seed.json" in ran.err
    assert said in ran.err
    assert (tmp_path / "m.json").read_text() == "old"
