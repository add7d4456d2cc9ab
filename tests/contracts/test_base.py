"""Unknown fields and their order survive; faults are named by row and field; nothing is coerced."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts import base
from pipeline.contracts.base import Contract, parse
from pipeline.contracts.candidate import LabelsFile
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.results import ResultRow
from pipeline.contracts.retraining import RetrainingSample
from pipeline.support.errors import ContractError

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ROW: dict[str, Any] = {"name": "a", "url": "", "expected_any": ["Foil"]}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": draw(TEXT.filter(lambda text: bool(text.strip()))),
        "url": draw(TEXT),
        "expected_any": draw(st.lists(TEXT.filter(lambda text: bool(text.strip())), max_size=2)),
        **draw(st.fixed_dictionaries({}, optional={"status": st.sampled_from(["ready", "todo"])})),
    }
    known = {*ManifestRow.model_fields, "model_config"}
    extra = draw(st.dictionaries(TEXT.filter(lambda key: key not in known), VALUES, max_size=3))
    items = draw(st.permutations([*row.items(), *extra.items()]))
    return dict(items)


@given(st.lists(rows(), max_size=4), VALUES)
def test_unknown_fields_in_any_order_survive(made: list[dict[str, Any]], more: Any) -> None:
    data = {"future": more, "images": made, "name": "m"}
    manifest = parse(BenchmarkManifest, data, source="m.json")
    assert json.dumps(manifest.to_data()) == json.dumps(data)
    assert json.loads(manifest.to_json()) == data


def test_a_field_set_later_takes_its_place_behind_the_files_own() -> None:
    data = {"url": "x.jpg", "later": 1, "name": "a", "expected_any": []}
    row = parse(ManifestRow, data, source="m.json").replace(status="ready", url="y.jpg")
    assert list(row.to_data()) == ["url", "later", "name", "expected_any", "status"]
    assert row.to_data()["url"] == "y.jpg"


def test_every_fault_is_named_with_its_row_and_field() -> None:
    data = {
        "name": "m",
        "images": [
            ROW,
            {**ROW, "name": "todo_foil", "status": "done"},
            {"name": "todo_can", "url": 3, "expected_any": "Can"},
            {"name": "two\nlines", "url": ""},
        ],
    }
    with pytest.raises(ContractError) as caught:
        parse(BenchmarkManifest, data, source="m.json")
    text = str(caught.value)
    assert "images[1] (todo_foil).status: Input should be 'ready' or 'todo', not 'done'" in text
    assert "images[2] (todo_can).url: Input should be a valid string, not 3" in text
    assert "images[2] (todo_can).expected_any" in text
    assert "images[3] (two\\nlines).expected_any: this field is missing" in text
    assert "must be one line" in text
    assert len(caught.value.faults) == 5
    assert "\nlines" not in text


def test_a_long_list_of_faults_is_cut_and_counted() -> None:
    data = {"name": "m", "images": [{"name": "a"}] * 20}
    with pytest.raises(ContractError, match=r"40 faults(.|\n)*and 30 more"):
        parse(BenchmarkManifest, data, source="m.json")


@pytest.mark.parametrize("value", [1, "true", None, []])
def test_nothing_is_coerced(value: object) -> None:
    with pytest.raises(ContractError, match="required"):
        parse(ManifestRow, {**ROW, "required": value}, source="m.json")


@given(VALUES)
def test_any_json_is_read_or_refused_in_words(data: Any) -> None:
    for model in (BenchmarkManifest, LabelsFile):
        try:
            parse(model, data, source="any.json")
        except ContractError as error:
            assert str(error).startswith("any.json: ")  # noqa: PT017


@pytest.mark.parametrize("labels", [[], ["Can", "Can"], ["Can", " "], ["Can", "a\tb"], [1]])
def test_a_labels_file_has_labels_once_each(labels: list[object]) -> None:
    with pytest.raises(ContractError):
        parse(LabelsFile, labels, source="l.json")


@pytest.mark.parametrize(("label", "negative"), [(None, False), ("Can", True)])
def test_negatives_stay_negative(label: str | None, negative: bool) -> None:
    sample = {"id": "a", "image": "a.jpg", "label": label, "is_negative": negative, "source": "", "notes": ""}
    with pytest.raises(ContractError, match="a negative has no label"):
        parse(RetrainingSample, sample, source="r.json")


def test_a_contract_built_in_code_writes_what_was_set() -> None:
    class Small(Contract):
        a: int
        b: str | None = None

    assert Small(a=1).to_data() == {"a": 1}
    assert Small(a=1, b=None).to_data() == {"a": 1, "b": None}


def test_a_field_set_on_one_row_is_not_written_with_its_neighbours() -> None:
    read = parse(BenchmarkManifest, {"name": "m", "images": [ROW, ROW]}, source="m.json")
    read.images[0].notes = "only here"
    changed = read.images[1].replace(item_id="can")
    assert "notes" not in read.images[1].to_data()
    assert "item_id" not in read.images[1].to_data()
    assert read.images[0].to_data()["notes"] == "only here"
    assert changed.to_data() == {**read.images[1].to_data(), "item_id": "can"}
    assert changed.replace(new_field=1).to_data()["new_field"] == 1


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 24])
def test_rows_written_in_pieces_are_the_same_bytes(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_ROWS_AT_ONCE", 8)
    monkeypatch.setattr(base, "_known_orders", {})
    forged = '\n  "images": []'
    images = [
        {"name": f"é {n}", "url": "", "expected_any": ["Foil"], "notes": forged, "x": {"images": []}}
        for n in range(count)
    ]
    data = {"name": '"images": []', "source": {"images": []}, "images": images, "more": [{"images": []}]}
    manifest = parse(BenchmarkManifest, data, source="m.json")
    pieces = list(manifest.json_pieces())
    assert len(pieces) > 2 or count <= 8
    assert b"".join(pieces) == manifest.to_json()
    assert json.loads(b"".join(pieces)) == data


def test_rows_that_set_the_same_fields_share_the_record_of_it() -> None:
    read = parse(BenchmarkManifest, {"name": "m", "images": [ROW, ROW]}, source="m.json")
    first, second = (row.replace(notes="n", status="ready") for row in read.images)
    assert first.__pydantic_fields_set__ is second.__pydantic_fields_set__
    first.item_id = "can"
    assert "item_id" not in second.to_data()


INFINITE = float("1e999")


@pytest.mark.parametrize(
    "box", [[0, 0, 1], [0, 0, 1, 1, 0.9], [5, 5, 5, 9], [9, 0, 1, 4], [0, 0, INFINITE, 1], [0, 0, "1", 1]]
)
def test_a_box_that_is_none_is_named(box: list[object]) -> None:
    row = {**ROW, "boxes": [{"label": "Foil", "box": box}]}
    with pytest.raises(ContractError, match=r"images\[0\] \(a\)\.boxes\[0\]\.box"):
        parse(BenchmarkManifest, {"name": "m", "images": [row]}, source="m.json")


@pytest.mark.parametrize("field", [{"size": [3, 4, 5]}, {"size": [0, 4]}, {"size": []}])
def test_a_picture_has_a_width_and_a_height(field: dict[str, object]) -> None:
    row = {
        "name": "a", "url": "a.jpg", "expected_any": [], "expected_all": [], "predicted_labels": [],
        "detections": [], "precision": None, "recall": None, "any_hit": None,
    }  # fmt: skip
    assert parse(ResultRow, row | {"size": [3, 4]}, source="r.json").size == [3, 4]
    with pytest.raises(ContractError, match="size"):
        parse(ResultRow, row | field, source="r.json")
