"""Which head of an end-to-end model ships: both are measured on the bundle's validation pictures."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.contracts.settings import HeadChoice, ShippedHead
from pipeline.support import ultralytics_library as library
from pipeline.support.errors import ExportError, UsageError
from pipeline.training.weights import Weights


@dataclass(frozen=True, slots=True)
class HeadFigures:
    """How well one head finds the boxes of the validation pictures (Ultralytics' own validation)."""

    map50: float
    map50_95: float

    def to_data(self) -> dict[str, float]:
        """Return the figures as the metadata holds them."""
        return {"mAP50": round(self.map50, 4), "mAP50_95": round(self.map50_95, 4)}


@dataclass(frozen=True, slots=True)
class ChosenHead:
    """The head that ships, why, and the figures of those that were measured."""

    head: ShippedHead
    reason: str
    figures: dict[str, HeadFigures]

    def to_data(self) -> dict[str, Any]:
        """Return the choice as the metadata holds it."""
        return {
            "shipped": self.head,
            "reason": self.reason,
            "figures": {name: figures.to_data() for name, figures in self.figures.items()},
        }


def needs_figures(weights: Weights, choice: HeadChoice, *, nms: bool) -> bool:
    """Tell whether both heads must be measured to choose one."""
    return choice == "auto" and nms and weights.has_end2end and not weights.only_end2end


def choose_head(
    weights: Weights,
    choice: HeadChoice,
    *,
    nms: bool,
    dataset_yaml: Path | None,
    imgsz: int,
    batch: int = 8,
    device: str | None = None,
    log: Path | None = None,
) -> ChosenHead:
    """Decide which head ships.

    Args:
        weights: the model.
        choice: what was asked for.
        nms: whether NMS goes into the graph; without it the one-to-many head ships raw.
        dataset_yaml: what both heads are measured on under ``auto``; None where there is nothing.
        imgsz: side of the input.
        batch: pictures at a time.
        device: as for training.
        log: where Ultralytics' output goes.

    Raises:
        ExportError: the model does not have the head that was asked for.
    """
    if choice == "end2end":
        if not weights.has_end2end and not weights.only_end2end:
            raise ExportError(f"{weights.path} has no end-to-end head", hint="Export it with --head nms.")
        return ChosenHead("end2end", "asked for", {})
    if weights.only_end2end:
        if choice == "nms":
            raise ExportError(f"{weights.path} was fused and holds its end-to-end head alone")
        return ChosenHead("end2end", "the model holds no other head", {})
    plain: ShippedHead = "nms" if nms else "raw"
    if choice == "nms":
        return ChosenHead(plain, "asked for", {})
    if not needs_figures(weights, choice, nms=nms):
        reason = "NMS was left out" if weights.has_end2end else "the model has no end-to-end head"
        return ChosenHead(plain, reason, {})
    if dataset_yaml is None:
        return ChosenHead(
            "nms", "there were no validation pictures of its classes to measure both heads on", {}
        )
    measured = {
        "nms": _measured(weights, dataset_yaml, imgsz, batch, device, log, end2end=False),
        "end2end": _measured(weights, dataset_yaml, imgsz, batch, device, log, end2end=True),
    }
    return better_head(measured)


def better_head(measured: dict[str, HeadFigures]) -> ChosenHead:
    """Return the head with the higher mAP50, then mAP50-95; of equals the end-to-end one: it needs no NMS."""
    ours, theirs = measured["nms"], measured["end2end"]
    if (ours.map50, ours.map50_95) > (theirs.map50, theirs.map50_95):
        return ChosenHead("nms", "the higher mAP50 on the validation pictures", measured)
    return ChosenHead("end2end", "no lower mAP50 on the validation pictures, and no NMS", measured)


def _measured(
    weights: Weights,
    dataset_yaml: Path,
    imgsz: int,
    batch: int,
    device: str | None,
    log: Path | None,
    *,
    end2end: bool,
) -> HeadFigures:
    library.prepare(why="Measuring a head")
    with library.output_to(log), tempfile.TemporaryDirectory(prefix="repath-val-") as scratch:
        from ultralytics import YOLO

        metrics = YOLO(str(weights.path.resolve())).val(
            data=str(dataset_yaml),
            split="val",
            imgsz=imgsz,
            batch=batch,
            device=device,
            workers=0,
            # Ultralytics 8.4: nms=False asks for the end-to-end head, None for one-to-many with NMS.
            nms=False if end2end else None,
            plots=False,
            project=scratch,
            name="val",
            verbose=False,
        )
    return HeadFigures(float(metrics.box.map50), float(metrics.box.map))


def require_size(imgsz: int, stride: int) -> None:
    """Check the side of the input.

    Raises:
        UsageError: it is not a multiple of the model's stride.
    """
    if imgsz < stride or imgsz % stride:
        raise UsageError(f"--imgsz {imgsz} is not a multiple of the model's stride, {stride}")
