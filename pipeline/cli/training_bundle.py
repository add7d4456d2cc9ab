"""`repath training build-retraining-manifest`, `build-annotation-bundle`, `validate-annotation-bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common import (
    DIRECTORY,
    FILE,
    SEED,
    SHARE,
    emit,
    http_client,
    keep_inputs,
    no_download_option,
    note,
    root_option,
    setting,
    workspace,
)
from pipeline.cli.training_export import bundle_of
from pipeline.contracts.bundle import REPORT_FILE, ValidationIssue, ValidationReport
from pipeline.contracts.candidate import LabelsFile
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.support import clock
from pipeline.support.documents import read_csv_lines, read_json, without_gc, write_json
from pipeline.support.errors import IssuesFoundError, UsageError
from pipeline.support.files import display_path
from pipeline.support.labels import require_known_labels
from pipeline.training.retraining import build_retraining_manifest as build_manifest
from pipeline.training.retraining import retraining_rows

if TYPE_CHECKING:
    from pipeline.training.bundle_plan import BundlePlan

NAMED = 10
"""Pictures or issues that stderr names one by one; the file that is written names all."""


def _taxonomy_options(command: Any) -> Any:
    option = setting(
        "--taxonomy",
        to="paths.taxonomy",
        required=False,
        help="Labels that are known; others stop the build.",
    )
    allow = setting(
        "--allow-unknown-labels",
        to="labels.allow_unknown",
        is_flag=True,
        help="Go on with labels the taxonomy lacks.",
    )
    return option(allow(command))


def _read_taxonomy(path: Path | None) -> Taxonomy | None:
    """Read the taxonomy that was named; one that is only the workspace's default may not be there yet."""
    given = click.get_current_context().get_parameter_source("taxonomy")
    if path is None or (given is click.core.ParameterSource.DEFAULT and not path.is_file()):
        note("labels are not checked: there is no taxonomy (--taxonomy)")
        return None
    return read_json(path, Taxonomy)


@click.command("build-retraining-manifest")
@setting("--input", "input_csv", to="paths.labeled", help="The labeled CSV.")
@setting("--out", to="paths.retraining_manifest", help="The retraining manifest to write.")
@_taxonomy_options
def build_retraining_manifest(
    input_csv: Path, out: Path, taxonomy: Path | None, allow_unknown_labels: bool
) -> None:
    """Take the rows named retrain_* out of a labeled CSV: positives with a label, negatives without."""
    keep_inputs(out, input_csv, taxonomy)
    known = _read_taxonomy(taxonomy)
    with without_gc():
        rows = retraining_rows(*read_csv_lines(input_csv, LabeledRow, LABELED_COLUMNS))
        manifest = build_manifest(
            rows,
            source_csv=display_path(input_csv, workspace().root),
            generated_at=clock.timestamp(),
        )
        if known is not None:
            named = [
                (f"line {line} ({row.name})", row.canonical_label.strip())
                for line, row in rows
                if not row.is_negative
            ]
            for warning in require_known_labels(
                known, named, source=str(input_csv), allow_unknown=allow_unknown_labels
            ):
                note(warning)
        write_json(out, manifest)
    without_url = manifest.without_url or []
    _name_some([f"{name}: has no url, and so is no sample" for name in without_url])
    labels = {sample.label for sample in manifest.samples if sample.label is not None}
    emit(
        {
            "out": display_path(out, workspace().root),
            "sample_count": manifest.sample_count,
            "positive_count": manifest.positive_count,
            "negative_count": manifest.negative_count,
            "label_count": len(labels),
            "without_url": len(without_url),
        },
        title="Retraining manifest",
        rows=[
            ("samples", manifest.sample_count),
            ("positives", f"{manifest.positive_count} over {len(labels)} labels"),
            ("negatives", manifest.negative_count),
            ("rows without url", len(without_url)),
        ],
    )


@click.command("build-annotation-bundle")
@setting("--manifest", to="paths.retraining_manifest", help="The retraining manifest.")
@setting("--out-dir", to="paths.bundles", type=DIRECTORY, help="Folder of all bundles.")
@click.option("--run-id", help="Folder of the bundle; by default the time in UTC. One that is there goes on.")
@click.option("--refresh", is_flag=True, help="Fetch remote pictures again; drawn boxes are kept.")
@no_download_option
@click.option("--dry-run", is_flag=True, help="Check and count, write and fetch nothing.")
@click.option(
    "--annotations",
    type=DIRECTORY,
    help="Boxes already drawn, <id>.txt; class ids by the folder's classes.json or classes.txt, else this "
    "bundle's.",
)
@click.option("--labels", type=FILE, help="JSON array of labels that fixes the class ids; else by alphabet.")
@_taxonomy_options
@root_option
@setting("--seed", to="training.seed", type=SEED, help="Seed of the split.")
@setting("--val-fraction", to="training.val_fraction", type=SHARE, help="For validation.")
@setting("--test-fraction", to="training.test_fraction", type=SHARE, help="For the test.")
def build_annotation_bundle(
    manifest: Path,
    out_dir: Path,
    run_id: str | None,
    refresh: bool,
    no_download: bool,
    dry_run: bool,
    annotations: Path | None,
    labels: Path | None,
    taxonomy: Path | None,
    allow_unknown_labels: bool,
    root: Path | None,
    seed: int,
    val_fraction: float,
    test_fraction: float,
) -> None:
    """Gather the pictures of a retraining manifest, with label files and a split into train, val and test."""
    from pipeline.training.bundle_plan import BundleOptions, plan_bundle

    if refresh and no_download:
        raise UsageError("--refresh fetches and --no-download does not: give one of them")
    options = BundleOptions(
        seed=seed,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        refresh=refresh,
        annotations=annotations,
        class_order=read_json(labels, LabelsFile).root if labels else None,
        taxonomy=_read_taxonomy(taxonomy),
        allow_unknown_labels=allow_unknown_labels,
        root=root,
        max_pixels=workspace().settings.download.max_pixels,
    )
    plan = plan_bundle(manifest, out_dir, run_id or clock.run_id(), options)
    if dry_run:
        _show_plan(plan)
    else:
        _build(plan, no_download=no_download)


