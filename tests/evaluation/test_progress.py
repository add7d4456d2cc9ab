"""Urls of labeled rows brought into a manifest; what was changed there by hand wins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workspaces import digests

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.planning import ProgressReport
from pipeline.evaluation.manifests import SEEDED
from pipeline.evaluation.progress import ProgressSync
from pipeline.support.documents import read_json, write_csv, write_json

Repath = Callable[..., Any]
WAITING = "Add one. Needs unique URL (deduped)."


def image(name: str = "todo_can", *labels: str, **fields: Any) -> ManifestRow:
    expected = list(labels or ["Tin Can"])
    return ManifestRow(**{"name": name, "url": "", "expected_any": expected, "status": "todo", **fields})


def row(name: str = "todo_can", label: str = "Tin Can", **fields: str) -> LabeledRow:
    return LabeledRow(
        **{**dict.fromkeys(LABELED_COLUMNS, ""), "name": name, "canonical_label": label, **fields}
    )


@pytest.fixture
def sync(tmp_path: Path, repath: Repath, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    def call(images: list[ManifestRow] | None, rows: list[LabeledRow] | None, *flags: str) -> Any:
        if images is not None:
            write_json(tmp_path / "m.json", BenchmarkManifest(name="m", generated_at="t", images=images))
        if rows is not None:
            write_csv(tmp_path / "l.csv", rows, LABELED_COLUMNS)
        files = ["--manifest", "m.json", "--completed", "l.csv", "--report", "r.json"]
        return repath("evaluation", "sync-benchmark-progress", *files, *flags)

    return call


def rows_of(tmp_path: Path) -> list[ManifestRow]:
    return read_json(tmp_path / "m.json", BenchmarkManifest).images


def one(image: ManifestRow, row: LabeledRow, **how: bool) -> ManifestRow:
    return ProgressSync(**how).sync([image], [row]).rows[0]


def test_a_todo_row_gets_its_url_and_is_ready(sync, tmp_path: Path) -> None:
    ran = sync([image(notes="Add one.", item_id="can"), image("todo_jar", "Jar")], [row(url="a.png")])
    assert ran.code == 0, ran.err
    assert rows_of(tmp_path) == [
        image(url="a.png", status="ready", notes="Add one. Completed.", item_id="can", synced_url="a.png"),
        image("todo_jar", "Jar"),
    ]
    assert (ran.json["rows_filled"], ran.json["counts"]["ready"]) == (1, 1)
    report = read_json(tmp_path / "r.json", ProgressReport)
    assert [(each.field, each.before, each.after) for each in report.changes] == [
        ("url", "", "a.png"),
        ("status", "todo", "ready"),
        ("notes", "Add one.", "Add one. Completed."),
    ]
    assert read_json(tmp_path / "m.json", BenchmarkManifest).generated_at == "t"


def test_run_again_it_leaves_the_same_bytes_its_report_too(sync, tmp_path: Path) -> None:
    sync([image(), image("todo_x", "Jar", status="ready")], [row(url="a.png")])
    before = digests(tmp_path)
    ran = sync(None, None)
    assert ran.json["changes"] == 0
    assert digests(tmp_path) == before


def test_the_labeled_row_s_new_url_follows_where_the_manifest_was_not_touched(sync, tmp_path: Path) -> None:
    sync([image()], [row(url="a.png")])
    ran = sync(None, [row(url="b.png")])
    assert rows_of(tmp_path)[0].url == "b.png"
    assert ran.json["kept_by_hand"] == []


@pytest.mark.parametrize("change", [{"url": "mine.png"}, {"url": "", "status": "todo"}, {"status": "todo"}])
def test_what_was_changed_by_hand_in_the_manifest_stays_and_is_told(sync, tmp_path: Path, change) -> None:
    sync([image()], [row(url="a.png")])
    mine = rows_of(tmp_path)[0].replace(**change)
    ran = sync([mine], None)
    assert rows_of(tmp_path) == [mine]
    assert [each["name"] for each in ran.json["kept_by_hand"]] == ["todo_can"]
    assert "changed by hand, left as it is: todo_can" in ran.err
    assert sync(None, None, "--overwrite").json["kept_by_hand"] == []
    assert (rows_of(tmp_path)[0].url, rows_of(tmp_path)[0].status) == ("a.png", "ready")


def test_a_cleared_row_takes_another_picture_than_the_one_that_was_cleared() -> None:
    filled = one(image(), row(url="a.png"))
    cleared = filled.replace(url="", status="todo")
    assert one(cleared, row(url="a.png")) == cleared
    assert one(cleared, row(url="b.png")).url == "b.png"


def test_without_a_record_only_the_seed_s_url_gives_way() -> None:
    seeded = image(url="seed.png", status="ready", notes=SEEDED)
    assert one(seeded, row(url="a.png")).url == "a.png"
    mine = image(url="mine.png", status="ready", notes=f"{SEEDED} By Ann.")
    assert one(mine, row(url="a.png")) == mine
    assert one(mine, row(url="a.png"), overwrite=True).url == "a.png"


def test_what_both_sides_agree_on_is_the_record_from_then_on() -> None:
    agreed = one(image(url="a.png", status="ready", notes="Completed."), row(url="a.png"))
    assert agreed.synced_url == "a.png"
    assert one(agreed, row(url="b.png")).url == "b.png"


def test_boxes_that_are_drawn_keep_their_picture() -> None:
    drawn = image(url="a.png", status="ready", synced_url="a.png", boxes=[])
    assert one(drawn, row(url="b.png")) == drawn


@pytest.mark.parametrize(
    ("images", "rows", "said"),
    [
        (image(), row(label="", url="a.png"), "expects 'Tin Can', and the labeled row is a negative"),
        (
            image().replace(expected_any=[]),
            row(url="a.png"),
            "expects nothing (a negative), and the labeled row shows",
        ),
        (image(), row(label="Jar", url="a.png"), "expects 'Tin Can', and the labeled row shows 'Jar'"),
    ],
)
def test_a_negative_stays_one_and_so_does_a_positive(sync, tmp_path: Path, images, rows, said: str) -> None:
    ran = sync([images], [rows])
    assert ran.code == 0
    assert rows_of(tmp_path) == [images]
    assert said in ran.json["conflicts"][0]["reason"]
    assert "left for you to decide: todo_can" in ran.err


def test_a_row_of_several_labels_takes_one_of_them_and_items_tell_rows_of_one_name_apart() -> None:
    several = image("box", "Cardboard", "Pizza Box")
    assert one(several, row("box", "Pizza Box", url="a.png")).url == "a.png"
    images = [image("box", item_id="a"), image("box", item_id="b")]
    rows = [row("box", item_id="b", url="b.png"), row("box", item_id="a", url="a.png")]
    assert [each.url for each in ProgressSync().sync(images, rows).rows] == ["a.png", "b.png"]
    done = ProgressSync().sync([image("box")], rows)
    assert done.rows[0].url == ""
    assert "different urls" in done.conflicts[0].reason


def test_a_row_that_was_deduplicated_waits_for_a_picture_of_its_own() -> None:
    kept, waiting = image("box", url="a.png", status="ready"), image("box", notes=WAITING)
    done = ProgressSync().sync([kept, waiting], [row("box", url="a.png")])
    assert done.rows[1] == waiting
    assert [each.name for each in done.repeated] == ["box"]
    own = ProgressSync().sync([kept, image("bag", notes=WAITING)], [row("bag", url="b.png")]).rows[1]
    assert (own.url, own.notes) == ("b.png", "Add one. Completed.")


def test_a_picture_that_another_row_gives_up_in_the_same_run_goes_to_the_row_that_waits() -> None:
    shows = one(image("bag"), row("bag", url="a.png"))
    waiting = image("box", notes=WAITING)
    rows = [row("box", url="a.png"), row("bag", url="b.png")]
    once = ProgressSync().sync([waiting, shows], rows)
    assert [each.url for each in once.rows] == ["a.png", "b.png"]
    assert ProgressSync().sync(once.rows, rows).changes == []


def test_a_labeled_row_without_a_url_clears_only_where_that_is_meant() -> None:
    filled = one(image(), row(url="a.png"))
    assert one(filled, row()) == filled
    emptied = one(filled, row(notes="Needs unique URL (csv dedupe)."))
    assert (emptied.url, emptied.status) == ("", "todo")
    assert one(filled, row(), clear_empty_url=True).url == ""
    by_hand = filled.replace(url="mine.png")
    assert one(by_hand, row(), clear_empty_url=True) == by_hand


def test_rows_of_retraining_take_no_part_and_unknown_names_are_told(sync, tmp_path: Path) -> None:
    ran = sync(
        [image("retrain_positive_can_v1")],
        [row("retrain_positive_can_v1", url="a.png"), row("x", url="b.png")],
    )
    assert rows_of(tmp_path)[0].url == ""
    assert ran.json["unknown_names"] == 1
    assert read_json(tmp_path / "r.json", ProgressReport).unknown_names == ["x"]


def test_ready_without_a_picture_is_todo() -> None:
    assert ProgressSync().sync([image(status="ready")], []).rows[0].status == "todo"


def test_a_dry_run_and_out_leave_the_manifest(sync, tmp_path: Path) -> None:
    ran = sync([image()], [row(url="a.png")], "--dry-run")
    assert (ran.json["rows_filled"], ran.json["manifest"], ran.json["report"]) == (1, None, None)
    assert rows_of(tmp_path) == [image()]
    sync(None, None, "--out", "n.json")
    assert rows_of(tmp_path) == [image()]
    assert read_json(tmp_path / "n.json", BenchmarkManifest).images[0].url == "a.png"


def test_the_real_manifest_and_rows_agree_but_for_the_record_of_it(real: Path, sync, tmp_path: Path) -> None:
    mobile = real / "repath-mobile"
    shutil.copy(mobile / "municipal-benchmark-manifest-v2.json", tmp_path / "m.json")
    shutil.copy(mobile / "benchmark-labeled.csv", tmp_path / "l.csv")
    ran = sync(None, None)
    told = ran.json
    assert (told["changes"], told["kept_by_hand"], told["conflicts"], told["unknown_names"]) == (0, [], [], 0)
    after = json.loads((tmp_path / "m.json").read_text("utf-8"))
    for each in after["images"]:
        assert each.pop("synced_url") == each["url"]
    assert after == json.loads((mobile / "municipal-benchmark-manifest-v2.json").read_text("utf-8"))
    # From an empty manifest the real rows fill all that they filled then.
    for each in after["images"]:
        each.update(url="", status="todo")
    (tmp_path / "m.json").write_text(json.dumps(after))
    assert sync(None, None).json["counts"]["ready"] == 412  # 8 rows keep waiting for a picture of their own
