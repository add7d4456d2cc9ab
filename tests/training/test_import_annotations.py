"""What comes back from annotation tools: taken whole, told in full, and never over a person's work unseen."""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import annotated_bundles as bundles
import pytest
from annotated_bundles import CLASSES, DRAWN, Sample
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.support.errors import InputError, OutputError, RepathError
from pipeline.support.yolo_labels import YoloBox
from pipeline.training.exchange import apply, archive
from pipeline.training.exchange.archive import open_source
from pipeline.training.exchange.compare import Placed, compare_boxes
from pipeline.training.exchange.incoming import read_tool
from pipeline.training.exchange.label_studio import picture_name, without_upload_prefix

Repath = Callable[..., Any]

CAN_1 = '<image id="0" name="can-1.png" width="120" height="90">{}</image>'
BOX = '<box label="{}" source="manual" occluded="0" xtl="{}" ytl="{}" xbr="{}" ybr="{}" z_order="0"{}></box>'
SAME_CAN = BOX.format("Aluminum Can", "45.00", "27.00", "75.00", "63.00", "")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return bundles.write_bundle(tmp_path / "bundles" / "20260101-000000")


def cvat(folder: Path, *images: str) -> Path:
    """Write an export as CVAT does, of a project this time."""
    path = folder / "annotations.xml"
    path.write_text(
        "<?xml version='1.0' encoding='utf-8'?>\n<annotations><version>1.1</version><meta><project><id>7</id>"
        "<name>p</name><labels><label><name>Aluminum Can</name></label></labels></project>"
        f"<dumped>2026-11-20 10:00:00.1+00:00</dumped></meta>{''.join(images)}</annotations>\n"
    )
    return path


def imported(repath: Repath, bundle: Path, tool: str, source: Path, *more: object) -> Any:
    flags = ("--from", tool, "--bundle-dir", bundle, "--input", source, *more)
    return repath("training", "import-annotations", *flags)


def labels(bundle: Path, name: str) -> str:
    return (bundle / "labels" / f"{name}.txt").read_text()


def report(bundle: Path) -> Any:
    return json.loads((bundle / "import-report.json").read_text())


def found(bundle: Path) -> dict[str, str]:
    return {problem["kind"]: problem["reason"] for problem in report(bundle)["problems"]}


