"""Shards of one run: which pictures each takes, and their results joined into those of the whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.contracts.base import shown
from pipeline.contracts.results import BenchmarkResults, Shard
from pipeline.evaluation.assemble import SETTINGS, Measured, assemble, require_readable
from pipeline.support.errors import InputError, UsageError


def parse_shard(text: str) -> Shard:
    """Read ``i/n``: the i-th of n shards, counted from 1.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text, re.ASCII)
    if not match or int(match[1]) > int(match[2]):
        raise UsageError(f"{text!r} is no shard: give i/n with 1 ≤ i ≤ n, such as 2/4")
    return Shard(index=int(match[1]), count=int(match[2]))


def merge_results(
    parts: Sequence[tuple[str, BenchmarkResults]], *, max_unreadable: float, generated_at: str
) -> BenchmarkResults:
    """Join the results of all shards of one run; the figures are computed anew from the rows.

    Args:
        parts: file name and results of each shard, in any order.
        max_unreadable: the share of pictures, 0..1, that may be unreadable.
        generated_at: the time of the merged file.

    Raises:
        InputError: a file is no shard, a shard is missing or stands twice, the shards differ in what or how
            they measured, or too many pictures could not be read.
        MissingExtraError: boxes are known and hotcoco is not installed.
    """
    _require_complete(parts)
    first_name, first = parts[0]
    settings = _settings(first)
    for name, part in parts[1:]:
        _require_same(first_name, settings, name, _settings(part))
    overlaps = [part.training_overlap for _, part in parts]
    measured = Measured(
        settings={name: settings[name] for name in SETTINGS},
        min_negative_clean_rate=settings["min_negative_clean_rate"],
        sources=settings["sources"] or {},
        rows=[row for _, part in parts for row in part.results],
        box_pictures=[row for _, part in parts for row in part.box_pictures or []],
        unreadable=[entry for _, part in parts for entry in part.unreadable or []],
        overlap=None if None in overlaps else [entry for part in overlaps for entry in part or []],
    )
    pictures = len(measured.rows) + len(measured.box_pictures) + len(measured.unreadable)
    source = settings["manifest"]
    require_readable(measured.unreadable, pictures, limit=max_unreadable, source=source)
    timings = [part.timing for _, part in parts if part.timing]
    return assemble(
        measured,
        generated_at=generated_at,
        # Shards run side by side: the slowest is how long it took.
        wall_s=max((timing.wall_s for timing in timings), default=0.0),
        workers=sum(timing.workers for timing in timings),
    )


def _require_complete(parts: Sequence[tuple[str, BenchmarkResults]]) -> None:
    if not parts:
        raise InputError("there are no shards to merge")
    seen: dict[int, str] = {}
    counts = set()
    for name, part in parts:
        if part.shard is None:
            raise InputError(
                f"{name} is no shard: it covers the whole manifest", hint="Shards are made with --shard i/n."
            )
        if part.shard.index in seen:
            raise InputError(f"shard {part.shard.index} stands twice: {seen[part.shard.index]} and {name}")
        seen[part.shard.index] = name
        counts.add(part.shard.count)
    if len(counts) > 1:
        raise InputError(f"the files are shards of different runs: {sorted(counts)} shards")
    missing = sorted(set(range(1, counts.pop() + 1)) - seen.keys())
    if missing:
        raise InputError(f"shards are missing: {', '.join(map(str, missing))}")


def _settings(results: BenchmarkResults) -> dict[str, Any]:
    return {
        **{name: getattr(results.summary, name) for name in SETTINGS},
        "sources": results.sources,
        "min_negative_clean_rate": results.sweep.min_negative_clean_rate if results.sweep else None,
    }


def _require_same(first_name: str, first: dict[str, Any], other_name: str, other: dict[str, Any]) -> None:
    for name, value in first.items():
        if other[name] != value:
            raise InputError(
                f"{first_name} and {other_name} are of different runs: {name} is {shown(value)} and "
                f"{shown(other[name])}",
                hint="Run all shards with the same files and settings.",
            )
