"""Whether a model and its labels are the files that were exported, promoted and measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.contracts.candidate import ActiveModel, CandidateMetadata, LabelsFile
from pipeline.contracts.comparison import Comparison
from pipeline.contracts.results import BenchmarkResults
from pipeline.support.documents import read_json
from pipeline.support.errors import DigestMismatchError, GateError, ModelError, ReleaseError
from pipeline.support.tflite_file import TfliteFile


@dataclass(frozen=True, slots=True)
class Origin:
    """What the record beside a model says: the run it came from, and digests by file name."""

    record: Path | None = None
    run_id: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)


def origin_of(model: Path) -> Origin:
    """Read the candidate's ``metadata.json`` or the assets' ``active-model.json`` beside a model.

    Raises:
        InputError: the record is there and cannot be read.
        ContractError: it is no such record.
    """
    metadata = model.parent / "metadata.json"
    if metadata.is_file():
        candidate = read_json(metadata, CandidateMetadata)
        return Origin(metadata, candidate.run_id, dict(_named_digests(candidate.artifacts)))
    active = model.parent / "active-model.json"
    if active.is_file():
        record = read_json(active, ActiveModel)
        # An assets folder may hold more models than the active one: the record speaks of its own alone.
        if Path(record.model_path).name == model.name:
            digests = {
                model.name: record.model.sha256,
                Path(record.labels_path).name: record.labels.sha256,
            }
            return Origin(active, record.run_id, digests)
    return Origin()


def check_origin(origin: Origin, digests: Mapping[Path, str]) -> None:
    """Hold files to the digests that their record names.

    Args:
        origin: what the record says.
        digests: the SHA-256 of each file that goes into the release.

    Raises:
        DigestMismatchError: a file is not the one recorded.
    """
    for path, digest in digests.items():
        recorded = origin.digests.get(path.name)
        if recorded is not None and recorded != digest:
            raise DigestMismatchError(
                f"{path} is not the file that {origin.record} names (SHA-256 {digest[:12]}…, "
                f"recorded {recorded[:12]}…)",
                hint="Export or promote the candidate again; a released file is never edited.",
            )


def check_results(results: BenchmarkResults, source: str, model_sha256: str, labels_sha256: str) -> None:
    """Refuse results that were measured on other files, or that do not say on which.

    Raises:
        DigestMismatchError: the results carry no digest, or another one.
    """
    for kind, digest in (("model", model_sha256), ("labels", labels_sha256)):
        measured = getattr(results.summary, f"{kind}_sha256", None)
        if measured is None:
            raise DigestMismatchError(
                f"{source} does not say which {kind} file it measured (summary.{kind}_sha256 is missing)",
                hint="Measure the model again with: repath evaluation benchmark-candidate-model",
            )
        if measured != digest:
            raise DigestMismatchError(
                f"{source} was measured on another {kind} file (SHA-256 {str(measured)[:12]}…, "
                f"released {digest[:12]}…)",
                hint="Release the files that were measured, or measure these.",
            )


def check_comparison(comparison: Comparison, source: str, model_sha256: str, labels_sha256: str) -> None:
    """Refuse a comparison of other files, or one that does not say of which it is.

    Raises:
        DigestMismatchError: it carries no digest of the candidate, or another one.
    """
    digests = (comparison.digests or {}).get("candidate", {})
    for kind, digest in (("model", model_sha256), ("labels", labels_sha256)):
        compared = digests.get(kind)
        if compared != digest:
            said = f"SHA-256 {compared[:12]}…" if compared else "it does not say of which"
            raise DigestMismatchError(
                f"{source} compares another {kind} file ({said}; the candidate's is {digest[:12]}…)",
                hint="Compare again with: repath evaluation compare-benchmark-results",
            )


def check_gate(comparison: Comparison, source: str, model_sha256: str, labels_sha256: str) -> None:
    """Refuse a comparison of other files, and one whose gate says no.

    Raises:
        DigestMismatchError: it compares other files, or does not say which.
        ReleaseError: no gate was applied.
        GateError: the gate says no; every condition that is not met is named.
    """
    check_comparison(comparison, source, model_sha256, labels_sha256)
    if comparison.gate is None:
        raise ReleaseError(
            f"{source} says nothing of the gate",
            hint="Compare with: repath evaluation compare-benchmark-results",
        )
    if not comparison.gate.passed:
        against = [reason.words for reason in comparison.gate.reasons if reason.outcome != "met"]
        lines = "".join(f"\n  {words}" for words in against)
        raise GateError(f"{source}: the gate says no, so nothing is built{lines}")


def check_labels(model: TfliteFile, labels: LabelsFile, labels_path: Path, origin: Origin) -> None:
    """Refuse labels that are not the model's classes.

    Where neither the shapes nor the metadata of the model tell how many there are, the record beside it may
    pair the two files by their digests, which `check_origin` holds them to.

    Raises:
        ReleaseError: the number of labels is not the number of classes, or that number cannot be known.
        ModelError: the model's own names are others, or stand in another order.
    """
    count = model.class_count
    if count is None and {model.path.name, labels_path.name} <= origin.digests.keys():
        return
    if count is None:
        raise ReleaseError(
            f"{model.path} does not tell how many classes it has, so {labels_path} cannot be checked",
            hint="Export the model with repath (or Ultralytics), which writes the class names into the file.",
        )
    if count != len(labels.root):
        raise ReleaseError(
            f"{labels_path} has {len(labels.root)} labels, and {model.path} has {count} classes",
            hint="Release the labels file that was written with this model.",
        )
    named = model.names
    if named is not None and sorted(named) == sorted(labels.root) and list(named) != labels.root:
        raise ModelError(
            f"{labels_path} has the model's labels in another order",
            hint=f"The model's own order is: {', '.join(named)}",
        )


def _named_digests(artifacts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for entry in artifacts.values():
        if not isinstance(entry, Mapping):
            continue
        filename, digest = entry.get("filename"), entry.get("sha256")
        if isinstance(filename, str) and isinstance(digest, str):
            yield filename, digest
