"""A manifest looked over: repeated names and pictures, unknown labels, balance, and what to do about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from pipeline.contracts.analysis import (
    Audit,
    AuditCounts,
    Balance,
    Distributions,
    RepeatedName,
    RepeatedSource,
    UnknownLabel,
)
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.contracts.text import note_value
from pipeline.support.commons_urls import source_key
from pipeline.support.labels import nearest_labels
from pipeline.support.sources import is_remote

LARGEST = 5
EXPLAINED = 100
"""Unknown labels for which the nearest known ones are looked up."""
MIN_NEGATIVE_SHARE = 0.1
"""Below this share of negatives the rate of clean negatives rests on few pictures."""


def audit_dataset(
    manifest: BenchmarkManifest, taxonomy: Taxonomy, *, inputs: dict[str, str], generated_at: str
) -> Audit:
    """Look a manifest over against a taxonomy.

    Two rows show one picture where their urls have one `source_key`. Balance and distributions are over ready
    rows; shares are of the taxonomy's labels.

    Args:
        manifest: the rows.
        taxonomy: the labels that they should name.
        inputs: what the audit records as its input files.
        generated_at: ISO 8601 UTC.
    """
    rows = manifest.images
    ready = [row for row in rows if row.is_ready]
    per_label = Counter(label for row in ready for label in row.labels())
    known = [entry.canonical_label for entry in taxonomy.vision_classes]
    names, sources = _repeated_names(rows), _repeated_sources(rows)
    unknown = _unknown(rows, taxonomy)
    without = sorted(label for label in known if not per_label[label])
    negatives = sum(row.is_negative for row in ready)
    balance = Balance(
        labels=len(known),
        labels_without_picture=len(without),
        labels_with_one_picture=sum(per_label[label] == 1 for label in known),
        pictures_per_label_mean=round(sum(per_label[label] for label in known) / len(known), 4)
        if known
        else None,
        pictures_per_label_max=max((per_label[label] for label in known), default=0),
        largest=[label for label, _ in sorted(per_label.items(), key=lambda item: (-item[1], item[0]))][
            :LARGEST
        ],
        negative_share=round(negatives / len(ready), 4) if ready else None,
    )
    return Audit(
        generated_at=generated_at,
        inputs=dict(inputs),
        counts=AuditCounts(
            rows=len(rows),
            ready=len(ready),
            todo=len(rows) - len(ready),
            missing_url=sum(not row.url for row in rows),
            ready_positives=len(ready) - negatives,
            ready_negatives=negatives,
            with_boxes=sum(row.boxes is not None for row in ready),
        ),
        duplicate_names=names,
        duplicate_sources=sources,
        unknown_labels=unknown,
        balance=balance,
        distributions=Distributions(
            pictures_per_label=_ordered(per_label[label] for label in known),
            labels_per_picture=_ordered(len(row.labels()) for row in ready),
            by_place=_by_count(_place(row.url) for row in ready),
            by_source=_by_count(note_value(row.notes or "", "source") or "" for row in ready),
        ),
        labels_without_picture=without,
        recommendations=_recommendations(names, sources, unknown, balance, negatives),
    )


def _repeated_names(rows: Sequence[ManifestRow]) -> list[RepeatedName]:
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        by_name[row.name].append(index)
    return [
        RepeatedName(name=name, count=len(where), rows=where)
        for name, where in by_name.items()
        if len(where) > 1
    ]


def _repeated_sources(rows: Sequence[ManifestRow]) -> list[RepeatedSource]:
    by_source: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        key = source_key(row.source_url or row.url)
        if key:
            by_source[key].append(index)
    return [
        RepeatedSource(
            source=key,
            count=len(where),
            rows=where,
            names=list(dict.fromkeys(rows[index].name for index in where)),
            urls=list(dict.fromkeys(rows[index].url for index in where)),
            same_expectation=len({frozenset(rows[index].labels()) for index in where}) == 1,
        )
        for key, where in by_source.items()
        if len(where) > 1
    ]


def _unknown(rows: Sequence[ManifestRow], taxonomy: Taxonomy) -> list[UnknownLabel]:
    known = {entry.canonical_label for entry in taxonomy.vision_classes}
    where: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        for label in row.labels():
            if label not in known:
                where[label].append(index)
    return [
        UnknownLabel(
            label=label,
            rows=where[label],
            nearest=nearest_labels(taxonomy, label) if number < EXPLAINED else [],
        )
        for number, label in enumerate(sorted(where))
    ]


def _place(url: str) -> str:
    return (urlsplit(url).hostname or "local") if is_remote(url) else "local"


def _ordered(numbers: Iterable[int]) -> dict[str, int]:
    return {str(number): count for number, count in sorted(Counter(numbers).items())}


def _by_count(values: Iterable[str]) -> dict[str, int]:
    ranked = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return {value or "unknown": count for value, count in ranked}


def _recommendations(
    names: Sequence[RepeatedName],
    sources: Sequence[RepeatedSource],
    unknown: Sequence[UnknownLabel],
    balance: Balance,
    negatives: int,
) -> list[str]:
    at_odds = [entry for entry in sources if not entry.same_expectation]
    repeated = len(sources) - len(at_odds)
    advice = []
    if names:
        advice.append(f"Rename {_named([entry.name for entry in names])}: a name should stand once.")
    if at_odds:
        advice.append(
            f"Look at {_named([entry.names[0] for entry in at_odds])}: rows that show one picture expect "
            "different labels of it, so that a right answer is a miss or a false alarm on another row."
        )
    if repeated:
        advice.append(
            f"Keep one row of each of the {repeated} pictures that stand several times with the same labels: "
            "they count several times in every rate."
        )
    if unknown:
        lacking = _named([entry.label for entry in unknown])
        advice.append(f"Correct {lacking}, or add them to the pack: the taxonomy lacks them.")
    if balance.labels_without_picture:
        without = f"{balance.labels_without_picture} of {balance.labels} labels"
        advice.append(f"Find a picture for {without}: nothing is known of them.")
    if balance.labels_with_one_picture:
        single = f"{balance.labels_with_one_picture} labels that have one"
        advice.append(f"Find more pictures for {single}: their hit rate can only be 0 or 1.")
    if balance.negative_share is not None and balance.negative_share < MIN_NEGATIVE_SHARE:
        advice.append(
            f"Add negatives: {negatives} ready rows expect nothing, too few to tell false alarms by."
        )
    return advice


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:LARGEST])
    return f"{shown} and {len(names) - LARGEST} more" if len(names) > LARGEST else shown
