"""The labeled rows that suggestions are merged into: what a person wrote wins, and order is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.contracts.base import shown
from pipeline.contracts.labeled import LabeledRow
from pipeline.support.errors import InputError


@dataclass(slots=True)
class LabeledBook:
    """Labeled rows, found by name.

    Args:
        source: the CSV, for errors.
        rows: its rows; `put` changes a row in its place or appends a new one.
        lines: the line of each row.
    """

    source: str
    rows: list[LabeledRow]
    lines: Sequence[int]
    _by_name: dict[str, list[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            self._by_name.setdefault(row.name, []).append(index)

    def find(self, name: str) -> LabeledRow | None:
        """Return the row of this name, or None.

        Raises:
            InputError: the name stands twice, so that no one row can be picked; both lines are named.
        """
        met = self._by_name.get(name, [])
        if len(met) > 1:
            first, second = (self.lines[index] for index in met[:2])
            raise InputError(
                f"{self.source}: the name {shown(name)} stands on line {first} and on line {second}: "
                "a suggestion for it has no one place",
                hint="Give the two rows different names.",
            )
        return self.rows[met[0]] if met else None

    def put(self, row: LabeledRow) -> bool:
        """Set the url, source and notes of the row of this name, or append the row; tell whether it is new.

        Label and item of a row that is there are never touched: a negative stays a negative.

        Raises:
            InputError: the name stands twice.
        """
        if self.find(row.name) is None:
            self._by_name[row.name] = [len(self.rows)]
            self.rows.append(row)
            return True
        index = self._by_name[row.name][0]
        there = self.rows[index]
        self.rows[index] = there.replace(url=row.url, source=row.source, notes=row.notes)
        return False

    def renew(self, row: LabeledRow) -> None:
        """Give the row of this name every field of ``row``; columns that only the CSV knows stay.

        Raises:
            InputError: the name stands twice, or the row would change sides: a negative stays a negative, and
                a positive keeps a label.
        """
        there = self.find(row.name)
        assert there is not None
        if there.is_negative != row.is_negative:
            what = "a negative would get a label" if there.is_negative else "a positive would lose its label"
            raise InputError(
                f"{self.source}: {shown(row.name)}: {what}", hint="Only a person may do that, in the CSV."
            )
        fields = {name: getattr(row, name) for name in type(row).model_fields}
        self.rows[self._by_name[row.name][0]] = there.replace(**fields)


def refuse_names_twice(source: str, named: Sequence[tuple[str, str]]) -> None:
    """Check that rows which each need a suggestion have names of their own.

    Args:
        source: the file, for the error.
        named: where a row stands in words, and its name.

    Raises:
        InputError: a name stands twice; both places are named.
    """
    first: dict[str, str] = {}
    for where, name in named:
        if name in first:
            raise InputError(
                f"{source}: the name {shown(name)} stands at {first[name]} and at {where}, and both want a "
                "picture",
                hint="Give the two rows different names.",
            )
        first[name] = where
