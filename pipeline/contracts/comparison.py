"""The comparison of two benchmark results: figures, verdict, changed pictures, gate."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pipeline.contracts.base import Contract, Line, Name, Sha256

COMPARED_FIELDS = (
    "images_evaluated", "micro_precision", "micro_recall", "any_hit_rate", "negative_clean_rate",
    "tp", "fp", "fn", "skipped_unsupported_entries",
)  # fmt: skip

Verdict = Literal["improved", "regressed", "equivalent", "cannot tell"]

ChangeKind = Literal[
    "newly_missed", "new_false_alarm", "changed_label", "newly_found", "gone_false_alarm"
]  # fmt: skip

Difference = Literal["manifest", "threshold", "resize", "topk", "digest"]
"""What two results may differ in only where the user says so."""


class ComparedFigure(Contract):
    """Delta = candidate - baseline, four decimals; null where either side is null."""

    baseline: float | int | None
    candidate: float | int | None
    delta: float | int | None


class Overlap(Contract):
    """The comparison over the rows that both sides measured alike."""

    rows: int
    baseline_summary: dict[str, Any]
    candidate_summary: dict[str, Any]
    comparison: dict[str, ComparedFigure]


class Discordant(Contract):
    """Pictures on which the two models differ: right with one, wrong with the other."""

    gained: int
    lost: int


class FigureVerdict(Contract):
    """One figure over the overlap rows, with what can be said of its change."""

    figure: Line
    cases: int
    """Pictures that the figure is measured on."""
    baseline: float | None
    candidate: float | None
    delta: float | None
    interval: list[float] | None = Field(min_length=2, max_length=2)
    """95% interval of the delta, from a paired bootstrap over pictures."""
    equivalence_interval: list[float] | None = Field(min_length=2, max_length=2)
    """90% interval, at least as wide as the number of pictures allows: what equivalence is judged by."""
    test: Line
    p_value: float | None
    discordant: Discordant | None
    margin: float
    verdict: Verdict
    smallest_detectable: float | None
    """The smallest change that these pictures would have shown four times in five."""
    more_pictures: int | None
    """How many more pictures of the same kind would show the observed change as often; null where there is
    none, 0 where it is shown already."""


class LabelChange(Contract):
    """How often a label was found on the overlap rows that expect it."""

    label: Line
    cases: int
    baseline_hits: int
    candidate_hits: int
    gained: int
    lost: int
    p_value: float | None
    p_holm: float | None
    verdict: Verdict


class PictureChange(Contract):
    """One picture that the two models see differently, compared with what is expected of it."""

    name: Name
    url: Line
    kind: ChangeKind
    """The gravest of ``kinds``."""
    kinds: list[ChangeKind]
    expected: list[Line]
    baseline_labels: list[Line]
    candidate_labels: list[Line]
    importance: float


class Method(Contract):
    """How the statistics were made, so that they can be made again."""

    resamples: int
    seed: int
    level: float
    power: float


class Statistics(Contract):
    """The verdict on the whole and on each figure."""

    verdict: Verdict
    sentence: Line
    method: Method
    figures: list[FigureVerdict]
    labels: list[LabelChange]


class GateReason(Contract):
    """One condition of ``[gate]`` and how it came out."""

    condition: Line
    outcome: Literal["met", "not met", "cannot tell"]
    words: Line


class GateReport(Contract):
    """What the gate says: ``passed`` is false where a condition is not met, or blocks when it cannot tell."""

    passed: bool
    reasons: list[GateReason]


class Comparison(Contract):
    """``latest-results.compare.json``; without a baseline (a first release) its side is null."""

    generated_at: Line | None = None
    baseline: Line | None
    candidate: Line
    comparison: dict[str, ComparedFigure]
    overlap: Overlap
    notes: list[Line] = Field(default_factory=list)
    """What the reader must know, such as a difference that was allowed."""
    allowed_differences: list[Difference] = Field(default_factory=list)
    digests: dict[str, dict[str, Sha256 | None]] | None = None
    """SHA-256 of model, labels and manifest of each side, as the results name them."""
    statistics: Statistics | None = None
    changes: list[PictureChange] | None = None
    gate: GateReport | None = None
