"""Label Studio: tasks with annotations and predictions, and the labeling configuration that they belong to.

Format: https://labelstud.io/guide/task_format, https://labelstud.io/guide/predictions and
https://labelstud.io/tags/rectanglelabels. Boxes are percent of the picture's sides. Boxes that a detector
proposed go in as predictions, which a person accepts or corrects; only annotations come back.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree as ET

from pipeline.contracts.base import shown
from pipeline.support.errors import ContractError, Fault, InputError
from pipeline.support.images import is_image_name
from pipeline.training.exchange.archive import Source, base_name, json_bytes
from pipeline.training.exchange.model import (
    Outgoing,
    OutPicture,
    ReadPicture,
    ReadRegion,
    Region,
    colour,
    number,
    numbers,
)
from pipeline.training.exchange.xml import xml_text

TASKS = "tasks.json"
CONFIG = "labeling-config.xml"
LOCAL_FILES = "/data/local-files/?d=images/"
"""Where Label Studio serves a folder ``images`` of its local storage."""
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of an uploaded file."""
_FROM, _TO = "label", "image"


def label_studio_files(bundle: Outgoing, *, prefix: str = LOCAL_FILES) -> dict[str, bytes]:
    """Return the tasks to import, and the configuration to set first.

    Args:
        bundle: what is handed over.
        prefix: what stands before a picture's file name, so that Label Studio finds it.
    """
    tasks = [_task(index, picture, bundle, prefix) for index, picture in enumerate(bundle.pictures, start=1)]
    return {TASKS: json_bytes(tasks), CONFIG: _config(bundle.classes)}


def read_label_studio(source: Source) -> list[ReadPicture]:
    """Read an export as "JSON": the file itself, or a zip or folder with it.

    Raises:
        InputError: there is no such file in it, it is not JSON, or another of Label Studio's exports.
        ContractError: a task is not what Label Studio writes.
    """
    names = source.ending(".json")
    if not names:
        raise InputError(f"{source.path}: no JSON in it", hint="Export from Label Studio as JSON.")
    if len(names) > 1:
        names = [name for name in names if base_name(name) == TASKS] or names
    tasks = source.json(names[0])
    described = source.described(names[0])
    if not isinstance(tasks, list):
        raise InputError(f"{described}: not a list of tasks", hint="Export from Label Studio as JSON.")
    faults: list[Fault] = []
    pictures = [
        picture
        for index, task in enumerate(tasks)
        if (picture := _read_task(task, f"[{index}]", faults)) is not None
    ]
    if faults:
        raise ContractError(described, faults, hint="Export from Label Studio as JSON, not as JSON-MIN.")
    return pictures


def _config(classes: tuple[str, ...]) -> bytes:
    view = ET.Element("View")
    ET.SubElement(view, "Image", name=_TO, value="$image", zoom="true", zoomControl="true")
    labels = ET.SubElement(view, "RectangleLabels", name=_FROM, toName=_TO, canRotate="false")
    for index, label in enumerate(classes):
        ET.SubElement(labels, "Label", value=xml_text(label), background=colour(index))
    ET.indent(view)
    xml: bytes = ET.tostring(view, encoding="utf-8")
    return xml + b"\n"


def _task(index: int, picture: OutPicture, bundle: Outgoing, prefix: str) -> dict[str, Any]:
    results = [_result(picture, number, region) for number, region in enumerate(picture.regions)]
    task: dict[str, Any] = {
        "id": index,
        "data": {
            "image": prefix + quote(picture.name),
            "bundle_id": picture.id,
            "expected_label": picture.class_label,
        },
        "annotations": [],
        "predictions": [],
    }
    if picture.proposed:
        scores = [region.score for region in picture.regions if region.score is not None]
        task["predictions"] = [
            {
                "model_version": bundle.detector or "detector",
                "score": round(sum(scores) / len(scores), 4) if scores else 0.0,
                "result": results,
            }
        ]
    elif results or picture.is_negative:
        task["annotations"] = [{"result": results, "was_cancelled": False, "ground_truth": False}]
    return task


def _result(picture: OutPicture, index: int, region: Region) -> dict[str, Any]:
    width, height = picture.size
    x1, y1, x2, y2 = region.corners
    key = hashlib.sha256(f"{picture.id}/{index}".encode()).hexdigest()[:10]
    return {
        "id": key,
        "type": "rectanglelabels",
        "from_name": _FROM,
        "to_name": _TO,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {
            "x": 100 * x1 / width,
            "y": 100 * y1 / height,
            "width": 100 * (x2 - x1) / width,
            "height": 100 * (y2 - y1) / height,
            "rotation": 0,
            "rectanglelabels": [region.label],
        },
        **({} if region.score is None else {"score": region.score}),
    }


