"""A small workspace with everything that a report shows: pictures, boxes, two results, coverage, leakage."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from pipeline.contracts.coverage import CoverageReport
from pipeline.contracts.leakage import LeakageReport
from pipeline.contracts.results import BenchmarkResults
from pipeline.contracts.settings import Gate
from pipeline.evaluation.compare import compare_results
from pipeline.evaluation.gate import apply_gate
from pipeline.evaluation.metrics import figures_of, sweep
from pipeline.evaluation.report_pictures import PictureFolders, Wanted, thumbnails
from pipeline.support.documents import write_json

SIZE = (320, 240)
BOX = [60.0, 40.0, 200.0, 180.0]
Prediction = list[tuple[str, float]]

CAN, BOTTLE = "Aluminum Can", "Glass Bottle"
CASES: list[tuple[str, list[str], Prediction, Prediction]] = [
    ("can-lost", [CAN], [(CAN, 0.9)], []),
    ("can-found", [CAN], [], [(CAN, 0.8)]),
    ("can-taken-for-bottle", [CAN], [(CAN, 0.7)], [(BOTTLE, 0.95)]),
    ("bottle-found", [BOTTLE], [], [(BOTTLE, 0.6)]),
    ("bottle-same", [BOTTLE], [(BOTTLE, 0.8)], [(BOTTLE, 0.8)]),
    ("bottle-never", [BOTTLE], [], []),
    ("street-alarm", [], [], [(CAN, 0.9)]),
    ("street-clean", [], [(BOTTLE, 0.5)], []),
    ("street-same", [], [], []),
]
"""Name, expected labels, and what baseline and candidate predict."""


def picture(path: Path, *, seed: int, size: tuple[int, int] = SIZE) -> str:
    """Write a JPEG and return its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (40 + seed * 37 % 180, 90, 200 - seed * 53 % 160))
    ImageDraw.Draw(image).ellipse(BOX, fill=(230, 200 - seed * 11 % 100, 60))
    image.save(path, "JPEG", quality=85)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def row(name: str, url: str, expected: list[str], predicted: Prediction, **more: Any) -> dict[str, Any]:
    """A row of results whose boxes are known."""
    return {
        "name": name, "url": url, "expected_any": expected, "expected_all": [],
        "predicted_labels": [label for label, _ in predicted],
        "detections": [{"label": label, "score": score, "box": BOX} for label, score in predicted],
        "precision": None, "recall": None,
        "any_hit": bool({label for label, _ in predicted} & set(expected)) if expected else None,
        "size": list(SIZE), "below_threshold": [],
        "expected_boxes": [{"label": label, "box": BOX} for label in expected],
        **more,
    }  # fmt: skip


def results(rows: list[dict[str, Any]], *, model: str, **more: Any) -> BenchmarkResults:
    """Results of these rows, with their figures and their sweep."""
    summary = {
        "model": model, "labels": "labels.json", "manifest": "benchmarks/manifest.json", "threshold": 0.35,
        "topk": 5, "images_evaluated": len(rows), "supported_only": False, "skipped_unsupported_entries": 0,
        "micro_precision": None, "micro_recall": None, "any_hit_rate": None, "negative_clean_rate": None,
        "tp": 0, "fp": 0, "fn": 0, "model_sha256": hashlib.sha256(model.encode()).hexdigest(),
    }  # fmt: skip
    read = BenchmarkResults.model_validate({"summary": summary, "results": rows, **more})
    measured = figures_of(read.results)
    names = ("micro_precision", "micro_recall", "any_hit_rate", "negative_clean_rate", "tp", "fp", "fn")
    figures = {name: getattr(measured, name) for name in names}
    swept = sweep(read.results, threshold=0.35, topk=5, min_negative_clean_rate=0.9)
    return read.replace(summary=read.summary.replace(**figures), sweep=swept)


def compared(folder: Path, baseline: BenchmarkResults | None, candidate: BenchmarkResults) -> Path:
    """Write results and their comparison into a workspace, and return it."""
    benchmarks = folder / "benchmarks"
    benchmarks.mkdir(parents=True, exist_ok=True)
    (folder / "repath.toml").touch()
    if baseline is not None:
        write_json(benchmarks / "latest-results.json", baseline)
    write_json(benchmarks / "latest-results.candidate.json", candidate)
    comparison = compare_results(
        baseline,
        candidate,
        baseline_path="benchmarks/latest-results.json" if baseline else None,
        candidate_path="benchmarks/latest-results.candidate.json",
        resamples=1000,
    )
    comparison = apply_gate(comparison, candidate, Gate(min={"any_hit_rate": 0.5}))
    write_json(benchmarks / "latest-results.compare.json", comparison)
    return folder


def workspace(folder: Path, *, first_release: bool = False) -> Path:
    """Write a workspace with every part of a report, and return it."""
    sides: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for seed, (name, expected, *predicted) in enumerate(CASES):
        url = f"pictures/{name}.jpg"
        digest = picture(folder / url, seed=seed)
        for side, found in zip(sides, predicted, strict=True):
            side.append(row(name, url, expected, found, picture_sha256=digest))
    baseline = None if first_release else results(sides[0], model="old.tflite")
    compared(folder, baseline, results(sides[1], model="new.tflite"))
    write_json(folder / "benchmarks" / "coverage.json", _coverage())
    write_json(folder / "benchmarks" / "leakage.json", _leakage(folder))
    return folder


def _coverage() -> CoverageReport:
    return CoverageReport.model_validate(
        {
            "generated_at": "2026-01-01T00:00:00.000Z",
            "inputs": {},
            "entries": {"total": 10, "ready": 9, "todo": 1, "missing_url": 1},
            "coverage": {
                "taxonomy_label_count": 3, "manifest_label_count_all": 3, "manifest_label_count_ready": 2,
                "coverage_all": 1.0, "coverage_ready": 0.6667,
            },
            "gaps": {
                "taxonomy_labels_missing_in_manifest": [],
                "taxonomy_labels_missing_in_ready_entries": ["Light Bulb"],
                "manifest_labels_not_in_taxonomy": [],
            },
        }
    )  # fmt: skip


def _leakage(folder: Path) -> LeakageReport:
    rows = results([row("can-lost", "pictures/can-lost.jpg", [], [])], model="m").results
    (small,) = thumbnails([Wanted(rows[0], large=False)], PictureFolders(folder / "benchmarks" / "x.json"))
    encoded = (small.uri or "").removeprefix("data:image/jpeg;base64,")
    return LeakageReport.model_validate(
        {
            "generated_at": "2026-01-01T00:00:00.000Z", "manifest": "benchmarks/manifest.json",
            "manifest_sha256": "a" * 64, "bundle": "training/bundles/x", "digest": "b" * 64,
            "hash": {"kind": "dct-sign-64", "bits": 64, "max_distance": 8, "max_distance_cropped": 6},
            "summary": {
                "benchmark_pictures": 9, "training_pictures": 20, "held_back_pictures": 2,
                "leaked_pictures": 1, "pairs": 1, "by_kind": {}, "unchecked_benchmark": 0,
                "unchecked_training": 0,
            },
            "leaks": [
                {
                    "name": "can-lost", "manifest_row": 0, "url": "pictures/can-lost.jpg",
                    "sample": "retrain_can_v1", "image_file": "images/retrain_can_v1.jpg",
                    "subset": "train", "kinds": ["look"], "distance": 3,
                    "thumbnails": {"benchmark": encoded, "training": encoded},
                }
            ],
            "unchecked": [],
        }
    )  # fmt: skip
