"""CVAT: "CVAT for images 1.1" XML, written as an upload and read from an export of a task or project.

Format: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/ and
https://docs.cvat.ai/docs/other/xml_format/ (annotation mode). The labels' JSON is what CVAT's "Raw" label
constructor takes: https://docs.cvat.ai/docs/api_sdk/sdk/reference/models/patched-label-request/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pipeline.contracts.base import shown
from pipeline.support.errors import InputError
from pipeline.training.exchange.archive import Source, json_bytes
from pipeline.training.exchange.model import Outgoing, OutPicture, ReadPicture, ReadRegion, colour, numbers
from pipeline.training.exchange.xml import parse_xml, xml_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ANNOTATIONS = "annotations.xml"
LABELS_JSON = "labels.json"
_SHAPES = frozenset({"polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton"})
_LEAST_ROTATION = 0.01
"""Degrees from which a box is a rotated one."""


def cvat_files(bundle: Outgoing) -> dict[str, bytes]:
    """Return the files that CVAT takes: the annotations, and the labels for the task's constructor.

    Raises:
        InputError: a name holds a character that XML does not have.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    for key, value in (
        ("name", bundle.name),
        ("size", str(len(bundle.pictures))),
        ("mode", "annotation"),
        ("overlap", "0"),
    ):
        ET.SubElement(task, key).text = xml_text(value)
    labels = ET.SubElement(task, "labels")
    for index, name in enumerate(bundle.classes):
        label = ET.SubElement(labels, "label")
        for key, value in (("name", name), ("color", colour(index)), ("type", "rectangle")):
            ET.SubElement(label, key).text = xml_text(value)
        ET.SubElement(label, "attributes")
    for index, picture in enumerate(bundle.pictures):
        root.append(_image(index, picture))
    ET.indent(root)
    constructor = [
        {"name": name, "color": colour(index), "type": "rectangle", "attributes": []}
        for index, name in enumerate(bundle.classes)
    ]
    xml = ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
    return {ANNOTATIONS: xml, LABELS_JSON: json_bytes(constructor)}


def read_cvat(source: Source) -> list[ReadPicture]:
    """Read an export as "CVAT for images 1.1": the XML itself, or a zip or folder with it.

    Raises:
        InputError: there is no such file in it, it is no XML or holds a DTD, or another format of CVAT's.
    """
    names = [name for name in source.ending(".xml") if name.rpartition("/")[2] == ANNOTATIONS]
    names = names or source.ending(".xml")
    if not names:
        raise InputError(
            f"{source.path}: no {ANNOTATIONS} in it", hint='Export from CVAT as "CVAT for images 1.1".'
        )
    root = parse_xml(source, names[0])
    if root.tag != "annotations":
        raise InputError(f"{source.described(names[0])}: <{root.tag}> where CVAT writes <annotations>")
    version = (root.findtext("version") or "").strip()
    if version not in {"1.0", "1.1"}:
        raise InputError(f"{source.described(names[0])}: version {shown(version)}; 1.1 is read")
    if root.find("track") is not None:
        raise InputError(
            f"{source.described(names[0])}: an export for videos, with tracks",
            hint='Export from CVAT as "CVAT for images 1.1".',
        )
    return [_read_image(image) for image in root.iter("image")]


def _image(index: int, picture: OutPicture) -> Element:
    width, height = picture.size
    image = ET.Element(
        "image", id=str(index), name=xml_text(picture.name), width=str(width), height=str(height)
    )
    for region in picture.regions:
        x1, y1, x2, y2 = (f"{edge:.4f}" for edge in region.corners)
        made_by = "auto" if picture.proposed else "manual"
        box = {"label": xml_text(region.label), "source": made_by, "occluded": "0"}
        ET.SubElement(image, "box", box | {"xtl": x1, "ytl": y1, "xbr": x2, "ybr": y2, "z_order": "0"})
    return image


def _read_image(image: Element) -> ReadPicture:
    name = image.get("name") or ""
    sides = numbers([image.get("width"), image.get("height")])
    picture = ReadPicture(name, size=(sides[0], sides[1]) if sides else None)
    for shape in image:
        if shape.tag == "box":
            picture.regions += _box(shape, picture)
        elif shape.tag in _SHAPES:
            words = f"a {shape.tag} of {shown(shape.get('label') or '')}, where only boxes are trained on"
            picture.find("unsupported_shape", words)
        elif shape.tag == "tag":
            picture.find("ignored", f"the tag {shown(shape.get('label') or '')} of the whole picture")
    return picture


def _box(shape: Element, picture: ReadPicture) -> Iterator[ReadRegion]:
    label = shape.get("label") or ""
    edges = numbers([shape.get(key) for key in ("xtl", "ytl", "xbr", "ybr")])
    rotation = numbers([shape.get("rotation", "0")])
    if edges is None or rotation is None:
        picture.find("invalid_box", f"a box of {shown(label)} without four numbers")
    elif min(rotation[0] % 360, -rotation[0] % 360) > _LEAST_ROTATION:
        picture.find("rotated_box", f"a box of {shown(label)} turned by {rotation[0]:g} degrees")
    else:
        x1, y1, x2, y2 = edges
        yield ReadRegion(label, (x1, y1, x2, y2), "pixels", by_detector=shape.get("source") == "auto")
