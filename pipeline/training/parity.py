"""The parity gate: the exported file and the PyTorch model it came from must see the same on real pictures.

A detection agrees if the other side has one of its class that overlaps it by at least ``min_iou`` with a
score within ``max_score_delta``. Detections above the threshold, of either side, that do not agree or have no
partner are counted; a share of them above ``max_unmatched`` fails the gate. So does a collapse, by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.contracts.settings import ParityLimits, Precision
from pipeline.runtime.decode import RawDetections, iou_matrix
from pipeline.support.errors import ExportError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Sees = Callable[["NDArray[np.uint8]", str], RawDetections]
"""Detections of a picture that was fitted to the model's input: canvas, and its name for errors."""

_PARTNER_IOU = 0.5
"""Two detections of one class that overlap by this much are about the same thing."""
_WANTED = 20
"""Detections that the gate wants to compare, all pictures together."""
_SAME = 1e-4


@dataclass(frozen=True, slots=True)
class _Pair:
    iou: float
    delta: float
    above: int
    """How many of the two reach the threshold: the other may lie just below it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared, and how far the two sides are apart; the report of the gate."""

    precision: Precision
    limits: ParityLimits
    pictures: int
    threshold: float
    lowered: bool
    """Whether the threshold was lowered because the PyTorch model finds too little above it."""
    reference_detections: int
    exported_detections: int
    matched: int
    disagreeing: int
    unmatched: int
    min_iou: float | None
    mean_iou: float | None
    max_score_delta: float | None
    mean_score_delta: float | None
    collapse: str | None

    @property
    def share(self) -> float | None:
        """Share of the detections above the threshold that disagree or have no partner."""
        total = self.reference_detections + self.exported_detections
        return (self.disagreeing + self.unmatched) / total if total else None

    @property
    def passed(self) -> bool:
        """Whether the gate lets the file through."""
        return self.share is not None and self.share <= self.limits.max_unmatched and self.collapse is None

    def to_data(self) -> dict[str, Any]:
        """Return the report as the candidate's metadata holds it."""
        return {
            "passed": self.passed,
            "precision": self.precision,
            "limits": self.limits.model_dump(),
            "pictures": self.pictures,
            "threshold": self.threshold,
            "threshold_lowered": self.lowered,
            "compared": self.reference_detections + self.exported_detections,
            "reference_detections": self.reference_detections,
            "exported_detections": self.exported_detections,
            "matched": self.matched,
            "disagreeing": self.disagreeing,
            "unmatched": self.unmatched,
            "share_not_agreeing": _rounded(self.share),
            "min_iou": _rounded(self.min_iou),
            "mean_iou": _rounded(self.mean_iou),
            "max_score_delta": _rounded(self.max_score_delta),
            "mean_score_delta": _rounded(self.mean_score_delta),
            "collapse": self.collapse,
        }


def look(sees: Sees, canvases: Sequence[tuple[str, NDArray[np.uint8]]]) -> list[RawDetections]:
    """Run one side on every picture."""
    return [sees(canvas, name) for name, canvas in canvases]


def compare(
    reference: Sequence[RawDetections],
    exported: Sequence[RawDetections],
    *,
    precision: Precision,
    limits: ParityLimits,
    threshold: float,
) -> Comparison:
    """Compare what the PyTorch model and the exported file see on the same pictures.

    Args:
        reference: detections of the PyTorch model, picture by picture, down to a low score.
        exported: those of the file.
        precision: what the file was exported as.
        limits: how close they must be.
        threshold: detections with at least this score must agree; lowered where there are too few.
    """
    at = _threshold(reference, threshold)
    pairs: list[_Pair] = []
    unmatched = strong = strong_exported = 0
    for ours, theirs in zip(reference, exported, strict=True):
        found, alone = _matched(ours, theirs, at)
        pairs += found
        unmatched += alone
        strong += int((ours.scores >= at).sum())
        strong_exported += int((theirs.scores >= at).sum())
    bad = [pair for pair in pairs if pair.iou < limits.min_iou or pair.delta > limits.max_score_delta]
    ious, deltas = [pair.iou for pair in pairs], [pair.delta for pair in pairs]
    return Comparison(
        precision=precision,
        limits=limits,
        pictures=len(reference),
        threshold=round(at, 6),
        lowered=at < threshold,
        reference_detections=strong,
        exported_detections=strong_exported,
        matched=len(pairs),
        disagreeing=sum(pair.above for pair in bad),
        unmatched=unmatched,
        min_iou=min(ious, default=None),
        mean_iou=_mean(ious),
        max_score_delta=max(deltas, default=None),
        mean_score_delta=_mean(deltas),
        collapse=collapse_of(reference, exported, threshold=at),
    )


