"""Rows of the retraining queue: how one is written, and whether a person has changed it since.

A row says in its own name and notes all that it was made of: label, action, score, variant. One that comes
out the same when it is made again from what it says is as the program wrote it; in every other one a person,
or a later step, has had a hand. No record beside the file is needed, and the queues of the system in use are
read alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.contracts.analysis import Action
from pipeline.contracts.labeled import LABELED_COLUMNS, RETRAIN_NEGATIVE_PREFIX, LabeledRow
from pipeline.contracts.text import slug
from pipeline.support.errors import ContractError, Fault

SOURCE = "retraining_queue"
NEGATIVE_SOURCE = "retraining_queue_negative"
POSITIVE_PREFIX = "retrain_positive_"
TARGET = "target_false_positive_label"

POSITIVES: Action = "collect_more_positives"
NEGATIVES: Action = "add_hard_negatives"

_NAME = re.compile(r"(retrain_(?:positive|negative)_)(.+)_v([1-9]\d{0,5})")


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """What one row of the queue asks for: the picture number ``variant`` of a label, or against it."""

    label: str
    action: Action
    score: str
    """The priority score as the table writes it, such as ``19`` or ``7.5``."""
    variant: int
    stem: str
    """The label in names; see `stem_of`."""

    @property
    def name(self) -> str:
        """The row's name, such as ``retrain_positive_tin-can_v1``."""
        prefix = POSITIVE_PREFIX if self.action == POSITIVES else RETRAIN_NEGATIVE_PREFIX
        return f"{prefix}{self.stem}_v{self.variant}"

    def row(self) -> LabeledRow:
        """Write the row, without a picture."""
        told = f"action={self.action}; priority_score={self.score}; variant={self.variant}"
        if self.action == POSITIVES:
            item_id, label, source = f"retrain-{self.stem}-v{self.variant}", self.label, SOURCE
        else:
            item_id, label, source = f"retrain-negative-{self.stem}-v{self.variant}", "", NEGATIVE_SOURCE
            told = f"{TARGET}={self.label}; {told}"
        return LabeledRow(
            name=self.name, url="", item_id=item_id, canonical_label=label, source=source, notes=told
        )


def stem_of(label: str, *, shared: bool = False) -> str:
    """Return a label as names hold it: its slug, with a digest where that alone would not tell it apart.

    Args:
        label: the label.
        shared: another label has the same slug.
    """
    plain = slug(label)
    if plain and not shared:
        return plain
    digest = hashlib.sha256(label.encode("utf-8")).hexdigest()[:8]
    return f"{plain or 'label'}-{digest}"


def taken_apart(name: str) -> tuple[str, int] | None:
    """Return prefix with stem, and variant, of a queue row's name; None for every other name."""
    found = _NAME.fullmatch(name)
    return (found.group(1) + found.group(2), int(found.group(3))) if found else None


def is_as_written(row: LabeledRow) -> bool:
    """Tell whether a row is as the program wrote it, with no picture yet."""
    found = _NAME.fullmatch(row.name)
    if found is None:
        return False
    negative = found.group(1) == RETRAIN_NEGATIVE_PREFIX
    label = (row.note(TARGET) or "") if negative else row.canonical_label
    if found.group(2) not in {stem_of(label), stem_of(label, shared=True)}:
        return False
    entry = QueueEntry(
        label=label,
        action=NEGATIVES if negative else POSITIVES,
        score=row.note("priority_score") or "",
        variant=int(found.group(3)),
        stem=found.group(2),
    )
    made = entry.row()
    return all(getattr(made, column) == getattr(row, column) for column in LABELED_COLUMNS)


def check_queue(rows: Sequence[LabeledRow], lines: Sequence[int], *, source: str) -> None:
    """Check that every row may be merged: a ``retrain_*`` name of its own, and the label that its name says.

    Raises:
        ContractError: a name is another, or stands twice; a negative has a label, or a positive has none.
    """
    faults: list[Fault] = []
    first: dict[str, int] = {}
    for row, line in zip(rows, lines, strict=True):
        where = f"line {line} ({row.name})"
        if not row.feeds_retraining:
            faults.append(Fault(f"{where}, column name", "a row of the queue is named retrain_*"))
            continue
        if first.setdefault(row.name, line) != line:
            faults.append(
                Fault(f"{where}, column name", f"this name stands on line {first[row.name]} already")
            )
        if row.is_negative != row.name.startswith(RETRAIN_NEGATIVE_PREFIX):
            problem = (
                f"this positive has no label; a negative's name begins with {RETRAIN_NEGATIVE_PREFIX}"
                if row.is_negative
                else f"a negative has no label, and this one has {row.canonical_label!r}"
            )
            faults.append(Fault(f"{where}, column canonical_label", problem))
    if faults:
        raise ContractError(source, faults)
