"""Checkpoints of Ultralytics: opened, looked into, and named by a digest of their numbers."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.support import ultralytics_library as library
from pipeline.support.errors import ModelError, TrainingError
from pipeline.support.files import sha256_file

_UNREADABLE = (
    AttributeError, EOFError, ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError,
    pickle.UnpicklingError,
)  # fmt: skip
"""What unpickling a damaged or foreign file raises."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A detection model from a checkpoint: float32, in evaluation mode, not fused, with both its heads."""

    path: Path
    sha256: str
    """Of the file; a checkpoint carries its date, so two trainings alike differ."""
    tensors_sha256: str
    """Of names and numbers alone: the same weights have the same."""
    model: Any
    labels: tuple[str, ...]
    imgsz: int | None
    """The side that it was trained at, where it tells."""
    has_end2end: bool
    """Whether it has an end-to-end head beside the one-to-many one."""
    only_end2end: bool
    """Whether the one-to-many head was taken out (a fused checkpoint)."""

    @property
    def stride(self) -> int:
        """The side of the input must be a multiple of this."""
        return max(int(self.model.stride.max()), 32)


def open_weights(path: Path) -> Weights:
    """Open a ``.pt``. This unpickles it, which runs what is written in it.

    Only a file that the user named, or one of ours by digest, may come here.

    Raises:
        InputError: the file is missing.
        ModelError: it is no checkpoint of a detection model.
        MissingExtraError: torch or ultralytics is not installed.
    """
    digest = sha256_file(path)
    if path.suffix.lower() != ".pt":
        raise ModelError(f"{path} is not a .pt", hint="Name a PyTorch checkpoint of Ultralytics.")
    library.prepare(why="Reading a .pt")
    with library.output_to(None):
        try:
            from ultralytics.nn.tasks import load_checkpoint

            model, _ = load_checkpoint(str(path.resolve()))
        except _UNREADABLE as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ModelError(f"{path} is no checkpoint that Ultralytics reads: {reason}") from None
    return _described(path, digest, model)


def _described(path: Path, digest: str, model: Any) -> Weights:
    from ultralytics.nn.modules.head import Detect

    head = model.model[-1] if hasattr(model, "model") else None
    if getattr(model, "task", "detect") != "detect" or not isinstance(head, Detect):
        kind = type(head).__name__ if head is not None else type(model).__name__
        raise ModelError(
            f"{path} is not a YOLO detection model: its last layer is {kind}",
            hint="Name a detection checkpoint, such as yolo26n.pt.",
        )
    names = model.names if isinstance(model.names, dict) else dict(enumerate(model.names))
    if sorted(names) != list(range(head.nc)):
        raise ModelError(f"{path} names {len(names)} classes, and its head tells {head.nc} apart")
    return Weights(
        path=path,
        sha256=digest,
        tensors_sha256=tensors_digest(model),
        model=model,
        labels=tuple(str(names[index]) for index in range(head.nc)),
        imgsz=_trained_size(model),
        has_end2end=getattr(head, "one2one_cv2", None) is not None,
        only_end2end=head.cv2 is None,
    )


def tensors_digest(model: Any) -> str:
    """Return the SHA-256 of a model's numbers with their names, types and shapes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        numbers = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {numbers.dtype} {tuple(numbers.shape)}\n".encode())
        digest.update(numbers.numpy().tobytes())
    return digest.hexdigest()


def base_model(named: str, *, folder: Path) -> Path:
    """Find the model that training starts from: a path, or a name in ``folder`` or the working directory.

    A definition (``.yaml``) that Ultralytics brings along is found by its name; its weights are random.

    Args:
        named: such as ``yolo26n.pt``, ``weights/mine.pt`` or ``yolov8n.yaml``.
        folder: the workspace.

    Raises:
        TrainingError: there is no such file; it says how to get one. Nothing is downloaded.
    """
    if Path(named).suffix.lower() not in {".pt", ".yaml", ".yml"}:
        raise TrainingError(
            f"the base model {named!r} is neither a .pt nor a .yaml", hint="Name one, such as yolo26n.pt."
        )
    for place in dict.fromkeys((folder / named, Path(named))):
        if place.is_file():
            return place
    if Path(named).suffix.lower() == ".pt":
        stem = Path(named).stem
        raise TrainingError(
            f"the base model {named!r} is not here",
            hint=f"Download {Path(named).name} from https://github.com/ultralytics/assets/releases into "
            f"{folder}, or name another file with --model, or start from random weights with "
            f"--model {stem}.yaml.",
        )
    if _known_definition(named):
        return Path(named)
    raise TrainingError(
        f"the model definition {named!r} is not here, and Ultralytics has none of this name",
        hint="Name a file, or one of Ultralytics' such as yolov8n.yaml, yolo11n.yaml, yolo26n.yaml.",
    )


def _known_definition(named: str) -> bool:
    if Path(named).name != named:
        return False
    library.prepare(why="Training")
    with library.output_to(None):
        from ultralytics.nn.tasks import yaml_model_load

        try:
            yaml_model_load(named)
        except (OSError, ValueError):
            return False
    return True


def _trained_size(model: Any) -> int | None:
    args = getattr(model, "args", None) or {}
    size = (args if isinstance(args, dict) else vars(args)).get("imgsz")
    if isinstance(size, (list, tuple)):
        size = max(size, default=None)
    return size if isinstance(size, int) else None
