from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.pack import Pack
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.contracts.text import normalized_alias
from pipeline.data.taxonomy import build_taxonomy, labels_that_stand_twice
from pipeline.support.documents import read_json
from pipeline.support.errors import ContractError, InputError


def pack_of(*items: dict[str, object], **more: object) -> Pack:
    filled = [{"keywords": [], "option_cards": [], **item} for item in items]
    place = {} if "jurisdiction" in more else {"municipality": {"name": "Town"}}
    return Pack.model_validate(
        {"pack_id": "p", "pack_version": "1", "retrieved_at": "2026", "items": filled, **place, **more}
    )


def built(*items: dict[str, object], **more: object) -> Taxonomy:
    return build_taxonomy(pack_of(*items, **more), pack_path="p.json", generated_at="t")


def test_the_real_pack_gives_the_counts_that_formats_states(real: Path) -> None:
    pack = read_json(real / "repath-core/fort-collins-co-us.pack.json", Pack)
    taxonomy = build_taxonomy(pack, pack_path="pack.json", generated_at="t")
    assert taxonomy.summary.item_count == 246
    assert taxonomy.summary.alias_count == 1254
    assert taxonomy.summary.normalized_alias_count == 1246
    labels = [entry.canonical_label for entry in taxonomy.vision_classes]
    assert labels == sorted(labels)
    assert list(taxonomy.alias_index) == sorted(taxonomy.alias_index)
    assert taxonomy.alias_index["plastic bottle"] == ["nalgene-bottle", "plastic-container"]
    assert labels_that_stand_twice(taxonomy) == []


def test_aliases_keep_name_first_then_keywords_each_once() -> None:
    entry = built({"id": "can", "name": "Tin Can", "keywords": ["soup can", "Tin Can", " ", "tin-can"]})
    assert entry.vision_classes[0].aliases == ["Tin Can", "soup can", "tin-can"]
    assert entry.vision_classes[0].normalized_aliases == ["tin can", "soup can"]


def test_the_primary_outcome_is_the_card_with_the_lowest_priority_and_none_counts_last() -> None:
    cards = [
        {"id": "a", "kind": "trash"},
        {"id": "b", "kind": "reuse", "priority": 2},
        {"id": "c", "kind": "dropoff", "priority": 1.5},
        {"id": "d", "kind": "reuse", "priority": 1000},
    ]
    entry = built({"id": "x", "name": "X", "option_cards": cards}).vision_classes[0]
    assert entry.primary_outcome == "dropoff"
    assert entry.outcomes == ["trash", "reuse", "dropoff"]
    assert entry.option_card_ids == ["a", "b", "c", "d"]


def test_an_item_without_cards_has_no_primary_outcome() -> None:
    assert built({"id": "x", "name": "X"}).vision_classes[0].primary_outcome is None


def test_an_item_id_that_stands_twice_is_named_with_both_places() -> None:
    with pytest.raises(ContractError, match=r"items\[2\] \(can\)\.id: stands already at items\[0\] \(A\)"):
        built({"id": "can", "name": "A"}, {"id": "b", "name": "B"}, {"id": "can", "name": "C"})


def test_a_pack_that_only_extends_others_is_told_so() -> None:
    with pytest.raises(InputError, match="holds no items: it only extends base-pack"):
        built(extends=["base-pack"])


def test_labels_with_one_slug_are_told_apart_and_none_takes_the_slug_of_another() -> None:
    names = ["Can", "Can 2", "Can!", "can", "日本", "缶"]
    taxonomy = built(*({"id": f"i{n}", "name": name} for n, name in enumerate(names)))
    slugs = {entry.canonical_label: entry.class_id for entry in taxonomy.vision_classes}
    assert slugs == {
        "Can": "can",
        "Can 2": "can-2",
        "Can!": "can-3",
        "can": "can-4",
        "日本": "i4",
        "缶": "i5",
    }


def test_a_label_of_two_items_stays_twice_and_is_reported() -> None:
    taxonomy = built({"id": "b", "name": "Can"}, {"id": "a", "name": "Can"})
    assert [entry.item_id for entry in taxonomy.vision_classes] == ["a", "b"]
    assert labels_that_stand_twice(taxonomy) == ["the label 'Can' stands 2 times: items a, b"]


def test_a_pack_of_a_jurisdiction_keeps_it() -> None:
    source = built({"id": "x", "name": "X"}, jurisdiction={"name": "County"}).to_data()["source"]
    assert source["municipality"] is None
    assert source["jurisdiction"] == {"name": "County"}


names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=90).filter(
    lambda name: bool(name.strip())
)


@given(
    st.lists(st.tuples(names, st.lists(st.text(max_size=8), max_size=4)), min_size=1, max_size=8),
    st.randoms(),
)
def test_any_pack_gives_unique_class_ids_and_the_same_taxonomy_in_any_order(
    items: list[tuple[str, list[str]]], order: object
) -> None:
    made = [{"id": f"i{n}", "name": name, "keywords": words} for n, (name, words) in enumerate(items)]
    taxonomy = built(*made)
    order.shuffle(made)  # type: ignore[attr-defined]
    assert built(*made).to_json() == taxonomy.to_json()
    ids = [entry.class_id for entry in taxonomy.vision_classes]
    assert len(set(ids)) == len(ids)
    assert all(0 < len(entry) <= 80 for entry in ids)
    for entry in taxonomy.vision_classes:
        for alias in entry.aliases:
            key = normalized_alias(alias)
            assert not key or entry.item_id in taxonomy.alias_index[key]
