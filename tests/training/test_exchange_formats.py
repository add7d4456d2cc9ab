"""Exports that the tools themselves accept, and round trips that change nothing."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import annotated_bundles as bundles
import jsonschema
import pytest
from annotated_bundles import CLASSES, PHOTO_CLASSES, Sample
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contracts.bundle import TemplateRow
from pipeline.contracts.exchange import Tool
from pipeline.support.yolo_labels import YoloBox, box_of, corners_of
from pipeline.training.bundle_rows import AnnotatedRow, BundleView
from pipeline.training.exchange.archive import open_source
from pipeline.training.exchange.incoming import Import, ImportOptions, plan_import, read_tool
from pipeline.training.exchange.model import Outgoing, OutPicture, Region
from pipeline.training.exchange.outgoing import corners_within, tool_files
from pipeline.training.validate import BundleRow

Repath = Callable[..., Any]
TOOLS: list[Tool] = ["cvat", "label-studio", "coco", "yolo"]

NUMBER = {"type": "number"}
COCO_SCHEMA = {  # https://cocodataset.org/#format-data
    "type": "object",
    "required": ["info", "images", "annotations", "categories", "licenses"],
    "properties": {
        "images": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "width", "height", "file_name"],
                "properties": {
                    "id": {"type": "integer"}, "width": {"type": "integer"}, "height": {"type": "integer"},
                    "file_name": {"type": "string"},
                },
            },
        },
        "annotations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "image_id", "category_id", "segmentation", "area", "bbox", "iscrowd"],
                "properties": {
                    "id": {"type": "integer"}, "image_id": {"type": "integer"},
                    "category_id": {"type": "integer"}, "area": NUMBER, "iscrowd": {"enum": [0, 1]},
                    "bbox": {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4},
                },
            },
        },
        "categories": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "name", "supercategory"],
                "properties": {"id": {"type": "integer", "minimum": 1}, "name": {"type": "string"}},
            },
        },
    },
}  # fmt: skip
PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
RESULTS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["id", "type", "from_name", "to_name", "original_width", "original_height", "value"],
        "properties": {
            "id": {"type": "string", "minLength": 10, "maxLength": 10},
            "type": {"const": "rectanglelabels"}, "from_name": {"const": "label"},
            "to_name": {"const": "image"}, "original_width": {"type": "integer"},
            "original_height": {"type": "integer"}, "image_rotation": NUMBER,
            "value": {
                "type": "object",
                "required": ["x", "y", "width", "height", "rotation", "rectanglelabels"],
                "properties": {
                    "x": PERCENT, "y": PERCENT, "width": PERCENT, "height": PERCENT, "rotation": NUMBER,
                    "rectanglelabels": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                },
            },
        },
    },
}  # fmt: skip
LABEL_STUDIO_SCHEMA = {  # https://labelstud.io/guide/task_format and /guide/predictions
    "type": "array",
    "items": {
        "type": "object",
        "required": ["data"],
        "properties": {
            "id": {"type": "integer"},
            "data": {"type": "object", "required": ["image"]},
            "annotations": {
                "type": "array",
                "items": {"type": "object", "required": ["result"], "properties": {"result": RESULTS}},
            },
            "predictions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["model_version", "result"],
                    "properties": {
                        "model_version": {"type": "string"}, "score": {"type": "number", "maximum": 1},
                        "result": RESULTS,
                    },
                },
            },
        },
    },
}  # fmt: skip


def check_cvat(xml: bytes, labels: bytes, classes: tuple[str, ...]) -> None:
    """Hold an export to https://docs.cvat.ai/docs/other/xml_format/ (annotation mode, 1.1)."""
    root = ET.fromstring(xml)
    assert root.tag == "annotations"
    assert root.findtext("version") == "1.1"
    task = root.find("meta/task")
    assert task is not None
    assert task.findtext("mode") == "annotation"
    images = root.findall("image")
    assert task.findtext("size") == str(len(images))
    named = [label.findtext("name") for label in task.findall("labels/label")]
    assert named == list(classes)
    for label in task.findall("labels/label"):
        assert label.findtext("type") == "rectangle"
        assert re.fullmatch("#[0-9a-f]{6}", label.findtext("color") or "")
        assert label.find("attributes") is not None
    assert [image.get("id") for image in images] == [str(index) for index in range(len(images))]
    for image in images:
        width, height = float(image.attrib["width"]), float(image.attrib["height"])
        assert image.attrib["name"]
        for box in image:
            assert box.tag == "box"
            assert box.attrib["label"] in named
            assert box.attrib["occluded"] == "0"
            assert box.attrib["source"] in {"manual", "auto"}
            assert 0 <= float(box.attrib["xtl"]) < float(box.attrib["xbr"]) <= width
            assert 0 <= float(box.attrib["ytl"]) < float(box.attrib["ybr"]) <= height
    raw = json.loads(labels)
    assert [entry["name"] for entry in raw] == list(classes)
    assert {entry["type"] for entry in raw} == {"rectangle"}
    assert all(entry["attributes"] == [] for entry in raw)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return bundles.write_bundle(tmp_path / "bundles" / "20260101-000000")


