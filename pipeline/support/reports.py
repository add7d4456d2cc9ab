"""Reports that are written again only where they say something new."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pipeline.contracts.base import Contract
from pipeline.support.documents import load_json, write_json
from pipeline.support.errors import InputError


def write_report(path: Path, report: Contract, *, ignoring: Collection[str] = ()) -> bool:
    """Write a report; one that differs from what stands there in ``generated_at`` alone stays as it is.

    So a command that is run twice leaves the same bytes, whatever the time is.

    Args:
        path: where it goes.
        report: what it says.
        ignoring: further fields in which it may differ and stay: what the last run did, where this one found
            nothing to do.

    Returns:
        Whether it was written.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        there = load_json(path)
    except InputError:  # missing or broken: what stands there is no report, and is replaced
        there = None
    said = report.to_data()
    aside = {"generated_at", *ignoring}
    if isinstance(there, dict) and _without(there, aside) == _without(said, aside):
        return False
    write_json(path, report)
    return True


def _without(data: dict[str, object], aside: set[str]) -> dict[str, object]:
    return {key: value for key, value in data.items() if key not in aside}
