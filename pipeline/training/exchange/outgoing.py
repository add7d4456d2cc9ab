"""A bundle turned into what every format is made from, and written as a folder or a zip."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.exchange import Tool
from pipeline.support.errors import InputError, OutputError
from pipeline.support.files import atomic_writer, copy_file, open_input, staged_directory, write_bytes
from pipeline.support.images import MAX_PIXELS
from pipeline.support.pool import cores
from pipeline.support.progress import track
from pipeline.support.yolo_labels import YoloBox, corners_of
from pipeline.training.bundle_rows import AnnotatedRow, BundleView, size_or_reason
from pipeline.training.exchange.coco import coco_files
from pipeline.training.exchange.cvat import cvat_files
from pipeline.training.exchange.label_studio import LOCAL_FILES, label_studio_files
from pipeline.training.exchange.model import Corners, Outgoing, OutPicture, Region
from pipeline.training.exchange.yolo import yolo_files

IMAGES = "images"
_CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a zip, so that the same bundle gives the same bytes."""


@dataclass(slots=True)
class Export:
    """A bundle as it goes out."""

    outgoing: Outgoing
    images: dict[str, Path]
    """Picture id to its file."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Row id to why it does not go out."""
    faulty_lines: dict[str, int] = field(default_factory=dict)
    """Row id to how many lines of its label file are no boxes and do not go out."""


def export_of(bundle: BundleView, *, max_pixels: int = MAX_PIXELS) -> Export:
    """Gather what goes out: every row with a picture that can be read.

    Raises:
        InputError: two pictures have one file name, by which tools know them, or there is none.
    """
    sizes = picture_sizes(bundle.rows, max_pixels=max_pixels)
    pictures: list[OutPicture] = []
    export = Export(Outgoing(bundle.directory.name, tuple(bundle.classes), (), None), {})
    stems: dict[str, str] = {}
    for row in bundle.rows:
        size = sizes[row.id]
        if isinstance(size, str):
            export.left_out[row.id] = size
            continue
        if row.faults:
            export.faulty_lines[row.id] = len(row.faults)
        other = stems.setdefault(row.row.image.stem, row.id)
        if other != row.id:
            raise InputError(
                f"the pictures of {other} and {row.id} are both named {row.row.image.stem}",
                hint="Tools know a picture by its name: build the bundle again.",
            )
        export.images[row.id] = row.row.image
        pictures.append(_picture(row, size, bundle))
    if not pictures:
        raise InputError(f"{bundle.directory}: no row has a picture that can be read")
    export.outgoing = Outgoing(
        bundle.directory.name,
        tuple(bundle.classes),
        tuple(pictures),
        bundle.proposals.model.rpartition("/")[2] if bundle.proposals else None,
    )
    return export


def tool_files(outgoing: Outgoing, tool: Tool, *, prefix: str = LOCAL_FILES) -> dict[str, bytes]:
    """Return the files of a format by their relative names, without pictures.

    Raises:
        InputError: a name holds what the format cannot.
    """
    if tool == "cvat":
        return cvat_files(outgoing)
    if tool == "coco":
        return coco_files(outgoing)
    if tool == "yolo":
        return yolo_files(outgoing)
    return label_studio_files(outgoing, prefix=prefix)


def image_names(outgoing: Outgoing, tool: Tool) -> dict[str, str]:
    """Return where each picture lies in an export, by its id."""
    return {
        picture.id: f"{IMAGES}/{picture.subset}/{picture.name}"
        if tool == "yolo"
        else f"{IMAGES}/{picture.name}"
        for picture in outgoing.pictures
    }


def write_export(out: Path, files: Mapping[str, bytes], images: Mapping[str, Path]) -> None:
    """Write an export whole: a zip where ``out`` ends in ``.zip``, else a folder.

    Args:
        out: must not be there yet.
        files: relative names to contents.
        images: relative names to the pictures that are copied.

    Raises:
        OutputError: ``out`` is there already or cannot be written.
        InputError: a picture cannot be read any more.
    """
    if out.suffix.lower() != ".zip":
        with staged_directory(out) as folder:
            for name, data in files.items():
                write_bytes(folder / name, data)
            for name, path in images.items():
                copy_file(path, folder / name)
        return
    if out.exists():
        raise OutputError(f"{out} exists already", hint="Choose another name or remove it first.")
    with atomic_writer(out) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(_info(name, zipfile.ZIP_DEFLATED), data)
        for name, path in images.items():
            # Pictures are compressed already.
            with open_input(path) as picture, archive.open(_info(name, zipfile.ZIP_STORED), "w") as member:
                while chunk := picture.read(_CHUNK):
                    member.write(chunk)


def picture_sizes(
    rows: list[AnnotatedRow], *, max_pixels: int = MAX_PIXELS
) -> dict[str, tuple[int, int] | str]:
    """Return width and height of every row's picture, or in words why there is none."""
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        sizes = pool.map(lambda row: size_or_reason(row.row, max_pixels=max_pixels), rows)
        found = list(track(sizes, total=len(rows), what="Reading pictures"))
    return dict(zip((row.id for row in rows), found, strict=True))


def corners_within(box: YoloBox, size: tuple[int, int]) -> Corners:
    """Return a box's corners in pixels, cut at the picture's edges, over which a rounding may reach."""
    x1, y1, x2, y2 = corners_of(box, size)
    width, height = size
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))


def _picture(row: AnnotatedRow, size: tuple[int, int], bundle: BundleView) -> OutPicture:
    scores: Sequence[float | None] = row.scores or [None] * len(row.boxes)
    return OutPicture(
        id=row.id,
        name=row.row.image.name,
        size=size,
        subset=bundle.subsets.get(row.id, "train"),
        is_negative=row.row.is_negative,
        class_label=row.row.class_label,
        proposed=row.is_proposed,
        regions=tuple(
            Region(bundle.classes[box.class_id], corners_within(box, size), box, score)
            for box, score in zip(row.boxes, scores, strict=True)
        ),
    )


def _info(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = method
    info.external_attr = 0o644 << 16
    return info