def _read_task(task: object, where: str, faults: list[Fault]) -> ReadPicture | None:
    data = task.get("data") if isinstance(task, dict) else None
    annotations = task.get("annotations") if isinstance(task, dict) else None
    if not isinstance(data, dict) or not isinstance(annotations, list):
        faults.append(Fault(where, "is no task with data and annotations"))
        return None
    address = _address(data)
    row_id = data.get("bundle_id")
    if address is None and not isinstance(row_id, str):
        faults.append(Fault(f"{where}.data", "names no picture"))
        return None
    picture = ReadPicture(
        picture_name(address or ""), any_scale=True, row_id=row_id if isinstance(row_id, str) else None
    )
    usable = [each for each in annotations if isinstance(each, dict) and not each.get("was_cancelled")]
    if len(usable) < len(annotations):
        picture.find("ignored", f"{len(annotations) - len(usable)} annotations that were skipped")
    if not usable:
        picture.answered = False
        return picture
    if len(usable) > 1:
        words = f"{len(usable)} people's annotations; the ground truth or else the last one is taken"
        picture.find("several_annotations", words)
    chosen = max(usable, key=_last)
    result = chosen.get("result")
    picture.confirmed = True
    if not isinstance(result, list):
        faults.append(Fault(f"{where}.annotations", "holds one without a list of results"))
        return None
    entries = [each if isinstance(each, dict) else {} for each in result]
    # With <Rectangle> and <Labels> apart a box stands twice: once bare, once with its label.
    labelled = {_key(each) for each in entries if each.get("type") == "labels"}
    for each in entries:
        if not (each.get("type") == "rectangle" and _key(each) in labelled - {None}):
            _take(each, picture)
    return picture


def _address(data: dict[str, Any]) -> str | None:
    """Return the picture's address: under ``image``, else the one value that ends as pictures' names do."""
    named = data.get("image")
    if isinstance(named, str) and named:
        return named
    like = [
        value
        for value in data.values()
        if isinstance(value, str) and is_image_name(Path(picture_name(value)))
    ]
    return like[0] if len(like) == 1 else None


def picture_name(address: str) -> str:
    """Return the file name in an address as Label Studio has it: a url, or a path of its local storage."""
    try:
        parts = urlsplit(address)
        path = (parse_qs(parts.query).get("d") or [unquote(parts.path)])[0]
    except ValueError:  # a url that is none
        path = address
    return base_name(path)


def without_upload_prefix(name: str) -> str:
    """Return a name without what Label Studio puts before that of an uploaded file."""
    return _UPLOADED.sub("", name)


def _last(annotation: dict[str, Any]) -> tuple[bool, str, float]:
    when = annotation.get("updated_at") or annotation.get("created_at")
    key = number(annotation.get("id"))
    return bool(annotation.get("ground_truth")), when if isinstance(when, str) else "", key or 0.0


_BOX_TYPES = ["rectanglelabels", "labels", "rectangle"]
"""Types of results that are boxes; no set, since what a file gives as a type may be anything."""


def _take(entry: dict[str, Any], picture: ReadPicture) -> None:
    kind, value = entry.get("type"), entry.get("value")
    if not isinstance(value, dict) or kind not in _BOX_TYPES:
        _find_other(kind, value, picture)
        return
    names = value.get("rectanglelabels") or value.get("labels")
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        picture.find("unknown_label", f"a box under {shown(names)}, where it needs one label")
        return
    edges = numbers([value.get(key) for key in ("x", "y", "width", "height")])
    turned = [number(value.get("rotation", 0)), number(entry.get("image_rotation", 0))]
    if edges is None or edges[2] <= 0 or edges[3] <= 0:
        picture.find("invalid_box", f"a box of {shown(names[0])} without an area or four numbers")
    elif any(angle is None or angle % 360 for angle in turned):
        picture.find("rotated_box", f"a box of {shown(names[0])} that is turned")
    else:
        x, y, width, height = (edge / 100 for edge in edges)
        picture.regions.append(ReadRegion(names[0], (x, y, x + width, y + height), "shares"))
        sides = numbers([entry.get("original_width"), entry.get("original_height")])
        picture.size = (sides[0], sides[1]) if sides else picture.size


def _key(entry: dict[str, Any]) -> str | None:
    key = entry.get("id")
    return key if isinstance(key, str) else None


def _find_other(kind: object, value: object, picture: ReadPicture) -> None:
    """Tell a shape that is no box from an answer that is no shape, such as a choice."""
    if isinstance(value, dict) and {"x", "points", "rle", "format", "vertices"} & value.keys():
        picture.find("unsupported_shape", f"a {shown(kind)}, where only boxes are trained on")
    else:
        picture.find("ignored", f"a result of type {shown(kind)}")