def collapse_of(
    reference: Sequence[RawDetections], exported: Sequence[RawDetections], *, threshold: float
) -> str | None:
    """Name a collapse: nothing found, all scores equal, or one class where PyTorch has several."""
    scores, classes = _strong(reference, threshold)
    their_scores, their_classes = _strong(exported, threshold)
    if not scores:
        return None
    if not their_scores:
        return "nothing found"
    several = len(their_scores) >= 3 and len(scores) >= 3
    if several and _spread(their_scores) < _SAME <= _spread(scores):
        return "all scores equal"
    if several and len(set(their_classes)) == 1 and _is_varied(classes):
        return "one class only"
    return None


def require_parity(comparison: Comparison) -> None:
    """Refuse a file that the gate does not let through.

    Raises:
        ExportError: with the figures, and the name of the collapse if it is one.
    """
    if comparison.passed:
        return
    figures = (
        f"{comparison.reference_detections} detections in PyTorch and {comparison.exported_detections} in "
        f"the file, score {comparison.threshold:g} and above, on {comparison.pictures} pictures: "
        f"{comparison.disagreeing} disagree, {comparison.unmatched} have no partner"
    )
    if comparison.min_iou is not None and comparison.max_score_delta is not None:
        figures += (
            f"; lowest IoU {comparison.min_iou:.4f} (at least {comparison.limits.min_iou:g}), largest "
            f"difference of scores {comparison.max_score_delta:.4f} (at most "
            f"{comparison.limits.max_score_delta:g})"
        )
    if comparison.collapse:
        head = f"the {comparison.precision} export has collapsed ({comparison.collapse})"
    elif comparison.share is None:
        head = "the PyTorch model finds nothing at all on these pictures, so nothing could be compared"
    else:
        head = f"the {comparison.precision} file does not agree with the PyTorch model"
    raise ExportError(
        f"{head}: {figures}",
        hint="Nothing was written. Export with another precision, or calibrate on more pictures; the limits "
        f"are [export.parity.{comparison.precision}] in repath.toml.",
    )


def _threshold(reference: Sequence[RawDetections], wanted: float) -> float:
    """Return the threshold, lowered to the `_WANTED`-th best score where PyTorch finds nothing above it."""
    scores = sorted((float(score) for seen in reference for score in seen.scores), reverse=True)
    if not scores or scores[0] >= wanted:
        return wanted
    return scores[min(len(scores), _WANTED) - 1]


def _matched(ours: RawDetections, theirs: RawDetections, threshold: float) -> tuple[list[_Pair], int]:
    """Pair detections of one picture, best overlap first; return the pairs, and how many are alone."""
    import numpy as np

    overlaps = iou_matrix(ours.boxes, theirs.boxes)
    overlaps = np.where(ours.class_ids[:, None] == theirs.class_ids[None, :], overlaps, 0)
    strong, their_strong = ours.scores >= threshold, theirs.scores >= threshold
    overlaps[~strong[:, None] & ~their_strong[None, :]] = 0
    candidates = np.argwhere(overlaps >= _PARTNER_IOU)
    order = np.argsort(-overlaps[tuple(candidates.T)], kind="stable")
    pairs: list[_Pair] = []
    for row, column in candidates[order]:
        if overlaps[row, column] == 0:
            continue
        delta = abs(float(ours.scores[row]) - float(theirs.scores[column]))
        above = int(strong[row]) + int(their_strong[column])
        pairs.append(_Pair(float(overlaps[row, column]), delta, above))
        strong[row] = their_strong[column] = False
        overlaps[row, :] = overlaps[:, column] = 0
    return pairs, int(strong.sum() + their_strong.sum())


def _strong(seen: Sequence[RawDetections], threshold: float) -> tuple[list[float], list[int]]:
    scores = [float(s) for one in seen for s in one.scores if s >= threshold]
    classes = [
        int(c) for one in seen for s, c in zip(one.scores, one.class_ids, strict=True) if s >= threshold
    ]
    return scores, classes


def _is_varied(classes: Sequence[int]) -> bool:
    """Tell whether no class has more than nine in ten: then one class alone is no accident."""
    return max(classes.count(name) for name in set(classes)) <= 0.9 * len(classes)


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