@pytest.fixture
def photos(real: Path, tmp_path: Path) -> Path:
    return bundles.photo_bundle(real, tmp_path / "bundles" / "20260101-000000")


def exported(repath: Repath, bundle: Path, tool: str, out: Path, *more: object) -> Path:
    ran = repath("training", "export-annotations", "--to", tool, "--bundle-dir", bundle, "--out", out, *more)
    assert ran.code == 0, ran.err
    return out


def imported(repath: Repath, bundle: Path, tool: str, source: Path, *more: object) -> Any:
    flags = ("--from", tool, "--bundle-dir", bundle, "--input", source, *more)
    return repath("training", "import-annotations", *flags)


def test_cvat_gets_the_xml_that_it_documents(photos: Path, repath: Repath, tmp_path: Path) -> None:
    out = exported(repath, photos, "cvat", tmp_path / "out")
    check_cvat((out / "annotations.xml").read_bytes(), (out / "labels.json").read_bytes(), PHOTO_CLASSES)
    named = {image.attrib["name"] for image in ET.parse(out / "annotations.xml").iter("image")}
    assert named == {path.name for path in (out / "images").iterdir()}


def test_coco_is_read_by_pycocotools(photos: Path, repath: Repath, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    out = exported(repath, photos, "coco", tmp_path / "out")
    path = out / "annotations" / "instances_default.json"
    jsonschema.validate(json.loads(path.read_text()), COCO_SCHEMA)
    read = coco.COCO(str(path))
    assert [entry["name"] for entry in read.loadCats(read.getCatIds())] == list(PHOTO_CLASSES)
    assert len(read.getImgIds()) == 12
    drawn = {row: text for row, text in _texts(photos).items() if text}
    assert len(read.getAnnIds()) == sum(text.count("\n") for text in drawn.values())
    for image in read.loadImgs(read.getImgIds()):
        lines = drawn.get(Path(image["file_name"]).stem, "").splitlines()
        assert len(read.getAnnIds(imgIds=image["id"])) == len(lines)
    found = read.loadRes(read.loadAnns(read.getAnnIds()))
    assert len(found.getAnnIds()) == len(read.getAnnIds())


def test_ultralytics_takes_the_dataset_and_finds_every_box(
    photos: Path, repath: Repath, tmp_path: Path
) -> None:
    pytest.importorskip("ultralytics")
    from pipeline.support import ultralytics_library as library

    library.prepare(why="These tests")
    out = exported(repath, photos, "yolo", tmp_path / "out")
    with library.output_to(None):
        from ultralytics.data.dataset import YOLODataset
        from ultralytics.data.utils import check_det_dataset

        checked = check_det_dataset(str(out / "data.yaml"), autodownload=False)
        assert list(checked["names"].values()) == list(PHOTO_CLASSES)
        boxes = 0
        for subset in ("train", "val"):
            dataset = YOLODataset(img_path=checked[subset], data=checked, task="detect", augment=False)
            boxes += sum(len(label["bboxes"]) for label in dataset.labels)
    assert boxes == sum(text.count("\n") for text in _texts(photos).values())


def test_label_studio_gets_tasks_and_the_configuration_that_they_belong_to(
    photos: Path, repath: Repath, tmp_path: Path
) -> None:
    out = exported(repath, photos, "label-studio", tmp_path / "out")
    tasks = json.loads((out / "tasks.json").read_text())
    jsonschema.validate(tasks, LABEL_STUDIO_SCHEMA)
    config = ET.parse(out / "labeling-config.xml").getroot()
    control, image = config.find("RectangleLabels"), config.find("Image")
    assert control is not None
    assert image is not None
    assert control.get("toName") == image.get("name") == "image"
    assert control.get("name") == "label"
    assert image.get("value") == "$image"
    assert [label.get("value") for label in control] == list(PHOTO_CLASSES)
    served = [task["data"]["image"] for task in tasks]
    assert all(address.startswith("/data/local-files/?d=images/dev_") for address in served)
    assert all((out / address.partition("=")[2]).is_file() for address in served)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("form", ["out", "out.zip"])
def test_real_photos_come_back_as_they_went_to_the_last_byte(
    photos: Path, repath: Repath, tmp_path: Path, tool: Tool, form: str
) -> None:
    before = bundles.contents(photos)
    out = exported(repath, photos, tool, tmp_path / form)
    ran = imported(repath, photos, tool, out, "--strict")
    assert ran.code == 0, ran.err
    assert (ran.json["pictures_unchanged"], ran.json["pictures_changed"]) == (12, 0)
    assert ran.json["boxes_kept"] == sum(text.count("\n") for text in _texts(photos).values())
    after = bundles.contents(photos)
    assert after.pop("import-report.json")
    assert after == before


@pytest.mark.parametrize("tool", TOOLS)
def test_the_same_bundle_gives_the_same_bytes(
    bundle: Path, repath: Repath, tmp_path: Path, tool: Tool
) -> None:
    first = exported(repath, bundle, tool, tmp_path / "a.zip")
    assert exported(repath, bundle, tool, tmp_path / "b.zip").read_bytes() == first.read_bytes()


@pytest.mark.parametrize("tool", TOOLS)
def test_pictures_can_be_left_out_and_nothing_is_written_over(
    bundle: Path, repath: Repath, tmp_path: Path, tool: Tool
) -> None:
    for out in (tmp_path / "out", tmp_path / "out.zip"):
        exported(repath, bundle, tool, out, "--no-images")
        kept = out.read_bytes() if out.is_file() else bundles.contents(out)
        again = repath("training", "export-annotations", "--to", tool, "--bundle-dir", bundle, "--out", out)
        assert again.code == 1
        assert "exists already" in again.err
        assert kept == (out.read_bytes() if out.is_file() else bundles.contents(out))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert not [name for name in archive.namelist() if name.endswith(".png")]


def test_labels_that_would_break_out_are_escaped_everywhere(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    (bundle / "labels/bottle-1.txt").write_text("2 0.5 0.5 0.5 0.5\n")
    for tool in TOOLS:
        out = exported(repath, bundle, tool, tmp_path / tool)
        ran = imported(repath, bundle, tool, out, "--strict")
        assert ran.code == 0, (tool, ran.err)
        assert ran.json["boxes_kept"] == 4
    assert b"Card &lt;Board&gt; &amp; Co" in (tmp_path / "cvat/annotations.xml").read_bytes()


def test_a_label_that_xml_cannot_hold_is_refused_in_words(repath: Repath, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    bundles.write_bundle(folder, [Sample("a", "Can \ufffe")], ["Can \ufffe"])
    for tool in ("cvat", "label-studio"):
        ran = repath(
            "training", "export-annotations", "--to", tool, "--bundle-dir", folder, "--out", tmp_path / "o"
        )
        assert ran.code == 1
        assert "a character that XML does not have" in ran.err
        assert not (tmp_path / "o").exists()


def test_rows_without_a_picture_and_lines_that_are_no_boxes_are_told(repath: Repath, tmp_path: Path) -> None:
    samples = [
        Sample("a", CLASSES[0], "0 0.5 0.5 0.2 0.2\nnonsense\n"),
        Sample("b", CLASSES[0], image=False),
        Sample("c", CLASSES[1]),
    ]
    bundle = bundles.write_bundle(tmp_path / "b", samples)
    (bundle / "images/c.png").write_bytes(b"GIF89a and no more")
    ran = repath(
        "training", "export-annotations", "--to", "coco", "--bundle-dir", bundle, "--out", tmp_path / "o"
    )
    assert ran.code == 0
    assert (ran.json["pictures"], ran.json["boxes"]) == (1, 1)
    assert set(ran.json["left_out"]) == {"b", "c"}
    assert ran.json["faulty_lines"] == {"a": 1}
    assert "a: 1 lines of its label file are no boxes" in ran.err


def _texts(bundle: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in (bundle / "labels").glob("*.txt")}


# Round trips of any bundle, with what each tool's rounding does to numbers.


def made_view(pictures: list[tuple[tuple[int, int], list[YoloBox]]], classes: list[str]) -> BundleView:
    """A bundle without a disk: positives named p0, p1, …"""
    rows = []
    for index, (_, boxes) in enumerate(pictures):
        name = f"p{index}"
        row = BundleRow(
            name, False, classes[0], f"images/{name}.jpg", Path(f"/nowhere/{name}.jpg"),
            f"labels/{name}.txt", Path(f"/nowhere/{name}.txt"),
        )  # fmt: skip
        template = TemplateRow(
            id=name, image_file=row.image_file, label_file=row.label_file, is_negative="false",
            class_label=classes[0], class_id="0", status="done", annotator="", notes="",
        )  # fmt: skip
        rows.append(AnnotatedRow(row, template, tuple(boxes), (), "ab" * 32, None))
    return BundleView(Path("/nowhere"), classes, rows, None)


def sent(view: BundleView, sizes: list[tuple[int, int]], tool: Tool) -> dict[str, bytes]:
    pictures = [
        OutPicture(
            row.id, row.row.image.name, size, "train", False, row.row.class_label, False,
            tuple(Region(view.classes[box.class_id], corners_within(box, size), box) for box in row.boxes),
        )
        for row, size in zip(view.rows, sizes, strict=True)
    ]  # fmt: skip
    return tool_files(Outgoing("b", tuple(view.classes), tuple(pictures), None), tool)


def received(
    files: dict[str, bytes], tool: Tool, view: BundleView, sizes: list[tuple[int, int]], folder: Path
) -> Import:
    path = folder / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    with open_source(path) as source:
        read = read_tool(source, tool)
    by_id = {row.id: size for row, size in zip(view.rows, sizes, strict=True)}
    return plan_import(view, by_id, read, ImportOptions())


def as_the_tool_saves(files: dict[str, bytes], tool: Tool, classes: list[str]) -> dict[str, bytes]:
    """Round as the tool does: CVAT keeps two decimals of a pixel; and number classes in another order."""
    if tool == "cvat":
        xml = files["annotations.xml"].decode()
        edges = re.compile(r'(xtl|ytl|xbr|ybr)="([\d.]+)"')
        return {"annotations.xml": edges.sub(lambda m: f'{m[1]}="{float(m[2]):.2f}"', xml).encode()}
    if tool == "coco":
        name = "annotations/instances_default.json"
        document = json.loads(files[name])
        count = len(classes)
        for entry in document["annotations"]:
            entry["bbox"] = [round(value, 2) for value in entry["bbox"]]
            entry["category_id"] = 10 * (count + 1 - entry["category_id"])
        for entry in document["categories"]:
            entry["id"] = 10 * (count + 1 - entry["id"])
        return {name: json.dumps(document).encode()}
    if tool == "yolo":
        back = list(range(len(classes)))[::-1]
        named = "".join(
            f"  {index}: {json.dumps(classes[back[index]], ensure_ascii=False)}\n" for index in back
        )
        texts = {
            name: "".join(
                f"{back[int(line.split()[0])]} {line.partition(' ')[2]}\n"
                for line in data.decode().splitlines()
            ).encode()
            for name, data in files.items()
            if name.endswith(".txt")
        }
        return {"data.yaml": f"names:\n{named}".encode(), **texts}
    return {"tasks.json": files["tasks.json"]}


@st.composite
def annotated(draw: st.DrawFn) -> tuple[list[tuple[tuple[int, int], list[YoloBox]]], list[str]]:
    classes = draw(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=6),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    side = st.integers(8, 8000)
    share = st.floats(0, 1)
    pictures = []
    for _ in range(draw(st.integers(1, 3))):
        size = (draw(side), draw(side))
        boxes = []
        for _ in range(draw(st.integers(0, 5))):
            corners = [draw(share) * size[axis % 2] for axis in range(4)]
            box = box_of(draw(st.integers(0, len(classes) - 1)), corners, size)
            # A tool that keeps two decimals has no box that is thinner than they tell.
            if box is not None and box.width * size[0] > 0.1 and box.height * size[1] > 0.1:
                boxes.append(box)
        pictures.append((size, boxes))
    return pictures, classes


@pytest.mark.parametrize("tool", TOOLS)
@settings(deadline=None)
@given(annotated())
def test_any_boxes_come_back_as_they_went_whatever_the_tool_rounds(
    tmp_path_factory: pytest.TempPathFactory,
    tool: Tool,
    made: tuple[list[tuple[tuple[int, int], list[YoloBox]]], list[str]],
) -> None:
    pictures, classes = made
    view, sizes = made_view(pictures, classes), [size for size, _ in pictures]
    files = as_the_tool_saves(sent(view, sizes, tool), tool, classes)
    plan = received(files, tool, view, sizes, tmp_path_factory.getbasetemp())
    # Label Studio tells a picture that nobody has annotated from one that has no item.
    assert {problem.kind for problem in plan.problems} <= {"not_annotated"}
    assert {problem.id for problem in plan.problems} <= {row.id for row in view.rows if not row.boxes}
    assert plan.labels == {}
    assert plan.templates == {}
    assert plan.not_returned == []
    assert plan.kept == sum(len(boxes) for _, boxes in pictures)


@pytest.mark.parametrize("tool", TOOLS)
@settings(deadline=None)
@given(annotated())
def test_any_boxes_drawn_in_a_tool_arrive_within_a_hundredth_of_a_pixel(
    tmp_path_factory: pytest.TempPathFactory,
    tool: Tool,
    made: tuple[list[tuple[tuple[int, int], list[YoloBox]]], list[str]],
) -> None:
    pictures, classes = made
    full, sizes = made_view(pictures, classes), [size for size, _ in pictures]
    empty = made_view([(size, []) for size in sizes], classes)
    files = as_the_tool_saves(sent(full, sizes, tool), tool, classes)
    plan = received(files, tool, empty, sizes, tmp_path_factory.getbasetemp())
    assert {problem.kind for problem in plan.problems} <= {"not_annotated"}
    for row, size in zip(full.rows, sizes, strict=True):
        lines = plan.labels.get(row.id, "").splitlines()
        assert len(lines) == len(row.boxes)
        for line, box in zip(lines, row.boxes, strict=True):
            class_id, *shares = line.split()
            back = YoloBox(int(class_id), *(float(share) for share in shares))
            assert back.class_id == box.class_id
            wanted, found = corners_of(box, size), corners_of(back, size)
            assert max(abs(a - b) for a, b in zip(wanted, found, strict=True)) < 0.03