def _show_plan(plan: BundlePlan) -> None:
    base = workspace().root
    for warning in plan.warnings:
        note(warning)
    located = plan.located
    counts = {
        "samples": len(plan.manifest.samples),
        "local": len(located.local),
        "remote": len(located.remote),
        "missing": len(located.missing),
    }
    _name_some([f"{name}: {reason}" for name, reason in located.missing.items()])
    emit(
        {
            "dry_run": True,
            "bundle_dir": display_path(plan.directory, base),
            **counts,
            "classes": plan.classes,
            "sources": {display_path(Path(folder), base): n for folder, n in sorted(located.found.items())},
        },
        title="Would be built",
        rows=list(counts.items()),
    )


def _build(plan: BundlePlan, *, no_download: bool) -> None:
    from pipeline.support.pictures import PictureFetcher
    from pipeline.training.bundle import build_bundle

    base = workspace().root
    with http_client() as client:
        fetcher = None if no_download else PictureFetcher(client, max_pixels=plan.options.max_pixels)
        built = build_bundle(plan, fetcher=fetcher, generated_at=clock.timestamp(), base=base)
    for warning in built.warnings:
        note(warning)
    missing = built.metadata.missing or []
    _name_some([f"{picture.id}: no picture: {picture.reason}" for picture in missing])
    summary = built.metadata.summary
    emit(
        {
            "bundle_dir": display_path(built.directory, base),
            "run_id": built.metadata.run_id,
            **summary,
            "split": {"digest": built.split.digest, "counts": built.split.counts},
            "sources": built.metadata.sources,
            "warnings": built.warnings,
        },
        title=f"Annotation bundle {built.metadata.run_id}",
        rows=[
            ("pictures", f"{summary['pictures']} of {summary['samples']}"),
            *[(f"  from {place}", count) for place, count in (built.metadata.sources or {}).items()],
            ("classes", summary["classes"]),
            ("positives with boxes", f"{summary['positives_with_boxes']} of {summary['positives']}"),
            ("split", ", ".join(f"{subset} {count}" for subset, count in built.split.counts.items())),
        ],
    )


@click.command("validate-annotation-bundle")
@click.option("--bundle-dir", type=DIRECTORY, help="The bundle.")
@setting("--bundle-root", to="paths.bundles", type=DIRECTORY, required=False, help="Or the newest in here.")
@click.option(
    "--out", type=FILE, help="The report to write; by default validation-report.json in the bundle."
)
@click.option("--strict", is_flag=True, help="Exit 2 where there are issues.")
def validate_annotation_bundle(
    bundle_dir: Path | None, bundle_root: Path | None, out: Path | None, strict: bool
) -> None:
    """Check that every picture of a bundle can be read and every line of its label files is a box."""
    from pipeline.training.validate import validate_bundle

    directory = bundle_of(bundle_root, bundle_dir)
    base = workspace().root
    report = validate_bundle(
        directory,
        shown_as=display_path(directory, base),
        generated_at=clock.timestamp(),
        max_pixels=workspace().settings.download.max_pixels,
    )
    path = out or directory / REPORT_FILE
    write_json(path, report)
    _show_report(report, display_path(path, base))
    if strict and report.issues:
        count = report.summary.issue_count
        raise IssuesFoundError(
            f"{report.bundle_dir}: issues: {count}; all stand in {display_path(path, base)}"
        )


def _show_report(report: ValidationReport, path: str) -> None:
    summary = report.summary
    if summary.unconfirmed_proposals:
        note(
            f"{summary.unconfirmed_proposals} pictures hold proposed boxes that nobody confirmed; training "
            "stops at them (review-annotations shows them)"
        )
    _name_some([_issue_in_words(issue) for issue in report.issues])
    kinds: dict[str, int] = {}
    for issue in report.issues:
        kinds[issue.issue] = kinds.get(issue.issue, 0) + 1
    emit(
        {"report": path, "bundle_dir": report.bundle_dir, **summary.to_data(), "issues": kinds},
        title="Validation",
        rows=[
            ("rows", summary.rows),
            ("positives with boxes", f"{summary.positives_with_boxes} of {summary.positives}"),
            ("negatives with boxes", f"{summary.negatives_with_boxes} of {summary.negatives}"),
            ("boxes", summary.total_boxes),
            ("pictures with unconfirmed proposals", summary.unconfirmed_proposals or 0),
            ("issues", summary.issue_count),
            *[(f"  {kind}", count) for kind, count in sorted(kinds.items())],
        ],
    )


def _issue_in_words(issue: ValidationIssue) -> str:
    where = f"{issue.path}, line {issue.line}" if issue.line else issue.path
    return f"{issue.id}: {issue.issue} ({where}): {issue.reason}"


def _name_some(sentences: list[str]) -> None:
    for sentence in sentences[:NAMED]:
        note(sentence)
    if len(sentences) > NAMED:
        note(f"… and {len(sentences) - NAMED} more like these")
