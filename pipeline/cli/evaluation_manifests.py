"""`repath evaluation`: the manifest that a taxonomy asks for, and what a manifest covers."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.common import SHARE, emit, keep_inputs, note, setting
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.support import clock
from pipeline.support.documents import read_json, without_gc, write_json
from pipeline.support.files import display_path


@click.command("build-benchmark-manifest")
@setting("--taxonomy", to="paths.taxonomy", help="The taxonomy whose labels are asked for.")
@setting("--seed", to="paths.seed_manifest", help="Pictures that are there already.")
@setting("--out", to="paths.manifest", help="The manifest to write.")
@setting(
    "--allow-unknown-labels",
    to="labels.allow_unknown",
    is_flag=True,
    help="Take seed pictures of labels that the taxonomy lacks.",
)
@click.option("--fresh", is_flag=True, help="Keep nothing of a manifest that stands there.")
@without_gc()  # the rows that are read are looked through once where each step ends: one second of four
def build_benchmark_manifest(
    taxonomy: Path, seed: Path, out: Path, allow_unknown_labels: bool, fresh: bool
) -> None:
    """Ask for a picture of every label of a taxonomy; rows that were filled or added since stay."""
    from pipeline.evaluation import manifests
    from pipeline.evaluation.standing import with_standing_rows

    keep_inputs(out, taxonomy, seed)
    seeds = read_json(seed, BenchmarkManifest)  # the larger first: reading takes twice what is kept
    labels = read_json(taxonomy, Taxonomy)
    warnings = (
        manifests.unknown_seed_labels(labels, seeds, source=str(seed), allow_unknown=True)
        if allow_unknown_labels
        else []
    )
    manifest = manifests.build_benchmark_manifest(
        labels,
        seeds,
        taxonomy_path=display_path(taxonomy),
        seed_path=display_path(seed),
        generated_at=clock.timestamp(),
        allow_unknown_labels=allow_unknown_labels,
    )
    del seeds  # of 200,000 rows the seed and the file's bytes need not be in memory at once
    kept = dropped = 0
    if out.is_file() and not fresh:
        standing = with_standing_rows(manifest, read_json(out, BenchmarkManifest))
        manifest, kept, dropped = standing.manifest, standing.kept, standing.dropped
    write_json(out, manifest)
    for warning in warnings:
        note(warning)
    ready = sum(row.is_ready for row in manifest.images)
    counts = {"rows": len(manifest.images), "ready": ready, "todo": len(manifest.images) - ready}
    emit(
        {"manifest": display_path(out), **counts, "kept": kept, "dropped": dropped, "warnings": warnings},
        title="Benchmark manifest",
        rows=[("written", display_path(out)), *counts.items(), ("of them kept from before", kept)],
    )


@click.command("check-benchmark-coverage")
@setting("--taxonomy", to="paths.taxonomy", help="The taxonomy whose labels should be covered.")
@setting("--manifest", to="paths.manifest", help="The manifest that should cover them.")
@setting("--out", to="paths.coverage", required=False, help="The report to write.")
@click.option(
    "--min-coverage",
    type=SHARE,
    help="Exit with 3 where the share of labels with a ready picture is below this.",
)
def check_benchmark_coverage(
    taxonomy: Path, manifest: Path, out: Path | None, min_coverage: float | None
) -> None:
    """Count which labels a manifest covers, and which it lacks."""
    from pipeline.evaluation import coverage

    keep_inputs(out, taxonomy, manifest)
    rows = read_json(manifest, BenchmarkManifest)  # the larger first: reading takes twice what is kept
    report = coverage.check_coverage(
        read_json(taxonomy, Taxonomy),
        rows,
        inputs={"taxonomy": display_path(taxonomy), "manifest": display_path(manifest)},
        generated_at=clock.timestamp(),
    )
    if out is not None:
        write_json(out, report)
    found = report.coverage
    covered = found.taxonomy_label_count - len(report.gaps.taxonomy_labels_missing_in_ready_entries)
    emit(
        report.to_data(),
        title="Coverage",
        rows=[
            ("entries", f"{report.entries.total} ({report.entries.ready} ready)"),
            ("labels with a ready picture", f"{covered} of {found.taxonomy_label_count}"),
            ("share", found.coverage_ready),
            ("labels not in the taxonomy", len(report.gaps.manifest_labels_not_in_taxonomy)),
            ("names that stand twice", ", ".join(entry.name for entry in report.duplicate_names[:5]) or None),
        ],
    )
    if min_coverage is not None:
        coverage.require_coverage(report, min_coverage)
