"""The retraining queue: a row for every picture that the labels in need want, out of the priority table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pipeline.contracts.analysis import Action, PriorityRow
from pipeline.contracts.base import shown
from pipeline.contracts.labeled import LabeledRow
from pipeline.contracts.text import fits_in_notes, slug
from pipeline.support.errors import ContractError, Fault
from pipeline.support.retraining_queue import NEGATIVES, POSITIVES, QueueEntry, stem_of, taken_apart


@dataclass(frozen=True, slots=True)
class Size:
    """How much a queue asks for at once."""

    positive_top: int = 8
    """Labels for which more positives are collected, the highest score first."""
    negative_top: int = 4
    """Labels against which hard negatives are added."""
    variants: int = 3
    """Pictures for each label."""


@dataclass(frozen=True, slots=True)
class _Priority:
    label: str
    action: Action
    score: float
    stem: str


def build_queue(
    table: Sequence[PriorityRow],
    lines: Sequence[int],
    *,
    source: str,
    size: Size,
    labeled: Sequence[LabeledRow] = (),
) -> list[LabeledRow]:
    """Return the rows of the queue: positives first, then negatives, each by falling score.

    A label's variants are numbered from 1, without the numbers whose row has a picture in the labeled rows: a
    second round asks for new pictures, and asking again before the first were found asks for the same ones.

    Args:
        table: the priority table.
        lines: the line of each of its rows, for errors.
        source: the table's file, for errors.
        size: how much is asked for.
        labeled: the labeled rows of the workspace.

    Raises:
        ContractError: a label is empty, stands twice for one action or cannot stand in notes; a score is no
            number of at least 0; an action is unknown.
    """
    priorities = _priorities(table, lines, source)
    taken: dict[str, set[int]] = {}
    for row in labeled:
        parts = taken_apart(row.name)
        if parts is not None and row.url.strip():
            taken.setdefault(parts[0], set()).add(parts[1])
    rows = []
    for action, top in ((POSITIVES, size.positive_top), (NEGATIVES, size.negative_top)):
        ranked = [each for each in priorities if each.action == action]
        ranked.sort(key=lambda each: -each.score)  # rows of one score keep the order of the table
        for each in ranked[:top]:
            rows += [entry.row() for entry in _entries(each, size.variants, taken)]
    return rows


def _entries(wanted: _Priority, variants: int, taken: Mapping[str, set[int]]) -> list[QueueEntry]:
    entries: list[QueueEntry] = []
    variant = 0
    while len(entries) < variants:
        variant += 1
        entry = QueueEntry(wanted.label, wanted.action, _number(wanted.score), variant, wanted.stem)
        parts = taken_apart(entry.name)
        if parts is None or variant not in taken.get(parts[0], ()):
            entries.append(entry)
    return entries


def _priorities(table: Sequence[PriorityRow], lines: Sequence[int], source: str) -> list[_Priority]:
    faults: list[Fault] = []
    found: list[_Priority] = []
    first: dict[tuple[str, str], int] = {}
    slugs = Counter(slug(label) for label in {row.label.strip() for row in table})
    for row, line in zip(table, lines, strict=True):
        label, action, score = row.label.strip(), _action(row.recommended_action), _score(row.priority_score)
        where = f"line {line} ({shown(label).strip(chr(39))})"
        if not label:
            faults.append(Fault(f"line {line}, column label", "is empty"))
        elif not fits_in_notes(label):
            faults.append(Fault(f"{where}, column label", "a label that notes cannot hold ('; key=')"))
        if action is None:
            wanted = " or ".join(get_args(Action))
            problem = f"must be {wanted}, not {shown(row.recommended_action)}"
            faults.append(Fault(f"{where}, column recommended_action", problem))
        if score is None:
            problem = f"must be a number of at least 0, not {shown(row.priority_score)}"
            faults.append(Fault(f"{where}, column priority_score", problem))
        if first.setdefault((label, row.recommended_action.strip()), line) != line:
            before = first[label, row.recommended_action.strip()]
            faults.append(Fault(f"{where}, column label", f"stands on line {before} already"))
        if action is not None and score is not None:
            stem = stem_of(label, shared=slugs[slug(label)] > 1)
            found.append(_Priority(label, action, score, stem))
    if faults:
        raise ContractError(source, faults)
    return found


def _action(text: str) -> Action | None:
    actions: dict[str, Action] = {POSITIVES: POSITIVES, NEGATIVES: NEGATIVES}
    return actions.get(text.strip())


def _score(text: str) -> float | None:
    try:
        score = float(text)
    except ValueError:
        return None
    return score if math.isfinite(score) and 0 <= score < 1e12 else None


def _number(score: float) -> str:
    """Return a score with at most four decimals and no needless zeros, as the tables in use have it."""
    return f"{score:.4f}".rstrip("0").rstrip(".")
