"""What a model takes and gives, judged from shapes alone: the layout of its input and the kind of its head.

Heads of Ultralytics models: `raw` ``[1, 4 + classes, anchors]`` (YOLOv8 and later without NMS, boxes as
``x_center, y_center, width, height``), or the same transposed; `end_to_end` rows of
``x1, y1, x2, y2, score, class_id`` (YOLO26, YOLOv10, or NMS inside the graph) as ``[1,N,6]``, ``[N,6]`` or
flat ``N*6``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.support.errors import ModelError
from pipeline.support.tflite_file import TensorSpec

Layout = Literal["NHWC", "NCHW"]
HeadKind = Literal["end_to_end", "raw"]

_GRIDS = ((8, 16, 32), (4, 8, 16, 32), (8, 16, 32, 64))
"""Strides of the grids that YOLO heads predict on: P3 to P5, and with P2 or P6."""
_ROW = 6
_BOX = 4
_MAX_SIDE = 8192
_DTYPES = frozenset({"float32", "uint8", "int8"})


@dataclass(frozen=True, slots=True)
class InputForm:
    """How a picture goes in: one RGB picture of ``height`` by ``width`` pixels."""

    layout: Layout
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Head:
    """How detections come out."""

    kind: HeadKind
    rows: int
    """Anchors of a raw head, rows of an end-to-end one."""
    classes: int | None = None
    """Classes that the shape tells; an end-to-end head's does not."""
    transposed: bool = False
    """A raw head whose anchors come first: ``[1, anchors, 4 + classes]``."""


def input_form(inputs: tuple[TensorSpec, ...], *, source: str) -> InputForm:
    """Tell how a picture goes in.

    Raises:
        ModelError: more or fewer than one input, no three-channel picture, or a type that is not read.
    """
    if len(inputs) != 1:
        raise ModelError(f"{source}: the model has {len(inputs)} inputs; a detector has one")
    spec = inputs[0]
    if len(spec.shape) != 4 or spec.shape[0] != 1 or 3 not in (spec.shape[1], spec.shape[3]):
        raise ModelError(f"{source}: the input {spec} is not one RGB picture, [1,H,W,3] or [1,3,H,W]")
    _check_dtype(spec, "input", source)
    channels_last = spec.shape[3] == 3
    height, width = spec.shape[1:3] if channels_last else spec.shape[2:4]
    if not (1 <= height <= _MAX_SIDE and 1 <= width <= _MAX_SIDE):
        raise ModelError(f"{source}: the input {spec} has a side that is not within 1 to {_MAX_SIDE}")
    return InputForm("NHWC" if channels_last else "NCHW", height, width)


def head_of(
    outputs: tuple[TensorSpec, ...], form: InputForm, *, classes: int | None = None, source: str
) -> Head:
    """Tell the kind of the head from the shape of the first output.

    Args:
        outputs: the model's outputs; the first is the one that counts, as in the app.
        form: the input, whose size tells how many anchors a raw head has.
        classes: how many classes the model tells apart, where that is known.
        source: the model's file, for errors.

    Raises:
        ModelError: the head is none that is known.
    """
    if not outputs:
        raise ModelError(f"{source}: the model has no output")
    spec = outputs[0]
    _check_dtype(spec, "first output", source)
    if any(side < 1 for side in spec.shape):
        raise ModelError(f"{source}: the first output {spec} has a side that is not fixed")
    anchors = _anchor_counts(form)
    head = _rows_of_six(spec.shape, anchors, classes) or _raw(spec.shape, anchors, classes)
    if head is None:
        raise ModelError(
            f"{source}: unknown head: the first output is {spec}{_why_not(spec.shape, anchors)}",
            hint="Known: rows of six [1,N,6], [N,6] or flat (end to end, or NMS in the graph), and the raw "
            "heads [1,4+classes,anchors] and [1,anchors,4+classes] of YOLOv8 and later.",
        )
    return head


def _rows_of_six(shape: tuple[int, ...], anchors: frozenset[int], classes: int | None) -> Head | None:
    batched = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if len(batched) == 1 and batched[0] % _ROW == 0:
        return Head("end_to_end", batched[0] // _ROW)
    if len(batched) != 2 or batched[1] != _ROW:
        return None
    # Two classes make a raw head six wide as well: then there is a row for every anchor.
    if len(shape) == 3 and batched[0] in anchors and classes in {2, None}:
        return None
    return Head("end_to_end", batched[0])


def _raw(shape: tuple[int, ...], anchors: frozenset[int], classes: int | None) -> Head | None:
    if len(shape) != 3 or shape[0] != 1:
        return None
    _, first, second = shape
    for width, rows, transposed in ((first, second, False), (second, first, True)):
        fits = rows in anchors or (classes is not None and rows > width == classes + _BOX)
        if fits and width > _BOX:
            return Head("raw", rows, width - _BOX, transposed)
    return None


def _anchor_counts(form: InputForm) -> frozenset[int]:
    return frozenset(
        sum((form.height // stride) * (form.width // stride) for stride in grid) for grid in _GRIDS
    )


def _why_not(shape: tuple[int, ...], anchors: frozenset[int]) -> str:
    if len(shape) == 3 and any(side in {3 * count for count in anchors} for side in shape[1:]):
        return ", a YOLOv5 head with objectness"
    return ""


def _check_dtype(spec: TensorSpec, what: str, source: str) -> None:
    if spec.dtype not in _DTYPES:
        raise ModelError(f"{source}: the {what} is {spec}; {', '.join(sorted(_DTYPES))} are read")
    if spec.dtype != "float32" and not spec.scale:
        raise ModelError(f"{source}: the {what} {spec} is quantised, and its scale is missing")
