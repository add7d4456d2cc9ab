"""A candidate with its results and comparison, of any bytes: storing does not depend on what a model is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUN_ID = "20260102-030405"


@dataclass(frozen=True)
class CandidateFiles:
    directory: Path
    results: Path
    comparison: Path

    def all_bytes(self) -> dict[str, bytes]:
        """Return what the pre-release holds, by the names that it has there."""
        files = {path.name: path.read_bytes() for path in self.directory.iterdir()}
        files["benchmark-results.json"] = self.results.read_bytes()
        files["benchmark-comparison.json"] = self.comparison.read_bytes()
        return files


def write_candidate(
    root: Path, run_id: str = RUN_ID, *, model: bytes = b"a model, byte for byte" * 50, label: str = "Tin Can"
) -> CandidateFiles:
    """Write ``<root>/candidates/<run_id>`` and, beside it, its results and comparison."""
    folder = root / "candidates" / run_id
    folder.mkdir(parents=True)
    files = {
        "yolo-repath.tflite": model,
        "yolo-repath.labels.json": (json.dumps([label], indent=2) + "\n").encode(),
        "model.best.pt": b"the best weights" * 9,
        "model.last.pt": b"the last weights" * 9,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    metadata = {
        "run_id": run_id,
        "generated_at": "2026-01-02T03:04:05.000Z",
        "bundle": {},
        "training": {},
        "export": {},
        "artifacts": {
            role: {"filename": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for role, (name, data) in zip(("tflite", "labels", "best", "last"), files.items(), strict=True)
        },
    }
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    digests = {
        "model": hashlib.sha256(model).hexdigest(),
        "labels": hashlib.sha256(files["yolo-repath.labels.json"]).hexdigest(),
        "manifest": "0" * 64,
    }
    results, comparison = root / f"results-{run_id}.json", root / f"compare-{run_id}.json"
    results.write_text(json.dumps(results_data(digests), indent=2) + "\n")
    comparison.write_text(json.dumps(comparison_data(digests), indent=2) + "\n")
    return CandidateFiles(folder, results, comparison)


def results_data(digests: dict[str, str]) -> dict[str, Any]:
    summary = {
        "model": "candidates/x/yolo-repath.tflite",
        "labels": "candidates/x/yolo-repath.labels.json",
        "manifest": "benchmarks/m.json",
        "threshold": 0.35,
        "topk": 5,
        "images_evaluated": 0,
        **dict.fromkeys(("micro_precision", "micro_recall", "any_hit_rate", "negative_clean_rate")),
        **dict.fromkeys(("tp", "fp", "fn", "skipped_unsupported_entries"), 0),
        "supported_only": False,
        **{f"{kind}_sha256": digest for kind, digest in digests.items()},
    }
    return {"summary": summary, "results": []}


def comparison_data(digests: dict[str, str], *, sentence: str = "Said by the file.") -> dict[str, Any]:
    """Return a comparison in which recall improved."""
    figure = {
        "figure": "micro_recall",
        "cases": 40,
        "baseline": 0.5,
        "candidate": 0.7,
        "delta": 0.2,
        "interval": [0.08, 0.31],
        "equivalence_interval": [0.1, 0.3],
        "test": "paired randomisation",
        "p_value": 0.001,
        "discordant": None,
        "margin": 0.05,
        "verdict": "improved",
        "smallest_detectable": 0.1,
        "more_pictures": 0,
    }
    return {
        "baseline": "benchmarks/latest-results.json",
        "candidate": "benchmarks/latest-results.candidate.json",
        "comparison": {},
        "overlap": {"rows": 40, "baseline_summary": {}, "candidate_summary": {}, "comparison": {}},
        "digests": {"candidate": digests},
        "statistics": {
            "verdict": "improved",
            "sentence": sentence,
            "method": {"resamples": 1000, "seed": 0, "level": 0.95, "power": 0.8},
            "figures": [figure],
            "labels": [],
        },
        "changes": [],
        "gate": {"passed": True, "reasons": []},
    }
