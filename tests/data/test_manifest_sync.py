"""Labeled rows for the rows of a manifest that have none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.support.documents import read_csv, read_json, write_csv, write_json

Repath = Callable[..., Any]


def image(name: str, *labels: str, **fields: Any) -> ManifestRow:
    return ManifestRow(**{"name": name, "url": "", "expected_any": list(labels), "status": "todo", **fields})


def row(name: str, label: str = "", **fields: str) -> LabeledRow:
    return LabeledRow(
        **{**dict.fromkeys(LABELED_COLUMNS, ""), "name": name, "canonical_label": label, **fields}
    )


@pytest.fixture
def sync(tmp_path: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    def call(images: list[ManifestRow], rows: list[LabeledRow] | None = None, *flags: str) -> Any:
        write_json(tmp_path / "m.json", BenchmarkManifest(name="m", images=images))
        if rows is not None:
            write_csv(tmp_path / "l.csv", rows, LABELED_COLUMNS)
        return repath(
            "data", "sync-labeled-from-manifest", "--manifest", "m.json", "--input", "l.csv", *flags
        )

    return call


def rows_of(tmp_path: Path) -> list[LabeledRow]:
    return read_csv(tmp_path / "l.csv", LabeledRow, LABELED_COLUMNS)


def test_todo_rows_are_added_positives_with_their_first_label_negatives_without(sync, tmp_path: Path) -> None:
    ran = sync(
        [
            image("todo_can", "Tin Can", "Foil", item_id="can", notes="Add one."),
            image("todo_negative_street"),
            image("ready", "Foil", url="a.png", status="ready"),
        ]
    )
    assert ran.code == 0, ran.err
    assert rows_of(tmp_path) == [
        row(
            "todo_can",
            "Tin Can",
            item_id="can",
            source="manifest_todo_queue",
            notes="Add one.; synced_from_manifest",
        ),
        row("todo_negative_street", source="manifest_todo_queue", notes="synced_from_manifest"),
    ]
    assert ran.json["added"] == 2


def test_with_include_ready_rows_bring_their_picture(sync, tmp_path: Path) -> None:
    sync([image("ready", "Foil", url="a.png", status="ready")], [], "--include-ready")
    assert rows_of(tmp_path)[0].url == "a.png"


def test_what_stands_there_wins_only_an_empty_item_is_filled(sync, tmp_path: Path) -> None:
    mine = [
        row("a", "Foil", url="mine.png", item_id="mine", notes="by Ann"),
        row("b", "Foil", notes="by Ann"),
        row("c"),
        row("d", "Foil"),
    ]
    ran = sync(
        [
            image("a", "Tin Can", item_id="can"),
            image("b", "Foil", item_id="foil"),
            image("c", "Tin Can", item_id="can"),
            image("d", item_id="nothing"),
        ],
        mine,
    )
    assert rows_of(tmp_path) == [mine[0], mine[1].replace(item_id="foil"), mine[2], mine[3]]
    assert ran.json["kept_by_hand"] == ["a: canonical_label 'Foil'; the manifest expects 'Tin Can'"]
    assert ran.json["conflicts"] == [
        "c: a negative here, and the manifest expects 'Tin Can'",
        "d: shows 'Foil' here, and the manifest expects nothing",
    ]
    assert "left for you to decide: c" in ran.err


def test_a_name_under_several_items_gets_one_row(sync, tmp_path: Path) -> None:
    images = [image("box", "Cardboard", item_id="a"), image("box", "Cardboard", item_id="b")]
    sync(images, [])
    assert [(each.name, each.item_id) for each in rows_of(tmp_path)] == [("box", "a")]


def test_a_row_of_the_benchmark_never_becomes_training_material(sync, tmp_path: Path) -> None:
    ran = sync([image("retrain_positive_can_v1", "Tin Can"), image("retrain_negative_can_v1", "Tin Can")], [])
    assert rows_of(tmp_path) == []
    assert len(ran.json["training_names_left_out"]) == 2


def test_run_again_it_gives_the_same_bytes_and_a_dry_run_gives_none(sync, tmp_path: Path) -> None:
    images = [image("todo_can", "Tin Can"), image("todo_negative_x")]
    assert sync(images, None, "--dry-run").json["added"] == 2
    assert not (tmp_path / "l.csv").exists()
    sync(images)
    before = (tmp_path / "l.csv").read_bytes()
    assert sync(images).json["added"] == 0
    assert (tmp_path / "l.csv").read_bytes() == before


def test_the_real_manifest_has_a_labeled_row_for_every_name(
    real: Path, repath: Repath, tmp_path: Path
) -> None:
    mobile = real / "repath-mobile"
    labeled = tmp_path / "l.csv"
    shutil.copy(mobile / "benchmark-labeled.csv", labeled)
    flags = [
        "--manifest",
        mobile / "municipal-benchmark-manifest-v2.json",
        "--input",
        labeled,
        "--include-ready",
    ]
    ran = repath("data", "sync-labeled-from-manifest", *flags)
    told = ran.json
    # The real negatives have no item on either side, and every other row has its own: nothing is to be done.
    assert (told["added"], told["enriched"], told["conflicts"], told["rows_after"]) == (0, 0, [], 488)
    assert labeled.read_bytes() == (mobile / "benchmark-labeled.csv").read_bytes()
    labeled.unlink()
    assert repath("data", "sync-labeled-from-manifest", *flags).code == 0
    made = read_csv(labeled, LabeledRow, LABELED_COLUMNS)
    images = read_json(mobile / "municipal-benchmark-manifest-v2.json", BenchmarkManifest).images
    assert len(made) == len({each.name for each in images})
    assert sum(each.is_negative for each in made) == sum(each.is_negative for each in images) == 20
