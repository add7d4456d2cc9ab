"""What changed, picture by picture: the pictures that two models see differently, the gravest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from pipeline.contracts.comparison import ChangeKind, PictureChange
from pipeline.contracts.results import ResultRow
from pipeline.evaluation.pairing import Pair

GRAVITY: dict[ChangeKind, float] = {
    "newly_missed": 5.0,
    "new_false_alarm": 4.0,
    "changed_label": 3.0,
    "newly_found": 2.0,
    "gone_false_alarm": 1.0,
}
"""What a reader should look at first: what the candidate broke, then what it mended."""
_ON_A_NEGATIVE = 0.5
"""A detection where there is nothing counts more than a further label on a picture of something."""


def picture_changes(pairs: Iterable[Pair]) -> list[PictureChange]:
    """Return the changed pictures by importance, then by name.

    Importance is the gravity of the gravest change, half a point more on a negative, and up to a tenth of a
    point for the score of the detections that came or went: sure mistakes stand before unsure ones.
    """
    changes = []
    for before, after in pairs:
        # Most pictures did not change: they cost one comparison.
        if before.predicted_labels == after.predicted_labels:
            continue
        expected = after.expected_all or after.expected_any
        kinds = _kinds(tuple(expected), tuple(before.predicted_labels), tuple(after.predicted_labels))
        if kinds:
            changes.append(_change(before, after, expected, kinds))
    changes.sort(key=lambda change: (-change.importance, change.name, change.url))
    return changes


@cache
def _kinds(
    expected: tuple[str, ...], before: tuple[str, ...], after: tuple[str, ...]
) -> tuple[ChangeKind, ...]:
    asked, was, now = set(expected), set(before), set(after)
    lost, found = (was - now) & asked, (now - was) & asked
    new_alarms, gone_alarms = (now - was) - asked, (was - now) - asked
    kinds: list[ChangeKind] = []
    if lost:
        kinds.append("newly_missed")
    if found:
        kinds.append("newly_found")
    if asked and new_alarms and (lost or gone_alarms):
        # One wrong label in the place of another label is not one alarm more.
        kinds.append("changed_label")
    elif asked and gone_alarms and found:
        kinds.append("changed_label")
    else:
        kinds += ["new_false_alarm"] if new_alarms else []
        kinds += ["gone_false_alarm"] if gone_alarms else []
    return tuple(sorted(kinds, key=lambda kind: -GRAVITY[kind]))


def _change(
    before: ResultRow, after: ResultRow, expected: Sequence[str], kinds: Sequence[ChangeKind]
) -> PictureChange:
    moved = set(before.predicted_labels) ^ set(after.predicted_labels)
    scores = [item.score for row in (before, after) for item in row.detections if item.label in moved]
    importance = GRAVITY[kinds[0]] + 0.1 * max(scores, default=0.0)
    return PictureChange(
        name=after.name,
        url=after.url,
        kind=kinds[0],
        kinds=list(kinds),
        expected=list(expected),
        baseline_labels=list(before.predicted_labels),
        candidate_labels=list(after.predicted_labels),
        importance=round(importance + (0.0 if expected else _ON_A_NEGATIVE), 4),
    )
