"""A set of class folders brought into the workspace, by a link or a copy, after a look at what it holds."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.support.class_folders import ClassFolders
from pipeline.support.errors import ImageError, InputError, OutputError
from pipeline.support.files import copy_file, is_within, output_error, sha256_file, staged_directory
from pipeline.support.images import MAX_PIXELS, inspect_image, read_image_bytes
from pipeline.support.progress import track

Mode = Literal["symlink", "copy"]
Done = Literal["linked", "copied", "already_there"]

SAMPLE = 3
"""Pictures of each class that are decoded whole, unless all of them are."""


@dataclass(slots=True)
class Look:
    """What a set holds."""

    classes: dict[str, int]
    """Folder relative to the set, and its pictures."""
    decoded: int = 0
    unreadable: list[str] = field(default_factory=list)
    """Pictures that are none, and why."""
    folders_missing: list[str] = field(default_factory=list)
    """Folders that the mapping of labels names and the set lacks."""

    @property
    def pictures(self) -> int:
        """How many pictures there are."""
        return sum(self.classes.values())


def look_over(
    source: Path, mapping: Mapping[str, Sequence[str]], *, verify: bool, max_pixels: int = MAX_PIXELS
) -> Look:
    """Count the pictures of each class folder, and decode some of them, or with ``verify`` all.

    Args:
        source: the set.
        mapping: label to folder names (``[kaggle.folders]``).
        verify: decode every picture, not only the first `SAMPLE` of each class.
        max_pixels: the largest picture that is decoded.

    Raises:
        InputError: it is no folder, or holds no folder with pictures.
    """
    folders = ClassFolders(source)
    look = Look(folders.classes())
    if not look.classes:
        raise InputError(
            f"{source} holds no class folders with pictures",
            hint="Give the folder whose sub-folders are the classes, such as …/images/images.",
        )
    wanted = dict.fromkeys(name for names in mapping.values() for name in names)
    look.folders_missing = [name for name in wanted if not folders.has(name)]
    chosen = list(_chosen(folders.all_images(), verify))
    for image in track(chosen, total=len(chosen), what="Looking at pictures"):
        look.decoded += 1
        try:
            inspect_image(read_image_bytes(image), source=str(image), max_pixels=max_pixels)
        except (ImageError, InputError) as error:
            look.unreadable.append(error.message)
    if len(look.unreadable) == look.decoded:
        raise InputError(f"{source}: none of its pictures can be read: {look.unreadable[0]}")
    return look


def bring_in(source: Path, target: Path, *, mode: Mode, root: Path, force: bool = False) -> Done:
    """Make ``target`` show the set: a link to it, or a copy of its pictures.

    A copy holds the pictures alone, each as it is; it is made beside the target and takes its place whole.
    What is there already and shows the same is left alone. ``force`` replaces another link, or a folder that
    holds nothing but class folders of pictures.

    Args:
        source: the set.
        target: where it goes.
        mode: ``symlink`` or ``copy``.
        root: the workspace, which the target lies in.
        force: replace what is there.

    Raises:
        InputError: one of the two lies in the other.
        OutputError: the target lies outside the workspace, is something else already, or cannot be written.
    """
    place = Path(os.path.normpath(target if target.is_absolute() else Path.cwd() / target))
    if not is_within(place.parent, root) or place == root:
        raise OutputError(f"{target} lies outside the workspace {root}", hint="Choose a folder inside it.")
    there, real = place.parent.resolve() / place.name, source.resolve()
    if there == real and not place.is_symlink():
        return "already_there"
    if there.is_relative_to(real) or real.is_relative_to(there):
        raise InputError(f"{source} and {target} lie in one another")
    if _shows(place, source, mode):
        return "already_there"
    if place.is_symlink() or place.exists():
        _refuse_unless(force, place)
    if mode == "symlink":
        _link(real, place)
        return "linked"
    _copy(source, place)
    return "copied"


def _chosen(images: Iterable[Path], verify: bool) -> Iterable[Path]:
    seen: dict[Path, int] = {}
    for image in images:
        seen[image.parent] = seen.get(image.parent, 0) + 1
        if verify or seen[image.parent] <= SAMPLE:
            yield image


def _shows(place: Path, source: Path, mode: Mode) -> bool:
    if mode == "symlink":
        return place.is_symlink() and place.resolve() == source.resolve()
    if place.is_symlink() or not place.is_dir():
        return False
    ours, theirs = _relative(place), _relative(source)
    return ours == theirs and all(sha256_file(place / name) == sha256_file(source / name) for name in ours)


def _relative(folder: Path) -> list[Path]:
    return [image.relative_to(folder) for image in ClassFolders(folder).all_images()]


def _refuse_unless(force: bool, place: Path) -> None:
    """Check that what is there may be replaced."""
    if not force:
        raise OutputError(
            f"{place} exists already", hint="Replace it with --force, or choose another target."
        )
    if place.is_symlink():
        return
    if not place.is_dir():
        raise OutputError(f"{place} is a file", hint="Remove it, or choose another target.")
    pictures = set(ClassFolders(place).all_images())
    others = [path for path in sorted(place.rglob("*")) if not path.is_dir() and path not in pictures]
    if others:
        raise OutputError(
            f"{place} holds more than pictures, such as {others[0].name!r}; it is not replaced",
            hint="Move what is yours, or choose another target.",
        )


def _link(real: Path, place: Path) -> None:
    with _aside(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(real, target_is_directory=True)


def _copy(source: Path, place: Path) -> None:
    names = _relative(source)
    with _aside(place), staged_directory(place) as staging:
        for name in track(names, total=len(names), what="Copying pictures"):
            copy_file(source / name, staging / name)


@contextlib.contextmanager
def _aside(place: Path) -> Iterator[None]:
    """Move what is at ``place`` aside; it is removed when the block ends well, and comes back where not."""
    aside = place.with_name(f".{place.name[:80]}.before")
    try:
        moved = place.is_symlink() or place.exists()
        if moved:
            place.replace(aside)
        try:
            yield
        except BaseException:
            if moved:
                aside.replace(place)
            raise
        if aside.is_symlink():
            aside.unlink()
        elif moved:
            shutil.rmtree(aside)
    except OSError as error:
        raise output_error(place, error) from None
