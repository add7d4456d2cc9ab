"""Which labels need work, and of what kind: missed labels, false alarms, confusions, and a priority table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.analysis import (
    PRIORITY_COLUMNS,
    Action,
    Analysis,
    AnalysisSummary,
    ConfusionPair,
    LabelPictures,
    PriorityEntry,
    PriorityRow,
)
from pipeline.contracts.results import BenchmarkResults, ResultRow
from pipeline.support.documents import write_csv, write_json
from pipeline.support.files import display_path, sha256_file

NAMED = 3
"""Pictures that a note of the priority table names."""


@dataclass(slots=True)
class _Label:
    """The pictures on which a label was expected, missed or wrongly predicted."""

    expected: int = 0
    missed: list[ResultRow] = field(default_factory=list)
    false: list[ResultRow] = field(default_factory=list)

    @property
    def hits(self) -> int:
        return self.expected - len(self.missed)

    @property
    def hit_rate(self) -> float | None:
        return self.hits / self.expected if self.expected else None

    @property
    def score(self) -> float:
        missing_share = 0.0 if self.hit_rate is None else 1 - self.hit_rate
        return 2 * len(self.missed) + len(self.false) + missing_share * self.expected


def analyze_results(
    results: BenchmarkResults,
    *,
    results_path: str,
    results_sha256: str | None,
    generated_at: str,
    top: int | None = None,
) -> Analysis:
    """Rank the labels of benchmark results by how much work they need.

    A label is missed on a picture that expects it (``expected_all`` if not empty, else ``expected_any``, as
    the micro figures count) and on which it is not predicted; it is a false alarm where it is predicted and
    not expected. Score = 2 · missed + false alarms + (1 - hit rate) · expected. A label without either is not
    in the table.

    Args:
        results: what was measured.
        results_path: the results' file as the analysis records it.
        results_sha256: its SHA-256; None where it is no file.
        generated_at: ISO 8601 UTC.
        top: entries of each list that are kept; None keeps all.
    """
    labels = _by_label(results.results)
    confusions = _confusions(results.results)
    ranked = sorted(
        ((label, counts) for label, counts in labels.items() if counts.score > 0),
        key=lambda item: (-item[1].score, -len(item[1].missed), item[0]),
    )
    summary = results.summary
    return Analysis(
        generated_at=generated_at,
        summary=AnalysisSummary(
            results=results_path,
            results_sha256=results_sha256,
            model=summary.model,
            model_sha256=summary.model_sha256,
            labels=summary.labels,
            labels_sha256=summary.labels_sha256,
            manifest=summary.manifest,
            manifest_sha256=summary.manifest_sha256,
            threshold=summary.threshold,
            images_evaluated=len(results.results),
            negative_images=sum(not _expected(row) for row in results.results),
            labels_expected=sum(counts.expected > 0 for counts in labels.values()),
            labels_never_hit=sum(counts.hit_rate == 0 for counts in labels.values()),
            missed=sum(len(counts.missed) for counts in labels.values()),
            false_alarms=sum(len(counts.false) for counts in labels.values()),
            labels_in_need=len(ranked),
        ),
        priority=[
            _entry(rank, label, counts, confusions)
            for rank, (label, counts) in enumerate(ranked[:top], start=1)
        ],
        missed_labels=_listed({label: counts.missed for label, counts in labels.items()})[:top],
        false_alarms=_listed({label: counts.false for label, counts in labels.items()})[:top],
        confusion_pairs=[
            ConfusionPair(expected=expected, predicted=predicted, count=len(names), pictures=names)
            for (expected, predicted), names in confusions.items()
        ][:top],
    )


@dataclass(frozen=True, slots=True)
class AnalysisFiles:
    """An analysis, and where it was written."""

    analysis: Analysis
    path: Path
    priority: Path


def write_analysis(
    results: BenchmarkResults,
    results_file: Path,
    *,
    base: Path,
    generated_at: str,
    out: Path | None = None,
    template_out: Path | None = None,
    top: int | None = None,
) -> AnalysisFiles:
    """Analyse results that are written, and write analysis and priority table.

    Args:
        results: what was measured.
        results_file: where they were written.
        base: what recorded paths are relative to.
        generated_at: ISO 8601 UTC.
        out: the analysis; by default ``x.analysis.json`` beside ``x.json``.
        template_out: the priority table; by default ``x.priority.csv`` beside ``x.json``.
        top: as for `analyze_results`.

    Raises:
        InputError: the results cannot be read again.
        OutputError: a file cannot be written.
    """
    analysis = analyze_results(
        results,
        results_path=display_path(results_file, base),
        results_sha256=sha256_file(results_file),
        generated_at=generated_at,
        top=top,
    )
    written = AnalysisFiles(
        analysis,
        out or results_file.with_suffix(".analysis.json"),
        template_out or results_file.with_suffix(".priority.csv"),
    )
    write_json(written.path, analysis)
    write_csv(written.priority, priority_rows(analysis), PRIORITY_COLUMNS)
    return written


def priority_rows(analysis: Analysis) -> list[PriorityRow]:
    """Return the priority table as rows of ``….priority.csv`` (columns `PRIORITY_COLUMNS`)."""
    return [
        PriorityRow(
            rank=str(entry.rank),
            label=entry.label,
            priority_score=f"{entry.priority_score:g}",
            expected_count=str(entry.expected_count),
            miss_count=str(entry.miss_count),
            hit_count=str(entry.hit_count),
            false_positive_count=str(entry.false_positive_count),
            hit_rate="" if entry.hit_rate is None else f"{entry.hit_rate:g}",
            recommended_action=entry.recommended_action,
            notes=entry.notes,
        )
        for entry in analysis.priority
    ]


def _expected(row: ResultRow) -> list[str]:
    return row.expected_all or row.expected_any


def _by_label(rows: Sequence[ResultRow]) -> dict[str, _Label]:
    labels: dict[str, _Label] = defaultdict(_Label)
    for row in rows:
        expected, predicted = dict.fromkeys(_expected(row)), dict.fromkeys(row.predicted_labels)
        for label in expected:
            labels[label].expected += 1
            if label not in predicted:
                labels[label].missed.append(row)
        for label in predicted:
            if label not in expected:
                labels[label].false.append(row)
    return labels


def _confusions(rows: Sequence[ResultRow]) -> dict[tuple[str, str], list[str]]:
    """Return (missed label, label predicted in its place) to the pictures, the most frequent pair first."""
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        expected, predicted = dict.fromkeys(_expected(row)), dict.fromkeys(row.predicted_labels)
        for missed in expected.keys() - predicted.keys():
            for false in predicted.keys() - expected.keys():
                pairs[missed, false].append(row.name)
    return dict(sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0])))


def _listed(pictures: Mapping[str, Sequence[ResultRow]]) -> list[LabelPictures]:
    listed = [
        LabelPictures(
            label=label,
            count=len(rows),
            on_negatives=sum(not _expected(row) for row in rows),
            pictures=[row.name for row in rows],
        )
        for label, rows in pictures.items()
        if rows
    ]
    return sorted(listed, key=lambda entry: (-entry.count, entry.label))


def _entry(
    rank: int, label: str, counts: _Label, confusions: Mapping[tuple[str, str], Sequence[str]]
) -> PriorityEntry:
    missed, false = len(counts.missed), len(counts.false)
    action: Action = "collect_more_positives" if missed >= false else "add_hard_negatives"
    return PriorityEntry(
        rank=rank,
        label=label,
        priority_score=round(counts.score, 4),
        expected_count=counts.expected,
        miss_count=missed,
        hit_count=counts.hits,
        false_positive_count=false,
        hit_rate=None if counts.hit_rate is None else round(counts.hit_rate, 4),
        recommended_action=action,
        notes=_notes(label, counts, confusions),
    )


def _notes(label: str, counts: _Label, confusions: Mapping[tuple[str, str], Sequence[str]]) -> str:
    notes = []
    if counts.missed:
        notes.append(f"missed on {_names(counts.missed)}")
    taken_for = next((false for missed, false in confusions if missed == label), None)
    if taken_for is not None:
        notes.append(f"most often with {taken_for} in its place")
    if counts.false:
        clean = sum(not _expected(row) for row in counts.false)
        where = f" ({clean} of them negatives)" if clean else ""
        notes.append(f"false alarm on {_names(counts.false)}{where}")
    return "; ".join(notes)


def _names(rows: Sequence[ResultRow]) -> str:
    named = ", ".join(row.name for row in rows[:NAMED])
    return f"{named} and {len(rows) - NAMED} more" if len(rows) > NAMED else named
