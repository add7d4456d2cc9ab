"""Exports in the hands of other readers of the formats, and their exports in ours; skipped without them.

Datumaro began as CVAT's own reader of formats, and label-studio-sdk checks what Label Studio imports. Neither
installs beside this project's own libraries: `pip install datumaro label-studio-sdk` wants an environment of
its own, with this project's base requirements and pytest.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import annotated_bundles as bundles
import pytest
from annotated_bundles import CLASSES, DRAWN, Sample

Repath = Callable[..., Any]
SAMPLES = (*DRAWN, Sample("card-1", CLASSES[2], "2 0.5 0.5 0.4 0.4\n", (300, 200), "proposed"))
BOXES = sum(sample.boxes.count("\n") for sample in SAMPLES)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return bundles.write_bundle(tmp_path / "bundles" / "20260101-000000", SAMPLES)


@pytest.fixture
def datumaro() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("datumaro", reason="Datumaro reads what is exported")


def exported(repath: Repath, bundle: Path, tool: str, out: Path) -> Path:
    ran = repath("training", "export-annotations", "--to", tool, "--bundle-dir", bundle, "--out", out)
    assert ran.code == 0, ran.err
    return out


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("tool", "name"), [("cvat", "cvat"), ("coco", "coco_instances"), ("yolo", "yolo")])
def test_datumaro_tells_the_format_and_finds_every_box(
    datumaro: Any, bundle: Path, repath: Repath, tmp_path: Path, tool: str, name: str
) -> None:
    out = exported(repath, bundle, tool, tmp_path / "out")
    assert datumaro.Environment().detect_dataset(str(out)) == [name]
    read = datumaro.Dataset.import_from(str(out), name)
    assert [label.name for label in read.categories()[datumaro.AnnotationType.label]] == list(CLASSES)
    assert len(read) == len(SAMPLES)
    found = [one for item in read for one in item.annotations if one.type == datumaro.AnnotationType.bbox]
    assert len(found) == BOXES


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("tool", "name"), [("cvat", "cvat"), ("coco", "coco_instances"), ("yolo", "yolo")])
def test_what_datumaro_writes_comes_back_unchanged(
    datumaro: Any, bundle: Path, repath: Repath, tmp_path: Path, tool: str, name: str
) -> None:
    out = exported(repath, bundle, "cvat", tmp_path / "out")
    datumaro.Dataset.import_from(str(out), "cvat").export(str(tmp_path / "back"), name, save_media=True)
    ran = repath(
        "training", "import-annotations", "--from", tool, "--bundle-dir", bundle, "--input", tmp_path / "back"
    )
    assert ran.code == 0, ran.err
    assert (ran.json["boxes_kept"], ran.json["pictures_changed"]) == (BOXES, 0)
    assert ran.json["problem_kinds"] in ({}, {"proposals_unchanged": 1})


@pytest.mark.filterwarnings("ignore")
def test_label_studios_own_checks_take_tasks_predictions_and_configuration(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sdk = pytest.importorskip("label_studio_sdk.label_interface", reason="label-studio-sdk checks them")
    out = exported(repath, bundle, "label-studio", tmp_path / "out")
    interface = sdk.LabelInterface((out / "labeling-config.xml").read_text())
    interface.validate()
    tasks = json.loads((out / "tasks.json").read_text())
    assert len(tasks) == len(SAMPLES)
    for task in tasks:
        assert interface.validate_task({"data": task["data"]})
        assert all(interface.validate_annotation(each) for each in task["annotations"])
        assert all(interface.validate_prediction(each) for each in task["predictions"])
    assert sum(bool(task["predictions"]) for task in tasks) == 1
