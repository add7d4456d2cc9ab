"""A PyTorch checkpoint as the third runtime, for parity with the file that was exported from it."""

from __future__ import annotations

import logging
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.heads import Head, InputForm
from pipeline.runtime.interpreters import Backend, require_runtime
from pipeline.support import ultralytics_library
from pipeline.support.errors import ModelError, UsageError
from pipeline.support.files import sha256_file
from pipeline.support.tflite_file import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A detection model in evaluation mode, float32, with the form of its input and output."""

    backend: Backend
    names: tuple[str, ...]
    sha256: str
    input: TensorSpec
    output: TensorSpec
    form: InputForm
    head: Head


def open_checkpoint(path: Path, *, imgsz: int | None = None, device: str = "cpu") -> Checkpoint:
    """Open an Ultralytics ``.pt``. This unpickles the file, which can run code: see `load_model`.

    Args:
        path: the checkpoint.
        imgsz: side of the input in pixels; by default the one it was trained at.
        device: ``cpu``, or a GPU such as ``cuda:0``.

    Raises:
        InputError: the file is missing.
        ModelError: it is no checkpoint of a detection model.
        MissingExtraError: torch or ultralytics is not installed.
        UsageError: the machine has no such device.
    """
    require_runtime("pytorch")
    ultralytics_library.prepare(why="Reading a .pt")
    from ultralytics.nn.tasks import load_checkpoint
    from ultralytics.utils import LOGGER

    digest = sha256_file(path)
    target = _device(device)
    level = LOGGER.level
    LOGGER.setLevel(logging.ERROR)  # it writes a summary of the model to stdout
    try:
        model, _ = load_checkpoint(str(path), device=target, fuse=True)
    except (pickle.UnpicklingError, RuntimeError, TypeError, KeyError, AttributeError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: no checkpoint that Ultralytics reads: {reason}") from None
    finally:
        LOGGER.setLevel(level)
    return from_module(model.eval(), source=str(path), sha256=digest, imgsz=imgsz, device=device)


def from_module(
    model: Any, *, source: str, sha256: str = "", imgsz: int | None = None, device: str = "cpu"
) -> Checkpoint:
    """Wrap a detection model of Ultralytics that is in memory; see `open_checkpoint`."""
    import numpy as np
    import torch

    if getattr(model, "task", "detect") != "detect":
        raise ModelError(f"{source}: a model for {model.task!r}, not for detection")
    side = imgsz or _trained_size(model)
    names = tuple(str(model.names[index]) for index in range(len(model.names)))
    target = _device(device)

    def run(tensor: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            # A copy: the next picture is written into the same array.
            output = model(torch.from_numpy(tensor.copy()).to(target))
            first = output[0] if isinstance(output, (tuple, list)) else output
        array: NDArray[Any] = first.float().cpu().numpy()
        return array

    shape = (1, 3, side, side)
    output_shape = run(np.zeros(shape, np.float32)).shape
    head = (
        Head("end_to_end", output_shape[1])
        if bool(getattr(model, "end2end", False))
        else Head("raw", output_shape[2], output_shape[1] - 4)
    )
    return Checkpoint(
        run, names, sha256, TensorSpec("images", shape, "float32"),
        TensorSpec("output", tuple(output_shape), "float32"), InputForm("NCHW", side, side), head,
    )  # fmt: skip


def _trained_size(model: Any) -> int:
    args = getattr(model, "args", {})
    args = args if isinstance(args, dict) else vars(args)
    size = args.get("imgsz", 640)
    return int(max(size) if isinstance(size, (list, tuple)) else size)


def _device(name: str) -> Any:
    import torch

    try:
        device = torch.device(f"cuda:{name}" if name.isdigit() else name)
    except RuntimeError:
        raise UsageError(f"there is no device {name!r}: cpu, cuda:0, cuda:1, … or mps") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing driver is what the error below says
        found = torch.cuda.device_count() if device.type == "cuda" else 0
    if device.type == "cuda" and (device.index or 0) >= found:
        raise UsageError(f"the device {name!r} was asked for, and PyTorch finds {found} GPUs here")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"the device {name!r} was asked for, and this machine has none")
    return device
