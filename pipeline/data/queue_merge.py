"""The retraining queue merged into the labeled rows: what stands there wins over what the queue asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.data.book import LabeledBook
from pipeline.support.renewal import Kept
from pipeline.support.retraining_queue import is_as_written


@dataclass(slots=True)
class QueueMerge:
    """What became of the rows of the queue."""

    added: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    """Rows that stood there as the program wrote them, and follow the queue."""
    unchanged: int = 0
    kept: list[Kept] = field(default_factory=list)
    """Rows that a person or an earlier step has changed; they stay whole."""


def merge_queue(book: LabeledBook, queue: Sequence[LabeledRow]) -> QueueMerge:
    """Add the rows of a queue to the labeled rows, behind those that stand there.

    A row of a name that is there already is taken over only where it is still as the program wrote it
    (`is_as_written`): it may then bring a new score, or the picture that a person put into the queue. Every
    other row stays as it is.

    Args:
        book: the labeled rows; changed in place.
        queue: the rows of the queue, checked (`pipeline.support.retraining_queue.check_queue`).

    Raises:
        InputError: a name of the queue stands twice in the labeled rows.
    """
    done = QueueMerge()
    for row in queue:
        there = book.find(row.name)
        if there is None:
            book.put(row)
            done.added.append(row.name)
            continue
        differing = tuple(name for name in LABELED_COLUMNS if getattr(row, name) != getattr(there, name))
        if not differing:
            done.unchanged += 1
        elif is_as_written(there) and there.is_negative == row.is_negative:
            book.renew(row)
            done.renewed.append(row.name)
        else:
            done.kept.append(Kept(row.name, differing))
    return done
