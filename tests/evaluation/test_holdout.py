"""Held-out pictures of the labels a model knows, none of which training has seen."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.retraining import RetrainingManifest
from pipeline.support.documents import write_csv

Run = Callable[..., Any]
FOLDERS = {"Tin Can": ["steel_food_cans"], "Cardboard": ["Cardboard_Boxes"], "Foil": ["foil"]}


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 12), colour).save(out, "PNG")
    return out.getvalue()


class Space:
    """A workspace with class folders, labels, a labeled CSV and a retraining manifest."""

    def __init__(self, root: Path, repath: Run) -> None:
        self.root, self.repath = root, repath
        self.put("repath.toml", "")
        self.put("labels.json", json.dumps(["Tin Can"]))
        self.put("folders.json", json.dumps(FOLDERS))
        self.put("seed.json", json.dumps({"labels": {}}))
        self.labeled()
        self.retraining()
        for number, colour in [(1, "red"), (10, "blue"), (100, "green"), (2, "white")]:
            self.put(f"kaggle/Steel_Food_Cans/default/Image_{number}.png", picture(colour))

    def put(self, path: str, data: bytes | str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.encode())
        return target

    def labeled(self, *rows: tuple[str, str, str]) -> None:
        made = [
            LabeledRow(name=name, url=url, item_id="", canonical_label="", source="", notes=notes)
            for name, url, notes in rows
        ]
        write_csv(self.root / "rows.csv", made, LABELED_COLUMNS)

    def retraining(self, *samples: dict[str, Any]) -> None:
        data = {
            "generated_at": "", "source_csv": "", "sample_count": len(samples), "positive_count": 0,
            "negative_count": len(samples), "samples": list(samples),
        }  # fmt: skip
        self.put("retraining.json", RetrainingManifest.model_validate(data).to_json())

    def build(self, *more: object) -> Any:
        return self.repath(
            "evaluation", "build-supported-holdout-manifest", "--labels", self.root / "labels.json",
            "--input-csv", self.root / "rows.csv", "--retraining-manifest", self.root / "retraining.json",
            "--cache-dir", self.root / "cache", "--out", self.root / "out.json", "--folders",
            self.root / "folders.json", "--kaggle-dir", self.root / "kaggle", "--manual-seed",
            self.root / "seed.json", "--no-download", *more,
        )  # fmt: skip

    def sources(self) -> list[str]:
        rows = json.loads((self.root / "out.json").read_text())["images"]
        return [row["notes"].rsplit("=", 1)[1] for row in rows]


@pytest.fixture
def space(tmp_path: Path, repath: Run, monkeypatch: pytest.MonkeyPatch) -> Space:
    made = Space(tmp_path / "ws", repath)
    monkeypatch.chdir(made.root)
    return made


def sample(name: str, image: str, notes: str = "") -> dict[str, Any]:
    return {"id": name, "image": image, "label": None, "is_negative": True, "source": "", "notes": notes}


def test_a_row_has_the_shape_of_the_real_file(real: Path, space: Space) -> None:
    assert space.build().code == 0
    made = json.loads((space.root / "out.json").read_text())
    theirs = json.loads((real / "repath-mobile/benchmark-manifest.supported-holdout.json").read_text())
    assert list(made["source"]) == list(theirs["source"])
    assert list(made)[: len(theirs)] == list(theirs)
    assert set(theirs["summary"]) <= set(made["summary"])
    mine = made["images"][0]
    [like] = [row for row in theirs["images"] if row["name"] == "holdout_tin-can_kaggle_v1"]
    assert list(mine) == list(like)
    for field in ("name", "expected_any", "expected_all", "item_id", "required", "status"):
        assert mine[field] == like[field]
    assert mine["url"] == "cache/holdout_tin-can_kaggle_v1.png"
    assert mine["notes"] == like["notes"].replace("steel_food_cans", "Steel_Food_Cans")


def test_as_many_as_asked_for_are_taken_in_plain_order(space: Space) -> None:
    space.build()
    assert space.sources() == ["Image_1.png", "Image_10.png", "Image_100.png"]
    space.build("--per-label", "1")
    assert space.sources() == ["Image_1.png"]


@pytest.mark.parametrize("folder", ["steel_food_cans", "Steel_Food_Cans/default"])
def test_a_picture_that_a_labeled_row_names_is_not_held_out(folder: str, space: Space) -> None:
    space.labeled(("retrain_positive_x_v1", "", f"folder={folder}; source_image=Image_1.png; variant=1"))
    ran = space.build()
    assert space.sources() == ["Image_10.png", "Image_100.png", "Image_2.png"]
    assert ran.json["left_out"][0]["source"] == "Steel_Food_Cans/default/Image_1.png"


def test_a_picture_with_the_bytes_of_a_sample_is_not_held_out(space: Space) -> None:
    space.put("img/copy.png", picture("blue"))
    space.retraining(sample("retrain_negative_x_v1", "img/copy.png"), sample("gone", "img/gone.png"))
    ran = space.build()
    assert space.sources() == ["Image_1.png", "Image_100.png", "Image_2.png"]
    assert "retrain_negative_x_v1" in ran.json["left_out"][0]["reason"]
    assert ran.json["used_pictures_not_here"] == 1


def test_two_copies_of_one_picture_are_held_out_once(space: Space) -> None:
    space.put("kaggle/Steel_Food_Cans/default/Image_10.png", picture("red"))
    space.build()
    assert space.sources() == ["Image_1.png", "Image_100.png", "Image_2.png"]


def test_a_broken_picture_is_passed_over_and_told(space: Space) -> None:
    space.put("kaggle/Steel_Food_Cans/default/Image_1.png", b"text")
    ran = space.build()
    assert space.sources() == ["Image_10.png", "Image_100.png", "Image_2.png"]
    assert "not a picture" in ran.json["left_out"][0]["reason"]
    assert not list((space.root / "cache").glob("*v4*"))


def test_labels_without_a_picture_are_listed_with_the_reason(space: Space) -> None:
    space.put("labels.json", json.dumps(["Tin Can", "Foil", "Zebra"]))
    space.put("seed.json", json.dumps({"labels": {"Zebra": ["https://example.org/z.jpg"]}}))
    ran = space.build()
    reasons = {entry["label"]: entry["reason"] for entry in ran.json["unsupported"]}
    assert reasons["Foil"] == "none of its class folders is there (foil); no manual override names it"
    assert reasons["Zebra"] == "no class folder is mapped to it; 1 pictures were passed over"
    assert ran.json["left_out"][-1]["reason"] == "download_disabled"
    summary = json.loads((space.root / "out.json").read_text())["summary"]
    assert (summary["labels_requested"], summary["labels_with_rows"], summary["unsupported_labels"]) == (
        3,
        1,
        2,
    )


def test_a_manual_override_that_training_has_is_passed_over(space: Space) -> None:
    space.put("labels.json", json.dumps(["Zebra"]))
    url = "https://commons.wikimedia.org/wiki/Special:FilePath/An%20egg%20carton.jpg"
    space.put("seed.json", json.dumps({"labels": {"Zebra": [url]}}))
    space.labeled(("retrain_positive_x_v5", "img/x.jpg", "title=An egg carton.jpg; manual_query=egg"))
    assert "retraining" in space.build().json["left_out"][0]["reason"]


def test_a_fetched_picture_is_used_again_only_for_the_same_url(space: Space) -> None:
    space.put("labels.json", json.dumps(["Zebra"]))
    space.put("seed.json", json.dumps({"labels": {"Zebra": ["https://example.org/z.png"]}}))
    space.put("cache/holdout_zebra_manual_v1.png", picture("red"))
    assert space.build().json["rows"] == 0  # nothing says where the file in the cache came from
    notes = "supported-holdout; source=manual_seed; source_url=https://example.org/z.png"
    earlier = {"name": "holdout_zebra_manual_v1", "url": "x", "expected_any": ["Zebra"], "notes": notes}
    space.put("out.json", json.dumps({"name": "m", "images": [earlier]}))
    assert space.build().json["rows"] == 1


def test_two_labels_with_one_slug_do_not_share_names(space: Space) -> None:
    space.put("labels.json", json.dumps(["Tin Can", "tin-can"]))
    space.put("folders.json", json.dumps({"Tin Can": ["steel_food_cans"], "tin-can": ["steel_food_cans"]}))
    space.build("--per-label", "2")
    rows = json.loads((space.root / "out.json").read_text())["images"]
    assert [row["name"] for row in rows] == [
        "holdout_tin-can_kaggle_v1",
        "holdout_tin-can_kaggle_v2",
        "holdout_tin-can-2_kaggle_v1",
        "holdout_tin-can-2_kaggle_v2",
    ]
    assert len(set(space.sources())) == 4


def test_labels_come_from_the_newest_candidate(space: Space) -> None:
    for run, label in [("20260101-000000", "Foil"), ("20260201-000000", "Tin Can")]:
        space.put(f"candidates/{run}/metadata.json", "{}")
        space.put(f"candidates/{run}/yolov8.tflite", b"x")
        space.put(f"candidates/{run}/yolov8.labels.json", json.dumps([label]))
    ran = space.repath(
        "evaluation", "build-supported-holdout-manifest", "--candidates-root", "candidates", "--input-csv",
        "rows.csv", "--retraining-manifest", "retraining.json", "--cache-dir", "cache", "--out", "out.json",
        "--folders", "folders.json", "--kaggle-dir", "kaggle", "--no-download",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    source = json.loads((space.root / "out.json").read_text())["source"]
    assert source["labels"] == "candidates/20260201-000000/yolov8.labels.json"


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("labels.json", "[]", "at least one label"),
        ("labels.json", '["A", "A"]', "stand twice"),
        ("folders.json", '{"Tin Can": "cans"}', "folders.json"),
        ("seed.json", '{"labels": []}', "labels"),
        ("rows.csv", "name,url\n", "is missing"),
        ("retraining.json", "{", "not JSON"),
    ],
)
def test_bad_input_leaves_everything_as_it_was(file: str, content: str, said: str, space: Space) -> None:
    space.put(file, content)
    space.put("out.json", json.dumps({"name": "old", "images": []}))
    before = (space.root / "out.json").read_bytes()
    ran = space.build()
    assert ran.code == 1
    assert file in ran.err
    assert said in ran.err
    assert (space.root / "out.json").read_bytes() == before
    assert not (space.root / "cache").exists()


def test_a_labeled_row_that_leaves_the_workspace_is_refused(space: Space) -> None:
    space.labeled(("x", "../secret.png", ""))
    ran = space.build()
    assert ran.code == 1
    assert "leaves the workspace" in ran.err


def test_the_real_class_folders_and_rows(real: Path, space: Space) -> None:
    mobile = real / "repath-mobile"
    space.put("labels.json", (mobile / "yolo-repath.labels.json").read_bytes())
    space.put(
        "folders.json", json.dumps({"Aluminum Can": ["Aluminum_Soda_Cans"], "Tin Can": ["steel_food_cans"]})
    )
    shutil.copy(mobile / "benchmark-supported-holdout-overrides.seed.json", space.root / "seed.json")
    ran = space.build("--kaggle-dir", real / "folders", "--input-csv", mobile / "benchmark-labeled.csv")
    assert ran.code == 0, ran.err
    assert (ran.json["rows"], ran.json["labels_requested"], ran.json["labels_with_rows"]) == (6, 8, 2)
    # Planted copies lie among them: none is taken twice.
    rows = json.loads((space.root / "out.json").read_text())["images"]
    assert len({(space.root / row["url"]).read_bytes() for row in rows}) == 6
