"""What a trained model finds on validation pictures, beside the boxes that people drew: a mosaic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.contracts.bundle import Subset
from pipeline.support.figures import DrawnBox, Tile, mosaic
from pipeline.support.images import decode_rgb, read_image_bytes
from pipeline.support.yolo_labels import read_labels
from pipeline.training.dataset import Dataset, sample_of
from pipeline.training.validate import BundleRow

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from pipeline.runtime.detector import Detection, Detector

MOST = 16
SCORE = 0.25
"""Detections below it are not drawn."""
_SIDE = 480
"""Pictures are looked at and drawn about this large."""


def draw_predictions(dataset: Dataset, weights: Path, *, imgsz: int, most: int = MOST) -> Figure:
    """Draw validation pictures with their boxes and what the model finds on them.

    Args:
        dataset: the bundle; without validation pictures its training pictures are shown.
        weights: the trained checkpoint, which is unpickled: one of ours.
        imgsz: side of the model's input in pixels.
        most: no more pictures than these, spread evenly.

    Raises:
        ModelError: the checkpoint cannot be used.
        ImageError: a picture cannot be decoded.
    """
    from pipeline.runtime.detector import open_detector

    detector = open_detector(
        weights, dataset.labels, runtime="pytorch", imgsz=imgsz, conf=SCORE, max_detections=50
    )
    subset: Subset = "train" if dataset.val_is_train else "val"
    rows = {row.image: row for row in dataset.subsets[subset]}
    chosen = [rows[image] for image in sample_of(list(rows), most)]
    tiles = [_tile(row, dataset.labels, detector) for row in chosen]
    words = "training" if dataset.val_is_train else "validation"
    return mosaic(
        tiles,
        title=f"{len(tiles)} of {len(rows)} {words} pictures: annotated boxes solid, detections dashed "
        f"(score {SCORE} and above)",
    )


def picture_tile(row: BundleRow, labels: tuple[str, ...]) -> Tile:
    """Return a picture of a bundle with the boxes that its label file holds.

    Raises:
        ImageError: the picture cannot be decoded.
    """
    pixels = _pixels(row.image)
    return Tile(pixels, row.id, boxes=_drawn(row, labels, pixels))


def _tile(row: BundleRow, labels: tuple[str, ...], detector: Detector) -> Tile:
    pixels = _pixels(row.image)
    found = detector.detect(pixels, picture=str(row.image))
    return Tile(pixels, row.id, boxes=[*_drawn(row, labels, pixels), *map(_found, found)])


def _pixels(image: Path) -> NDArray[np.uint8]:
    return decode_rgb(read_image_bytes(image), source=str(image), min_side=_SIDE)


def _found(detection: Detection) -> DrawnBox:
    return DrawnBox(detection.box, f"{detection.label} {detection.score:.2f}", drawn_by_person=False)


def _drawn(row: BundleRow, labels: tuple[str, ...], pixels: NDArray[np.uint8]) -> list[DrawnBox]:
    if not row.label_file or not row.labels.is_file():
        return []
    boxes, _ = read_labels(row.labels, class_count=len(labels))
    height, width = pixels.shape[:2]
    return [
        DrawnBox(
            (
                (box.x - box.width / 2) * width,
                (box.y - box.height / 2) * height,
                (box.x + box.width / 2) * width,
                (box.y + box.height / 2) * height,
            ),
            labels[box.class_id],
            drawn_by_person=True,
        )
        for box in boxes
    ]
