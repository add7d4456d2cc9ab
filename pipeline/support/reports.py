"""Reports that are written again only where they say something new, together with what they tell of."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pipeline.contracts.base import Contract
from pipeline.support.documents import json_bytes, load_json
from pipeline.support.errors import InputError
from pipeline.support.together import Placement, place_together


def write_report(
    path: Path | None,
    report: Contract,
    *,
    beside: Collection[Placement] = (),
    ignoring: Collection[str] = (),
) -> bool:
    """Write a report and the files that it tells of, all or none.

    A report that differs from what stands there in ``generated_at`` alone stays as it is: so a command that
    is run twice leaves the same bytes, whatever the time is.

    Args:
        path: where the report goes; None where none is wanted.
        report: what it says.
        beside: the other files.
        ignoring: further fields in which it may differ and stay: what the last run did, where this one found
            nothing to do.

    Returns:
        Whether the report was written.

    Raises:
        OutputError: a file cannot be written; all are as they were before.
    """
    wanted = path is not None and not _says_the_same(path, report, {"generated_at", *ignoring})
    placements = [*beside]
    if path is not None and wanted:
        placements.append(Placement(path, json_bytes(report)))
    place_together(placements)
    return wanted


def _says_the_same(path: Path, report: Contract, aside: set[str]) -> bool:
    try:
        there = load_json(path)
    except InputError:  # missing or broken: what stands there is no report, and is replaced
        return False
    return isinstance(there, dict) and _without(there, aside) == _without(report.to_data(), aside)


def _without(data: dict[str, object], aside: set[str]) -> dict[str, object]:
    return {key: value for key, value in data.items() if key not in aside}
