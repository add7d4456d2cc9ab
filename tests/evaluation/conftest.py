"""What the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pipeline.contracts.pack import Pack
from pipeline.contracts.results import BenchmarkResults
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.data.taxonomy import build_taxonomy
from pipeline.evaluation.metrics import figures_of


@pytest.fixture(scope="session")
def taxonomy_of() -> Callable[..., Taxonomy]:
    """Build the taxonomy of a pack with these labels; the item of ``Foil`` is ``item-Foil``."""

    def make(*labels: str) -> Taxonomy:
        items = [{"id": f"item-{label}", "name": label, "option_cards": []} for label in labels]
        data = {"pack_id": "p", "pack_version": "1", "retrieved_at": "", "municipality": {}, "items": items}
        return build_taxonomy(Pack.model_validate(data), pack_path="pack.json", generated_at="now")

    return make


Row = tuple[str, list[str], list[str]]
"""Name, expected_any, predicted labels."""


def _results(rows: Iterable[Row], **summary: Any) -> BenchmarkResults:
    made = [
        {
            "name": name,
            "url": f"images/{name}.jpg",
            "expected_any": expected,
            "expected_all": [],
            "predicted_labels": predicted,
            "detections": [{"label": label, "score": 0.9} for label in predicted],
            "precision": None,
            "recall": None,
            "any_hit": bool(set(expected) & set(predicted)) if expected else None,
        }
        for name, expected, predicted in rows
    ]
    base = {
        "model": "m.tflite", "labels": "l.json", "manifest": "manifest.json", "threshold": 0.35, "topk": 5,
        "images_evaluated": len(made), "micro_precision": None, "micro_recall": None, "any_hit_rate": None,
        "negative_clean_rate": None, "tp": 0, "fp": 0, "fn": 0, "supported_only": False,
        "skipped_unsupported_entries": 0,
    }  # fmt: skip
    read = BenchmarkResults.model_validate({"summary": base, "results": made})
    figures = figures_of(read.results)
    names = ("micro_precision", "micro_recall", "any_hit_rate", "negative_clean_rate", "tp", "fp", "fn")
    measured = {name: getattr(figures, name) for name in names}
    return read.replace(summary=read.summary.model_validate({**base, **measured, **summary}))


@pytest.fixture
def results_of() -> Callable[..., BenchmarkResults]:
    """Make results: ``results_of([("a", ["Can"], ["Can", "Tin"])], threshold=0.5)``."""
    return _results
