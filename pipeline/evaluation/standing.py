"""A manifest built again over one that was worked on: what was added or filled there stays."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.evaluation.manifests import NEGATIVES, SEEDED, WANTED

_ASKED = frozenset({WANTED, *(notes for _, notes in NEGATIVES)})


@dataclass(frozen=True, slots=True)
class Standing:
    """The manifest to write, and what of the earlier one stands in it."""

    manifest: BenchmarkManifest
    kept: int
    """Rows that were filled or changed, or that only the earlier manifest has."""
    dropped: int
    """Rows that nobody had touched and that are asked for no more."""


def with_standing_rows(built: BenchmarkManifest, there: BenchmarkManifest) -> Standing:
    """Keep the rows of an earlier manifest that are not as they were built.

    Those that are built again keep their place; the others (negatives and depth variants that were seeded,
    rows of a person, filled rows of a label that the taxonomy lost) follow in their order. A row is told by
    its name and item, since a name may stand under several.

    Args:
        built: what taxonomy and seed ask for.
        there: what stands where it is to be written.
    """
    earlier: dict[tuple[str, str], list[ManifestRow]] = {}
    for row in there.images:
        earlier.setdefault((row.name, row.item_id or ""), []).append(row)
    rows, kept = [], 0
    for row in built.images:
        same = earlier.get((row.name, row.item_id or ""))
        old = same.pop(0) if same else None
        if old is None or _is_as_built(old):
            rows.append(row)
        else:
            kept += 1
            rows.append(old)
    left = {id(row) for same in earlier.values() for row in same}
    more = [row for row in there.images if id(row) in left]
    extra = [row for row in more if not _is_as_built(row)]
    return Standing(
        built.replace(images=[*rows, *extra]), kept=kept + len(extra), dropped=len(more) - len(extra)
    )


def _is_as_built(row: ManifestRow) -> bool:
    """Tell whether a row is as it was built: a placeholder to fill, or a picture of the seed."""
    if row.boxes is not None or row.synced_url is not None:
        return False
    if row.notes == SEEDED:
        return row.status == "ready"
    return row.notes in _ASKED and not row.url and row.status == "todo" and not row.__pydantic_extra__
