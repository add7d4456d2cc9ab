"""The change in mAP between two models on pictures whose boxes are known, with its interval and test.

Detections are matched to boxes picture by picture, once; a resample then only weighs pictures. AP is COCO's:
101 recall points, IoU 0.50 to 0.95, at most 100 detections a picture and label
(https://cocodataset.org/#detection-eval).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.contracts.comparison import FigureVerdict
from pipeline.contracts.results import ResultRow
from pipeline.evaluation.pairing import Pair
from pipeline.evaluation.statistics import Bootstrap, Floats, Ints
from pipeline.evaluation.verdict import DEFAULT_MARGIN, judged
from pipeline.runtime.decode import iou_matrix

MAP_RESAMPLES = 1_000
"""Fewer than for rates: each weighs every detection."""
_IOUS = np.linspace(0.5, 0.95, 10)
_MAX_DETECTIONS = 100
_BLOCK = 1 << 21

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Label:
    """The detections of one label by both models, best score first, and its boxes on each picture."""

    picture: Ints
    model: Ints
    hits: Bools
    """Whether a detection matches a box, shape ``[IoU thresholds, detections]``."""
    boxes: Ints
    """Boxes on each picture, shape ``[pictures]``."""


def map_verdicts(
    pairs: Sequence[Pair], *, margins: Mapping[str, float], seed: int, resamples: int = MAP_RESAMPLES
) -> list[FigureVerdict]:
    """Judge mAP50 and mAP50-95 over the pairs whose boxes are known on both sides; else nothing.

    The bootstrap draws pictures within strata (with and without boxes), the test swaps the two models on
    pictures at random, as in `pipeline.evaluation.statistics`.
    """
    known = [pair for pair in pairs if None not in (pair[0].expected_boxes, pair[1].expected_boxes)]
    if not any(after.expected_boxes for _, after in known):
        return []
    labels = [_label(known, label) for label in _labels(known)]
    count = len(known)
    ones, own = np.ones((1, count), dtype=np.int64), np.zeros((1, count), dtype=np.int64)
    observed = [_mean_ap(labels, ones, own, side) for side in (0, 1)]
    rng = np.random.default_rng(seed)
    drawn, swapped = [], []
    size = max(1, min(resamples, _BLOCK // max(1, *(len(label.picture) for label in labels))))
    for start in range(0, resamples, size):
        block = min(size, resamples - start)
        weights, turned = _draws(known, rng, block), rng.integers(0, 2, size=(block, count))
        none = np.zeros((block, count), dtype=np.int64)
        drawn.append(_mean_ap(labels, weights, none, 1) - _mean_ap(labels, weights, none, 0))
        whole = np.ones((block, count), dtype=np.int64)
        swapped.append(_mean_ap(labels, whole, turned, 1) - _mean_ap(labels, whole, turned, 0))
    differences, under_swaps = np.concatenate(drawn), np.concatenate(swapped)
    return [
        _verdict(name, at, observed, differences, under_swaps, count, margins, seed)
        for at, name in enumerate(("map50", "map50_95"))
    ]


def _verdict(
    name: str,
    at: int,
    observed: Sequence[Floats],
    differences: Floats,
    under_swaps: Floats,
    cases: int,
    margins: Mapping[str, float],
    seed: int,
) -> FigureVerdict:
    before, after = (float(side[0, at]) for side in observed)
    extreme = int((np.abs(under_swaps[:, at]) >= abs(after - before) - 1e-12).sum())
    return judged(
        name,
        cases=cases,
        rates=(round(before, 4), round(after, 4)),
        found=Bootstrap(differences[:, at]),
        p_value=(extreme + 1) / (len(under_swaps) + 1),
        counts=None,
        margin=margins.get(name, DEFAULT_MARGIN),
        seed=seed,
    )


def _labels(pairs: Sequence[Pair]) -> list[str]:
    return sorted({box.label for _, after in pairs for box in after.expected_boxes or []})


def _draws(pairs: Sequence[Pair], rng: np.random.Generator, size: int) -> Ints:
    with_boxes = np.array([bool(after.expected_boxes) for _, after in pairs])
    weights = np.zeros((size, len(pairs)), dtype=np.int64)
    for members in (np.flatnonzero(with_boxes), np.flatnonzero(~with_boxes)):
        if members.size:
            even = np.full(members.size, 1 / members.size)
            weights[:, members] = rng.multinomial(members.size, even, size=size)
    return weights


def _mean_ap(labels: Sequence[_Label], weights: Ints, swapped: Ints, side: int) -> Floats:
    """Return mAP50 and mAP50-95, shape ``[resamples, 2]``, of one side.

    Args:
        labels: what both models found.
        weights: how often each picture was drawn, shape ``[resamples, pictures]``.
        swapped: 1 where the two models change places on a picture, same shape.
        side: 0 for the baseline, 1 for the candidate.
    """
    found = []
    for label in labels:
        chosen = label.model[None, :] == (swapped[:, label.picture] ^ side)
        found.append(_average_precision(label, weights[:, label.picture] * chosen, weights @ label.boxes))
    by_label = np.stack(found)  # [labels, resamples, IoU thresholds]
    there = ~np.isnan(by_label[:, :, 0])
    total = np.nansum(by_label, axis=0) / np.maximum(there.sum(axis=0), 1)[:, None]
    return np.column_stack([total[:, 0], total.mean(axis=1)])


def _average_precision(label: _Label, weights: Ints, boxes: Ints) -> Floats:
    """Return AP by resample and IoU threshold; NaN where a resample has no box of the label."""
    found = np.zeros((len(weights), len(_IOUS)))
    # Recall rises at hits alone, and precision is highest there: other detections only have to be counted.
    at_hits = np.flatnonzero(label.hits.any(axis=0))
    if at_hits.size:
        detections = np.maximum(np.cumsum(weights, axis=1)[:, at_hits], 1)
        for index, hits in enumerate(label.hits[:, at_hits]):
            true = np.cumsum(weights[:, at_hits] * hits, axis=1)
            precision = np.maximum.accumulate((true / detections)[:, ::-1], axis=1)[:, ::-1]
            points = np.floor(100 * true / np.maximum(boxes, 1)[:, None] + 1e-9) + 1
            found[:, index] = (precision * np.diff(points, axis=1, prepend=0)).sum(axis=1) / 101
    found[boxes == 0] = np.nan
    return found


def _label(pairs: Sequence[Pair], label: str) -> _Label:
    boxes = np.array([sum(b.label == label for b in after.expected_boxes or []) for _, after in pairs])
    entries = [
        (-score, picture, model, hits)
        for picture, pair in enumerate(pairs)
        for model, row in enumerate(pair)
        for score, hits in _matched(row, label)
    ]
    entries.sort(key=lambda entry: entry[0])
    return _Label(
        np.array([entry[1] for entry in entries], dtype=np.int64),
        np.array([entry[2] for entry in entries], dtype=np.int64),
        np.array([entry[3] for entry in entries], dtype=np.bool_).reshape(-1, len(_IOUS)).T,
        boxes.astype(np.int64),
    )


def _matched(row: ResultRow, label: str) -> Iterator[tuple[float, Bools]]:
    """Yield score and hits by IoU threshold of a picture's detections of one label, best first."""
    found = [item for item in [*row.detections, *(row.below_threshold or [])] if item.label == label]
    found = sorted((item for item in found if item.box), key=lambda item: -item.score)[:_MAX_DETECTIONS]
    boxes = [box.box for box in row.expected_boxes or [] if box.label == label]
    overlap = np.zeros((len(found), max(1, len(boxes))))
    if found and boxes:
        corners = np.asarray([item.box for item in found], np.float32)
        overlap = np.asarray(iou_matrix(corners, np.asarray(boxes, np.float32)), dtype=np.float64)
    taken = np.zeros((len(_IOUS), overlap.shape[1]), dtype=np.bool_)
    every = np.arange(len(_IOUS))
    for item, row_overlap in zip(found, overlap, strict=True):
        free = np.where(taken, -1.0, row_overlap[None, :])
        best = free.argmax(axis=1)
        hits: Bools = free[every, best] >= _IOUS - 1e-10
        taken[every[hits], best[hits]] = True
        yield item.score, hits
