from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import pytest

from pipeline.contracts.taxonomy import Taxonomy, TaxonomySource, TaxonomySummary, VisionClass
from pipeline.support.errors import UnknownLabelError
from pipeline.support.labels import nearest_labels, require_known_labels


def taxonomy_of(labels: Mapping[str, Iterable[str]]) -> Taxonomy:
    classes = [
        VisionClass(
            item_id=label.lower(),
            canonical_label=label,
            class_id=label.lower(),
            aliases=[label, *aliases],
            normalized_aliases=[],
            outcomes=[],
            primary_outcome=None,
            option_card_ids=[],
        )
        for label, aliases in labels.items()
    ]
    return Taxonomy(
        taxonomy_id="t",
        generated_at="",
        source=TaxonomySource(
            pack_id="p", pack_version="1", retrieved_at="", municipality=None, pack_path="p.json"
        ),
        summary=TaxonomySummary(item_count=0, alias_count=0, normalized_alias_count=0, outcome_counts={}),
        vision_classes=classes,
        alias_index={},
    )


HOUSEHOLD = taxonomy_of(
    {
        "Aluminum Can": ["beer can", "soda can"],
        "Cardboard": ["moving box"],
        "Plastic Container": ["Plastic Tub", "Plastic Bottle"],
        "Nalgene Bottle": ["plastic bottle", "water bottle"],
        "Plastic Jug": ["milk jug"],
    }
)


def test_known_labels_give_no_sentence() -> None:
    named = [("line 2", "Cardboard"), ("line 3", "Aluminum Can")]
    assert require_known_labels(HOUSEHOLD, named, source="x.csv", allow_unknown=False) == []


def test_an_unknown_label_stops_the_build_and_names_row_and_nearest_labels() -> None:
    with pytest.raises(UnknownLabelError) as caught:
        require_known_labels(
            HOUSEHOLD, [("line 7 (a)", "Plastic Bottle")], source="x.csv", allow_unknown=False
        )
    message = str(caught.value)
    assert "x.csv: one label is not in the taxonomy" in message
    assert "line 7 (a): the label 'Plastic Bottle' is unknown" in message
    assert "'Plastic Container' (alias 'Plastic Bottle')" in message
    assert "'Nalgene Bottle' (alias 'plastic bottle')" in message
    assert "--allow-unknown-labels" in message


def test_a_label_in_other_case_is_unknown_and_its_right_spelling_comes_first() -> None:
    assert nearest_labels(HOUSEHOLD, "aluminium can")[0] == "'Aluminum Can'"
    assert nearest_labels(HOUSEHOLD, "CARDBOARD")[0] == "'Cardboard'"


def test_a_label_that_shares_a_word_only_is_still_helped() -> None:
    assert "'Aluminum Can' (alias 'soda can')" in nearest_labels(HOUSEHOLD, "Squashed can of orange soda")


def test_a_label_like_no_other_says_so() -> None:
    assert nearest_labels(HOUSEHOLD, "Xylophone") == []
    warnings = require_known_labels(HOUSEHOLD, [("line 2", "Xylophone")], source="x.csv", allow_unknown=True)
    assert warnings == ["x.csv: line 2: the label 'Xylophone' is unknown; nothing in the taxonomy is near it"]


def test_each_unknown_label_is_named_once_with_its_rows_counted() -> None:
    named = [("line 2", "Foil"), ("line 3", "Foil"), ("line 4", "Foil"), ("line 5", "Jar"), ("line 6", "Jar")]
    warnings = require_known_labels(HOUSEHOLD, named, source="x.csv", allow_unknown=True)
    assert len(warnings) == 2
    assert warnings[0].startswith("x.csv: line 2 and 2 more rows: the label 'Foil' is unknown")
    assert warnings[1].startswith("x.csv: line 5 and one more row: the label 'Jar' is unknown")


def test_hostile_labels_cannot_forge_a_line_or_flood_the_message() -> None:
    named = [(f"line {n}", f"bad\nerror: {'x' * 500} {n}") for n in range(300)]
    with pytest.raises(UnknownLabelError) as caught:
        require_known_labels(HOUSEHOLD, named, source="x.csv", allow_unknown=False)
    lines = str(caught.value).split("\n")
    assert len(lines) == 23
    assert "280 more unknown labels" in lines[21]
    assert not any(line.startswith("error:") or len(line) > 300 for line in lines)


def test_two_hundred_thousand_rows_are_checked_quickly() -> None:
    large = taxonomy_of({f"Label {n}": [f"alias {n}", f"thing {n}"] for n in range(1000)})
    named = [(f"line {n}", f"Label {n % 1100}") for n in range(200_000)]
    started = time.perf_counter()
    warnings = require_known_labels(large, named, source="x.csv", allow_unknown=True)
    assert len(warnings) == 21
    assert time.perf_counter() - started < 5
