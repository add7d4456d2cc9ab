from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.contracts.bundle import ValidationReport
from pipeline.support.errors import PathEscapeError, RepathError
from pipeline.support.yolo_labels import YoloBox, labels_text, parse_labels
from pipeline.training.validate import validate_bundle

HEADER = "id,image_file,label_file,is_negative,class_label,class_id,status,annotator,notes"


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle without a fault: one positive with a box, one negative."""
    folder = tmp_path / "bundles" / "20260101-000000"
    for name, text in (("a", "0 0.5 0.5 0.2 0.4\n"), ("n", "")):
        picture(folder / "images" / f"{name}.png")
        (folder / "labels").mkdir(exist_ok=True)
        (folder / "labels" / f"{name}.txt").write_text(text)
    classes = {"classes": [{"id": 0, "label": "Foil"}, {"id": 1, "label": "Tin Can"}]}
    (folder / "classes.json").write_text(json.dumps(classes))
    (folder / "bundle-metadata.json").write_text("{}")
    template(
        folder, "a,images/a.png,labels/a.txt,false,Foil,0,done,,", "n,images/n.png,labels/n.txt,true,,,,,"
    )
    return folder


def template(folder: Path, *rows: str) -> None:
    (folder / "annotations-template.csv").write_text("\n".join([HEADER, *rows]) + "\n")


def kinds(report: ValidationReport) -> list[str]:
    return [issue.issue for issue in report.issues]


def test_a_bundle_without_a_fault_has_no_issues(bundle: Path) -> None:
    report = validate_bundle(bundle)
    assert report.issues == []
    assert report.summary.to_data() == {
        "rows": 2, "positives": 1, "negatives": 1, "positives_with_boxes": 1, "negatives_with_boxes": 0,
        "total_boxes": 1, "issue_count": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind", "line", "reason"),
    [
        (b"0 nan 0.5 0.2 0.4\n", "invalid_yolo_line", 1, "'nan' is not a number"),
        (b"0 0.5 0.5 0.2 0.4\n0 inf 0.5 0.2 0.4\n", "invalid_yolo_line", 2, "'inf' is not a number"),
        (b"0 1e999 0.5 0.2 0.4\n", "bbox_out_of_range", 1, "shares of the picture"),
        (b"0 0.5 0.5 0.2 0.4 0.9\n", "invalid_yolo_line", 1, "has 6 numbers, not five"),
        (b"0 0.5 0.5 0.2\n", "invalid_yolo_line", 1, "has 4 numbers"),
        (b"0.5 0.5 0.5 0.2 0.4\n", "invalid_yolo_line", 1, "is not whole"),
        ("٠ 0.5 0.5 0.2 0.4\n".encode(), "invalid_yolo_line", 1, "is not a number"),
        (b"0 -0.5 0.5 0.2 0.4\n", "bbox_out_of_range", 1, "shares of the picture"),
        (b"0 0.5 0.5 0 0.4\n", "bbox_out_of_range", 1, "no area"),
        (b"0 0.95 0.5 0.2 0.4\n", "bbox_out_of_range", 1, "beyond the picture"),
        (b"2 0.5 0.5 0.2 0.4\n", "unknown_class_id", 1, "not one of 0 to 1"),
        (b"-1 0.5 0.5 0.2 0.4\n", "unknown_class_id", 1, "not one of 0 to 1"),
        (b"\x00\xff\xfe\x01", "invalid_yolo_line", 0, "not text"),
    ],
)
def test_a_bad_line_is_named_with_its_kind(
    bundle: Path, text: bytes, kind: str, line: int, reason: str
) -> None:
    (bundle / "labels/a.txt").write_bytes(text)
    issue = validate_bundle(bundle).issues[0]
    assert (issue.id, issue.issue, issue.path, issue.line) == ("a", kind, "labels/a.txt", line)
    assert reason in (issue.reason or "")


def test_a_label_file_of_100_mb_is_one_issue_and_is_not_read(bundle: Path) -> None:
    with (bundle / "labels/a.txt").open("wb") as stream:
        stream.truncate(100 << 20)
    report = validate_bundle(bundle)
    assert kinds(report) == ["invalid_yolo_line", "positive_missing_boxes"]
    assert "larger than" in (report.issues[0].reason or "")


def test_endless_bad_lines_give_a_bounded_report(bundle: Path) -> None:
    (bundle / "labels/a.txt").write_text("x\n" * 5000)
    report = validate_bundle(bundle)
    assert len(report.issues) == 21
    assert "4980 more" in (report.issues[19].reason or "")


def test_what_is_missing_or_misplaced_is_named(bundle: Path) -> None:
    template(
        bundle,
        "a,images/gone.png,labels/a.txt,false,Foil,0,,,",
        "b,images/a.png,labels/gone.txt,false,Foil,0,,,",
        "c,,labels/n.txt,false,Foil,0,,,",
        "n,images/n.png,labels/a.txt,true,,,,,",
        f"l,images/{'x' * 3000}.png,labels/n.txt,true,,,,,",
        "u,images/a.png,labels/a.txt,false,Fiol,0,,,",
    )
    found = [(issue.id, issue.issue) for issue in validate_bundle(bundle).issues]
    assert found == [
        ("a", "missing_image_file"),
        ("b", "missing_label_file"),
        ("c", "missing_image_file"),
        ("c", "positive_missing_boxes"),
        ("n", "negative_has_boxes"),
        ("l", "missing_image_file"),
        ("u", "unknown_class_id"),
    ]


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "huge"])
def test_a_picture_that_cannot_be_read_is_an_issue_with_its_reason(bundle: Path, damage: str) -> None:
    path = bundle / "images/a.png"
    if damage == "huge":
        Image.new("1", (9000, 9000)).save(path)
    else:
        whole = path.read_bytes()
        path.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"hello"}[damage])
    report = validate_bundle(bundle)
    assert kinds(report) == ["missing_image_file"]
    assert report.issues[0].reason != "there is no such file"


@pytest.mark.parametrize("column", ["image_file", "label_file"])
@pytest.mark.parametrize("path", ["../secret.png", "images/../../../secret.png", "/etc/hostname", "link.png"])
def test_a_path_that_leaves_the_bundle_stops_the_validation(bundle: Path, column: str, path: str) -> None:
    picture(bundle.parent / "secret.png")
    (bundle / "link.png").symlink_to(bundle.parent / "secret.png")
    cells = {"image_file": "images/a.png", "label_file": "labels/a.txt", column: path}
    template(bundle, f"a,{cells['image_file']},{cells['label_file']},false,Foil,0,,,")
    with pytest.raises(PathEscapeError, match=rf"line 2 \(a\), column {column}"):
        validate_bundle(bundle)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,image_file\na,b\n", "the column 'label_file' is missing"),
        (f'{HEADER}\na,"images', "a quote is opened and never closed"),
        (f"{HEADER}\na,images/a.png\n", "has 2 fields where the header has 9"),
        (f"{HEADER}\na,i,l,maybe,,,,,\n", "must be true or false, not 'maybe'"),
        (f"{HEADER}\na,i,l,true,,,,,\na,i,l,true,,,,,\n", "line 3 (a), column id: this id stands on line 2"),
    ],
)
def test_a_broken_template_is_explained(
    bundle: Path, repath: Callable[..., Any], text: str, message: str
) -> None:
    (bundle / "annotations-template.csv").write_text(text)
    ran = repath("training", "validate-annotation-bundle", "--bundle-dir", bundle)
    assert ran.code == 1
    assert message in ran.err
    assert not (bundle / "validation-report.json").exists()


def test_the_newest_bundle_is_taken_and_the_report_written_into_it(
    bundle: Path, repath: Callable[..., Any]
) -> None:
    for older in ("20251231-235959", ".cache"):
        (bundle.parent / older).mkdir()
        (bundle.parent / older / "bundle-metadata.json").write_text("{}")
    (bundle.parent / "20270101-000000").mkdir()  # begun, never finished
    ran = repath("training", "validate-annotation-bundle", "--bundle-root", bundle.parent)
    assert ran.code == 0
    assert ran.json["issue_count"] == 0
    report = json.loads((bundle / "validation-report.json").read_text())
    assert report["bundle_dir"].endswith("20260101-000000")
    assert report["issues"] == []


def test_strict_exits_2_with_the_report_still_written(bundle: Path, repath: Callable[..., Any]) -> None:
    (bundle / "labels/a.txt").write_text("")
    out = bundle.parent / "r.json"
    command = ("training", "validate-annotation-bundle", "--bundle-dir", bundle, "--out", out)
    assert repath(*command).code == 0
    ran = repath(*command, "--strict")
    assert ran.code == 2
    assert "a: positive_missing_boxes" in ran.err
    assert ran.json["issues"] == {"positive_missing_boxes": 1}
    assert json.loads(out.read_text())["summary"]["issue_count"] == 1


def test_without_a_bundle_the_flags_are_explained(repath: Callable[..., Any], tmp_path: Path) -> None:
    assert repath("training", "validate-annotation-bundle").code == 2
    ran = repath("training", "validate-annotation-bundle", "--bundle-root", tmp_path)
    assert ran.code == 1
    assert "holds no folder with a bundle-metadata.json" in ran.err


SHARE = st.integers(1, 99).map(lambda n: n / 100)


@given(st.lists(st.builds(YoloBox, st.integers(0, 4), SHARE, SHARE, st.just(0.01), st.just(0.01))))
def test_boxes_that_are_written_are_read_again(boxes: list[YoloBox]) -> None:
    read, faults = parse_labels(labels_text(boxes).encode(), class_count=5)
    assert faults == []
    assert read == boxes


@given(st.binary(max_size=200) | st.text("0123456789.-+e \n\tnaif", max_size=80).map(str.encode))
def test_any_bytes_give_boxes_inside_the_picture_or_named_lines(data: bytes) -> None:
    boxes, faults = parse_labels(data, class_count=3)
    for box in boxes:
        assert box.class_id in range(3)
        assert all(0 <= value <= 1 for value in (box.x, box.y, box.width, box.height))
    assert all(fault.reason for fault in faults)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=9, max_size=9))
def test_any_template_row_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    import csv

    folder = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    (folder / "classes.json").write_text('{"classes": []}')
    with (folder / "annotations-template.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([HEADER.split(","), cells])
    try:
        report = validate_bundle(folder)
    except RepathError:
        return
    assert report.summary.rows <= 1
