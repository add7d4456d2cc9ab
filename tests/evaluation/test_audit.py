"""A manifest looked over: what stands twice, what is unknown, how it is balanced, what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.contracts.analysis import Audit
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.evaluation.audit import audit_dataset
from pipeline.support.commons_urls import source_key

Taxonomies = Callable[..., Taxonomy]


def audit(labels: Taxonomy, *rows: dict[str, Any]) -> Audit:
    manifest = BenchmarkManifest.model_validate({"name": "m", "images": list(rows)})
    return audit_dataset(manifest, labels, inputs={}, generated_at="now")


def row(name: str, url: str, *labels: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "url": url, "expected_any": list(labels), "status": "ready", **more}


def test_the_real_manifest_has_five_names_and_five_pictures_that_stand_several_times(
    real: Path, repath: Callable[..., Any], tmp_path: Path
) -> None:
    taxonomy, out = tmp_path / "taxonomy.json", tmp_path / "audit.json"
    pack = real / "repath-core" / "fort-collins-co-us.pack.json"
    assert repath("data", "build-taxonomy", "--pack", pack, "--out", taxonomy).code == 0
    manifest = real / "repath-mobile" / "municipal-benchmark-manifest-v2.json"
    command = ("evaluation", "audit-benchmark-dataset", "--manifest", manifest, "--taxonomy", taxonomy)
    ran = repath(*command, "--out", out)
    assert ran.code == 0, ran.err
    found = Audit.model_validate_json(out.read_bytes())
    assert ran.json == json.loads(out.read_text())
    assert found.counts.to_data() == {
        "rows": 420, "ready": 420, "todo": 0, "missing_url": 0, "ready_positives": 400,
        "ready_negatives": 20, "with_boxes": 0,
    }  # fmt: skip
    assert {entry.name: entry.count for entry in found.duplicate_names} == {
        "aluminum_can": 2,
        "beer_can_2": 2,
        "tin_cans_3": 2,
        "cardboard_box": 4,
        "plastic_bottle": 3,
    }
    assert sorted(entry.count for entry in found.duplicate_sources) == [2, 2, 2, 3, 4]
    assert all(entry.same_expectation for entry in found.duplicate_sources)
    assert found.unknown_labels == []
    assert (found.balance.labels, found.balance.labels_with_one_picture) == (246, 162)
    assert found.distributions.pictures_per_label == {"1": 162, "3": 78, "4": 4, "6": 2}
    assert found.distributions.by_place == {"commons.wikimedia.org": 392, "local": 28}
    assert len(found.recommendations) == 4


def test_one_picture_under_several_urls_is_told_and_whether_its_rows_agree(taxonomy_of: Taxonomies) -> None:
    found = audit(
        taxonomy_of("A", "B"),
        row("a", "https://commons.wikimedia.org/wiki/File:Tin_can.jpg", "A"),
        row("b", "https://commons.wikimedia.org/wiki/Special:FilePath/Tin%20can.jpg", "B"),
        row("c", "local/c.jpg", "A"),
        row("d", "cache/1.jpg", "A", source_url="http://example.org/x.jpg"),
        row("e", "https://example.org/x.jpg", "A"),
    )
    assert [(entry.source, entry.rows, entry.same_expectation) for entry in found.duplicate_sources] == [
        (source_key("https://commons.wikimedia.org/wiki/File:Tin_can.jpg"), [0, 1], False),
        ("web:example.org/x.jpg", [3, 4], True),
    ]
    assert any("expect different labels" in sentence for sentence in found.recommendations)


def test_an_unknown_label_comes_with_its_nearest(taxonomy_of: Taxonomies) -> None:
    found = audit(taxonomy_of("Aluminum Can", "Foil"), row("a", "a.jpg", "Aluminium Can"))
    (unknown,) = found.unknown_labels
    assert (unknown.label, unknown.rows) == ("Aluminium Can", [0])
    assert "Aluminum Can" in unknown.nearest[0]
    assert found.labels_without_picture == ["Aluminum Can", "Foil"]


def test_rates_over_nothing_are_null_and_an_empty_manifest_asks_for_pictures(taxonomy_of: Taxonomies) -> None:
    found = audit(taxonomy_of("A"))
    assert found.balance.negative_share is None
    assert found.balance.pictures_per_label_mean == 0
    assert found.recommendations == ["Find a picture for 1 of 1 labels: nothing is known of them."]
    empty = audit(taxonomy_of("A").replace(vision_classes=[]), row("n", "n.jpg"))
    assert empty.balance.pictures_per_label_mean is None


@pytest.mark.parametrize("url", ["http://[", "file:///x.jpg", "..\\x.jpg", "http://user@host/x"])
def test_odd_urls_are_counted_like_any_other(taxonomy_of: Taxonomies, url: str) -> None:
    found = audit(taxonomy_of("A"), row("a", url, "A"), row("b", url, "A"))
    assert found.counts.ready == 2
    assert found.duplicate_sources[0].count == 2
