"""The taxonomy: every label a detector of this municipality may learn, with its aliases and outcomes."""

from __future__ import annotations

from pipeline.contracts.base import Contract, Line, Name

TAXONOMY_ID = "municipal-taxonomy-v1"


class TaxonomySource(Contract):
    """The pack that a taxonomy was built from."""

    pack_id: Line
    pack_version: Line
    retrieved_at: Line
    municipality: dict[str, object] | None
    pack_path: Line


class TaxonomySummary(Contract):
    """Counts over the whole taxonomy."""

    item_count: int
    alias_count: int
    normalized_alias_count: int
    outcome_counts: dict[str, int]


class VisionClass(Contract):
    """One label: its slug, its aliases as written and normalised, and what the pack says to do with it."""

    item_id: Name
    canonical_label: Name
    class_id: Line
    aliases: list[str]
    normalized_aliases: list[str]
    outcomes: list[str]
    primary_outcome: Line | None
    option_card_ids: list[str]


class Taxonomy(Contract):
    """``municipal-taxonomy-v1.json``: the labels of a municipality, with aliases and outcomes."""

    taxonomy_id: Line
    generated_at: Line
    source: TaxonomySource
    summary: TaxonomySummary
    vision_classes: list[VisionClass]
    alias_index: dict[str, list[str]]
