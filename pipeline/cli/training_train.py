"""`repath training train-detector-from-annotation`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common import DIRECTORY, SEED, emit, note, setting, workspace
from pipeline.cli.training_export import (
    bundle_of,
    export_flags,
    export_options,
    exported_summary,
    precision_of,
)
from pipeline.support import clock
from pipeline.support.errors import TrainingError, UsageError
from pipeline.support.files import display_path
from pipeline.support.runs import run_named

if TYPE_CHECKING:
    from pipeline.training.dataset import Dataset


@click.command("train-detector-from-annotation")
@click.option("--bundle-dir", type=DIRECTORY, help="The bundle.")
@setting("--bundle-root", to="paths.bundles", type=DIRECTORY, required=False, help="Or the newest in here.")
@setting(
    "--candidate-root", to="paths.candidates", type=DIRECTORY, help="The candidate goes to <here>/<run-id>/."
)
@setting("--project", to="paths.runs", type=DIRECTORY, help="The training's own files go to <here>/<name>/.")
@click.option("--name", help="Folder of the training's files; by default the run id.")
@click.option("--run-id", help="Name of the candidate; by default the time in UTC.")
@setting("--model", to="training.model", help="Weights (.pt) to start from, or a definition (.yaml).")
@setting("--epochs", to="training.epochs", type=click.IntRange(1), help="Times that every picture is seen.")
@setting("--imgsz", to="training.imgsz", type=click.IntRange(32, 4096), help="Side of the input in pixels.")
@setting(
    "--batch", to="training.batch", type=click.IntRange(-1), help="Pictures per step; -1: as the GPU holds."
)
@setting(
    "--device", to="training.device", help="cpu, 0, or 0,1 for two GPUs; by default a GPU if there is one."
)
@setting("--workers", to="training.workers", type=click.IntRange(0), help="Processes that load pictures.")
@setting(
    "--patience",
    to="training.patience",
    type=click.IntRange(0),
    help="Epochs without progress; 0: never stop.",
)
@setting("--seed", to="training.seed", type=SEED, help="Seed of the training.")
@click.option("--save-period", type=click.IntRange(1), help="Keep a checkpoint every so many epochs.")
@setting(
    "--max-image-pixels",
    to="training.max_image_pixels",
    type=click.IntRange(1),
    help="Larger: a smaller copy.",
)
@setting(
    "--max-image-dim",
    to="training.max_image_dim",
    type=click.IntRange(32),
    help="Longer side: a smaller copy.",
)
@setting(
    "--accept-proposals/--no-accept-proposals",
    to="training.accept_proposals",
    default=None,
    help="Train on proposed boxes that nobody confirmed.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with a training that was interrupted: the same command, with this flag. Without --name and "
    "--run-id it is the newest one.",
)
@click.option("--skip-validate", is_flag=True, help="Train on a bundle without looking it over first.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be done; train nothing.")
@export_flags
def train_detector_from_annotation(
    bundle_dir: Path | None,
    bundle_root: Path | None,
    candidate_root: Path,
    project: Path,
    name: str | None,
    run_id: str | None,
    model: str,
    epochs: int,
    imgsz: int,
    batch: int,
    device: str | None,
    workers: int,
    patience: int,
    seed: int,
    save_period: int | None,
    max_image_pixels: int | None,
    max_image_dim: int | None,
    accept_proposals: bool,
    resume: bool,
    skip_validate: bool,
    dry_run: bool,
    nms: bool,
    head: str,
    half: bool,
    int8: bool,
    dynamic_int8: bool,
    fraction: float,
) -> None:
    """Train a candidate on a bundle's split, export it, prove it against PyTorch, and describe it."""
    from pipeline.training.dataset import open_dataset
    from pipeline.training.export import Source, export_candidate
    from pipeline.training.proposed import require_confirmed
    from pipeline.training.train import train_detector
    from pipeline.training.train_plan import TrainOptions, plan_training
    from pipeline.training.ultralytics_run import LOG
    from pipeline.training.validate import read_bundle_rows

    space = workspace()
    bundle = bundle_of(bundle_root, bundle_dir)
    if resume and not (name or run_id):
        name = _newest_interrupted(project)
    run_id = run_id or (name if resume and name else clock.run_id())
    candidate, run_dir = run_named(candidate_root, run_id), run_named(project, name or run_id)
    if candidate.exists():
        raise UsageError(f"{candidate} exists already", hint="Choose another --run-id.")
    overrides = dict(space.settings.training.overrides)
    if save_period is not None:
        overrides["save_period"] = save_period
    training = TrainOptions(
        model=model,
        epochs=epochs,
        imgsz=imgsz,
        batch=batch,
        device=device,
        workers=workers,
        patience=patience,
        seed=seed,
        max_image_pixels=max_image_pixels,
        max_image_dim=max_image_dim,
        overrides=overrides,
    )
    precision = precision_of(half=half, int8=int8, dynamic_int8=dynamic_int8)
    plan = plan_training(training, base=space.root)
    options = export_options(
        imgsz=imgsz, head=head, nms=nms, precision=precision, fraction=fraction, device=plan.device
    )
    if not skip_validate:
        _require_valid(bundle)
    if not accept_proposals:
        require_confirmed(bundle, read_bundle_rows(bundle))
    dataset = open_dataset(bundle)
    _warn(dataset)
    counts = {subset: len(rows) for subset, rows in dataset.subsets.items()}
    if dry_run:
        emit(
            {
                "dry_run": True,
                "bundle_dir": display_path(bundle, space.root),
                "pictures": counts,
                "classes": list(dataset.labels),
                "base_model": plan.described,
                "device": plan.device,
                "run_dir": display_path(run_dir, space.root),
                "candidate_dir": display_path(candidate, space.root),
                "precision": precision,
            },
            title="Would be trained",
            rows=[("pictures", counts), ("base model", plan.described["name"]), ("device", plan.device)],
        )
        return
    run = train_detector(dataset, training, run_dir=run_dir, base=space.root, resume=resume)
    source = Source(run.best, run.last, dataset.labels, dataset, dataset_yaml=run.dataset_yaml)
    exported = export_candidate(
        source,
        options,
        candidates_root=candidate_root,
        run_id=run_id,
        training=run.to_data(space.root),
        base=space.root,
        log=run_dir / LOG,
    )
    summary, rows = exported_summary(exported)
    emit(
        {**summary, "training": exported.metadata.training},
        title="Trained",
        rows=[
            ("training", run.in_words()),
            ("validation mAP50", run.epochs.metrics["mAP50"]),
            ("curves and pictures", display_path(run_dir, space.root)),
            *rows,
        ],
    )


def _newest_interrupted(project: Path) -> str:
    from pipeline.training.run_record import interrupted_runs

    runs = interrupted_runs(project)
    if not runs:
        raise UsageError(f"{project} holds no training that was interrupted", hint="Leave --resume out.")
    return runs[0].name


def _require_valid(bundle: Path) -> None:
    from pipeline.training.validate import validate_bundle

    report = validate_bundle(bundle, max_pixels=workspace().settings.download.max_pixels)
    if report.issues:
        kinds = Counter(issue.issue for issue in report.issues)
        listed = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        first = report.issues[0]
        raise TrainingError(
            f"{bundle} has {len(report.issues)} issues ({listed}); the first: {first.id}: {first.issue} "
            f"({first.path})",
            hint="Mend them (repath training validate-annotation-bundle lists them all), or go on with "
            "--skip-validate.",
        )


def _warn(dataset: Dataset) -> None:
    if dataset.missing:
        note(f"{dataset.missing} rows of the bundle have no picture and are left out")
    if dataset.val_is_train:
        note("the bundle has no validation picture: all figures are of the training pictures themselves")
