"""From a municipality's pack to the taxonomy: every label, its aliases, and where the item belongs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipeline.contracts.pack import OptionCard, Pack, PackItem
from pipeline.contracts.taxonomy import TAXONOMY_ID, Taxonomy, TaxonomySource, TaxonomySummary, VisionClass
from pipeline.contracts.text import normalized_alias, slug
from pipeline.support.errors import ContractError, Fault, InputError

NO_PRIORITY = 999
"""The priority of an option card that names none."""
_SLUG_LIMIT = 80
_ALL_FIELDS = set(VisionClass.model_fields)


def build_taxonomy(pack: Pack, *, pack_path: str, generated_at: str) -> Taxonomy:
    """Build the taxonomy of a pack's items, sorted by label.

    Two items may carry the same label: both stay, told apart by ``item_id``. Where two labels give one slug,
    the second and later ones get ``-2``, ``-3``, …, in the order of the taxonomy.

    Args:
        pack: the pack.
        pack_path: its path as the taxonomy records it.
        generated_at: ISO 8601 UTC.

    Raises:
        InputError: the pack holds no items.
        ContractError: an item id stands twice.
    """
    if not pack.items:
        extends = f": it only extends {', '.join(pack.extends)}" if pack.extends else ""
        raise InputError(
            f"{pack_path}: the pack {pack.pack_id!r} holds no items{extends}",
            hint="Give the pack that holds the items.",
        )
    _refuse_same_ids(pack.items, pack_path)
    items = sorted(pack.items, key=lambda item: (item.name.strip(), item.id))
    classes = [_vision_class(item) for item in items]
    _tell_slugs_apart(classes)
    outcomes = Counter(kind for entry in classes for kind in entry.outcomes)
    source = TaxonomySource(
        pack_id=pack.pack_id,
        pack_version=pack.pack_version,
        retrieved_at=pack.retrieved_at,
        municipality=pack.municipality,
        pack_path=pack_path,
    )
    if pack.jurisdiction is not None:
        source = source.replace(jurisdiction=pack.jurisdiction)
    return Taxonomy(
        taxonomy_id=TAXONOMY_ID,
        generated_at=generated_at,
        source=source,
        summary=TaxonomySummary(
            item_count=len(classes),
            alias_count=sum(len(entry.aliases) for entry in classes),
            normalized_alias_count=sum(len(entry.normalized_aliases) for entry in classes),
            outcome_counts=dict(sorted(outcomes.items())),
        ),
        vision_classes=classes,
        alias_index=_alias_index(classes),
    )


def labels_that_stand_twice(taxonomy: Taxonomy) -> list[str]:
    """Return a sentence for each label that more than one item carries, naming the items."""
    holders: dict[str, list[str]] = {}
    for entry in taxonomy.vision_classes:
        holders.setdefault(entry.canonical_label, []).append(entry.item_id)
    return [
        f"the label {label!r} stands {len(items)} times: items {', '.join(items)}"
        for label, items in holders.items()
        if len(items) > 1
    ]


def _refuse_same_ids(items: Sequence[PackItem], pack_path: str) -> None:
    first: dict[str, int] = {}
    faults = []
    for index, item in enumerate(items):
        at = first.setdefault(item.id, index)
        if at != index:
            problem = f"stands already at items[{at}] ({items[at].name}); this one is {item.name!r}"
            faults.append(Fault(f"items[{index}] ({item.id}).id", problem))
    if faults:
        raise ContractError(pack_path, faults, hint="An item id names one item; rename or remove the other.")


def _vision_class(item: PackItem) -> VisionClass:
    aliases = _unique([item.name, *item.keywords])
    # Everything here comes out of a validated pack: validating 200,000 of them again would take a second.
    return VisionClass.trusted(
        _ALL_FIELDS,
        {
            "item_id": item.id,
            "canonical_label": item.name.strip(),
            "class_id": slug(item.name, limit=_SLUG_LIMIT) or slug(item.id, limit=_SLUG_LIMIT) or "item",
            "aliases": aliases,
            "normalized_aliases": _unique([normalized_alias(alias) for alias in aliases]),
            "outcomes": _unique([card.kind for card in item.option_cards]),
            "primary_outcome": _primary_outcome(item.option_cards),
            "option_card_ids": [card.id for card in item.option_cards],
        },
    )


def _unique(texts: Sequence[str]) -> list[str]:
    stripped = dict.fromkeys(text.strip() for text in texts)
    stripped.pop("", None)
    return list(stripped)


def _primary_outcome(cards: Sequence[OptionCard]) -> str | None:
    if not cards:
        return None
    best = min(cards, key=lambda card: NO_PRIORITY if card.priority is None else card.priority)
    return best.kind


def _tell_slugs_apart(classes: Sequence[VisionClass]) -> None:
    counts = Counter(entry.class_id for entry in classes)
    taken = set(counts)
    met: Counter[str] = Counter()
    for entry in classes:
        base = entry.class_id
        met[base] += 1
        if met[base] == 1:
            continue
        # Such a name may be another label's own slug (`Can`, `Can!`, `Can 2`): count on until one is free.
        while (candidate := _numbered(base, met[base])) in taken:
            met[base] += 1
        taken.add(candidate)
        entry.class_id = candidate


def _numbered(base: str, number: int) -> str:
    ending = f"-{number}"
    return base[: _SLUG_LIMIT - len(ending)].rstrip("-") + ending


def _alias_index(classes: Sequence[VisionClass]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for entry in classes:
        for alias in entry.normalized_aliases:
            index.setdefault(alias, []).append(entry.item_id)
    return {alias: sorted(index[alias]) for alias in sorted(index)}
