"""`repath training`: retraining manifest, annotation bundle, training, export and promotion."""

from __future__ import annotations

import click

from pipeline.cli.lazy import LazyGroup

_BUNDLE = "pipeline.cli.training_bundle"
_QUEUE = "pipeline.cli.training_queue"
_ANNOTATE = "pipeline.cli.training_annotate"
_EXCHANGE = "pipeline.cli.training_exchange"
_TRAIN = "pipeline.cli.training_train"
_EXPORT = "pipeline.cli.training_export"
_PROMOTE = "pipeline.cli.training_promote"

COMMANDS = {
    "build-retraining-queue": (
        f"{_QUEUE}:build_retraining_queue",
        "Ask for pictures of the labels that a benchmark shows to be weak.",
    ),
    "build-retraining-manifest": (
        f"{_BUNDLE}:build_retraining_manifest",
        "Take the retraining rows out of a labeled CSV.",
    ),
    "build-annotation-bundle": (
        f"{_BUNDLE}:build_annotation_bundle",
        "Gather pictures, label files and tables for annotation.",
    ),
    "seed-annotation-boxes": (
        f"{_ANNOTATE}:seed_annotation_boxes",
        "Propose boxes with a detector where none are drawn.",
    ),
    "review-annotations": (
        "pipeline.cli.training_review:review_annotations",
        "Write one HTML page of a bundle, likely errors first.",
    ),
    "export-annotations": (
        f"{_EXCHANGE}:export_annotations",
        "Write a bundle for CVAT, Label Studio, COCO or YOLO.",
    ),
    "import-annotations": (
        f"{_EXCHANGE}:import_annotations",
        "Take boxes back from an annotation tool.",
    ),
    "validate-annotation-bundle": (
        f"{_BUNDLE}:validate_annotation_bundle",
        "Check a bundle's pictures, boxes and classes.",
    ),
    "train-detector-from-annotation": (
        f"{_TRAIN}:train_detector_from_annotation",
        "Train a candidate on a bundle and export it.",
    ),
    "export-candidate": (
        f"{_EXPORT}:export_candidate",
        "Export any .pt as a candidate, without training.",
    ),
    "check-model": (
        f"{_EXPORT}:check_model",
        "Tell whether the app can use a .tflite, and why not.",
    ),
    "promote-candidate-model": (
        f"{_PROMOTE}:promote_candidate_model",
        "Copy a candidate into the assets folder.",
    ),
}


@click.command(cls=LazyGroup, lazy=COMMANDS)
def training() -> None:
    """Retraining manifest, annotation bundle, training, export and promotion."""
