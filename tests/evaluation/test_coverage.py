"""How much of a taxonomy a manifest covers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.contracts.coverage import CoverageReport
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.evaluation.coverage import check_coverage, require_coverage
from pipeline.support.errors import GateError

Taxonomies = Callable[..., Taxonomy]


def check(labels: Taxonomy, *rows: dict[str, Any]) -> CoverageReport:
    manifest = BenchmarkManifest.model_validate({"name": "m", "images": list(rows)})
    return check_coverage(labels, manifest, inputs={}, generated_at="now")


def row(name: str, *labels: str, url: str = "u", status: str = "ready", **more: Any) -> dict[str, Any]:
    return {"name": name, "url": url, "expected_any": list(labels), "status": status, **more}


def test_rows_and_labels_are_counted_by_state(taxonomy_of: Taxonomies) -> None:
    report = check(
        taxonomy_of("A", "B", "C"),
        row("a", "A"),
        row("b", "B", url="", status="todo"),
        row("x", "Z"),
        row("n"),
        row("late", url=""),
    )
    assert report.entries.to_data() == {"total": 5, "ready": 3, "todo": 2, "missing_url": 2}
    assert report.coverage.to_data() == {
        "taxonomy_label_count": 3,
        "manifest_label_count_all": 3,
        "manifest_label_count_ready": 2,
        "coverage_all": 0.6667,
        "coverage_ready": 0.3333,
    }
    assert report.gaps.to_data() == {
        "taxonomy_labels_missing_in_manifest": ["C"],
        "taxonomy_labels_missing_in_ready_entries": ["B", "C"],
        "manifest_labels_not_in_taxonomy": ["Z"],
    }


def test_expected_all_counts_as_well(taxonomy_of: Taxonomies) -> None:
    assert check(taxonomy_of("A"), row("a", expected_all=["A"])).coverage.coverage_ready == 1


def test_a_share_of_no_labels_is_null_and_passes_no_gate(taxonomy_of: Taxonomies) -> None:
    report = check(taxonomy_of("A").replace(vision_classes=[]), row("a", "A"))
    assert report.coverage.coverage_ready is None
    with pytest.raises(GateError, match="cannot be told"):
        require_coverage(report, 0.0)


def test_names_that_stand_twice_are_reported_with_their_items(taxonomy_of: Taxonomies) -> None:
    report = check(taxonomy_of("A"), row("a", "A", item_id="x"), row("b"), row("a", "A", item_id="y"))
    assert [entry.to_data() for entry in report.duplicate_names] == [
        {"name": "a", "count": 2, "item_ids": ["x", "y"]}
    ]


def test_the_gate_says_no_with_3_and_the_report_is_written(
    taxonomy_of: Taxonomies, tmp_path: Path, repath: Callable[..., Any]
) -> None:
    (tmp_path / "t.json").write_bytes(taxonomy_of("A", "B").to_json())
    (tmp_path / "m.json").write_text(json.dumps({"name": "m", "images": [row("a", "A")]}))
    command = (
        "evaluation", "check-benchmark-coverage", "--taxonomy", tmp_path / "t.json",
        "--manifest", tmp_path / "m.json", "--out", tmp_path / "c.json", "--min-coverage",
    )  # fmt: skip
    refused = repath(*command, "0.51")
    assert refused.code == 3
    assert "0.5000" in refused.err
    assert json.loads((tmp_path / "c.json").read_text())["coverage"]["coverage_ready"] == 0.5
    assert repath(*command, "0.5").code == 0
    assert repath(*command, "1.5").code == 2


def test_the_real_manifest_covers_the_real_taxonomy(
    real: Path, tmp_path: Path, repath: Callable[..., Any]
) -> None:
    pack = real / "repath-core" / "fort-collins-co-us.pack.json"
    assert repath("data", "build-taxonomy", "--pack", pack, "--out", tmp_path / "t.json").code == 0
    ran = repath(
        "evaluation", "check-benchmark-coverage", "--taxonomy", tmp_path / "t.json",
        "--manifest", real / "repath-mobile" / "municipal-benchmark-manifest-v2.json", "--min-coverage", "1",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.json["entries"] == {"total": 420, "ready": 420, "todo": 0, "missing_url": 0}
    assert ran.json["coverage"]["taxonomy_label_count"] == 246
    assert ran.json["coverage"]["coverage_ready"] == 1.0
    assert {entry["name"]: entry["count"] for entry in ran.json["duplicate_names"]} == {
        "aluminum_can": 2,
        "beer_can_2": 2,
        "tin_cans_3": 2,
        "cardboard_box": 4,
        "plastic_bottle": 3,
    }
    assert "246 of 246" in ran.err
