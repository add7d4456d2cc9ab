"""Promotion: a candidate's model and labels take their places in the assets folder, both or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.contracts.candidate import ActiveModel
from pipeline.contracts.results import BenchmarkResults
from pipeline.support.candidates import Candidate, candidate_with_model
from pipeline.support.documents import json_bytes
from pipeline.support.errors import DigestMismatchError, InputError, ModelError, UsageError
from pipeline.support.files import display_path
from pipeline.support.tflite_file import read_tflite
from pipeline.support.together import Placement, place_together


@dataclass(frozen=True, slots=True)
class Promotion:
    """What goes where, and the record of it."""

    candidate: Candidate
    model: Path
    labels: Path
    active: ActiveModel


def require_usable_by_app(candidate: Candidate) -> None:
    """Refuse a candidate that the app would load and see nonsense with.

    Raises:
        ModelError: its metadata says that it has a raw head, the file's own shapes do, or it tells another
            number of classes apart than there are labels.
    """
    export = candidate.metadata.export
    if export.get("head") == "raw" or (export.get("nms") is False and export.get("head") != "end2end"):
        raise ModelError(
            f"{candidate.directory}: its metadata says that it was exported without NMS; the app runs none",
            hint="Export it with --nms, or promote it for another consumer with --allow-raw-head.",
        )
    faults = read_tflite(candidate.model).app_faults
    if faults:
        raise ModelError(
            f"{candidate.model}: the app cannot use this model: {'; '.join(faults)}",
            hint="Export it with: repath training export-candidate",
        )


def require_labels_to_fit(candidate: Candidate) -> None:
    """Refuse labels whose number is not that of the model's classes.

    Raises:
        ModelError: the model tells another number of classes apart.
    """
    classes = read_tflite(candidate.model).class_count
    if classes is not None and classes != len(candidate.class_labels):
        raise ModelError(
            f"{candidate.labels} has {len(candidate.class_labels)} labels, and the model tells {classes} "
            "classes apart"
        )


def require_measured(candidate: Candidate, results: BenchmarkResults, *, source: str) -> None:
    """Refuse results that were not measured on this candidate's very files.

    Raises:
        DigestMismatchError: they carry other digests, or none for the model.
    """
    measured = _digests(results.to_data())
    for role, artifact in (("model", candidate.model_artifact), ("labels", candidate.labels_artifact)):
        digest = measured.get(role)
        if digest is None and role == "model":
            raise DigestMismatchError(
                f"{source} does not say by its digest which model it was measured on",
                hint="Benchmark the candidate again.",
            )
        if digest not in {None, artifact.sha256}:
            raise DigestMismatchError(
                f"{source} was measured on other {role} than {candidate.directory / artifact.filename}",
                hint="Benchmark the candidate again.",
            )


def analysed_candidate(candidates_root: Path, analysis: Any, *, source: str) -> Path:
    """Return the folder of the candidate that an analysis (``….analysis.json``) was made of.

    Raises:
        InputError: the analysis names no model, or no candidate has it.
        DigestMismatchError: the candidate it names has another model now.
    """
    path = next((table["model"] for table in _tables(analysis) if isinstance(table.get("model"), str)), None)
    sha256 = _digests(analysis).get("model")
    if path is None and sha256 is None:
        raise InputError(
            f"{source} does not name the model it analyses",
            hint="Name a candidate with --candidate-dir or --candidate-id.",
        )
    return candidate_with_model(candidates_root, sha256=sha256, path=path)


def plan_promotion(
    candidate: Candidate, *, assets_dir: Path, prefix: str, promoted_at: str, base: Path
) -> Promotion:
    """Say what goes where, writing nothing.

    Args:
        candidate: what is promoted.
        assets_dir: where ``<prefix>.tflite`` and ``<prefix>.labels.json`` go.
        prefix: a plain file name without ending.
        promoted_at: ISO 8601 UTC.
        base: what recorded paths are relative to.

    Raises:
        UsageError: the prefix is no plain file name.
    """
    if not prefix.isprintable() or prefix in {"", ".", ".."} or {"/", "\\"} & set(prefix):
        raise UsageError(f"--prefix {prefix!r} is not a plain file name")
    model, labels = assets_dir / f"{prefix}.tflite", assets_dir / f"{prefix}.labels.json"
    active = ActiveModel(
        promoted_at=promoted_at,
        run_id=candidate.metadata.run_id,
        candidate_dir=display_path(candidate.directory, base),
        prefix=prefix,
        model_path=display_path(model, base),
        labels_path=display_path(labels, base),
        model=candidate.model_artifact.replace(filename=model.name),
        labels=candidate.labels_artifact.replace(filename=labels.name),
    )
    return Promotion(candidate, model, labels, active)


def promote(promotion: Promotion, *, metadata_path: Path | None) -> None:
    """Put model, labels and, where a path is given, ``active-model.json`` in their places, all or none.

    Raises:
        DigestMismatchError: a file was changed since the candidate was opened.
        OutputError: one of them cannot be written; all of them are as they were.
    """
    candidate = promotion.candidate
    placements = [
        Placement(promotion.model, candidate.model, candidate.model_artifact.sha256),
        Placement(promotion.labels, candidate.labels, candidate.labels_artifact.sha256),
    ]
    if metadata_path is not None:
        placements.append(Placement(metadata_path, json_bytes(promotion.active)))
    place_together(placements)


def _tables(document: Any) -> list[Mapping[str, Any]]:
    """Return the places of a results or analysis file that name what was measured."""
    if not isinstance(document, dict):
        return []
    tables = [
        document,
        *(document.get(key) for key in ("summary", "inputs", "source", "digests", "provenance")),
    ]
    return [table for table in tables if isinstance(table, dict)]


def _digests(document: Any) -> dict[str, str]:
    """Return the SHA-256 of ``model`` and ``labels`` where the file tells them (``model_sha256``)."""
    found: dict[str, str] = {}
    for table in _tables(document):
        for role in ("model", "labels"):
            digest = table.get(f"{role}_sha256")
            if isinstance(digest, str):
                found.setdefault(role, digest)
    return found
