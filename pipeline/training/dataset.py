"""A bundle as training reads it: subsets, classes, and a folder that Ultralytics may work in.

Ultralytics writes caches beside label files, rewrites pictures whose end is missing, and does not read every
format. It is therefore given a view of the bundle in the run's own folder; the bundle stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.bundle import CLASSES_FILE, SPLIT_FILE, BundleClasses, Split, Subset
from pipeline.support.documents import read_json
from pipeline.support.errors import InputError, TrainingError
from pipeline.support.files import copy_file, output_error, write_bytes, write_text
from pipeline.support.images import decode_rgb, inspect_image, is_image_name, read_image_bytes
from pipeline.support.progress import track
from pipeline.training.bundle_files import yaml_quoted
from pipeline.training.validate import BundleRow, read_bundle_rows

_AS_THEY_ARE = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Endings that Ultralytics reads; a GIF is copied as PNG."""
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Dataset:
    """The pictures of a bundle by subset."""

    bundle_dir: Path
    labels: tuple[str, ...]
    split: Split | None
    """None for a bundle of before there was a ``split.json``."""
    subsets: dict[Subset, tuple[BundleRow, ...]]
    missing: int
    """Rows without a picture."""

    @property
    def val_is_train(self) -> bool:
        """Whether there is nothing to validate on but what is trained on."""
        return not self.subsets["val"]

    @property
    def split_digest(self) -> str | None:
        """The digest that names the division."""
        return self.split.digest if self.split else None

    def pictures(self, subset: Subset) -> list[Path]:
        """Return the pictures of a subset, in the order of the split."""
        return [row.image for row in self.subsets[subset]]


@dataclass(frozen=True, slots=True)
class View:
    """The folder that Ultralytics trains from."""

    yaml: Path
    counts: dict[str, int]
    shrunk: int
    """Pictures that were over a limit and are trained on as smaller copies."""


def open_dataset(bundle_dir: Path) -> Dataset:
    """Read which pictures of a bundle train, validate and test.

    Raises:
        InputError: a table is missing or not what it should be.
        ContractError: a table breaks its contract.
        PathEscapeError: a path leaves the bundle.
        TrainingError: there is nothing to train on.
    """
    labels = tuple(read_json(bundle_dir / CLASSES_FILE, BundleClasses).labels)
    rows = {row.id: row for row in read_bundle_rows(bundle_dir)}
    usable = {name: row for name, row in rows.items() if row.image_file and row.image.is_file()}
    split_file = bundle_dir / SPLIT_FILE
    split = read_json(split_file, Split) if split_file.is_file() else None
    subset_of: dict[str, Subset] = (
        dict.fromkeys(usable, "train")
        if split is None
        else {entry.id: entry.subset for entry in split.entries}
    )
    subsets: dict[Subset, tuple[BundleRow, ...]] = {
        subset: tuple(usable[name] for name, side in subset_of.items() if side == subset and name in usable)
        for subset in ("train", "val", "test")
    }
    if not subsets["train"]:
        raise TrainingError(
            f"{bundle_dir} has no picture to train on", hint="Build the bundle again and look at its split."
        )
    return Dataset(bundle_dir, labels, split, subsets, len(rows) - len(usable))


def write_view(
    dataset: Dataset, folder: Path, *, max_pixels: int | None = None, max_side: int | None = None
) -> View:
    """Write the folder that Ultralytics trains from: links to pictures, copies of labels, ``dataset.yaml``.

    A picture over a limit, of a format that Ultralytics does not read, or without the end that it would write
    into the file, is a copy; every other one is a link. The bundle is not changed.

    Args:
        dataset: the bundle.
        folder: where the view goes; it must not exist.
        max_pixels: width times height above which a smaller copy is trained on.
        max_side: the same for the longer side.

    Raises:
        ImageError: a picture cannot be decoded.
        TrainingError: two pictures of a subset have one name.
        OutputError: the folder cannot be written.
    """
    work = [(subset, row) for subset, rows in dataset.subsets.items() for row in rows]
    shrunk = 0
    placed: set[tuple[Subset, str]] = set()
    for subset, row in track(work, total=len(work), what="Preparing pictures"):
        stem = row.image.stem
        if (subset, stem) in placed:  # a.jpg and a.png would share the one label file of that name
            raise TrainingError(
                f"two rows of the bundle name a picture {stem}.*",
                hint=f"Give one of the two in {row.image.parent} another name, and build the bundle again.",
            )
        placed.add((subset, stem))
        shrunk += _place(row.image, folder / "images" / subset / stem, max_pixels, max_side)
        target = folder / "labels" / subset / f"{stem}.txt"
        if row.label_file and row.labels.is_file():
            copy_file(row.labels, target)
        else:
            write_bytes(target, b"")
    yaml = folder / "dataset.yaml"
    write_text(yaml, _yaml(dataset, folder))
    return View(yaml, {subset: len(rows) for subset, rows in dataset.subsets.items()}, shrunk)


def _place(source: Path, stem: Path, max_pixels: int | None, max_side: int | None) -> bool:
    data = read_image_bytes(source)
    info = inspect_image(data, source=str(source))
    scale = _scale(info.width, info.height, max_pixels, max_side)
    if scale < 1:
        _write_smaller(data, source, stem, scale)
    elif source.suffix.lower() not in _AS_THEY_ARE:
        _write_smaller(data, source, stem, 1)
    elif info.extension == ".jpg" and data[-2:] != _JPEG_END:
        write_bytes(stem.with_name(stem.name + source.suffix), data)
    else:
        _link(source, stem.with_name(stem.name + source.suffix))
    return scale < 1


def _scale(width: int, height: int, max_pixels: int | None, max_side: int | None) -> float:
    scale = 1.0
    if max_pixels is not None and width * height > max_pixels:
        scale = min(scale, (max_pixels / (width * height)) ** 0.5)
    if max_side is not None and max(width, height) > max_side:
        scale = min(scale, max_side / max(width, height))
    return scale


def _write_smaller(data: bytes, source: Path, stem: Path, scale: float) -> None:
    import io

    from PIL import Image

    picture = Image.fromarray(decode_rgb(data, source=str(source)))
    if scale < 1:
        # Rounded down, so that the copy is within the limit it was made for.
        sides = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
        picture = picture.resize(sides, Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    write_bytes(stem.with_name(f"{stem.name}.png"), stream.getvalue())


def _link(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())
    except OSError as error:  # a file system without links
        if not target.parent.is_dir():
            raise output_error(target, error) from error
        copy_file(source, target)


def _yaml(dataset: Dataset, folder: Path) -> str:
    def images(subset: Subset) -> str:
        return yaml_quoted(f"images/{subset}")

    lines = [f"path: {yaml_quoted(str(folder.resolve()))}", f"train: {images('train')}"]
    lines.append(f"val: {images('train' if dataset.val_is_train else 'val')}")
    if dataset.subsets["test"]:
        lines.append(f"test: {images('test')}")
    lines += ["names:", *(f"  {index}: {yaml_quoted(label)}" for index, label in enumerate(dataset.labels))]
    return "\n".join(lines) + "\n"


def sample_of(pictures: Sequence[Path], count: int) -> list[Path]:
    """Return ``count`` of the pictures, spread evenly over their order; all where there are fewer."""
    if len(pictures) <= count:
        return list(pictures)
    return [pictures[index * len(pictures) // count] for index in range(count)]


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder and its sub-folders, by path.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    found = sorted(path for path in folder.rglob("*") if path.is_file() and is_image_name(path))
    if not found:
        raise InputError(f"{folder} holds no picture")
    return found
