"""Training by Ultralytics on a bundle's split: seeded, quiet, with one line of progress an epoch."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.support import ultralytics_library as library
from pipeline.support.errors import OutputError, TrainingError, UsageError
from pipeline.support.files import display_path, output_error, sha256_file, write_text
from pipeline.support.progress import LOG_EVERY_S
from pipeline.training.dataset import Dataset, View, write_view
from pipeline.training.epochs import EpochTeller, TrainedEpochs, read_epochs
from pipeline.training.heads import require_size
from pipeline.training.weights import base_model, open_weights

MARKER = "repath-run.json"
LOG = "training.log"
_OURS = frozenset({
    "batch", "data", "device", "epochs", "exist_ok", "imgsz", "mode", "model", "name", "patience", "project",
    "resume", "seed", "task", "verbose", "workers",
})  # fmt: skip
"""Ultralytics settings that have a flag or a meaning here, and so may not stand among the overrides."""

Override = str | int | float | bool


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How a detector is trained; the defaults are those of ``[training]`` in repath.toml."""

    model: str = "yolo26n.pt"
    epochs: int = 60
    imgsz: int = 640
    batch: int = 16
    device: str | None = None
    workers: int = 8
    patience: int = 20
    seed: int = 0
    max_image_pixels: int | None = None
    max_image_dim: int | None = None
    overrides: dict[str, Override] = field(default_factory=dict)
    """Further settings of Ultralytics, such as ``optimizer`` or ``save_period``."""


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

    def to_data(self, shown_from: Path | None = None) -> dict[str, Any]:
        """Return what the candidate's metadata says of the training."""
        options = self.options
        return {
            "run_dir": display_path(self.run_dir, shown_from),
            "base_model": self.base,
            "epochs": options.epochs,
            "epochs_done": self.epochs.done,
            "best_epoch": self.epochs.best_epoch,
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
) -> TrainedRun:
    """Train a detector on the train pictures of a bundle, choosing the best epoch on its val pictures.

    Args:
        dataset: the bundle.
        options: how.
        run_dir: where everything of this run goes; a finished run is never written over.
        base: the folder that a base model is looked for in first, and that recorded paths are relative to.
        tell: takes a line of progress an epoch; None writes them to stderr.

    Raises:
        TrainingError: the base model is not here, or training fails; the log's place is named.
        UsageError: a device that is not there, or settings that contradict each other.
        ModelError: the base model is no detection checkpoint.
        OutputError: the run folder holds a finished run, or cannot be written.
        MissingExtraError: ultralytics is not installed.
    """
    plan = plan_training(options, base=base)
    _clear(run_dir)
    _mark(run_dir, finished=False)
    view = write_view(
        dataset,
        run_dir / "dataset",
        max_pixels=options.max_image_pixels,
        max_side=options.max_image_dim,
    )
    started = time.monotonic()
    _run(plan, options, view, run_dir, tell)
    seconds = time.monotonic() - started
    weights = run_dir / "weights"
    if not (weights / "best.pt").is_file() or not (weights / "last.pt").is_file():
        raise TrainingError(f"training ended without weights; see {run_dir / LOG}")
    run = TrainedRun(
        run_dir=run_dir,
        best=weights / "best.pt",
        last=weights / "last.pt",
        dataset_yaml=view.yaml,
        epochs=read_epochs(run_dir / "results.csv"),
        seconds=seconds,
        device=plan.device,
        base=plan.described,
        view=view,
        options=options,
    )
    _mark(run_dir, finished=True)
    return run


@dataclass(frozen=True, slots=True)
class Plan:
    """What training will start from and run on, checked before any work is done."""

    model: Path
    device: str
    described: dict[str, Any]


