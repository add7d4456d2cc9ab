"""Stages that make the training data: retraining manifest, annotation bundle, its validation, leakage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.contracts.bundle import (
    CLASSES_FILE,
    IMAGES,
    LABELS,
    METADATA_FILE,
    REPORT_FILE,
    SPLIT_FILE,
    TEMPLATE_FILE,
    BundleMetadata,
)
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.proposals import PROPOSALS_FILE
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.lifecycle.engine import Done, Run, Stage
from pipeline.support import clock
from pipeline.support.documents import read_csv_lines, read_json, write_json
from pipeline.support.errors import IssuesFoundError
from pipeline.support.http import HttpClient, Limits

BUNDLE = "bundle_dir"
"""The fact that names the bundle's folder, relative to the workspace."""


def free_run_id(root: Path) -> str:
    """Return a run id of this moment that no folder under ``root`` has yet."""
    wanted = clock.run_id()
    run_id, number = wanted, 2
    while (root / run_id).exists():
        run_id, number = f"{wanted}-{number}", number + 1
    return run_id


def _retraining(run: Run) -> Done:
    from pipeline.training.retraining import build_retraining_manifest, retraining_rows

    source, out = run.path("curated"), run.path("retraining_manifest")
    rows = retraining_rows(*read_csv_lines(source, LabeledRow, LABELED_COLUMNS))
    manifest = build_retraining_manifest(rows, source_csv=run.shown(source), generated_at=clock.timestamp())
    write_json(out, manifest)
    line = f"{manifest.sample_count} samples: {manifest.positive_count} positive"
    return Done(
        f"{line}, {manifest.negative_count} negative",
        [out],
        summary={
            "sample_count": manifest.sample_count,
            "positive_count": manifest.positive_count,
            "negative_count": manifest.negative_count,
            "without_url": len(manifest.without_url or []),
        },
    )


def _bundle(run: Run) -> Done:
    from pipeline.support.pictures import PictureFetcher
    from pipeline.training.bundle import build_bundle
    from pipeline.training.bundle_plan import BundleOptions, plan_bundle

    settings, root, annotations = run.settings, run.path("bundles"), run.path("annotations")
    options = BundleOptions(
        seed=settings.training.seed,
        val_fraction=settings.training.val_fraction,
        test_fraction=settings.training.test_fraction,
        annotations=annotations if annotations.is_dir() else None,
        taxonomy=read_json(run.path("taxonomy"), Taxonomy),
        allow_unknown_labels=settings.labels.allow_unknown,
        max_pixels=settings.download.max_pixels,
    )
    plan = plan_bundle(run.path("retraining_manifest"), root, free_run_id(root), options)
    with HttpClient(Limits.of(settings.download)) as client:
        fetcher = PictureFetcher(client, max_pixels=settings.download.max_pixels)
        built = build_bundle(
            plan,
            fetcher=fetcher if settings.download.enabled else None,
            generated_at=clock.timestamp(),
            base=run.workspace.root,
        )
    summary = built.metadata.summary
    counts = built.split.counts
    missing = len(built.metadata.missing or [])
    line = f"{summary['pictures']} pictures ({', '.join(f'{n} {name}' for name, n in counts.items())})"
    if missing:
        line += f", {missing} samples without a picture"
    return Done(
        f"{line}, {summary['classes']} classes",
        # Not the whole folder: people draw boxes in it, which the next stages take up.
        [built.directory / METADATA_FILE, built.directory / SPLIT_FILE],
        facts={BUNDLE: run.shown(built.directory)},
        summary={**summary, "split": counts, "warnings": built.warnings},
    )


def _validate(run: Run) -> Done:
    from pipeline.training.proposed import require_confirmed
    from pipeline.training.validate import read_bundle_rows, validate_bundle

    bundle = run.at(run.facts[BUNDLE])
    report = validate_bundle(
        bundle,
        shown_as=run.shown(bundle),
        generated_at=clock.timestamp(),
        max_pixels=run.settings.download.max_pixels,
    )
    write_json(bundle / REPORT_FILE, report)
    # What the stage before could not find is counted and listed there, and training leaves it out.
    without = {picture.id for picture in read_json(bundle / METADATA_FILE, BundleMetadata).missing or []}
    issues = [issue for issue in report.issues if issue.id not in without]
    if issues:
        kinds = sorted({issue.issue for issue in issues})
        raise IssuesFoundError(
            f"{run.shown(bundle)}: {len(issues)} issues ({', '.join(kinds)})",
            hint=f"{REPORT_FILE} in the bundle lists them. Draw or mend the boxes, put them into "
            f"{run.settings.paths.annotations}, and run again.",
        )
    if not run.settings.training.accept_proposals:
        require_confirmed(bundle, read_bundle_rows(bundle))
    summary = report.summary
    line = f"{summary.total_boxes} boxes on {summary.positives_with_boxes} pictures, no issues"
    if without:
        line += f", {len(without)} samples without a picture left out"
    return Done(line, [bundle / REPORT_FILE], summary=summary.to_data())


def bundle_parts(run: Run) -> Sequence[Path]:
    """Return what training learns from: pictures, boxes, classes and the split."""
    bundle = run.at(run.facts[BUNDLE])
    proposals = [bundle / PROPOSALS_FILE] if (bundle / PROPOSALS_FILE).is_file() else []
    tables = [bundle / name for name in (IMAGES, LABELS, TEMPLATE_FILE, CLASSES_FILE, SPLIT_FILE)]
    return tables + proposals


def _retraining_inputs(run: Run) -> Sequence[Path]:
    return [run.path("curated")]


def _bundle_inputs(run: Run) -> Sequence[Path]:
    cache = run.path("image_cache")
    pictures = cache.parent
    beside = sorted(path for path in pictures.iterdir() if path != cache) if pictures.is_dir() else []
    return [run.path("retraining_manifest"), run.path("annotations"), run.path("taxonomy"), *beside]


def _bundle_settings(run: Run) -> object:
    training = run.settings.training
    split = [training.seed, training.val_fraction, training.test_fraction]
    return [split, run.settings.labels.model_dump(), run.settings.download.model_dump()]


TRAINING_STAGES = (
    Stage(
        "retraining",
        "take the retraining rows out of the labeled ones",
        _retraining_inputs,
        lambda run: [run.settings.paths.retraining_manifest],
        _retraining,
    ),
    Stage(
        "bundle",
        "gather pictures and boxes, and split them",
        _bundle_inputs,
        _bundle_settings,
        _bundle,
    ),
    Stage(
        "validate",
        "check every picture and every box",
        bundle_parts,
        lambda run: [run.settings.download.max_pixels, run.settings.training.accept_proposals],
        _validate,
    ),
)
