"""The release bundle: model, labels, manifest and checksums, built whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.base import parse
from pipeline.contracts.candidate import LabelsFile
from pipeline.contracts.comparison import Comparison
from pipeline.contracts.release import (
    LABELS_TYPE,
    MODEL_TYPE,
    SUMS_NAME,
    ReleaseManifest,
    ReleaseNames,
)
from pipeline.contracts.results import BenchmarkResults
from pipeline.release.provenance import check_gate, check_labels, check_origin, check_results, origin_of
from pipeline.release.verify import verify_release
from pipeline.release.versions import semantic_version
from pipeline.support.clock import timestamp
from pipeline.support.documents import json_bytes, read_json
from pipeline.support.errors import InputError, ModelError, ReleaseError, UsageError
from pipeline.support.files import (
    copy_file,
    display_path,
    sha256_file,
    staged_directory,
    write_bytes,
    write_text,
)
from pipeline.support.tflite_file import TfliteFile, read_tflite


@dataclass(frozen=True, slots=True)
class BuiltRelease:
    """A bundle on disk, verified."""

    directory: Path
    manifest_path: Path
    manifest: ReleaseManifest
    unchanged: bool
    """Whether the same bundle was there already, and was left as it is."""
    warnings: tuple[str, ...]
    """Why the app cannot use the model, where that was allowed."""


def build_release(
    *,
    version: str,
    model: Path,
    labels: Path,
    out_root: Path,
    prefix: str = "yolo-repath",
    run_id: str | None = None,
    notes: str | None = None,
    results: BenchmarkResults | None = None,
    results_source: str = "the results",
    comparison: Comparison | None = None,
    comparison_source: str = "the comparison",
    allow_unusable: bool = False,
    root: Path | None = None,
) -> BuiltRelease:
    """Build ``<out_root>/vX.Y.Z`` from a model and its labels, and verify it.

    The same version of the same files may be built again: nothing is written then. The files are hashed
    while they are copied, once.

    Args:
        version: semver, with or without a leading ``v``.
        model: the ``.tflite`` file.
        labels: its ``labels.json``; the index is the class id.
        out_root: the folder that holds the releases.
        prefix: what the names of the two files start with.
        run_id: the training run; otherwise that of the record beside the model.
        notes: text of the release notes.
        results: what was measured on these files; refused where its digests are of others.
        results_source: the results in words, for errors.
        comparison: the comparison with the release in use; refused where its gate says no, or where it is of
            other files.
        comparison_source: the comparison in words, for errors.
        allow_unusable: build although the app cannot use the model.
        root: the workspace that recorded paths are relative to.

    Raises:
        UsageError: ``version`` is not semver, or ``prefix`` no part of a file name.
        InputError: a file cannot be read, or is not what it claims to be.
        ModelError: the app cannot use the model, or the labels stand in another order.
        ReleaseError: the labels are not the model's; the version was built before, of other files; or no
            gate was applied to the comparison.
        GateError: the gate says no.
        DigestMismatchError: the files are not those that their record or the results name.
        OutputError: the bundle cannot be written.
    """
    names = _names(prefix, semantic_version(version))
    structure = read_tflite(model)
    origin = origin_of(model)
    check_labels(structure, read_json(labels, LabelsFile), labels, origin)
    warnings = _usability(structure, allow_unusable)
    draft = _Draft(names, model, labels, run_id or origin.run_id, notes or None, root)
    target = out_root / names.tag

    def check(model_sha256: str, labels_sha256: str) -> None:
        check_origin(origin, {model: model_sha256, labels: labels_sha256})
        if results is not None:
            check_results(results, results_source, model_sha256, labels_sha256)
        if comparison is not None:
            check_gate(comparison, comparison_source, model_sha256, labels_sha256)

    if target.is_dir() and any(target.iterdir()):
        digests = sha256_file(model), sha256_file(labels)
        check(*digests)
        manifest = _unchanged(draft, target, digests)
        return BuiltRelease(target, target / names.manifest, manifest, True, warnings)
    with staged_directory(target) as staging:
        digests = copy_file(model, staging / names.model), copy_file(labels, staging / names.labels)
        check(*digests)
        sizes = (staging / names.model).stat().st_size, (staging / names.labels).stat().st_size
        manifest = draft.manifest(digests, sizes)
        write_bytes(staging / names.manifest, json_bytes(manifest))
        sums = [(digests[0], names.model), (digests[1], names.labels)]
        sums.append((sha256_file(staging / names.manifest), names.manifest))
        write_text(staging / SUMS_NAME, "".join(f"{digest}  {name}\n" for digest, name in sums))
    # What was written is read back, so that a disk that lies is found here and not by the app.
    verify_release(target / names.manifest)
    return BuiltRelease(target, target / names.manifest, manifest, False, warnings)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What goes into a manifest before the files are hashed."""

    names: ReleaseNames
    model: Path
    labels: Path
    run_id: str | None
    notes: str | None
    root: Path | None

    def manifest(self, digests: tuple[str, str], sizes: tuple[int, int]) -> ReleaseManifest:
        names = (self.names.model, self.names.labels)
        types = (MODEL_TYPE, LABELS_TYPE)
        data = {
            "name": self.names.prefix,
            "version": self.names.version,
            "tag": self.names.tag,
            "generated_at": timestamp(),
            "source": self.source(),
            "artifacts": [
                {"filename": name, "sha256": digest, "bytes": size, "content_type": kind}
                for name, digest, size, kind in zip(names, digests, sizes, types, strict=True)
            ],
            "notes": self.notes or "",
        }
        return parse(ReleaseManifest, data, source=self.names.manifest)

    def source(self) -> dict[str, str | None]:
        return {
            "model": display_path(self.model, self.root),
            "labels": display_path(self.labels, self.root),
            "run_id": self.run_id,
        }


def _names(prefix: str, version: str) -> ReleaseNames:
    if not prefix or not all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in prefix):
        raise UsageError(f"the prefix {prefix!r} is not a plain file name (letters, digits, '.', '_', '-')")
    return ReleaseNames(prefix, version)


def _usability(model: TfliteFile, allow_unusable: bool) -> tuple[str, ...]:
    faults = tuple(model.app_faults)
    if faults and not allow_unusable:
        raise ModelError(
            f"the app cannot use {model.path}:\n" + "\n".join(f"  {fault}" for fault in faults),
            hint="Export the candidate with repath, or build it anyway with --allow-unusable-model.",
        )
    return faults


def _unchanged(draft: _Draft, target: Path, digests: tuple[str, str]) -> ReleaseManifest:
    """Return the manifest of the bundle that is there, if it is the one that would be built."""
    names = draft.names
    try:
        built = verify_release(target / names.manifest).manifest
    except (ReleaseError, InputError) as error:
        raise ReleaseError(
            f"{target} exists and does not verify: {error.message}", hint="Remove it and build again."
        ) from None
    artifacts = [built.artifact(names.model), built.artifact(names.labels)]
    if [item.sha256 if item else None for item in artifacts] != list(digests):
        raise ReleaseError(
            f"{names.tag} was built before, of other files: {target}",
            hint="A version is never changed once it is built: choose the next one, or remove the folder.",
        )
    if (built.source.run_id, built.notes or None) != (draft.run_id, draft.notes):
        raise ReleaseError(
            f"{names.tag} was built before, with other notes or another run id: {target}",
            hint="Remove the folder to build it again; the files themselves are the same.",
        )
    return built
