"""What a candidate's metadata says of its export and its bundle, and the contract of its file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.contracts.settings import PARITY_LIMITS, HeadChoice, ParityLimits, Precision
from pipeline.support.files import display_path
from pipeline.training.dataset import Dataset
from pipeline.training.heads import ChosenHead
from pipeline.training.parity import Comparison
from pipeline.training.weights import Weights

_LIBRARIES = (
    "ultralytics-opencv-headless", "torch", "torchvision", "litert-torch", "litert-converter",
    "ai-edge-quantizer", "ai-edge-litert", "numpy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How a checkpoint is exported; the defaults are those of ``[export]`` in repath.toml."""

    imgsz: int
    head: HeadChoice = "auto"
    nms: bool = True
    precision: Precision = "float32"
    fraction: float = 1.0
    """Share of the training pictures that int8 is calibrated on."""
    conf: float = 0.05
    iou: float = 0.7
    max_det: int = 300
    parity_images: int = 32
    parity_threshold: float = 0.25
    parity: dict[Precision, ParityLimits] = field(default_factory=lambda: dict(PARITY_LIMITS))
    device: str | None = None
    """What both heads are measured on."""


def bundle_described(dataset: Dataset | None, base: Path | None) -> dict[str, Any]:
    """Return ``bundle`` of the metadata: what it was trained on, by the digest of its split."""
    if dataset is None:
        return {"bundle_dir": None, "split_digest": None}
    return {
        "bundle_dir": display_path(dataset.bundle_dir, base),
        "run_id": dataset.bundle_dir.resolve().name,
        "split_digest": dataset.split_digest,
        "split_seed": dataset.split.seed if dataset.split else None,
        "counts": {subset: len(rows) for subset, rows in dataset.subsets.items()},
        "val_is_train": dataset.val_is_train,
        "classes": list(dataset.labels),
    }


def export_described(
    weights: Weights,
    head: ChosenHead,
    options: ExportOptions,
    content: bytes,
    how: dict[str, Any],
    labels: Sequence[str],
    parity: Comparison,
) -> dict[str, Any]:
    """Return ``export`` of the metadata: the file, its contract, the proof, and what made it."""
    digest = hashlib.sha256(content).hexdigest()
    return {
        "format": "tflite",
        "imgsz": options.imgsz,
        "precision": options.precision,
        "quantization": how,
        "head": head.head,
        "nms": head.head == "nms",
        "heads": head.to_data(),
        "io": io_contract(head, options, labels),
        "bytes": len(content),
        "sha256": digest,
        # Nothing stands behind the flatbuffer: the two are the same.
        "flatbuffer_sha256": digest,
        "weights": {"sha256": weights.sha256, "tensors_sha256": weights.tensors_sha256},
        "parity": parity.to_data(),
        "libraries": _versions(),
    }


def io_contract(head: ChosenHead, options: ExportOptions, labels: Sequence[str]) -> dict[str, Any]:
    """Return the contract between the file and whoever runs it."""
    size, classes = options.imgsz, len(labels)
    output: dict[str, Any] = {
        "name": "first output",
        "dtype": "float32",
        "shape": [1, options.max_det, 6],
        "rows": "x1,y1,x2,y2,score,class_id",
        "coordinates": "pixels of the input",
        "order": "by score, best first",
        "padding": "rows of zeros",
    }
    if head.head == "raw":
        output = {
            "name": "first output",
            "dtype": "float32",
            "layout": "[1, 4 + classes, anchors]",
            "rows": "x_center,y_center,width,height, then a score for each class",
            "coordinates": "pixels of the input",
        }
    listed = "\n".join(labels).encode()
    return {
        "input": {
            "layout": "NHWC",
            "shape": [1, size, size, 3],
            "dtype": "float32",
            "channels": "RGB",
            "range": [0.0, 1.0],
            "resize": "stretch",
        },
        "output": output,
        "nms": {"class_aware": True, "iou": options.iou, "conf": options.conf, "max_det": options.max_det}
        if head.head == "nms"
        else None,
        "classes": classes,
        "class_order_sha256": hashlib.sha256(listed).hexdigest(),
    }


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # Ultralytics comes under more than one name
            continue
    return found
