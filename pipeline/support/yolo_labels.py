"""YOLO label files: one ``class x_center y_center width height`` a line, shares of the picture's sides.

Format: https://docs.ultralytics.com/datasets/detect/ (detection boxes only; no segments, no confidence).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.contracts.base import shown
from pipeline.support.files import open_input

MAX_BYTES = 1 << 20
"""A label file larger than this is none: it would hold some 20,000 boxes."""
OVERHANG = 1e-4
"""How far an edge may lie outside: tools round to four to six digits."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)

LineKind = Literal["invalid_yolo_line", "bbox_out_of_range", "unknown_class_id"]


@dataclass(frozen=True, slots=True)
class YoloBox:
    """One box: centre and size as shares of the picture's width and height, 0..1."""

    class_id: int
    x: float
    y: float
    width: float
    height: float

    def __str__(self) -> str:
        numbers = (self.x, self.y, self.width, self.height)
        return f"{self.class_id} " + " ".join(f"{number:.6f}" for number in numbers)


@dataclass(frozen=True, slots=True)
class LineFault:
    """A line that is no box of this bundle; line 0 means the whole file."""

    line: int
    kind: LineKind
    reason: str
    values: int = 0
    """How many values the line has, where that is what is wrong with it."""


def parse_labels(data: bytes, *, class_count: int) -> tuple[list[YoloBox], list[LineFault]]:
    """Read the boxes of a label file, and name every line that is none. Blank lines are passed over.

    Args:
        data: the file's bytes.
        class_count: class ids are 0 to ``class_count - 1``.
    """
    if len(data) > MAX_BYTES:
        return [], [LineFault(0, "invalid_yolo_line", f"the file is larger than {MAX_BYTES} bytes")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [], [LineFault(0, "invalid_yolo_line", "the file is not text")]
    boxes: list[YoloBox] = []
    faults: list[LineFault] = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if line.strip():
            box = _box(line, number, class_count)
            if isinstance(box, YoloBox):
                boxes.append(box)
            else:
                faults.append(box)
    return boxes, faults


def read_labels(path: Path, *, class_count: int) -> tuple[list[YoloBox], list[LineFault]]:
    """Read a label file as `parse_labels` does; of one that is too large only the beginning is read.

    Raises:
        InputError: it is missing or may not be read.
    """
    with open_input(path) as stream:
        return parse_labels(stream.read(MAX_BYTES + 1), class_count=class_count)


def labels_text(boxes: Sequence[YoloBox]) -> str:
    """Return the text of a label file with these boxes; no boxes give an empty file."""
    return "".join(f"{box}\n" for box in boxes)


def box_of(class_id: int, corners: Sequence[float], size: tuple[int, int]) -> YoloBox | None:
    """Return a box given by its corners, as a label file holds it; None where nothing of it is left.

    What lies outside the picture is cut off, and shares are rounded to the six decimals that are written.

    Args:
        class_id: the class.
        corners: ``x1, y1, x2, y2`` in pixels of the upright picture; any two opposite corners will do.
        size: the picture's width and height in pixels.
    """
    sides = []
    for low, high, side in ((corners[0], corners[2], size[0]), (corners[1], corners[3], size[1])):
        start, end = (min(max(value / side, 0.0), 1.0) for value in sorted((low, high)))
        sides.append((round((start + end) / 2, 6), round(end - start, 6)))
    (x, width), (y, height) = sides
    return YoloBox(class_id, x, y, width, height) if width > 0 and height > 0 else None


def corners_of(box: YoloBox, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return a box's ``x1, y1, x2, y2`` in pixels of a picture of this width and height."""
    width, height = size
    return (
        (box.x - box.width / 2) * width,
        (box.y - box.height / 2) * height,
        (box.x + box.width / 2) * width,
        (box.y + box.height / 2) * height,
    )


def _box(line: str, number: int, class_count: int) -> YoloBox | LineFault:
    fields = line.split()
    if len(fields) != 5:
        reason = f"has {len(fields)} numbers, not five: {shown(line)}"
        return LineFault(number, "invalid_yolo_line", reason, len(fields))
    bad = next((field for field in fields if not _NUMBER.fullmatch(field)), None)
    if bad is not None:
        return LineFault(number, "invalid_yolo_line", f"{shown(bad)} is not a number")
    class_id, *sides = (float(field) for field in fields)
    if not class_id.is_integer():  # also infinity, which 1e999 gives
        return LineFault(number, "invalid_yolo_line", f"the class id {shown(fields[0])} is not whole")
    if not 0 <= class_id < class_count:
        reason = f"the class id {shown(fields[0])} is not one of 0 to {class_count - 1}"
        return LineFault(number, "unknown_class_id", reason)
    x, y, width, height = sides
    outside = _outside(x, y, width, height)
    if outside:
        return LineFault(number, "bbox_out_of_range", f"{outside}: {shown(line.strip())}")
    return YoloBox(int(class_id), x, y, width, height)


def _outside(x: float, y: float, width: float, height: float) -> str:
    if not all(math.isfinite(value) and 0 <= value <= 1 for value in (x, y, width, height)):
        return "centre and size must be shares of the picture, 0 to 1"
    if width == 0 or height == 0:
        return "the box has no area"
    overhang = max(width / 2 - x, x + width / 2 - 1, height / 2 - y, y + height / 2 - 1)
    return "the box reaches beyond the picture" if overhang > OVERHANG else ""
