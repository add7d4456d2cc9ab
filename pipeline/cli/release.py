"""`repath release`: build and verify a release bundle."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.common import DIRECTORY, FILE, emit, note, setting, workspace
from pipeline.contracts.release import ReleaseManifest
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path


@click.group()
def release() -> None:
    """Build and verify a release bundle."""


@release.command("build-release")
@setting("--version", to="release.version", help="Semantic version, such as 0.1.0 or v0.1.0.")
@click.option("--candidate-dir", type=DIRECTORY, default=None, help="The candidate whose model is released.")
@click.option("--model", type=FILE, default=None, help="The .tflite file, in the place of a candidate.")
@click.option("--labels", type=FILE, default=None, help="Its labels.json; the index is the class id.")
@click.option("--source-run-id", default=None, help="Training run it came from (else as recorded beside it).")
@click.option("--notes-file", type=FILE, default=None, help="Text of the release notes.")
@setting("--out-root", to="paths.releases", type=DIRECTORY, help="Folder that holds the releases.")
@click.option("--results", type=FILE, default=None, help="Results that must be of these very files.")
@click.option(
    "--comparison", type=FILE, default=None, help="Comparison of these files whose gate has passed."
)
@click.option("--allow-unusable-model", is_flag=True, help="Build although the app cannot use the model.")
def build_release(
    version: str,
    candidate_dir: Path | None,
    model: Path | None,
    labels: Path | None,
    source_run_id: str | None,
    notes_file: Path | None,
    out_root: Path,
    results: Path | None,
    comparison: Path | None,
    allow_unusable_model: bool,
) -> None:
    """Build the bundle that the app downloads: model, labels, manifest and SHA256SUMS."""
    from pipeline.contracts.comparison import Comparison
    from pipeline.contracts.results import BenchmarkResults
    from pipeline.release import bundle
    from pipeline.support.documents import read_json, read_text

    space = workspace()
    files = _files(candidate_dir, model, labels)
    built = bundle.build_release(
        version=version,
        model=files[0],
        labels=files[1],
        out_root=out_root,
        prefix=space.settings.release.prefix,
        run_id=source_run_id,
        notes=read_text(notes_file) if notes_file else None,
        results=read_json(results, BenchmarkResults) if results else None,
        results_source=str(results),
        comparison=read_json(comparison, Comparison) if comparison else None,
        comparison_source=str(comparison),
        allow_unusable=allow_unusable_model,
        root=space.root,
    )
    for warning in built.warnings:
        note(f"the app cannot use this model: {warning}")
    summary = {
        **_summary(built.manifest),
        "release_dir": display_path(built.directory),
        "manifest": display_path(built.manifest_path),
        "unchanged": built.unchanged,
        "app_faults": list(built.warnings),
    }
    title = "Release is there already, unchanged" if built.unchanged else "Release built and verified"
    emit(summary, title=title, rows=[("folder", summary["release_dir"]), *_rows(built.manifest)])


def _files(candidate_dir: Path | None, model: Path | None, labels: Path | None) -> tuple[Path, Path]:
    """Return model and labels: those of a candidate that its metadata names, or the two that are given."""
    from pipeline.support.candidates import open_candidate

    if candidate_dir is not None and model is None and labels is None:
        candidate = open_candidate(candidate_dir)
        return candidate.model, candidate.labels
    if candidate_dir is None and model is not None and labels is not None:
        return model, labels
    raise UsageError("give --candidate-dir, or --model and --labels")


@release.command("verify-release")
@click.option("--manifest", type=FILE, required=True, help="The bundle's release-manifest-vX.Y.Z.json.")
def verify_release(manifest: Path) -> None:
    """Check a bundle: names, sizes, digests, SHA256SUMS, and nothing unlisted."""
    from pipeline.release import verify

    found = verify.verify_release(manifest)
    summary = {
        **_summary(found.manifest),
        "release_dir": display_path(found.directory),
        "verified": True,
        "manifest_sealed": found.manifest_sealed,
        "bytes_checked": found.bytes_checked,
    }
    if not found.manifest_sealed:
        note("SHA256SUMS does not cover the manifest (a bundle of the earlier system)")
    emit(summary, title="Release verified", rows=[("folder", summary["release_dir"]), *_rows(found.manifest)])


def _summary(manifest: ReleaseManifest) -> dict[str, object]:
    return {
        "version": manifest.version,
        "tag": manifest.tag,
        "run_id": manifest.source.run_id,
        "artifacts": [item.to_data() for item in manifest.artifacts],
    }


def _rows(manifest: ReleaseManifest) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [("tag", manifest.tag), ("run", manifest.source.run_id)]
    return rows + [
        (item.filename, f"{item.bytes:,} bytes, SHA-256 {item.sha256[:12]}…") for item in manifest.artifacts
    ]
