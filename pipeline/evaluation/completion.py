"""Rows of a manifest filled with the pictures that people found for them in the labeled CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.base import shown
from pipeline.contracts.labeled import LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.support.errors import ContractError, Fault

_DONE = "Completed."

_Line = tuple[int, LabeledRow]


@dataclass(frozen=True, slots=True)
class SourcedRow:
    """A row and the document that its ``url`` stands in, which says what a relative one means."""

    row: ManifestRow
    document: Path
    where: str
    """The row in words, such as ``images[3] (todo_foil)`` or ``line 12 (todo_foil)``."""


@dataclass(slots=True)
class Completion:
    """The rows, and what the labeled CSV gave them."""

    rows: list[SourcedRow]
    filled: int = 0
    appended: int = 0
    unused: list[str] = field(default_factory=list)
    """Rows of the CSV (``line 12 (todo_foil)``) whose name is asked for, but with another item's row."""


def rows_of(manifest: BenchmarkManifest, document: Path) -> list[SourcedRow]:
    """Return a manifest's rows, each with the document it stands in."""
    return [
        SourcedRow(row, document, f"images[{index}] ({row.name})")
        for index, row in enumerate(manifest.images)
    ]


def complete_rows(
    rows: Sequence[SourcedRow], labeled: Sequence[LabeledRow], lines: Sequence[int], *, document: Path
) -> Completion:
    """Fill rows by name and label from the labeled CSV, and append what only the CSV has.

    A row of the CSV fills every row of its name that expects its label (a name may stand under several
    items, one picture serves them all); its ``url`` wins over the one that stands there, since it is what
    people last decided. Rows of the CSV without ``url`` and those that feed retraining are left out. The
    others whose name no row has are appended, not required, in the CSV's order.

    Args:
        rows: what is asked for.
        labeled: the rows of the CSV.
        lines: the line of the CSV that each starts at.
        document: the CSV.

    Raises:
        ContractError: the label is none that the row of this name expects; two rows of the CSV would fill
            one row with different pictures (both are named); a row with a picture has no name.
    """
    by_name: dict[str, list[_Line]] = {}
    for line, row in zip(lines, labeled, strict=True):
        if row.url.strip() and not row.feeds_retraining:
            by_name.setdefault(row.name, []).append((line, row))
    faults = [Fault(f"line {line}, column name", "is empty") for line, _ in by_name.pop("", [])]
    done = Completion([])
    used: set[int] = set()
    asked: set[str] = set()
    for sourced in rows:
        found = by_name.get(sourced.row.name)
        if found is None:
            done.rows.append(sourced)
            continue
        asked.add(sourced.row.name)
        picked = _pick(sourced, found)
        if isinstance(picked, Fault):
            faults.append(picked)
            continue
        used.add(picked[0])
        done.filled += 1
        done.rows.append(_filled(sourced, picked, document))
    if faults:
        raise ContractError(
            str(document),
            faults,
            hint="Correct canonical_label, or tell rows of one name apart by their item_id.",
        )
    for name, found in by_name.items():
        if name not in asked:
            done.rows += [_appended(line, document) for line in found]
            done.appended += len(found)
        else:
            done.unused += [_where(line) for line in found if line[0] not in used]
    return done


def _pick(sourced: SourcedRow, found: list[_Line]) -> _Line | Fault:
    row = sourced.row
    labels = row.labels()
    agreeing = [
        line
        for line in found
        if (line[1].canonical_label.strip() in labels if labels else line[1].is_negative)
    ]
    if not agreeing:
        wanted = ", ".join(shown(label) for label in labels) or "no label (a negative)"
        given = ", ".join(shown(line[1].canonical_label) for line in found)
        return Fault(
            f"{_where(found[0])}, column canonical_label",
            f"{given} does not agree with {sourced.document}: {sourced.where}, which expects {wanted}",
        )
    same_item = [line for line in agreeing if line[1].item_id.strip() == (row.item_id or "")]
    best = same_item or agreeing
    if len({line[1].url.strip() for line in best}) > 1:
        both = " and ".join(_where(line) for line in best)
        return Fault(both, f"give different pictures for {sourced.document}: {sourced.where}")
    return best[0]


def _filled(sourced: SourcedRow, picked: _Line, document: Path) -> SourcedRow:
    row = sourced.row
    notes = row.notes or ""
    if _DONE not in notes:
        notes = f"{notes} {_DONE}".strip()
    filled = row.replace(url=picked[1].url.strip(), status="ready", notes=notes)
    if row.source_url is not None:  # it told where the picture came from that stood here before
        filled = filled.replace(source_url=None)
    return SourcedRow(filled, document, _where(picked))


def _appended(line: _Line, document: Path) -> SourcedRow:
    row = line[1]
    label, item_id, source = row.canonical_label.strip(), row.item_id.strip(), row.source.strip()
    appended = ManifestRow(
        name=row.name,
        url=row.url.strip(),
        expected_any=[label] if label else [],
        expected_all=[],
        required=False,
        status="ready",
        notes="; ".join(part for part in (f"source={source}" if source else "", row.notes.strip()) if part),
    )
    return SourcedRow(appended.replace(item_id=item_id) if item_id else appended, document, _where(line))


def _where(line: _Line) -> str:
    return f"line {line[0]} ({shown(line[1].name).strip(chr(39))})"
