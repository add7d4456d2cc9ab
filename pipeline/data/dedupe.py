"""One picture, one row: the url of every other row that shows the same source is cleared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.contracts.labeled import LabeledRow
from pipeline.contracts.text import with_note
from pipeline.support.commons_urls import source_key

NOTE = "Needs unique URL (csv dedupe)."
Keep = Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that show one source: the row that keeps its url, and those that lost it."""

    url: str
    kept: str
    cleared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deduped:
    """All rows in their order, and the groups that were found."""

    rows: list[LabeledRow]
    groups: list[Group]

    @property
    def cleared(self) -> int:
        """How many rows lost their url."""
        return sum(len(group.cleared) for group in self.groups)


def dedupe(rows: Sequence[LabeledRow], *, keep: Keep = "first") -> Deduped:
    """Clear the url of all but one row of each group with the same source, and say so in its notes.

    Two urls are the same source where `source_key` says so: all forms of one Commons file, for instance.
    Retraining rows take part like every other: a picture in both would be trained on and then tested with.
    No row is removed or moved, and no label is touched: a negative stays one.
    """
    by_key: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        key = source_key(row.url)
        if key:
            by_key.setdefault(key, []).append(index)
    result = list(rows)
    groups = []
    for members in by_key.values():
        if len(members) == 1:
            continue
        kept = members[0] if keep == "first" else members[-1]
        cleared = [index for index in members if index != kept]
        for index in cleared:
            row = rows[index]
            result[index] = row.replace(url="", notes=with_note(row.notes, NOTE))
        groups.append(Group(rows[kept].url, rows[kept].name, tuple(rows[index].name for index in cleared)))
    return Deduped(result, groups)
