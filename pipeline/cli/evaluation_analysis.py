"""`repath evaluation`: the commands that look for leakage, weak labels and faults of a manifest."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.common import DIRECTORY, FILE, emit, keep_inputs, note, root_option, setting, workspace
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.results import BenchmarkResults
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.support import clock
from pipeline.support.documents import read_json, write_json
from pipeline.support.files import display_path

SHOWN = 10
"""Entries that a table shows; the files have them all."""


@click.command("check-leakage")
@setting("--manifest", to="paths.resolved_manifest", help="The benchmark manifest, best a resolved one.")
@click.option("--bundle", type=DIRECTORY, required=True, help="Folder of the annotation bundle.")
@setting("--out", to="paths.leakage", required=False, help="The report to write.")
@click.option(
    "--max-distance",
    type=click.IntRange(0, 64),
    help="Bits of 64 in which the hashes of one picture may differ; 8 by default.",
)
@click.option("--thumbnails", is_flag=True, help="Put both pictures of each leak into the report.")
@click.option("--allow-leakage", is_flag=True, help="Go on, and say so, where training has seen pictures.")
@root_option
def check_leakage(
    manifest: Path,
    bundle: Path,
    out: Path | None,
    max_distance: int | None,
    thumbnails: bool,
    allow_leakage: bool,
    root: Path | None,
) -> None:
    """Find pictures of the benchmark that training has seen."""
    from pipeline.evaluation import leakage
    from pipeline.support.phash import MAX_DISTANCE

    keep_inputs(out, manifest)
    report = leakage.check_leakage(
        manifest,
        bundle,
        generated_at=clock.timestamp(),
        base=workspace().root,
        root=root,
        max_distance=MAX_DISTANCE if max_distance is None else max_distance,
        thumbnails=thumbnails,
    )
    if out is not None:
        write_json(out, report)
    found = report.summary
    pairs = [
        (leak.name, f"{leak.sample}: {', '.join(leak.kinds)}, distance {leak.distance}")
        for leak in report.leaks[:SHOWN]
    ]
    emit(
        {
            "report": display_path(out) if out else None,
            "digest": report.digest,
            "allowed": allow_leakage,
            **found.to_data(),
            "leaks": [leak.replace(thumbnails=None).to_data() for leak in report.leaks],
            "unchecked": [each.to_data() for each in report.unchecked],
        },
        title="Leakage",
        rows=[
            ("benchmark pictures", f"{found.benchmark_pictures} ({found.unchecked_benchmark} only in part)"),
            ("training pictures", f"{found.training_pictures} ({found.unchecked_training} only in part)"),
            ("seen in training", found.leaked_pictures),
            *pairs,
        ],
    )
    if allow_leakage:
        if found.leaked_pictures:
            note(f"{leakage.leakage_in_words(report)}; allowed by --allow-leakage")
    else:
        leakage.require_no_leakage(report)


@click.command("analyze-benchmark-results")
@setting("--input", "results", to="paths.candidate_results", help="The results to analyse.")
@click.option("--out", type=FILE, help="The analysis; by default <input>.analysis.json beside the input.")
@click.option(
    "--template-out", type=FILE, help="The priority table; by default <input>.priority.csv beside the input."
)
@click.option(
    "--top", type=click.IntRange(1), help="Entries of each list that are kept; by default all of them."
)
def analyze_benchmark_results(
    results: Path, out: Path | None, template_out: Path | None, top: int | None
) -> None:
    """Rank the labels that need work, from benchmark results."""
    from pipeline.evaluation.analyze import write_analysis

    for file in (out, template_out):
        keep_inputs(file, results)
    written = write_analysis(
        read_json(results, BenchmarkResults),
        results,
        base=workspace().root,
        generated_at=clock.timestamp(),
        out=out,
        template_out=template_out,
        top=top,
    )
    summary = written.analysis.summary
    emit(
        {
            "analysis": display_path(written.path),
            "priority": display_path(written.priority),
            **summary.to_data(),
        },
        title="Labels that need work",
        rows=[
            ("pictures", summary.images_evaluated),
            ("missed labels", summary.missed),
            ("false alarms", summary.false_alarms),
            *(
                (f"{entry.rank}. {entry.label}", f"{entry.priority_score:g}  {entry.recommended_action}")
                for entry in written.analysis.priority[:SHOWN]
            ),
        ],
    )


@click.command("audit-benchmark-dataset")
@setting("--manifest", to="paths.manifest", help="The manifest to look over.")
@setting("--taxonomy", to="paths.taxonomy", help="The taxonomy whose labels it should name.")
@click.option("--out", type=FILE, help="The audit to write.")
def audit_benchmark_dataset(manifest: Path, taxonomy: Path, out: Path | None) -> None:
    """Look a manifest over: duplicates, unknown labels, balance."""
    from pipeline.evaluation.audit import audit_dataset

    keep_inputs(out, manifest, taxonomy)
    audit = audit_dataset(
        read_json(manifest, BenchmarkManifest),
        read_json(taxonomy, Taxonomy),
        inputs={"manifest": display_path(manifest), "taxonomy": display_path(taxonomy)},
        generated_at=clock.timestamp(),
    )
    if out is not None:
        write_json(out, audit)
    emit(
        audit.to_data(),
        title="Audit",
        rows=[
            ("rows", f"{audit.counts.rows} ({audit.counts.ready} ready)"),
            ("names that stand twice", ", ".join(entry.name for entry in audit.duplicate_names) or None),
            ("pictures that stand twice", len(audit.duplicate_sources)),
            ("unknown labels", ", ".join(entry.label for entry in audit.unknown_labels) or None),
            ("labels without a picture", audit.balance.labels_without_picture),
            *(("to do", sentence) for sentence in audit.recommendations),
        ],
    )
