"""`repath training seed-annotation-boxes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common import emit, note, workspace
from pipeline.cli.training_detector import (
    bundle_options,
    detector_options,
    label_map,
    name_some,
    open_model,
)
from pipeline.cli.training_export import bundle_of
from pipeline.support.files import display_path

if TYPE_CHECKING:
    from pipeline.training.seed import Seeding

THRESHOLD = 0.25
"""Lower than a benchmark's: a person removes a wrong box faster than they draw a missing one."""


@click.command("seed-annotation-boxes")
@bundle_options
@detector_options(required=True)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    default=THRESHOLD,
    show_default=True,
    help="The lowest score of a box that is proposed; a positive's own label needs half of it.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be proposed; write nothing.")
def seed_annotation_boxes(
    bundle_dir: Path | None,
    bundle_root: Path | None,
    model: Path,
    labels: Path | None,
    maps: tuple[str, ...],
    resize: str,
    threshold: float,
    dry_run: bool,
) -> None:
    """Propose boxes with a detector, for the pictures on which nobody has drawn any.

    They are marked `proposed` in the template until a person changes them or sets another status; drawn boxes
    are never touched, and negatives get none.
    """
    from pipeline.training.bundle_rows import read_bundle
    from pipeline.training.proposals import match_labels
    from pipeline.training.seed import (
        SeedOptions,
        detect_rows,
        detection_floor,
        plan_seeding,
        wants_proposals,
        write_seeding,
    )

    space = workspace()
    bundle = read_bundle(bundle_of(bundle_root, bundle_dir))
    given = label_map(maps)
    floor = detection_floor(threshold)
    loaded = open_model(model, labels, resize, conf=floor)
    matched = match_labels(loaded.labels, bundle.classes, given=given)
    looked_at = [
        row for row in bundle.rows if wants_proposals(row) or (row.state == "negative" and row.row.image_file)
    ]
    seen = detect_rows(looked_at, loaded, conf=floor, max_pixels=space.settings.download.max_pixels)
    options = SeedOptions(display_path(model, space.root), matched, threshold)
    seeding = plan_seeding(bundle, seen, options, model_sha256=loaded.sha256)
    if not dry_run:
        write_seeding(seeding)
    _show_seeding(seeding, dry_run=dry_run)


def _show_seeding(seeding: Seeding, *, dry_run: bool) -> None:
    record, states = seeding.proposals, seeding.states
    boxes = sum(len(picture.boxes) for picture in record.pictures)
    name_some([f"{name}: cannot be looked at: {reason}" for name, reason in seeding.problems.items()])
    name_some(
        [
            f"{each.id} is a negative, and the detector sees {each.label} ({each.score:.2f}): no box written"
            for each in record.on_negatives
        ]
    )
    name_some([f"{name}: its own label was not found" for name in seeding.own_label_missing])
    if record.unmapped:
        listed = ", ".join(f"{label} {count}" for label, count in record.unmapped.items())
        note(f"left out, since they are no class of the bundle: {listed}")
    kept = {name: states[name] for name in ("drawn", "done", "no_picture", "nothing_found")}
    emit(
        {
            "dry_run": dry_run,
            "bundle_dir": display_path(seeding.bundle.directory, workspace().root),
            "model": record.model,
            "threshold": record.threshold,
            "labels": record.labels,
            "proposed_pictures": len(record.pictures),
            "proposed_boxes": boxes,
            "label_files_changed": len(seeding.labels),
            **kept,
            "own_label_missing": seeding.own_label_missing,
            "on_negatives": [each.to_data() for each in record.on_negatives],
            "unmapped": record.unmapped,
            "problems": seeding.problems,
        },
        title="Would be proposed" if dry_run else "Proposed boxes",
        rows=[
            ("boxes proposed", f"{boxes} on {len(record.pictures)} pictures"),
            ("boxes drawn, untouched", f"on {kept['drawn']} pictures"),
            ("nothing found", f"on {kept['nothing_found']} pictures"),
            ("own label not found", f"on {len(seeding.own_label_missing)} pictures"),
            ("seen on negatives", len(record.on_negatives)),
        ],
    )
