"""COCO: the JSON of object instances, as pycocotools and most tools read it.

Format: https://cocodataset.org/#format-data. Category ids count from 1; on the way back they mean what the
file's own categories say.
"""

from __future__ import annotations

from typing import Any

from pipeline.contracts.base import shown
from pipeline.support.errors import ContractError, Fault, InputError
from pipeline.training.exchange.archive import Source, json_bytes
from pipeline.training.exchange.model import Outgoing, ReadPicture, ReadRegion, number, numbers

ANNOTATIONS = "annotations/instances_default.json"
"""Where CVAT looks for it in a zip."""
_RECTANGLE = 1.0
"""Square pixels, for each pixel of width and height, by which an outline may differ from its box."""


def coco_files(bundle: Outgoing) -> dict[str, bytes]:
    """Return the one file of COCO."""
    ids = {label: index for index, label in enumerate(bundle.classes, start=1)}
    annotations: list[dict[str, Any]] = []
    for image_id, picture in enumerate(bundle.pictures, start=1):
        for region in picture.regions:
            x1, y1, x2, y2 = region.corners
            box = [round(value, 4) for value in (x1, y1, x2 - x1, y2 - y1)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": ids[region.label],
                    "bbox": box,
                    "area": round(box[2] * box[3], 4),
                    "segmentation": [],
                    "iscrowd": 0,
                    **({} if region.score is None else {"score": region.score}),
                }
            )
    document = {
        "info": {"description": bundle.name, "version": "1.0"},
        "licenses": [],
        "images": [
            {"id": image_id, "file_name": picture.name, "width": picture.size[0], "height": picture.size[1]}
            for image_id, picture in enumerate(bundle.pictures, start=1)
        ],
        "categories": [{"id": index, "name": label, "supercategory": ""} for label, index in ids.items()],
        "annotations": annotations,
    }
    return {ANNOTATIONS: json_bytes(document)}


def read_coco(source: Source) -> list[ReadPicture]:
    """Read a COCO file: the JSON itself, or a zip or folder with one or more of them.

    Raises:
        InputError: there is no such file in it, or it is not JSON.
        ContractError: images or categories are not what COCO has, or an annotation is of no image.
    """
    pictures: list[ReadPicture] = []
    names = source.ending(".json")
    for name in names:
        document = source.json(name)
        if isinstance(document, dict) and "images" in document and "annotations" in document:
            pictures += _Reader(source.described(name), document).read()
        elif len(names) == 1:
            raise InputError(f"{source.described(name)}: not COCO: no images and annotations in it")
    if not pictures:
        raise InputError(f"{source.path}: no COCO file with images in it")
    return pictures


class _Reader:
    """Reads one document; faults of its frame are collected, those of single shapes stay with the picture."""

    def __init__(self, described: str, document: dict[str, Any]) -> None:
        self.described = described
        self.document = document
        self.faults: list[Fault] = []

    def read(self) -> list[ReadPicture]:
        labels = {key: str(entry.get("name", "")) for key, entry in self._by_id("categories").items()}
        pictures = {key: self._picture(key, entry) for key, entry in self._by_id("images").items()}
        for index, entry in self._entries("annotations"):
            picture = pictures.get(entry.get("image_id")) if _is_id(entry.get("image_id")) else None
            if picture is None:
                problem = f"there is no image {shown(entry.get('image_id'))}"
                self.faults.append(Fault(f"annotations[{index}].image_id", problem))
            else:
                _take(entry, picture, labels)
        if self.faults:
            raise ContractError(self.described, self.faults)
        return list(pictures.values())

    def _entries(self, key: str) -> list[tuple[int, dict[str, Any]]]:
        listed = self.document.get(key)
        if not isinstance(listed, list):
            self.faults.append(Fault(key, "must be a list"))
            return []
        self.faults += [
            Fault(f"{key}[{index}]", f"must be an object, not {shown(entry)}")
            for index, entry in enumerate(listed)
            if not isinstance(entry, dict)
        ]
        return [(index, entry) for index, entry in enumerate(listed) if isinstance(entry, dict)]

    def _by_id(self, key: str) -> dict[Any, dict[str, Any]]:
        found: dict[Any, dict[str, Any]] = {}
        for index, entry in self._entries(key):
            if not _is_id(entry.get("id")):
                self.faults.append(Fault(f"{key}[{index}].id", f"is no id: {shown(entry.get('id'))}"))
            elif entry["id"] in found:
                self.faults.append(Fault(f"{key}[{index}].id", f"{shown(entry['id'])} stands twice"))
            else:
                found[entry["id"]] = entry
        return found

    def _picture(self, key: Any, entry: dict[str, Any]) -> ReadPicture:
        name = entry.get("file_name")
        if not isinstance(name, str) or not name:
            self.faults.append(Fault(f"images (id {shown(key)}).file_name", "is missing"))
        sides = numbers([entry.get("width"), entry.get("height")])
        return ReadPicture(str(name), size=(sides[0], sides[1]) if sides else None)


def _is_id(value: object) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _take(entry: dict[str, Any], picture: ReadPicture, labels: dict[Any, str]) -> None:
    category = entry.get("category_id")
    label = labels.get(category) if _is_id(category) else None
    if label is None:
        picture.find("unknown_label", f"the category {shown(category)}, which the file does not list")
        return
    box = entry.get("bbox")
    edges = numbers(box) if isinstance(box, list) and len(box) == 4 else None
    attributes = entry.get("attributes")
    rotation = number(attributes.get("rotation", 0)) if isinstance(attributes, dict) else 0.0
    if entry.get("iscrowd"):
        picture.find("unsupported_shape", f"a crowd of {shown(label)}, where each item has its own box")
    elif edges is None:
        picture.find("invalid_box", f"a box of {shown(label)} without four numbers: {shown(box)}")
    elif rotation is None or rotation % 360:
        picture.find("rotated_box", f"a box of {shown(label)} turned by {shown(rotation)} degrees")
    else:
        x, y, width, height = edges
        if width <= 0 or height <= 0:
            picture.find("invalid_box", f"a box of {shown(label)} without an area: {shown(box)}")
            return
        if _is_outline(entry.get("segmentation"), width, height):
            picture.find("ignored", f"the outline of an item of {shown(label)}; its box is taken")
        picture.regions.append(ReadRegion(label, (x, y, x + width, y + height), "pixels"))


def _is_outline(segmentation: object, width: float, height: float) -> bool:
    """Tell whether an annotation has an outline that is not just its box."""
    if not segmentation:
        return False
    if not isinstance(segmentation, list) or len(segmentation) != 1:
        return True
    ring = numbers(segmentation[0]) if isinstance(segmentation[0], list) else None
    if ring is None or len(ring) < 6 or len(ring) % 2:
        return True
    points = list(zip(ring[::2], ring[1::2], strict=True))
    twice = sum(
        x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True)
    )
    return abs(abs(twice) / 2 - width * height) > _RECTANGLE * (width + height)
