"""Training by Ultralytics on a bundle's split: seeded, told as it goes, resumed after an interruption."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.contracts.training_run import TrainingRun
from pipeline.support import clock
from pipeline.support import ultralytics_library as library
from pipeline.support.errors import OutputError, TrainingError
from pipeline.support.figures import png_bytes
from pipeline.support.files import display_path, output_error, write_bytes
from pipeline.training.checkpoints import (
    BEST,
    LAST,
    can_go_on,
    clear_folder,
    drop_resumable,
    read_epoch,
    restore_resumable,
)
from pipeline.training.curves import draw_curves
from pipeline.training.dataset import Dataset, View, write_view
from pipeline.training.epochs import Epoch, TrainedEpochs, read_epochs, seconds_of
from pipeline.training.event_files import EventFile
from pipeline.training.predictions import draw_predictions
from pipeline.training.run_record import (
    LOCK,
    differences,
    held,
    interrupted_run_like,
    interrupted_runs,
    read_record,
    write_record,
)
from pipeline.training.train_plan import Plan, TrainOptions, plan_training, run_wanted
from pipeline.training.ultralytics_run import LOG, Watchers, complete_training, run_training

RESULTS = "results.csv"
CURVES, PREDICTIONS = "curves.png", "predictions.png"
"""Pictures that a finished run holds, beside those that Ultralytics draws."""


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A finished training and the files it left in its run folder."""

    run_dir: Path
    best: Path
    last: Path
    dataset_yaml: Path
    epochs: TrainedEpochs
    seconds: float
    device: str
    base: dict[str, Any]
    """The base model: name, and the digest of its file where it is one."""
    view: View
    options: TrainOptions
    resumed_after: tuple[int, ...] = ()
    """The epochs after which it was interrupted and went on."""

    def to_data(self, shown_from: Path | None = None) -> dict[str, Any]:
        """Return what the candidate's metadata says of the training."""
        options = self.options
        return {
            "run_dir": display_path(self.run_dir, shown_from),
            "base_model": self.base,
            "epochs": options.epochs,
            "epochs_done": self.epochs.done,
            "best_epoch": self.epochs.best_epoch,
            "stopped_early": self.epochs.stopped_early,
            "resumed_after": list(self.resumed_after),
            "imgsz": options.imgsz,
            "batch": options.batch,
            "patience": options.patience,
            "device": self.device,
            "seed": options.seed,
            "overrides": dict(sorted(options.overrides.items())),
            "pictures": self.view.counts,
            "pictures_shrunk": self.view.shrunk,
            "metrics": self.epochs.metrics,
            "seconds": round(self.seconds, 1),
        }

    def in_words(self) -> str:
        """Return one line for people: how many epochs, how long, and that it stopped early where it did."""
        line = f"{self.epochs.done} epochs in {self.seconds:.0f} s on {self.device}"
        if self.epochs.stopped_early:
            line += f" (stopped early of {self.options.epochs}; best: epoch {self.epochs.best_epoch})"
        return line

    def checkpoint_after(self, epoch: int) -> Path:
        """Return the checkpoint ``epoch<N>.pt`` that ``save_period`` kept; Ultralytics counts epochs from 0.

        Raises:
            TrainingError: none was kept.
        """
        path = self.best.parent / f"epoch{epoch}.pt"
        if not path.is_file():
            kept = sorted(file.name for file in self.best.parent.glob("epoch*.pt"))
            raise TrainingError(
                f"{path} was not kept; these were: {', '.join(kept) or 'none'}",
                hint="[baseline] epoch must be a multiple of save_period under [training.overrides].",
            )
        return path


def train_detector(
    dataset: Dataset,
    options: TrainOptions,
    *,
    run_dir: Path,
    base: Path,
    tell: Callable[[str], None] | None = None,
    listeners: Sequence[Callable[[Epoch], None]] = (),
    resume: bool = False,
) -> TrainedRun:
    """Train a detector on the train pictures of a bundle, choosing the best epoch on its val pictures.

    The run's folder comes to hold the weights, ``results.csv``, event files for TensorBoard, ``curves.png``,
    ``predictions.png``, and what Ultralytics draws unless ``plots = false`` stands among the overrides.

    Args:
        dataset: the bundle.
        options: how.
        run_dir: where everything of this run goes; a finished run is never written over.
        base: the folder that a base model is looked for in first, and that recorded paths are relative to.
        tell: takes a line of progress an epoch; None writes them to stderr.
        listeners: are given each epoch as it ends.
        resume: go on with the training that was interrupted in ``run_dir``. What it does from there on is not
            bit for bit what it would have done without the interruption. A finished one is returned as it is.

    Raises:
        TrainingError: the base model is not here, training fails (the log's place is named), there is nothing
            to resume, or pictures or settings are not those that the training began with.
        UsageError: a device that is not there, or settings that contradict each other.
        ModelError: the base model is no detection checkpoint.
        OutputError: the run folder holds a finished run, or cannot be written.
        MissingExtraError: ultralytics is not installed.
    """
    plan = plan_training(options, base=base)
    if not resume:
        _refuse_finished(run_dir)
    wanted = run_wanted(dataset, options, plan)
    begun = _begun(run_dir, wanted) if resume else None
    with held(run_dir):
        work = _Work(dataset, options, plan, run_dir, Watchers(tell, tuple(listeners)))
        if begun is not None and begun.finished:
            return work.trained(begun, work.view_of(begun))
        return work.go(begun or wanted)


