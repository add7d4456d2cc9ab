"""Boxes proposed by a detector: which detections become boxes of a bundle's picture, and under which name.

The detector may be any: its labels are matched with the bundle's classes by name, never by number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.contracts.base import shown
from pipeline.contracts.text import normalized_alias
from pipeline.support.errors import InputError
from pipeline.support.yolo_labels import YoloBox, box_of

if TYPE_CHECKING:
    from pipeline.runtime.detector import Detection

SAME_THING = 0.7
"""Overlap (IoU) from which two detections are taken for one thing under two labels."""
OWN_SHARE = 0.5
"""A positive's own label needs this share of the threshold: its row says that the item is there."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A box that is proposed, under a class of the bundle, with the detector's score."""

    box: YoloBox
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Proposed:
    """What came of one picture's detections."""

    proposals: list[Proposal]
    unmapped: Counter[str]
    """Detections at or above the threshold whose label is no class of the bundle."""


def match_labels(
    labels: Sequence[str], classes: Sequence[str], *, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return which of the bundle's classes each of a detector's labels is, for those that are one.

    A label is the class of the same name; without one, the only class whose name differs in nothing but case
    and punctuation.

    Args:
        labels: the detector's labels.
        classes: the bundle's.
        given: label to class, as the user says; it goes before the names.

    Raises:
        InputError: a given label or class does not exist, or no label at all is a class.
    """
    given = given or {}
    for label, name in given.items():
        if label not in labels:
            raise InputError(f"the detector has no label {shown(label)}: it has {_named(labels)}")
        if name not in classes:
            raise InputError(f"the bundle has no class {shown(name)}: it has {_named(classes)}")
    paired = [(label, class_of(label, classes, given=given)) for label in labels]
    matched = {label: name for label, name in paired if name is not None}
    if not matched:
        raise InputError(
            f"none of the detector's labels is a class of the bundle: it has {_named(labels)}; "
            f"the bundle has {_named(classes)}",
            hint="Name what is the same with --map 'detector label=bundle class'.",
        )
    return matched


def class_of(label: str, classes: Sequence[str], *, given: Mapping[str, str]) -> str | None:
    """Return which class a label from elsewhere is; None where it is none.

    That is the class it was given, else the one of the same name, else the only one whose name differs in
    nothing but case and punctuation.
    """
    if label in given:
        return given[label]
    if label in classes:
        return label
    key = normalized_alias(label)
    alike = [name for name in classes if normalized_alias(name) == key] if key else []
    return alike[0] if len(alike) == 1 else None


def propose(
    detections: Sequence[Detection],
    *,
    size: tuple[int, int],
    own: str | None,
    matched: Mapping[str, str],
    classes: Sequence[str],
    threshold: float,
) -> Proposed:
    """Choose among a picture's detections.

    Of two detections of one thing under different labels the one with the picture's own label stays, else the
    surer one.

    Args:
        detections: what was found, down to `OWN_SHARE` of the threshold.
        size: width and height of the picture in pixels.
        own: the label of the picture's row; None for a negative.
        matched: the detector's labels that are classes, as `match_labels` gives them.
        classes: the bundle's classes by id.
        threshold: the lowest score.
    """
    ids = {label: index for index, label in enumerate(classes)}
    unmapped: Counter[str] = Counter()
    found: list[tuple[Proposal, Detection]] = []
    for detection in detections:
        label = matched.get(detection.label)
        least = threshold * OWN_SHARE if label is not None and label == own else threshold
        if detection.score < least:
            continue
        if label is None:
            unmapped[detection.label] += 1
            continue
        box = box_of(ids[label], detection.box, size)
        if box is not None:
            found.append((Proposal(box, label, round(detection.score, 4)), detection))
    found.sort(key=lambda pair: (pair[0].label != own, -pair[1].score, pair[0].label, pair[1].box))
    chosen = [found[index][0] for index in _apart([detection.box for _, detection in found])]
    return Proposed(chosen, unmapped)


def _apart(boxes: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices of the boxes that no earlier one covers."""
    import numpy as np

    from pipeline.runtime.decode import iou_matrix

    if not boxes:
        return []
    corners = np.asarray(boxes, np.float32)
    overlap = iou_matrix(corners, corners)
    kept: list[int] = []
    for index in range(len(boxes)):
        if not kept or float(overlap[index, kept].max()) < SAME_THING:
            kept.append(index)
    return kept


def _named(labels: Sequence[str]) -> str:
    names = ", ".join(labels[:10])
    return f"{names} and {len(labels) - 10} more" if len(labels) > 10 else names
