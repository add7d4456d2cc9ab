"""Which contract describes which file, and the JSON Schema of each (docs/schemas)."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from pipeline.contracts import (
    analysis,
    bundle,
    candidate,
    comparison,
    coverage,
    dataset,
    journal,
    labeled,
    leakage,
    manifest,
    pack,
    pointer,
    release,
    results,
    retraining,
    settings,
    taxonomy,
)

FILES: dict[str, type[BaseModel]] = {
    "active-model": candidate.ActiveModel,
    "active-model.release": candidate.ActiveModelRelease,
    "annotations-template.row": bundle.TemplateRow,
    "benchmark-analysis": analysis.Analysis,
    "benchmark-comparison": comparison.Comparison,
    "benchmark-labeled.row": labeled.LabeledRow,
    "benchmark-manifest": manifest.BenchmarkManifest,
    "benchmark-priority.row": analysis.PriorityRow,
    "benchmark-results": results.BenchmarkResults,
    "benchmark-supported-holdout-overrides": manifest.HoldoutOverrides,
    "bundle-classes": bundle.BundleClasses,
    "bundle-dataset": bundle.DatasetYaml,
    "bundle-metadata": bundle.BundleMetadata,
    "bundle-split": bundle.Split,
    "bundle-validation-report": bundle.ValidationReport,
    "candidate": pointer.CandidatePointer,
    "candidate-labels": candidate.LabelsFile,
    "candidate-metadata": candidate.CandidateMetadata,
    "coverage-report": coverage.CoverageReport,
    "data-record": dataset.DataRecord,
    "journal": journal.Journal,
    "kaggle-folders": settings.FolderNames,
    "leakage-report": leakage.LeakageReport,
    "pack": pack.Pack,
    "release-manifest": release.ReleaseManifest,
    "repath.toml": settings.Settings,
    "retraining-manifest": retraining.RetrainingManifest,
    "taxonomy": taxonomy.Taxonomy,
}
"""File kind to contract. A ``.row`` is a row of a CSV; its properties are the columns."""


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a kind of file."""
    made = FILES[kind].model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def schema_text(kind: str) -> str:
    """Return the file that docs/schemas holds for ``kind``."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"
