"""Missed labels, false alarms, confusions, and the priority table made of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.analysis import PRIORITY_COLUMNS, Analysis
from pipeline.contracts.results import BenchmarkResults
from pipeline.evaluation.analyze import analyze_results, priority_rows

LABELS = st.sampled_from(["Can", "Foil", "Jar", "Box"])


def row(name: str, expected: list[str], predicted: list[str], *, every: list[str] | None = None) -> Any:
    return {
        "name": name,
        "url": f"{name}.jpg",
        "expected_any": expected,
        "expected_all": every or [],
        "predicted_labels": predicted,
        "detections": [],
        "precision": None,
        "recall": None,
        "any_hit": None,
    }


def results(*rows: Any) -> BenchmarkResults:
    summary = {
        "model": "candidates/1/yolo-repath.tflite", "labels": "l.json", "manifest": "m.json",
        "threshold": 0.35, "topk": 5, "images_evaluated": len(rows), "micro_precision": None,
        "micro_recall": None, "any_hit_rate": None, "negative_clean_rate": None, "tp": 0, "fp": 0, "fn": 0,
        "supported_only": False, "skipped_unsupported_entries": 0, "model_sha256": "a" * 64,
    }  # fmt: skip
    return BenchmarkResults.model_validate({"summary": summary, "results": list(rows)})


def analyze(*rows: Any, top: int | None = None) -> Analysis:
    return analyze_results(
        results(*rows), results_path="r.json", results_sha256=None, generated_at="now", top=top
    )


MIXED = (
    row("a", ["Can"], ["Foil"]),
    row("b", ["Can"], ["Can"]),
    row("c", ["Can"], []),
    row("d", [], ["Foil"]),
    row("e", ["Jar"], ["Jar", "Foil"]),
    row("f", ["Jar", "Foil"], ["Foil"]),
    row("g", ["Box"], ["Box"]),
)


def test_labels_are_ranked_by_their_score() -> None:
    table = [entry.to_data() for entry in analyze(*MIXED).priority]
    assert table == [
        {
            "rank": 1,
            "label": "Can",
            "priority_score": 6.0,  # 2·2 + 0 + (1 - 1/3)·3
            "expected_count": 3,
            "miss_count": 2,
            "hit_count": 1,
            "false_positive_count": 0,
            "hit_rate": 0.3333,
            "recommended_action": "collect_more_positives",
            "notes": "missed on a, c; most often with Foil in its place",
        },
        {
            "rank": 2,
            "label": "Jar",
            "priority_score": 3.0,  # 2·1 + 0 + (1 - 1/2)·2
            "expected_count": 2,
            "miss_count": 1,
            "hit_count": 1,
            "false_positive_count": 0,
            "hit_rate": 0.5,
            "recommended_action": "collect_more_positives",
            "notes": "missed on f",
        },
        {
            "rank": 3,
            "label": "Foil",
            "priority_score": 3.0,  # 2·0 + 3 + 0
            "expected_count": 1,
            "miss_count": 0,
            "hit_count": 1,
            "false_positive_count": 3,
            "hit_rate": 1.0,
            "recommended_action": "add_hard_negatives",
            "notes": "false alarm on a, d, e (1 of them negatives)",
        },
    ]


def test_missed_labels_false_alarms_and_confusions_name_their_pictures() -> None:
    analysis = analyze(*MIXED)
    assert [(entry.label, entry.count, entry.pictures) for entry in analysis.missed_labels] == [
        ("Can", 2, ["a", "c"]),
        ("Jar", 1, ["f"]),
    ]
    assert [(entry.label, entry.count, entry.on_negatives) for entry in analysis.false_alarms] == [
        ("Foil", 3, 1)
    ]
    assert [(pair.expected, pair.predicted, pair.pictures) for pair in analysis.confusion_pairs] == [
        ("Can", "Foil", ["a"])
    ]
    assert (analysis.summary.missed, analysis.summary.false_alarms) == (3, 3)
    assert (analysis.summary.labels_expected, analysis.summary.labels_never_hit) == (4, 0)


def test_as_many_misses_as_false_alarms_ask_for_positives() -> None:
    (can,) = analyze(row("a", ["Can"], []), row("b", [], ["Can"])).priority
    assert (can.miss_count, can.false_positive_count) == (1, 1)
    assert can.recommended_action == "collect_more_positives"


def test_a_label_that_nothing_expects_has_no_hit_rate() -> None:
    (foil,) = analyze(row("n", [], ["Foil"])).priority
    assert foil.hit_rate is None
    assert priority_rows(analyze(row("n", [], ["Foil"])))[0].hit_rate == ""


def test_expected_all_goes_before_expected_any_and_a_label_counts_once_a_picture() -> None:
    analysis = analyze(row("a", ["Can"], ["Jar", "Jar"], every=["Jar", "Foil"]))
    assert [(entry.label, entry.expected_count) for entry in analysis.priority] == [("Foil", 1)]


def test_top_cuts_every_list_and_not_the_counts() -> None:
    analysis = analyze(*MIXED, top=1)
    assert [len(part) for part in (analysis.priority, analysis.missed_labels, analysis.false_alarms)] == [
        1
    ] * 3
    assert analysis.summary.labels_in_need == 3


def test_no_pictures_need_nothing() -> None:
    analysis = analyze()
    assert analysis.priority == []
    assert analysis.summary.missed == 0


def test_the_command_writes_both_files_beside_the_results(repath: Callable[..., Any], tmp_path: Path) -> None:
    source = tmp_path / "latest-results.candidate.json"
    source.write_bytes(results(*MIXED).to_json())
    ran = repath("evaluation", "analyze-benchmark-results", "--input", source, "--top", 2)
    assert ran.code == 0, ran.err
    analysis = json.loads((tmp_path / "latest-results.candidate.analysis.json").read_text())
    assert analysis["summary"]["model"] == "candidates/1/yolo-repath.tflite"
    assert analysis["summary"]["model_sha256"] == "a" * 64
    assert analysis["summary"]["results_sha256"]
    with (tmp_path / "latest-results.candidate.priority.csv").open(newline="") as stream:
        reader = csv.DictReader(stream)
        assert tuple(reader.fieldnames or ()) == PRIORITY_COLUMNS
        assert [(line["rank"], line["label"], line["hit_rate"]) for line in reader] == [
            ("1", "Can", "0.3333"),
            ("2", "Jar", "0.5"),
        ]
    named = repath(
        "evaluation", "analyze-benchmark-results", "--input", source, "--out", tmp_path / "a.json",
        "--template-out", tmp_path / "p.csv",
    )  # fmt: skip
    assert named.code == 0
    assert (tmp_path / "a.json").is_file()
    assert (tmp_path / "p.csv").is_file()


@given(st.lists(st.tuples(st.lists(LABELS, max_size=3), st.lists(LABELS, max_size=3)), max_size=12))
def test_the_counts_add_up_to_those_over_all_pictures(pictures: list[tuple[list[str], list[str]]]) -> None:
    analysis = analyze(*(row(f"p{index}", *pair) for index, pair in enumerate(pictures)))
    missed = sum(len(set(expected) - set(predicted)) for expected, predicted in pictures)
    false = sum(len(set(predicted) - set(expected)) for expected, predicted in pictures)
    assert sum(entry.miss_count for entry in analysis.priority) == missed == analysis.summary.missed
    assert sum(entry.false_positive_count for entry in analysis.priority) == false
    scores = [entry.priority_score for entry in analysis.priority]
    assert scores == sorted(scores, reverse=True)
    for entry in analysis.priority:
        assert entry.hit_count + entry.miss_count == entry.expected_count
