"""The report's tables: confusion, leaked pairs, and where every number comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.leakage import Leak, LeakageReport
from pipeline.contracts.results import BenchmarkResults, ResultRow
from pipeline.evaluation.report_pictures import embedded

MOST_LABELS = 16
MOST_PAIRS = 60
_LEVELS = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """A count, how strongly it is coloured (0 to 5, by its share of the row), and whether it is right."""

    count: int
    level: int
    right: bool


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """What became of one expected label."""

    label: str | None
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Expected labels down, predicted across; None stands for nothing at all."""

    columns: list[str | None]
    rows: list[MatrixRow]
    left_out: int


@dataclass(frozen=True, slots=True)
class LeakView:
    """A leaked picture beside the one that training saw."""

    leak: Leak
    benchmark: str | None
    training: str | None


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the provenance, with a value for each side; digests are set in small type."""

    name: str
    values: list[str]
    is_digest: bool = False


def picture_matrix(rows: Sequence[ResultRow]) -> Matrix:
    """Count expected against predicted labels over pictures.

    A missed label counts against every wrong label of its picture, or against nothing; a wrong label counts
    against nothing where its picture misses none.
    """
    counts: Counter[tuple[str | None, str | None]] = Counter()
    for row in rows:
        expected, found = set(row.expected_all or row.expected_any), set(row.predicted_labels)
        missed, wrong = expected - found, found - expected
        counts.update((label, label) for label in expected & found)
        in_place: list[str | None] = [*wrong] or [None]
        counts.update((label, other) for label in missed for other in in_place)
        if not missed:
            counts.update((None, other) for other in wrong)
    return matrix_of(counts)


def matrix_of(counts: Mapping[tuple[str | None, str | None], int]) -> Matrix:
    """Lay counts of (expected, predicted) out; where labels are many, those with the most errors stay."""
    errors: Counter[str] = Counter()
    for (expected, predicted), count in counts.items():
        for label in {expected, predicted} - {None}:
            errors[str(label)] += count if expected != predicted else 0
    kept = sorted(sorted(errors, key=lambda label: (-errors[label], label))[:MOST_LABELS])
    axis: list[str | None] = [*kept, None]
    rows = []
    for expected in axis:
        cells = [counts.get((expected, predicted), 0) for predicted in axis]
        total = sum(cells)
        drawn = [
            Cell(count, _level(count, total), expected == predicted)
            for count, predicted in zip(cells, axis, strict=True)
        ]
        rows.append(MatrixRow(expected, drawn))
    return Matrix(axis, rows, len(errors) - len(kept))


def _level(count: int, total: int) -> int:
    return 0 if not count else max(1, round(_LEVELS * count / total))


def leak_views(report: LeakageReport | None) -> list[LeakView]:
    """Return the leaked pairs that are shown, with both thumbnails where the report holds them."""
    leaks = report.leaks[:MOST_PAIRS] if report is not None else []
    return [
        LeakView(
            leak,
            embedded(leak.thumbnails.benchmark) if leak.thumbnails else None,
            embedded(leak.thumbnails.training) if leak.thumbnails else None,
        )
        for leak in leaks
    ]


def facts_of(
    comparison: Comparison, baseline: BenchmarkResults | None, candidate: BenchmarkResults
) -> list[Fact]:
    """Return what both sides were measured with, line by line; what neither says is left out."""
    sides = [candidate] if baseline is None else [baseline, candidate]
    paths = [comparison.candidate] if baseline is None else [comparison.baseline or "", comparison.candidate]
    facts = [Fact("Results", paths), Fact("Measured at", [side.generated_at or "" for side in sides])]
    for name, field, is_digest in _FIELDS:
        facts.append(Fact(name, [_said(getattr(side.summary, field)) for side in sides], is_digest))
    libraries = sorted({name for side in sides for name in side.summary.versions or {}})
    facts += [
        Fact(name, [(side.summary.versions or {}).get(name, "") for side in sides]) for name in libraries
    ]
    facts.append(Fact("Latency (median, p95)", [_latency(side) for side in sides]))
    return [fact for fact in facts if any(fact.values)]


_FIELDS = (
    ("Model", "model", False), ("Model SHA-256", "model_sha256", True),
    ("Labels", "labels", False), ("Labels SHA-256", "labels_sha256", True),
    ("Manifest", "manifest", False), ("Manifest SHA-256", "manifest_sha256", True),
    ("Leakage digest", "leakage_digest", True),
    ("Pictures", "images_evaluated", False), ("Unreadable pictures", "unreadable_entries", False),
    ("Skipped as unsupported", "skipped_unsupported_entries", False),
    ("Threshold", "threshold", False), ("Labels a picture (topk)", "topk", False),
    ("Resize", "resize", False), ("Filter", "filter", False), ("Input size", "input_size", False),
    ("Reduced decode", "reduced_decode", False), ("Runtime", "runtime", False),
)  # fmt: skip


def _said(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " × ".join(str(each) for each in value)
    return str(value)


def _latency(results: BenchmarkResults) -> str:
    timing = results.timing
    if timing is None or timing.latency_ms.p50 is None or timing.latency_ms.p95 is None:
        return ""
    return f"{timing.latency_ms.p50:.0f} ms, {timing.latency_ms.p95:.0f} ms"