def plan_training(options: TrainOptions, *, base: Path) -> Plan:
    """Check everything that training needs, without work.

    Raises:
        TrainingError, UsageError, ModelError, MissingExtraError: as for `train_detector`.
    """
    library.prepare(why="Training")
    clash = sorted(_OURS & options.overrides.keys())
    if clash:
        raise UsageError(
            f"[training.overrides] sets {', '.join(clash)}",
            hint="Set it under [training], by its flag, or not at all.",
        )
    model = base_model(options.model, folder=base)
    device = device_for(options.device)
    if options.batch == 0 or (options.batch < 0 and device == "cpu"):
        raise UsageError(f"--batch {options.batch}: give the number of pictures; -1 needs a GPU")
    if "," in device and options.batch % len(device.split(",")):
        raise UsageError(f"--batch {options.batch} cannot be shared evenly by the GPUs {device}")
    if model.suffix.lower() == ".pt":
        weights = open_weights(model)
        require_size(options.imgsz, weights.stride)
        described: dict[str, Any] = {
            "name": display_path(model, base),
            "sha256": weights.sha256,
            "tensors_sha256": weights.tensors_sha256,
        }
    else:
        require_size(options.imgsz, 32)
        described = {"name": options.model, "sha256": sha256_file(model) if model.is_file() else None}
    return Plan(model, device, described)


def device_for(asked: str | None) -> str:
    """Return the device as Ultralytics takes it: ``cpu``, ``mps``, ``0`` or ``0,1``; None takes the best.

    Raises:
        UsageError: it was asked for and is not there.
    """
    import torch

    found = torch.cuda.device_count()
    if asked is None:
        return "0" if found else "cpu"
    name = asked.strip().lower().replace("cuda:", "")
    if name == "cpu":
        return name
    if name == "mps" and torch.backends.mps.is_available():
        return name
    indices = ["0"] if name == "cuda" else name.split(",")
    if name == "mps" or not all(index.strip().isdigit() for index in indices):
        raise UsageError(f"--device {asked}: there is no such device here: give cpu, 0, or 0,1 for two GPUs")
    wanted = [int(index) for index in indices]
    if max(wanted) >= found or len(set(wanted)) != len(wanted):
        have = "no GPU" if not found else "one GPU" if found == 1 else f"{found} GPUs"
        raise UsageError(f"--device {asked} was asked for, and PyTorch finds {have} here")
    return ",".join(map(str, wanted))


def _run(
    plan: Plan, options: TrainOptions, view: View, run_dir: Path, tell: Callable[[str], None] | None
) -> None:
    log = run_dir / LOG
    with library.output_to(log) as user:

        def to_user(line: str) -> None:
            # On a terminal each line takes the place of the one before it.
            user.write(f"\r\x1b[2K{line}" if user.isatty() else f"{line}\n")
            user.flush()

        try:
            from ultralytics import YOLO

            model = YOLO(str(plan.model), task="detect")
            pause = 0.0 if tell is not None or user.isatty() else LOG_EVERY_S
            EpochTeller(options.epochs, tell or to_user, every_s=pause).attach(model)
            model.train(
                **{
                    "plots": False,
                    "deterministic": True,
                    **options.overrides,
                    "data": str(view.yaml),
                    "epochs": options.epochs,
                    "imgsz": options.imgsz,
                    "batch": options.batch,
                    "device": plan.device,
                    "workers": options.workers,
                    "patience": options.patience,
                    "seed": options.seed,
                    "project": str(run_dir.resolve().parent),
                    "name": run_dir.name,
                    "exist_ok": True,
                    "verbose": False,
                }
            )
            if user.isatty():
                user.write("\r\x1b[2K")
        except _FAILURES as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise TrainingError(f"training failed: {reason}", hint=f"Its log: {log}") from error


_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""What Ultralytics raises for settings, pictures and machines that it cannot work with."""


def _clear(run_dir: Path) -> None:
    """Make room for a run: one that was interrupted is taken away, a finished one stays."""
    if not run_dir.exists():
        return
    marker = run_dir / MARKER
    if marker.is_file() and json.loads(marker.read_text(encoding="utf-8")).get("finished") is False:
        try:
            shutil.rmtree(run_dir)
        except OSError as error:
            raise output_error(run_dir, error) from error
    elif not run_dir.is_dir() or any(run_dir.iterdir()):
        raise OutputError(f"{run_dir} exists already", hint="Choose another --name, or remove it first.")


def _mark(run_dir: Path, *, finished: bool) -> None:
    write_text(run_dir / MARKER, json.dumps({"finished": finished}) + "\n")
