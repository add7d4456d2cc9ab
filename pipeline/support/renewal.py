"""A table written again over one that people may have worked in: what a person changed wins.

The caller says of a row whether it is as the program wrote it. Such rows follow what is wanted now; every
other row stays whole, wanted or not, and is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from pipeline.contracts.base import shown
from pipeline.support.errors import InputError


class _Named(Protocol):
    @property
    def name(self) -> str: ...


R = TypeVar("R", bound=_Named)


@dataclass(frozen=True, slots=True)
class Kept:
    """A row that a person has changed: it stands as it is."""

    name: str
    fields: tuple[str, ...]
    """The fields in which it differs from what would be written now; empty where it is no longer wanted."""

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(self.fields) if self.fields else 'no longer asked for'}"


@dataclass(slots=True)
class Renewed(Generic[R]):
    """The table as it is to be written, and what became of the rows that stood there."""

    rows: list[R] = field(default_factory=list)
    added: int = 0
    renewed: int = 0
    dropped: int = 0
    kept: list[Kept] = field(default_factory=list)


def renew(
    wanted: Sequence[R],
    there: Sequence[R],
    lines: Sequence[int],
    *,
    as_written: Callable[[R], bool],
    columns: Sequence[str],
    source: str,
) -> Renewed[R]:
    """Bring a table up to date without touching what a person changed.

    The order is that of ``wanted``; changed rows that are wanted no more follow in the order they stood.

    Args:
        wanted: the rows to be there, each name once.
        there: the rows that stand there.
        lines: the line of each, for errors.
        as_written: whether a row is as the program wrote it.
        columns: the fields that are compared.
        source: the table's file, for errors.

    Raises:
        InputError: a name stands twice in the table, so that it cannot be told which one is meant.
    """
    by_name: dict[str, R] = {}
    first: dict[str, int] = {}
    for row, line in zip(there, lines, strict=True):
        if row.name in by_name:
            raise InputError(
                f"{source}: the name {shown(row.name)} stands on line {first[row.name]} and on line {line}",
                hint="Give the two rows different names, or remove one.",
            )
        by_name[row.name], first[row.name] = row, line
    done: Renewed[R] = Renewed()
    for row in wanted:
        old = by_name.pop(row.name, None)
        if old is None:
            done.added += 1
            done.rows.append(row)
            continue
        differing = tuple(name for name in columns if getattr(row, name) != getattr(old, name))
        if not differing:
            done.rows.append(old)
        elif as_written(old):
            done.renewed += 1
            done.rows.append(row)
        else:
            done.kept.append(Kept(row.name, differing))
            done.rows.append(old)
    for old in by_name.values():
        if as_written(old):
            done.dropped += 1
        else:
            done.kept.append(Kept(old.name, ()))
            done.rows.append(old)
    return done
