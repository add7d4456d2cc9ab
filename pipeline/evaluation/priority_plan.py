"""Which rows of a manifest to find a picture for first: where an error costs most and least is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.planning import Band, PriorityCandidate, PriorityPlan, PrioritySummary
from pipeline.contracts.taxonomy import Taxonomy, VisionClass
from pipeline.contracts.text import normalized_alias
from pipeline.evaluation.depth import depths

CONSEQUENCE = {"dropoff_hhw": 35, "dropoff_other": 20, "trash": 15, "compost": 15, "dropoff_recycle": 15}
"""Points by what is to be done with an item: hazardous waste in the wrong bin does harm, and recycling is
spoilt by what belongs elsewhere."""
OTHER_CONSEQUENCE = 10
CHOICE = 5
"""Points for each further way to go about an item, at most three times."""
ALIKE = 3
"""Points for each other label that shares a word with this one, at most five times: what is called alike
often looks alike."""
UNSEEN, SEEN_ONCE = 25, 10
"""Points where no picture, or one only, is ready: nothing is known of the label, or little."""
REQUIRED = 10
NEGATIVE = 40
"""Points of a negative: every label's false alarms are told by it."""

BANDS: tuple[tuple[int, Band], ...] = ((70, "urgent"), (50, "high"), (35, "medium"), (0, "low"))
_SMALL = frozenset({"and", "or", "the", "with", "for", "other", "than", "of", "in", "on", "to", "from"})


@dataclass(slots=True)
class _Score:
    points: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, points: int, reason: str) -> None:
        if points:
            self.points += points
            self.reasons.append(f"{reason} (+{points})")


def plan_priority(
    taxonomy: Taxonomy,
    manifest: BenchmarkManifest,
    *,
    top: int,
    inputs: dict[str, str | None],
    generated_at: str,
) -> PriorityPlan:
    """Score every row that waits for a picture, 0..100, the most urgent first.

    Args:
        taxonomy: what is to be done with each label's item, and how labels are called.
        manifest: its rows without a picture are scored.
        top: how many are listed apart.
        inputs: what the report records as its input files.
        generated_at: ISO 8601 UTC.
    """
    known: dict[str, VisionClass] = {}
    for entry in taxonomy.vision_classes:
        known.setdefault(entry.canonical_label, entry)
    holders = Counter(word for label in known for word in _words(label))
    ready = depths(manifest.images)
    candidates = [_candidate(row, known, holders, ready) for row in manifest.images if not row.is_ready]
    candidates.sort(key=lambda each: (-each.priority_score, each.canonical_label or "", each.name))
    bands = Counter(each.priority_band for each in candidates)
    return PriorityPlan(
        generated_at=generated_at,
        inputs=inputs,
        summary=PrioritySummary(
            todo_candidates=len(candidates),
            requested_top_n=top,
            priority_band_counts={band: bands[band] for _, band in BANDS},
        ),
        top_candidates=candidates[:top],
        all_candidates=candidates,
    )


def _candidate(
    row: ManifestRow, known: Mapping[str, VisionClass], holders: Counter[str], ready: Mapping[str, int]
) -> PriorityCandidate:
    score = _Score()
    label = None if row.is_negative else row.labels()[0]
    entry = known.get(label) if label is not None else None
    if label is None:
        score.add(NEGATIVE, "negative")
    elif entry is None:
        score.reasons.append("the taxonomy lacks the label")
    else:
        _score_label(score, entry, holders, ready.get(label, 0))
    if label is None or entry is not None:
        score.add(REQUIRED if row.required else 0, "required")
    points = min(score.points, 100)
    return PriorityCandidate(
        name=row.name,
        item_id=row.item_id if entry is None else entry.item_id,
        canonical_label=label,
        primary_outcome=None if entry is None else entry.primary_outcome,
        outcomes=[] if entry is None else entry.outcomes,
        required=row.required,
        status="unmapped" if label is not None and entry is None else "todo",
        priority_score=points,
        priority_band=next(band for least, band in BANDS if points >= least),
        reasons=score.reasons,
    )


def _score_label(score: _Score, entry: VisionClass, holders: Counter[str], pictures: int) -> None:
    outcome = entry.primary_outcome or "no outcome"
    score.add(CONSEQUENCE.get(outcome, OTHER_CONSEQUENCE), outcome)
    ways = len(entry.outcomes)
    score.add(CHOICE * min(max(ways - 1, 0), 3), f"{ways} ways to go about it")
    alike = max((holders[word] - 1 for word in _words(entry.canonical_label)), default=0)
    score.add(ALIKE * min(alike, 5), f"{alike} other labels share a word with it")
    if pictures < 2:
        score.add(SEEN_ONCE if pictures else UNSEEN, "one picture only" if pictures else "no picture yet")


def _words(label: str) -> set[str]:
    return {word for word in normalized_alias(label).split() if len(word) > 2 and word not in _SMALL}
