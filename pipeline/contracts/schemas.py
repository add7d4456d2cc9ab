"""Which contract describes which file, and the JSON Schema of each (docs/schemas)."""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import BaseModel

from pipeline.contracts import (
    analysis,
    bundle,
    candidate,
    comparison,
    coverage,
    dataset,
    exchange,
    journal,
    labeled,
    leakage,
    manifest,
    pack,
    planning,
    pointer,
    proposals,
    release,
    results,
    retraining,
    settings,
    taxonomy,
    training_run,
)
from pipeline.contracts.meanings import meaning_of

FILES: dict[str, type[BaseModel]] = {
    "active-model": candidate.ActiveModel,
    "active-model.release": candidate.ActiveModelRelease,
    "annotations-template.row": bundle.TemplateRow,
    "benchmark-analysis": analysis.Analysis,
    "benchmark-comparison": comparison.Comparison,
    "benchmark-coverage-expansion": planning.ExpansionPlan,
    "benchmark-coverage-expansion-template.row": planning.ExpansionRow,
    "benchmark-dedupe-report": planning.DedupeReport,
    "benchmark-labeled.row": labeled.LabeledRow,
    "benchmark-manifest": manifest.BenchmarkManifest,
    "benchmark-priority-plan": planning.PriorityPlan,
    "benchmark-priority.row": analysis.PriorityRow,
    "benchmark-progress-report": planning.ProgressReport,
    "benchmark-results": results.BenchmarkResults,
    "benchmark-supported-holdout-overrides": manifest.HoldoutOverrides,
    "benchmark-unresolved.row": planning.UnresolvedRow,
    "bundle-box-proposals": proposals.BoxProposals,
    "bundle-classes": bundle.BundleClasses,
    "bundle-dataset": bundle.DatasetYaml,
    "bundle-import-report": exchange.ImportReport,
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
    "training-checkpoints": training_run.Checkpoints,
    "training-run": training_run.TrainingRun,
}
"""File kind to contract. A ``.row`` is a row of a CSV; its properties are the columns."""


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a kind of file; fields carry the meaning that their contract
    gives them."""
    made = FILES[kind].model_json_schema(mode="validation")
    models = {model.__name__: model for model in _models(FILES[kind])}
    for part in (made, *made.get("$defs", {}).values()):
        for name, field in part.get("properties", {}).items():
            meaning = meaning_of(models[part["title"]], name)
            if meaning:
                field.setdefault("description", meaning)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Return a contract and all that its fields are made of."""
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = [model]
    while waiting:
        each = waiting.pop()
        waiting += get_args(each)
        if isinstance(each, type) and issubclass(each, BaseModel) and each not in found:
            found.add(each)
            waiting += [field.annotation for field in each.model_fields.values()]
    return found


def schema_text(kind: str) -> str:
    """Return the file that docs/schemas holds for ``kind``."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"
