"""How a detector is trained, and what training starts from and runs on: checked before any work is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.contracts.training_run import TrainingRun
from pipeline.support import ultralytics_library as library
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path, sha256_file
from pipeline.training.dataset import Dataset
from pipeline.training.event_files import require_event_files
from pipeline.training.heads import require_size
from pipeline.training.run_record import picture_digests
from pipeline.training.weights import base_model, open_weights

_OURS = frozenset({
    "batch", "data", "device", "epochs", "exist_ok", "imgsz", "mode", "model", "name", "patience", "project",
    "resume", "save_dir", "seed", "task", "verbose", "workers",
})  # fmt: skip
"""Ultralytics settings that have a flag or a meaning here, and so may not stand among the overrides."""
_CHANGES_NOTHING = ("device", "model", "workers")
"""Options that a training may go on with others of; the model is told apart by its bytes."""

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

    @property
    def validated(self) -> bool:
        """Whether the validation pictures are looked at after every epoch, or only after the last."""
        return bool(self.overrides.get("val", True))


@dataclass(frozen=True, slots=True)
class Plan:
    """What training will start from and run on, checked before any work is done."""

    model: Path
    device: str
    described: dict[str, Any]
    """The base model: name, and the digest of its file where it is one."""


def plan_training(options: TrainOptions, *, base: Path) -> Plan:
    """Check everything that training needs, without work.

    Raises:
        TrainingError: the base model is not here.
        UsageError: a device that is not there, or settings that contradict each other.
        ModelError: the base model is no detection checkpoint.
        MissingExtraError: a library is not installed.
    """
    library.prepare(why="Training")
    require_event_files()
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


def run_wanted(dataset: Dataset, options: TrainOptions, plan: Plan) -> TrainingRun:
    """Return the record of a training that is to begin: what it learns from, and how.

    Raises:
        InputError: a picture cannot be read.
    """
    settings = {name: value for name, value in asdict(options).items() if name not in _CHANGES_NOTHING}
    return TrainingRun(
        finished=False,
        settings=settings,
        base_model=plan.described,
        classes=list(dataset.labels),
        pictures=picture_digests(dataset),
        device=plan.device,
    )


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
