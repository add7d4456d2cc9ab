"""Retraining manifest: the rows of a labeled CSV that the next candidate learns from."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.contracts.labeled import RETRAIN_NEGATIVE_PREFIX, LabeledRow
from pipeline.contracts.retraining import RetrainingManifest, RetrainingSample
from pipeline.support.errors import ContractError, Fault

HINT = (
    f"A row named {RETRAIN_NEGATIVE_PREFIX}* is a negative and has no canonical_label; every other retrain_* "
    "row is a positive and has one."
)


def retraining_rows(rows: Sequence[LabeledRow], lines: Sequence[int]) -> list[tuple[int, LabeledRow]]:
    """Return the rows that feed retraining, each with the line of the CSV it starts at."""
    return [(line, row) for line, row in zip(lines, rows, strict=True) if row.feeds_retraining]


def build_retraining_manifest(
    rows: Sequence[tuple[int, LabeledRow]], *, source_csv: str, generated_at: str
) -> RetrainingManifest:
    """Turn the retraining rows of a labeled CSV into samples, in the CSV's order.

    A row without ``url`` has no picture yet: it becomes no sample, and is counted and named in the manifest.

    Args:
        rows: rows named ``retrain_*``, each with its line in the CSV (`retraining_rows`).
        source_csv: the CSV as the manifest records it, and for errors.
        generated_at: ISO 8601 UTC.

    Raises:
        ContractError: a name stands twice (both lines are named), a negative has a label, or a positive has
            none.
    """
    faults = _faults(rows)
    if faults:
        raise ContractError(source_csv, faults, hint=HINT)
    samples = [_sample(row) for _, row in rows if row.url.strip()]
    negatives = sum(sample.is_negative for sample in samples)
    return RetrainingManifest(
        generated_at=generated_at,
        source_csv=source_csv,
        sample_count=len(samples),
        positive_count=len(samples) - negatives,
        negative_count=negatives,
        without_url=[row.name for _, row in rows if not row.url.strip()],
        samples=samples,
    )


_FIELDS = set(RetrainingSample.model_fields)


def _sample(row: LabeledRow) -> RetrainingSample:
    # The row was validated when it was read, and `_faults` looked at what a sample asks for beyond that.
    label = row.canonical_label.strip() or None
    return RetrainingSample.trusted(
        _FIELDS,
        {
            "id": row.name,
            "image": row.url.strip(),
            "label": label,
            "is_negative": label is None,
            "source": row.source,
            "notes": row.notes,
        },
    )


def _faults(rows: Sequence[tuple[int, LabeledRow]]) -> list[Fault]:
    faults = []
    first_line: dict[str, int] = {}
    for line, row in rows:
        first = first_line.setdefault(row.name, line)
        if first != line:
            problem = f"this name stands on line {first} already; a sample's name must be unique"
            faults.append(Fault(f"line {line} ({row.name}), column name", problem))
        negative = row.is_negative
        if negative != row.name.startswith(RETRAIN_NEGATIVE_PREFIX):
            if negative:
                problem = (
                    f"this positive has no label; a negative's name begins with {RETRAIN_NEGATIVE_PREFIX}"
                )
            else:
                problem = f"a negative has no label, and this one has {row.canonical_label!r}"
            faults.append(Fault(f"line {line} ({row.name}), column canonical_label", problem))
    return faults