@dataclass(frozen=True, slots=True)
class _Work:
    dataset: Dataset
    options: TrainOptions
    plan: Plan
    run_dir: Path
    watchers: Watchers

    def go(self, record: TrainingRun) -> TrainedRun:
        weights = self.run_dir / "weights"
        over = 0
        all_over = record.started_at is not None and restore_resumable(weights)
        if record.started_at is not None and (weights / LAST).is_file():
            over = read_epoch(weights / LAST)
        all_over = all_over or over >= self.options.epochs
        record = self._recorded(record, over)
        view = self._view(anew=over == 0)
        record = record.replace(shrunk=view.shrunk)
        write_record(self.run_dir, record)
        started = time.monotonic()
        if all_over:
            complete_training(self.options, view, self.run_dir, self.plan.device)
        else:
            with EventFile(self.run_dir, first_epoch=over + 1) as events:
                watchers = self.watchers.with_listener(events.epoch_ended)
                run_training(self.plan, self.options, view, self.run_dir, watchers, epochs_over=over)
        record = record.replace(seconds=record.seconds + time.monotonic() - started)
        trained = self.trained(record, view)
        self._draw(trained)
        drop_resumable(weights)
        write_record(self.run_dir, record.replace(finished=True))
        return trained

    def _recorded(self, record: TrainingRun, over: int) -> TrainingRun:
        """Return the record of a training that begins, or goes on after so many epochs."""
        if over == 0:
            clear_folder(self.run_dir, but=LOCK)
            return record.replace(started_at=clock.timestamp(), seconds=0.0, resumed_after=[])
        before = record.resumed_after[-1] if record.resumed_after else 0
        lasted = seconds_of(self.run_dir / RESULTS) if over > before else 0.0
        resumed = [*record.resumed_after, *([over] if over > before else [])]
        return record.replace(seconds=record.seconds + lasted, resumed_after=resumed, device=self.plan.device)

    def _view(self, *, anew: bool) -> View:
        folder = self.run_dir / "dataset"
        if not anew and folder.exists():
            try:
                shutil.rmtree(folder)
            except OSError as error:
                raise output_error(folder, error) from error
        limits = self.options.max_image_pixels, self.options.max_image_dim
        return write_view(self.dataset, folder, max_pixels=limits[0], max_side=limits[1])

    def view_of(self, record: TrainingRun) -> View:
        counts: dict[str, int] = {name: len(rows) for name, rows in self.dataset.subsets.items()}
        return View(self.run_dir / "dataset" / "dataset.yaml", counts, record.shrunk)

    def trained(self, record: TrainingRun, view: View) -> TrainedRun:
        weights = self.run_dir / "weights"
        if not (weights / BEST).is_file() or not (weights / LAST).is_file():
            raise TrainingError(f"training ended without weights; see {self.run_dir / LOG}")
        epochs = read_epochs(
            self.run_dir / RESULTS, asked=self.options.epochs, validated=self.options.validated
        )
        return TrainedRun(
            run_dir=self.run_dir,
            best=weights / BEST,
            last=weights / LAST,
            dataset_yaml=view.yaml,
            epochs=epochs,
            seconds=record.seconds,
            device=record.device or self.plan.device,
            base=self.plan.described,
            view=view,
            options=self.options,
            resumed_after=tuple(record.resumed_after),
        )

    def _draw(self, trained: TrainedRun) -> None:
        epochs = trained.epochs
        curves = draw_curves(epochs.history, best_epoch=epochs.best_epoch, remark=epochs.stop_in_words())
        write_bytes(self.run_dir / CURVES, png_bytes(curves))
        with library.output_to(self.run_dir / LOG):
            mosaic = png_bytes(draw_predictions(self.dataset, trained.best, imgsz=self.options.imgsz))
            write_bytes(self.run_dir / PREDICTIONS, mosaic)
            with EventFile(self.run_dir, suffix="pictures") as events:
                events.picture("predictions", mosaic, epochs.best_epoch)


def interrupted_training(dataset: Dataset, options: TrainOptions, *, runs: Path, base: Path) -> Path | None:
    """Return the newest run under ``runs`` that was interrupted and learns the same from the same pictures.

    None where there is none, or its checkpoint is not the one that it wrote.

    Raises:
        RepathError: as for `train_detector`; nothing is written.
    """
    if not interrupted_runs(runs):
        return None
    run = interrupted_run_like(runs, run_wanted(dataset, options, plan_training(options, base=base)))
    return run if run is not None and can_go_on(run / "weights") else None


def _begun(run_dir: Path, wanted: TrainingRun) -> TrainingRun:
    """Return the record of the training that is to go on; it must learn the same from the same pictures."""
    record = read_record(run_dir)
    if record is None:
        raise TrainingError(
            f"there is no training to resume in {run_dir}", hint="Leave --resume out to begin one."
        )
    changed = differences(record, wanted)
    if changed:
        lines = "\n".join(f"  {line}" for line in changed)
        raise TrainingError(
            f"the training in {run_dir} cannot be resumed, it was begun otherwise:\n{lines}",
            hint="Put back what changed to go on, or train anew without --resume and under another --name.",
        )
    return record


def _refuse_finished(run_dir: Path) -> None:
    """Leave room for a run: one that was interrupted is taken away when it begins, a finished one stays."""
    if not run_dir.exists():
        return
    record = read_record(run_dir)
    unfinished = record is not None and not record.finished
    if not unfinished and (not run_dir.is_dir() or any(path.name != LOCK for path in run_dir.iterdir())):
        raise OutputError(f"{run_dir} exists already", hint="Choose another --name, or remove it first.")
