"""`repath training seed-annotation-boxes` and `review-annotations`."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.cli.common import DIRECTORY, FILE, emit, note, setting, workspace
from pipeline.cli.training_export import bundle_of
from pipeline.contracts.candidate import LabelsFile
from pipeline.support.documents import read_json
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path

if TYPE_CHECKING:
    from pipeline.runtime.detector import LoadedModel
    from pipeline.training.seed import Seeding

F = TypeVar("F", bound=Callable[..., Any])

THRESHOLD = 0.25
"""Lower than a benchmark's: a person removes a wrong box faster than they draw a missing one."""
NAMED = 10
"""Pictures that stderr names one by one; the files that are written name all."""


def bundle_options(command: F) -> F:
    """Add the flags that name a bundle."""
    root = setting(
        "--bundle-root", to="paths.bundles", type=DIRECTORY, required=False, help="Or the newest in here."
    )
    return click.option("--bundle-dir", type=DIRECTORY, help="The bundle.")(root(command))


def detector_options(*, required: bool) -> Callable[[F], F]:
    """Add the flags that name a detector."""

    def add(command: F) -> F:
        flags = (
            click.option(
                "--model",
                type=FILE,
                required=required,
                help="The detector: a .tflite, or a .pt, which is unpickled and runs what is in it.",
            ),
            click.option(
                "--labels",
                type=FILE,
                help="JSON array of its labels by class id; by default the .labels.json beside a .tflite, "
                "and the names in a .pt.",
            ),
            click.option(
                "--map",
                "maps",
                multiple=True,
                metavar="LABEL=CLASS",
                help="A label of the detector that is a class of the bundle under another name.",
            ),
            click.option(
                "--resize",
                type=click.Choice(["letterbox", "stretch"]),
                default="letterbox",
                show_default=True,
                help="How pictures are fitted into its input; letterbox is how Ultralytics trains.",
            ),
        )
        for flag in reversed(flags):
            command = flag(command)
        return command

    return add


def open_model(model: Path, labels: Path | None, resize: str, *, conf: float) -> LoadedModel:
    """Read and check the detector that was named.

    Raises:
        UsageError: it is neither a .tflite nor a .pt, or its labels are not known.
        InputError: a file is missing or not what it should be.
        ModelError: it cannot be used, or the labels are not as many as its classes.
        MissingExtraError: what runs it is not installed.
    """
    from pipeline.runtime.detector import load_model
    from pipeline.runtime.resize import ResizeRule

    suffix = model.suffix.lower()
    if suffix not in {".tflite", ".pt"}:
        raise UsageError(f"{model} is neither a .tflite nor a .pt")
    return load_model(
        model,
        _labels_of(model, labels),
        runtime="pytorch" if suffix == ".pt" else "litert",
        resize=typing.cast("ResizeRule", resize),
        conf=conf,
    )


def label_map(maps: Sequence[str]) -> dict[str, str]:
    """Return what ``--map`` says.

    Raises:
        UsageError: it says nothing of the kind, or two things of one label.
    """
    given: dict[str, str] = {}
    for words in maps:
        label, equals, name = (part.strip() for part in words.partition("="))
        if not (label and equals and name):
            raise UsageError(f"--map {words!r} is not LABEL=CLASS")
        if given.setdefault(label, name) != name:
            raise UsageError(f"--map says two things of {label!r}")
    return given


def _labels_of(model: Path, labels: Path | None) -> list[str]:
    if labels is not None:
        return read_json(labels, LabelsFile).root
    if model.suffix.lower() == ".pt":
        from pipeline.runtime.pytorch import open_checkpoint

        return list(open_checkpoint(model).names)
    beside = model.with_name(f"{model.stem}.labels.json")
    if not beside.is_file():
        raise UsageError(f"the labels of {model} are not known", hint="Name their file with --labels.")
    return read_json(beside, LabelsFile).root


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


def name_some(sentences: Sequence[str]) -> None:
    """Print the first few sentences as notes, and how many more there are."""
    for sentence in sentences[:NAMED]:
        note(sentence)
    if len(sentences) > NAMED:
        note(f"… and {len(sentences) - NAMED} more like these")