def test_changed_boxes_are_taken_counted_and_what_they_replace_is_kept(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    before = bundles.contents(bundle)
    image = '<image id="3" name="sub/can-2.png" width="321" height="243">{}</image>'
    moved = BOX.format("Aluminum Can", 82, 58, 120, 137, "")
    relabelled = BOX.format("Card &lt;Board&gt; &amp; Co", 176.55, 121.5, 272.85, 170.1, "")
    added = BOX.format("Glass Bottle", 1, 1, 40, 50, "")
    ran = imported(
        repath,
        bundle,
        "cvat",
        cvat(tmp_path, CAN_1.format(SAME_CAN), image.format(moved + relabelled + added)),
    )
    assert ran.code == 0, ran.err
    (change,) = report(bundle)["changes"]
    assert change == {
        "id": "can-2", "before": 2, "after": 3, "kept": 0, "moved": 1, "relabelled": 1, "added": 1,
        "removed": 0, "status": "done",
    }  # fmt: skip
    assert labels(bundle, "can-1").encode() == before["labels/can-1.txt"]
    assert [line.split()[0] for line in labels(bundle, "can-2").splitlines()] == ["0", "2", "1"]
    kept = bundle / report(bundle)["backup"]
    assert (kept / "labels/can-2.txt").read_bytes() == before["labels/can-2.txt"]
    assert (kept / "annotations-template.csv").read_bytes() == before["annotations-template.csv"]
    assert sorted(path.name for path in (kept / "labels").iterdir()) == ["can-2.txt"]
    assert report(bundle)["not_returned"] == ["bottle-1", "street"]
    assert "bottle-1: did not come back" in ran.err


def test_the_same_import_again_changes_nothing(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    source = cvat(tmp_path, CAN_1.format(BOX.format("Glass Bottle", 1, 2, 30, 40, "")))
    imported(repath, bundle, "cvat", source)
    first = bundles.contents(bundle)
    again = imported(repath, bundle, "cvat", source)
    after = bundles.contents(bundle)
    assert again.json["backup"] is None
    assert first.pop("import-report.json") != after.pop("import-report.json")
    assert after == first


def test_a_dry_run_tells_the_same_and_writes_nothing(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    source = cvat(tmp_path, CAN_1.format(BOX.format("Glass Bottle", 1, 2, 30, 40, "")))
    before = bundles.contents(bundle)
    dry = imported(repath, bundle, "cvat", source, "--dry-run").json
    assert bundles.contents(bundle) == before
    wet = imported(repath, bundle, "cvat", source).json
    for key in ("pictures_changed", "boxes_added", "boxes_removed", "changes", "not_returned"):
        assert dry[key] == wet[key]


@pytest.mark.parametrize(
    ("inside", "kind", "reason"),
    [
        ('<polygon label="Aluminum Can" points="1,1;2,2;3,1"/>', "unsupported_shape", "a polygon"),
        ('<mask label="Aluminum Can" rle="1,2" left="0" top="0"/>', "unsupported_shape", "a mask"),
        ('<ellipse label="Aluminum Can" cx="1"/>', "unsupported_shape", "an ellipse|a ellipse"),
        (BOX.format("Aluminum Can", 1, 2, 30, 40, ' rotation="12.5"'), "rotated_box", "12.5 degrees"),
        (BOX.format("Aluminum Can", 1, 2, 30, 40, ' rotation="359"'), "rotated_box", "359 degrees"),
        (BOX.format("Teapot", 1, 2, 30, 40, ""), "unknown_label", "no class 'Teapot'"),
        (BOX.format("Aluminum Can", "nan", 2, 30, 40, ""), "invalid_box", "four numbers"),
        (BOX.format("Aluminum Can", "1e999", 2, 30, 40, ""), "invalid_box", "four numbers"),
        (BOX.format("Aluminum Can", 5, 2, 5, 40, ""), "invalid_box", "no area"),
        (BOX.format("Aluminum Can", 500, 2, 600, 40, ""), "invalid_box", "no area inside"),
    ],
)
def test_a_picture_with_a_shape_that_is_no_box_is_left_as_it_was(
    bundle: Path, repath: Repath, tmp_path: Path, inside: str, kind: str, reason: str
) -> None:
    before = bundles.contents(bundle)
    other = BOX.format("Glass Bottle", 1, 2, 30, 40, "")
    source = cvat(tmp_path, CAN_1.format(other + inside))
    ran = imported(repath, bundle, "cvat", source)
    assert ran.code == 0
    assert any(word in found(bundle)[kind] for word in reason.split("|"))
    assert f"can-1.png: {kind}" in ran.err
    assert "(left as it was)" in ran.err
    assert bundles.contents(bundle)["labels/can-1.txt"] == before["labels/can-1.txt"]
    assert ran.json["pictures_held_back"] == 1
    strict = imported(repath, bundle, "cvat", source, "--strict")
    assert strict.code == 2
    assert imported(repath, bundle, "cvat", source, "--partial").json["pictures_changed"] == 1
    assert labels(bundle, "can-1").startswith("1 ")


def test_full_turns_and_tags_do_no_harm(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    inside = (
        SAME_CAN.replace("z_order", 'rotation="360.0" z_order') + '<tag label="blurred" source="manual"/>'
    )
    ran = imported(repath, bundle, "cvat", cvat(tmp_path, CAN_1.format(inside)))
    assert ran.json["pictures_unchanged"] == 1
    assert list(found(bundle)) == ["ignored"]


def test_boxes_are_cut_at_the_picture_and_a_large_cut_is_told(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    inside = BOX.format("Aluminum Can", -0.5, 10, 60, 50, "") + BOX.format(
        "Glass Bottle", 70, 10, 160, 50, ""
    )
    imported(repath, bundle, "cvat", cvat(tmp_path, CAN_1.format(inside)))
    assert found(bundle) == {"cut_off": "a box of 'Glass Bottle' reached 40 pixels beyond the picture"}
    assert repath("training", "validate-annotation-bundle", "--bundle-dir", bundle).json["issues"] == {
        "positive_missing_boxes": 1
    }


def test_negatives_stay_negative(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    image = '<image id="0" name="street.png" width="200" height="100">{}</image>'
    source = cvat(tmp_path, image.format(BOX.format("Aluminum Can", 1, 2, 30, 40, "")))
    for flags in ((), ("--partial", "--allow-emptied", "--confirm-proposals")):
        ran = imported(repath, bundle, "cvat", source, *flags)
        assert found(bundle) == {"negative_has_boxes": "1 boxes on a negative, which shows no item"}
        assert labels(bundle, "street") == ""
        assert ran.json["pictures_held_back"] == 1


def test_a_picture_that_came_back_empty_keeps_its_boxes_unless_that_is_meant(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    source = cvat(tmp_path, CAN_1.format(""))
    before = labels(bundle, "can-1")
    ran = imported(repath, bundle, "cvat", source)
    assert labels(bundle, "can-1") == before
    assert "came back without a box and has 1" in ran.err
    ran = imported(repath, bundle, "cvat", source, "--allow-emptied")
    assert labels(bundle, "can-1") == ""
    assert ran.json["boxes_removed"] == 1
    assert bundles.template(bundle)["can-1"]["status"] == "todo"
    assert (bundle / ran.json["backup"] / "labels/can-1.txt").read_text() == before


def test_pictures_that_are_not_the_bundles_or_not_the_same_are_told(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    box = BOX.format("Aluminum Can", 1, 2, 30, 40, "")
    before = bundles.contents(bundle)
    source = cvat(
        tmp_path,
        f'<image id="0" name="can-1.png" width="60" height="45">{box}</image>',
        f'<image id="1" name="elsewhere.jpg" width="60" height="45">{box}</image>',
        f'<image id="2" name="can-2.png" width="321" height="243">{box}</image>',
        f'<image id="3" name="x/can-2.png" width="321" height="243">{box}</image>',
        f'<image id="4" name="../../etc/can-1\x85&#10;&lt;b&gt;" width="60" height="45">{box}</image>',
    )
    ran = imported(repath, bundle, "cvat", source)
    assert ran.code == 0, ran.err
    kinds = sorted(problem["kind"] for problem in report(bundle)["problems"])
    assert kinds == ["extra_picture", "extra_picture", "other_size", "picture_twice", "picture_twice"]
    assert "the tool saw 60x45 pixels, and the bundle has 120x90" in ran.err
    after = bundles.contents(bundle)
    del after["import-report.json"]
    assert after == before


def test_labels_are_matched_by_name_and_mapped_where_the_user_says_so(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    inside = BOX.format("glass-bottle", 1, 2, 30, 40, "") + BOX.format("Tin", 50, 2, 90, 40, "")
    source = cvat(tmp_path, CAN_1.format(inside))
    assert imported(repath, bundle, "cvat", source).json["problem_kinds"] == {"unknown_label": 1}
    assert imported(repath, bundle, "cvat", source, "--map", "Tin=Kettle").code == 2
    ran = imported(repath, bundle, "cvat", source, "--map", "Tin=Aluminum Can", "--annotator", "Ben")
    assert ran.json["pictures_changed"] == 1
    assert [line.split()[0] for line in labels(bundle, "can-1").splitlines()] == ["1", "0"]
    assert bundles.template(bundle)["can-1"]["annotator"] == "Ben"


# Proposals.

PROPOSED = (
    Sample("a", CLASSES[0], "0 0.500000 0.500000 0.250000 0.400000\n", status="proposed",
           annotator="detector m.tflite", notes="kept; boxes proposed by a detector, score 0.25 and up"),
    Sample("b", CLASSES[1], "1 0.500000 0.500000 0.250000 0.400000\n", status="proposed"),
)  # fmt: skip


@pytest.mark.parametrize("tool", ["cvat", "coco", "yolo"])
def test_proposals_that_come_back_as_they_went_are_not_taken_for_confirmed(
    repath: Repath, tmp_path: Path, tool: str
) -> None:
    bundle = bundles.write_bundle(tmp_path / "b", PROPOSED)
    repath("training", "export-annotations", "--to", tool, "--bundle-dir", bundle, "--out", tmp_path / "o")
    imported(repath, bundle, tool, tmp_path / "o")
    assert {row["status"] for row in bundles.template(bundle).values()} == {"proposed"}
    assert set(found(bundle)) == {"proposals_unchanged"}
    ran = imported(repath, bundle, tool, tmp_path / "o", "--confirm-proposals", "--annotator", "Ana")
    assert ran.json["problem_kinds"] == {}
    rows = bundles.template(bundle)
    assert [rows["a"][key] for key in ("status", "annotator", "notes")] == ["annotated", "Ana", "kept"]


def test_in_cvat_a_box_that_was_touched_confirms_its_picture(repath: Repath, tmp_path: Path) -> None:
    bundle = bundles.write_bundle(tmp_path / "b", PROPOSED)
    repath("training", "export-annotations", "--to", "cvat", "--bundle-dir", bundle, "--out", tmp_path / "o")
    path = tmp_path / "o/annotations.xml"
    assert path.read_text().count('source="auto"') == 2
    path.write_text(path.read_text().replace('xtl="45.0000"', 'xtl="40.0000"', 1))
    imported(repath, bundle, "cvat", path)
    rows = bundles.template(bundle)
    assert (rows["a"]["status"], rows["b"]["status"]) == ("annotated", "proposed")
    assert rows["a"]["annotator"] == ""


def test_in_label_studio_proposals_are_predictions_and_a_submitted_annotation_confirms(
    repath: Repath, tmp_path: Path
) -> None:
    bundle = bundles.write_bundle(tmp_path / "b", PROPOSED)
    repath(
        "training", "export-annotations", "--to", "label-studio", "--bundle-dir", bundle, "--out",
        tmp_path / "o",
    )  # fmt: skip
    tasks = json.loads((tmp_path / "o/tasks.json").read_text())
    assert all(task["annotations"] == [] and len(task["predictions"]) == 1 for task in tasks)
    # What Label Studio does when a person presses Submit on the first one.
    tasks[0]["annotations"] = [{"id": 5, "completed_by": 1, "result": tasks[0]["predictions"][0]["result"]}]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    ran = imported(repath, bundle, "label-studio", tmp_path / "export.json")
    rows = bundles.template(bundle)
    assert (rows["a"]["status"], rows["b"]["status"]) == ("annotated", "proposed")
    assert ran.json["problem_kinds"] == {"not_annotated": 1}
    assert (ran.json["pictures_unchanged"], ran.json["boxes_kept"]) == (1, 1)


# What each tool exports in practice.

RESULT = {
    "id": "Dx_aB91ISN", "type": "rectanglelabels", "from_name": "label", "to_name": "image",
    "original_width": 120, "original_height": 90, "image_rotation": 0, "origin": "manual",
    "value": {"x": 10.0, "y": 20.0, "width": 25.0, "height": 50.0, "rotation": 0,
              "rectanglelabels": ["Glass Bottle"]},
}  # fmt: skip


def label_studio(folder: Path, *tasks: Any) -> Path:
    path = folder / "project-1-at-2026-11-20.json"
    path.write_text(json.dumps(tasks))
    return path


def task(image: str, *annotations: Any, **more: Any) -> Any:
    return {"id": 1, "data": {"image": image}, "annotations": list(annotations), "predictions": [], **more}


@pytest.mark.parametrize(
    "image",
    [
        "/data/upload/3/5e8a1b2c-can-1.png",
        "/data/local-files/?d=images%2Fcan-1.png",
        "https://example.org/pictures/can-1.png?sig=1#x",
        "s3://bucket/deep/can-1.png",
        "can-1.png",
    ],
)
def test_label_studios_ways_to_name_a_picture_are_understood(
    bundle: Path, repath: Repath, tmp_path: Path, image: str
) -> None:
    source = label_studio(tmp_path, task(image, {"id": 1, "result": [RESULT]}))
    ran = imported(repath, bundle, "label-studio", source)
    assert ran.json["pictures_changed"] == 1, ran.err
    assert labels(bundle, "can-1") == "1 0.225000 0.450000 0.250000 0.500000\n"


def test_label_studios_own_oddities_are_told(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    turned = copy.deepcopy(RESULT)
    turned["value"]["rotation"] = 30
    polygon = {**RESULT, "type": "polygonlabels", "value": {"points": [[1, 2]], "polygonlabels": ["x"]}}
    choice = {
        "id": "c",
        "type": "choices",
        "from_name": "q",
        "to_name": "image",
        "value": {"choices": ["ok"]},
    }
    newer = copy.deepcopy(RESULT)
    newer["value"]["rectanglelabels"] = ["Aluminum Can"]
    source = label_studio(
        tmp_path,
        task(
            "can-1.png", {"id": 1, "result": [choice, turned]}, {"id": 2, "was_cancelled": True, "result": []}
        ),
        task(
            "bottle-1.png",
            {"id": 3, "result": [RESULT], "updated_at": "2026-11-20T10:00:00Z"},
            {"id": 4, "result": [newer], "updated_at": "2026-11-21T10:00:00Z"},
        ),
        task("can-2.png", {"id": 5, "result": [polygon]}),
        task("street.png"),
    )
    imported(repath, bundle, "label-studio", source)
    kinds = [(problem["id"], problem["kind"]) for problem in report(bundle)["problems"]]
    assert kinds == [
        ("can-1", "ignored"), ("can-1", "ignored"), ("can-1", "rotated_box"),
        ("bottle-1", "several_annotations"), ("bottle-1", "other_size"), ("can-2", "unsupported_shape"),
    ]  # fmt: skip


def test_of_several_annotations_the_ground_truth_or_the_last_is_taken(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    other = copy.deepcopy(RESULT)
    other["value"]["rectanglelabels"] = ["Aluminum Can"]
    first = {"id": 1, "result": [RESULT], "updated_at": "2026-11-20T10:00:00Z"}
    last = {"id": 2, "result": [other], "updated_at": "2026-11-21T10:00:00Z"}
    imported(repath, bundle, "label-studio", label_studio(tmp_path, task("can-1.png", last, first)))
    assert labels(bundle, "can-1").startswith("0 ")
    source = label_studio(tmp_path, task("can-1.png", last, {**first, "ground_truth": True}))
    imported(repath, bundle, "label-studio", source)
    assert labels(bundle, "can-1").startswith("1 ")


def test_rectangles_and_labels_apart_are_one_box(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    bare = copy.deepcopy(RESULT)
    bare["type"] = "rectangle"
    del bare["value"]["rectanglelabels"]
    named = copy.deepcopy(RESULT)
    named["type"] = "labels"
    named["value"]["labels"] = named["value"].pop("rectanglelabels")
    source = label_studio(tmp_path, task("can-1.png", {"id": 1, "result": [bare, named]}))
    ran = imported(repath, bundle, "label-studio", source)
    assert (ran.json["problem_kinds"], labels(bundle, "can-1").count("\n")) == ({}, 1)


def test_json_min_and_other_json_is_refused_in_words(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    minimal = [{"image": "can-1.png", "label": [{"x": 1, "y": 2, "width": 3, "height": 4}], "id": 1}]
    ran = imported(repath, bundle, "label-studio", label_studio(tmp_path, *minimal))
    assert ran.code == 1
    assert "not as JSON-MIN" in ran.err
    (tmp_path / "x.json").write_text("{}")
    assert "not a list of tasks" in imported(repath, bundle, "label-studio", tmp_path / "x.json").err
    assert "not COCO" in imported(repath, bundle, "coco", tmp_path / "x.json").err


COCO = {
    "info": {}, "licenses": [],
    "images": [{"id": 7, "file_name": "images/can-1.png", "width": 120, "height": 90}],
    "categories": [{"id": 3, "name": "Glass Bottle"}, {"id": 90, "name": "Teapot"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [12, 9, 30, 45], "area": 1350, "iscrowd": 0,
         "segmentation": [[12, 9, 42, 9, 42, 54, 12, 54]], "attributes": {"rotation": 0.0}},
    ],
}  # fmt: skip


def coco(folder: Path, **changes: Any) -> Path:
    path = folder / "instances.json"
    document = copy.deepcopy(COCO)
    document["annotations"][0] |= changes
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, None),
        ({"segmentation": [[12, 9, 42, 9, 20, 54]]}, "ignored"),
        ({"segmentation": {"counts": [1, 2], "size": [90, 120]}}, "ignored"),
        ({"iscrowd": 1}, "unsupported_shape"),
        ({"attributes": {"rotation": 15.0}}, "rotated_box"),
        ({"category_id": 4}, "unknown_label"),
        ({"category_id": 90}, "unknown_label"),
        ({"category_id": [3]}, "unknown_label"),
        ({"bbox": [1, 2, 3]}, "invalid_box"),
        ({"bbox": [1, 2, -3, 4]}, "invalid_box"),
        ({"bbox": [1, 2, 1e400, 4]}, "invalid_box"),
        ({"bbox": "1 2 3 4"}, "invalid_box"),
    ],
)
def test_coco_annotations_are_taken_or_told(
    bundle: Path, repath: Repath, tmp_path: Path, changes: Any, kind: str | None
) -> None:
    ran = imported(repath, bundle, "coco", coco(tmp_path, **changes))
    if "bbox" in changes and "Infinity" in (tmp_path / "instances.json").read_text():
        assert ran.code == 1  # Infinity is not JSON
        return
    assert ran.code == 0, ran.err
    assert set(found(bundle)) == ({kind} if kind else set())
    taken = kind in {None, "ignored"}
    assert labels(bundle, "can-1") == (
        "1 0.225000 0.350000 0.250000 0.500000\n" if taken else "0 0.500000 0.500000 0.250000 0.400000\n"
    )


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("images", {}, "images: must be a list"),
        ("images", [1], "images[0]: must be an object"),
        ("images", [{"id": 7}], "file_name: is missing"),
        ("images", COCO["images"] * 2, "7 stands twice"),
        ("categories", [{"id": None}], "is no id"),
        ("annotations", [{"image_id": 8}], "there is no image 8"),
        ("annotations", [{"image_id": {}}], "there is no image {}"),
    ],
)
def test_a_broken_coco_file_changes_nothing(
    bundle: Path, repath: Repath, tmp_path: Path, key: str, value: Any, words: str
) -> None:
    before = bundles.contents(bundle)
    (tmp_path / "x.json").write_text(json.dumps({**COCO, key: value}))
    ran = imported(repath, bundle, "coco", tmp_path / "x.json")
    assert ran.code == 1
    assert words in ran.err
    assert bundles.contents(bundle) == before


def zipped(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


BOTTLE = "1 0.225 0.350 0.250 0.500\n"
NAMES = "Aluminum Can\nGlass Bottle\n"


@pytest.mark.parametrize(
    "files",
    [
        # CVAT, "YOLO 1.1"
        {"obj.names": NAMES, "obj.data": "classes = 2\n", "train.txt": "data/obj_train_data/can-1.png\n",
         "obj_train_data/can-1.txt": BOTTLE},
        # Label Studio, "YOLO"
        {"classes.txt": NAMES, "notes.json": "{}", "labels/5e8a1b2c-can-1.txt": BOTTLE,
         "images/5e8a1b2c-can-1.png": b"x"},
        # Ultralytics and CVAT, "Ultralytics YOLO Detection"
        {"data.yaml": "path: ./\ntrain: train.txt\nnames:\n  0: Aluminum Can\n  1: Glass Bottle\n",
         "train.txt": "images/train/can-1.png\n", "labels/train/can-1.txt": BOTTLE},
        # Roboflow
        {"data.yaml": "names: ['Teapot', 'Glass Bottle']\nnc: 2\ntrain: ../train/images\n",
         "README.dataset.txt": "hello", "train/labels/can-1.txt": BOTTLE},
        # A folder of the tools that write labels beside pictures, and a bundle's own classes.json
        {"classes.json": '{"classes": [{"id": 0, "label": "x"}, {"id": 1, "label": "Glass Bottle"}]}',
         "can-1.txt": BOTTLE},
        {"notes.json": '{"categories": [{"id": 1, "name": "Glass Bottle"}]}', "labels/can-1.txt": BOTTLE},
    ],
    ids=["cvat-1.1", "label-studio", "ultralytics", "roboflow", "flat", "notes"],
)  # fmt: skip
def test_yolo_is_read_as_every_tool_writes_it(
    bundle: Path, repath: Repath, tmp_path: Path, files: dict[str, str | bytes]
) -> None:
    ran = imported(repath, bundle, "yolo", zipped(tmp_path / "x.zip", files))
    assert ran.code == 0, ran.err
    assert labels(bundle, "can-1") == "1 0.225000 0.350000 0.250000 0.500000\n"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5", "unsupported_shape"),
        ("1 0.1 0.1 0.5 0.1 0.5 0.5", "unsupported_shape"),
        ("1 0.5 0.5 0.2 0.2 0.9", "invalid_box"),
        ("1 0.5 0.5 2 0.2", "invalid_box"),
        ("7 0.5 0.5 0.2 0.2", "unknown_label"),
    ],
)
def test_yolo_lines_that_are_no_boxes_are_told(
    bundle: Path, repath: Repath, tmp_path: Path, line: str, kind: str
) -> None:
    imported(
        repath, bundle, "yolo", zipped(tmp_path / "x.zip", {"classes.txt": NAMES, "labels/can-1.txt": line})
    )
    assert set(found(bundle)) == {kind}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"labels/can-1.txt": BOTTLE}, "class ids mean nothing without their names"),
        ({"classes.txt": NAMES}, "no label file"),
        ({"classes.txt": "a\na\n", "labels/can-1.txt": ""}, "a class stands twice"),
        ({"data.yaml": "names: 3\n", "labels/can-1.txt": ""}, "must be the class names"),
        ({"data.yaml": "names: {x: y}\n", "labels/can-1.txt": ""}, "is no class id"),
        ({"data.yaml": "names: [[a]]\n", "labels/can-1.txt": ""}, "is no class id"),
        ({"data.yaml": "a: &a [x]\nnames: [*a, *a]\n", "labels/can-1.txt": ""}, "holds an alias"),
        ({"data.yaml": "!!python/object/apply:os.system ['x']\n", "labels/can-1.txt": ""}, "YAML"),
        ({"data.yaml": "[" * 5000, "labels/can-1.txt": ""}, "YAML"),
        ({"data.yaml": b"\xff\xfe", "labels/can-1.txt": ""}, "not UTF-8"),
    ],
)
def test_yolo_without_names_that_mean_something_is_refused(
    bundle: Path, repath: Repath, tmp_path: Path, files: dict[str, str | bytes], words: str
) -> None:
    before = bundles.contents(bundle)
    ran = imported(repath, bundle, "yolo", zipped(tmp_path / "x.zip", files))
    assert ran.code == 1
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert bundles.contents(bundle) == before


# Hostile files.

ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (f"{ENTITIES}<annotations><version>1.1</version>&b;</annotations>", "a DTD or entities"),
        (f"{EXTERNAL}<annotations><version>1.1</version>&x;</annotations>", "a DTD or entities"),
        ("<annotations><version>1.1</version>", "not XML"),
        ("", "not XML"),
        ("<html></html>", "where CVAT writes <annotations>"),
        ("<annotations><version>2.0</version></annotations>", "version '2.0'"),
        ('<annotations><version>1.1</version><track id="0"/></annotations>', "for videos"),
        ('<?xml version="1.0" encoding="klingon"?><annotations/>', "not XML"),
        ("<a>" * 200_000, "not XML"),
    ],
)
def test_xml_that_is_not_cvats_is_refused(
    bundle: Path, repath: Repath, tmp_path: Path, xml: str, words: str
) -> None:
    before = bundles.contents(bundle)
    (tmp_path / "annotations.xml").write_text(xml)
    ran = imported(repath, bundle, "cvat", tmp_path / "annotations.xml")
    assert ran.code == 1
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert bundles.contents(bundle) == before


def test_a_zips_paths_reach_nothing_outside(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    before = bundles.contents(tmp_path)
    source = zipped(
        tmp_path / "x.zip",
        {"../../labels/../../escaped.txt": BOTTLE, "/etc/x.txt": BOTTLE, "classes.txt": NAMES,
         "labels/../../can-1.txt": BOTTLE},
    )  # fmt: skip
    imported(repath, bundle, "yolo", source)
    made = set(bundles.contents(tmp_path)) - set(before)
    assert {name.partition("/backups/")[0] for name in made} == {
        "x.zip", "bundles/20260101-000000/import-report.json", "bundles/20260101-000000",
    }  # fmt: skip


def test_zips_that_are_bombs_damaged_or_ambiguous_are_refused(
    bundle: Path, repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bundles.contents(bundle)
    monkeypatch.setattr(archive, "MAX_BYTES", 1 << 20)
    bomb = zipped(tmp_path / "bomb.zip", {"annotations.xml": b" " * (1 << 21)})
    assert bomb.stat().st_size < 10_000
    with open_source(bomb) as source, pytest.raises(InputError, match="larger than is read"):
        source.read("annotations.xml", most=1 << 20)
    with open_source(bomb) as source:
        source._left = 1000
        with pytest.raises(InputError, match="larger than is read"):
            source.read("annotations.xml")
    damaged = bytearray(bomb.read_bytes())
    damaged[60:90] = b"\0" * 30
    (tmp_path / "damaged.zip").write_bytes(damaged)
    (tmp_path / "cut.zip").write_bytes(bomb.read_bytes()[:100])
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as made:
        made.writestr("annotations.xml", "<annotations/>")
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("annotations.xml", "<annotations/>")
    for name, words in (
        ("damaged.zip", "damaged"), ("cut.zip", "not a usable zip"), ("twice.zip", "twice"),
        ("missing.zip", "does not exist"),
    ):  # fmt: skip
        ran = imported(repath, bundle, "cvat", tmp_path / name)
        assert ran.code == 1
        assert words in ran.err, ran.err
        assert "Traceback" not in ran.err
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    many = zipped(tmp_path / "many.zip", {f"{index}.txt": "" for index in range(4)})
    assert "more than 3 files" in imported(repath, bundle, "yolo", many).err
    assert bundles.contents(bundle) == before


def test_a_folders_links_that_leave_it_are_not_followed(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "labels").mkdir(parents=True)
    (folder / "classes.txt").write_text(NAMES)
    (tmp_path / "outside.txt").write_text(BOTTLE)
    (folder / "labels/can-1.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "labels/can-2.txt").write_text("")
    imported(repath, bundle, "yolo", folder)
    assert labels(bundle, "can-1") == DRAWN[0].boxes
    assert "can-1" in report(bundle)["not_returned"]


def test_a_picture_with_endless_boxes_is_left_as_it_was(bundle: Path, repath: Repath, tmp_path: Path) -> None:
    inside = SAME_CAN * 1001
    ran = imported(repath, bundle, "cvat", cvat(tmp_path, CAN_1.format(inside)), "--partial")
    assert ran.json["pictures_held_back"] == 1
    assert labels(bundle, "can-1") == DRAWN[0].boxes


@pytest.mark.parametrize("stops_at", range(4))
def test_interrupted_anywhere_the_drawn_boxes_can_be_had_and_the_import_run_again(
    bundle: Path, repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops_at: int
) -> None:
    before = bundles.contents(bundle)
    image = '<image id="1" name="bottle-1.png" width="90" height="160">{}</image>'
    box = BOX.format("Glass Bottle", 1, 2, 30, 40, "")
    source = cvat(tmp_path, CAN_1.format(box), image.format(box))
    written = 0

    def stopping(write: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            nonlocal written
            if written == stops_at:
                raise OutputError("the disk is full")
            written += 1
            write(*arguments)

        return call

    with monkeypatch.context() as patched:
        for name in ("copy_file", "write_text", "write_csv"):
            patched.setattr(apply, name, stopping(getattr(apply, name)))
        assert imported(repath, bundle, "cvat", source).code == 1
    if labels(bundle, "can-1") != DRAWN[0].boxes:
        kept = next((bundle / "backups").glob("*/labels/can-1.txt"))
        assert kept.read_bytes() == before["labels/can-1.txt"]
    assert imported(repath, bundle, "cvat", source).code == 0
    assert labels(bundle, "can-1") == "1 0.129167 0.233333 0.241667 0.422222\n"
    assert bundles.template(bundle)["bottle-1"]["status"] == "annotated"


# Any bytes at all.

WORDS = st.sampled_from(
    ["images", "annotations", "categories", "id", "image_id", "category_id", "bbox", "file_name", "name",
     "data", "result", "value", "type", "rectanglelabels", "image", "x", "y", "width", "height", "can-1.png"]
)  # fmt: skip
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=5)
ANY_JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=30,
)


def read_any(folder: Path, name: str, data: bytes, tool: Any) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    try:
        with open_source(path.parent if tool == "yolo" else path) as source:
            pictures = read_tool(source, tool)
    except RepathError as error:
        said = error.message
        pictures = []
        assert said
    for picture in pictures:
        for region in picture.regions:
            assert all(abs(edge) < float("inf") for edge in region.corners)


@settings(deadline=None)
@given(ANY_JSON)
def test_any_json_is_read_or_refused_in_words(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    for tool in ("coco", "label-studio"):
        wrapped = data if isinstance(data, list) or tool == "coco" else [data]
        read_any(folder, "any.json", json.dumps(wrapped).encode(), tool)


@settings(deadline=None)
@given(ANY_JSON, ANY_JSON, ANY_JSON)
def test_any_coco_lists_are_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, images: Any, categories: Any, annotations: Any
) -> None:
    document = {"images": images, "categories": categories, "annotations": annotations}
    read_any(tmp_path_factory.getbasetemp(), "any.json", json.dumps(document).encode(), "coco")


@settings(deadline=None)
@given(st.lists(ANY_JSON, max_size=3), ANY_JSON)
def test_any_results_are_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, results: Any, value: Any
) -> None:
    result = [*results, {**RESULT, "value": value}]
    tasks = [task("can-1.png", {"result": result})]
    read_any(tmp_path_factory.getbasetemp(), "any.json", json.dumps(tasks).encode(), "label-studio")


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.text("<>/ =\"'abxtlyr", max_size=60).map(str.encode)
    | st.lists(st.sampled_from(['<image name="a">', "</image>", "<box/>", '<box xtl="1"/>', "<tag/>"])).map(
        lambda parts: f"<annotations><version>1.1</version>{''.join(parts)}</annotations>".encode()
    )
)
def test_any_xml_is_read_or_refused_in_words(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    read_any(tmp_path_factory.getbasetemp(), "any.xml", data, "cvat")


@settings(deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), max_size=60) | st.text("{}[]:,-&* !\n#|>'\"abnames01", max_size=40)
)
def test_any_yaml_is_read_or_refused_in_words(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-yolo"
    folder.mkdir(exist_ok=True)
    (folder / "a.txt").write_text(BOTTLE)
    read_any(folder, "data.yaml", text.encode(), "yolo")


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_address_has_a_file_name_without_folders(address: str) -> None:
    name = picture_name(address)
    assert "/" not in name
    assert "\\" not in name
    assert without_upload_prefix("5e8a1b2c-" + (name or "x")) == (name or "x")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_source_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    for start in (b"", b"PK\x03\x04", b"PK\x05\x06"):
        read_any(folder, "any.bin", start + data, "cvat")


SIDE = st.integers(0, 40)


@settings(deadline=None)
@given(*(st.lists(st.tuples(st.integers(0, 1), SIDE, SIDE), max_size=6),) * 2)
def test_comparing_accounts_for_every_box_once(before: Any, after: Any) -> None:
    def placed(entries: Any) -> list[Placed]:
        return [
            Placed(YoloBox(label, x / 100, y / 100, 0.2, 0.2), (x, y, x + 20.0, y + 20.0))
            for label, x, y in entries
        ]

    compared = compare_boxes(placed(before), placed(after))
    stayed = compared.kept + compared.moved + compared.relabelled
    assert stayed + compared.removed == len(before)
    assert stayed + compared.added == len(after) == len(compared.boxes)
    assert sorted(map(str, compared.boxes)) == sorted(str(each.box) for each in placed(after))
    again = compare_boxes(placed(after), placed(after))
    assert (again.kept, again.changed) == (len(after), False)
