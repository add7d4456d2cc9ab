"""One picture measured: read, decoded, fitted, run through the model, and judged."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.contracts.manifest import ManifestBox
from pipeline.contracts.results import Detection, ResultRow, UnreadablePicture
from pipeline.evaluation.box_metrics import BOX_FLOOR, MAX_DETECTIONS
from pipeline.evaluation.canvas_cache import CanvasCache
from pipeline.evaluation.metrics import SWEEP_FLOOR, judge, predicted_labels, rate
from pipeline.runtime import detector as runtime
from pipeline.runtime.resize import Geometry
from pipeline.support.errors import InputError
from pipeline.support.images import MAX_PIXELS, decode_rgb, read_image_bytes
from pipeline.support.yolo_labels import YoloBox

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Fitted = tuple[NDArray[np.uint8], Geometry]


@dataclass(frozen=True, slots=True)
class Item:
    """A picture that is to be measured, and what is known of it."""

    position: int
    """Among all pictures of the run, over all shards."""
    manifest_row: int
    """Index in the manifest, or among the pictures that a bundle holds back."""
    name: str
    url: str
    path: Path
    expected_any: tuple[str, ...] = ()
    expected_all: tuple[str, ...] = ()
    boxes: tuple[ManifestBox, ...] | None = None
    shares: tuple[tuple[str, YoloBox], ...] | None = None
    """Boxes of a picture that a bundle holds back: label, and shares of the picture's sides."""

    @property
    def held_back(self) -> bool:
        """Whether it counts for the box figures alone."""
        return self.shares is not None

    @property
    def boxes_known(self) -> bool:
        """Whether ground truth boxes are known."""
        return self.boxes is not None or self.shares is not None


@dataclass(frozen=True, slots=True)
class Judging:
    """How detections are turned into predictions."""

    threshold: float
    topk: int

    def floor(self, item: Item) -> float:
        """Return the score below which nothing of an item is kept."""
        return BOX_FLOOR if item.boxes_known else min(SWEEP_FLOOR, self.threshold)


@dataclass(frozen=True, slots=True)
class Measurer:
    """Measures pictures with a detector of its own; one thread at a time may use it."""

    detector: runtime.Detector
    judging: Judging
    cache: CanvasCache | None = None
    min_side: int | None = None
    """Where given, large JPEGs are decoded at reduced size; see `decode_rgb`."""
    max_pixels: int = MAX_PIXELS

    def __call__(self, item: Item) -> tuple[Item, ResultRow | UnreadablePicture]:
        """Measure one picture.

        Raises:
            ModelError: the model gives what no detector gives.
            OutputError: the cache cannot be written.
        """
        started = time.perf_counter()
        try:
            digest, (canvas, geometry) = self._canvas(item)
        except InputError as error:
            reason = error.message.removeprefix(f"{item.path}: ").removeprefix(f"{item.path} ")
            return item, unreadable(item, reason)
        tensor = self.detector.load(canvas)
        invoked = time.perf_counter()
        output = self.detector.invoke(tensor)
        inferred = time.perf_counter() - invoked
        found = self.detector.decode(output, geometry, picture=item.url, conf=self.judging.floor(item))
        spent = time.perf_counter() - started
        row = judged_row(item, digest, (geometry.width, geometry.height), found, self.judging)
        return item, row.replace(latency_ms=round(1000 * spent, 3), inference_ms=round(1000 * inferred, 3))

    def _canvas(self, item: Item) -> tuple[str, Fitted]:
        data = read_image_bytes(item.path)
        digest = hashlib.sha256(data).hexdigest()
        kept = self.cache.get(digest) if self.cache else None
        if kept is not None:
            return digest, kept
        rgb = decode_rgb(data, source=str(item.path), max_pixels=self.max_pixels, min_side=self.min_side)
        canvas, geometry = self.detector.fit(rgb)
        if self.cache:
            self.cache.put(digest, canvas, geometry)
        return digest, (canvas, geometry)


def unreadable(item: Item, reason: str) -> UnreadablePicture:
    """Return the entry of a picture that could not be had."""
    return UnreadablePicture(
        name=item.name,
        url=item.url,
        reason=reason,
        manifest_row=None if item.held_back else item.manifest_row,
    )


def judged_row(
    item: Item, digest: str, size: tuple[int, int], found: Sequence[runtime.Detection], judging: Judging
) -> ResultRow:
    """Return the row of a picture; scores are judged as they are written, with six decimals.

    Args:
        item: the picture.
        digest: SHA-256 of its file.
        size: its width and height in pixels.
        found: what the model found on it, best first, down to the floor.
        judging: the threshold, and how many labels count.
    """
    every = [
        Detection(
            label=detection.label,
            score=round(detection.score, 6),
            box=[round(corner, 2) for corner in detection.box],
        )
        for detection in found[:MAX_DETECTIONS]
    ]
    reaching = [detection for detection in every if detection.score >= judging.threshold]
    below = [detection for detection in every if detection.score < judging.threshold]
    predicted = predicted_labels(reaching, threshold=judging.threshold, topk=judging.topk)
    verdict = judge(item.expected_any, item.expected_all, predicted)
    return ResultRow(
        name=item.name,
        url=item.url,
        expected_any=list(item.expected_any),
        expected_all=list(item.expected_all),
        predicted_labels=predicted,
        detections=reaching,
        precision=rate(verdict.tp, verdict.tp + verdict.fp),
        recall=rate(verdict.tp, verdict.tp + verdict.fn),
        any_hit=verdict.any_hit,
        manifest_row=item.manifest_row,
        picture_sha256=digest,
        size=list(size),
        expected_boxes=_expected_boxes(item, size),
        below_threshold=below if item.boxes_known else _best_of_each(below, seen=reaching),
    )


def _best_of_each(detections: Sequence[Detection], *, seen: Sequence[Detection]) -> list[Detection]:
    known = {detection.label for detection in seen}
    best: list[Detection] = []
    for detection in detections:
        if detection.label not in known:
            known.add(detection.label)
            best.append(detection)
    return best


def _expected_boxes(item: Item, size: tuple[int, int]) -> list[ManifestBox] | None:
    if item.boxes is not None:
        return list(item.boxes)
    if item.shares is None:
        return None
    width, height = size
    found = []
    for label, box in item.shares:
        left, right = _edges(box.x, box.width, width)
        top, bottom = _edges(box.y, box.height, height)
        found.append(ManifestBox(label=label, box=[left, top, right, bottom]))
    return found


def _edges(middle: float, share: float, side: int) -> tuple[float, float]:
    """Return where a box begins and ends, in pixels with two decimals; it keeps an area, however small."""
    start, end = (round((middle + sign * share / 2) * side, 2) for sign in (-1, 1))
    return start, max(end, round(start + 0.01, 2))
