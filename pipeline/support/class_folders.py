"""Pictures sorted into a folder for each class, as the Kaggle household-waste set has them.

A class is found by its folder's name without regard to case, at the top of the set or further down
(``images/images/<class>``), and its pictures also in sub-folders (``<class>/default/Image_1.png``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.support.errors import InputError
from pipeline.support.files import input_error, is_within
from pipeline.support.images import is_image_name


class ClassFolders:
    """The folders below ``root``; a link that leaves it is passed over, a linked folder is not entered."""

    def __init__(self, root: Path) -> None:
        """Look the folders over once.

        Raises:
            InputError: ``root`` is no folder that may be read.
        """
        if not root.is_dir():
            raise InputError(f"{root} is not a folder", hint="Give the folder that holds the class folders.")
        self.root = root
        self._pictures: dict[Path, list[str]] = {}
        self._by_name: dict[str, list[Path]] = {}
        for folder, names in _walk(root):
            self._pictures[folder] = names
            if folder.parts:
                self._by_name.setdefault(folder.name.casefold(), []).append(folder)

    def images(self, names: Sequence[str]) -> list[Path]:
        """Return the pictures of the folders ``names``, the best folder first, none twice.

        A name may hold several steps (``cans/default``). Of folders with the same name the highest ones in
        the tree count. Within a folder the order is that of the paths as plain text: ``Image_1``,
        ``Image_10``, ``Image_2``. A name without a folder gives nothing.
        """
        found: dict[Path, None] = {}
        for name in names:
            for folder in self._folders(name):
                found.update(dict.fromkeys(self._below(folder)))
        return list(found)

    def all_images(self) -> list[Path]:
        """Return the pictures of every folder and of the root itself, in the order of their paths."""
        paths = [folder / name for folder, names in self._pictures.items() for name in names]
        return [self.root / path for path in sorted(paths, key=Path.as_posix)]

    def classes(self) -> dict[str, int]:
        """Return the folders below the root that hold pictures, sorted, and how many each holds."""
        counts = {folder.as_posix(): len(names) for folder, names in self._pictures.items() if names}
        return {name: counts[name] for name in sorted(counts) if name != "."}

    def has(self, name: str) -> bool:
        """Tell whether there is a folder of this name."""
        return bool(self._folders(name))

    def folder_of(self, image: Path) -> str:
        """Return the folder of a picture relative to the root, with ``/``, as notes record it."""
        return image.parent.relative_to(self.root).as_posix()

    def _folders(self, name: str) -> list[Path]:
        steps = tuple(step.casefold() for step in Path(name).parts)
        if not steps:
            return []
        matches = [
            folder
            for folder in self._by_name.get(steps[-1], [])
            if tuple(step.casefold() for step in folder.parts[-len(steps) :]) == steps
        ]
        highest = min((len(folder.parts) for folder in matches), default=0)
        return [folder for folder in matches if len(folder.parts) == highest]

    def _below(self, folder: Path) -> list[Path]:
        relative = [
            inner / name
            for inner, names in self._pictures.items()
            if inner.is_relative_to(folder)
            for name in names
        ]
        return [self.root / path for path in sorted(relative, key=Path.as_posix)]


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder relative to ``root`` with its pictures, both in the order of their names."""

    def refuse(error: OSError) -> None:
        raise input_error(Path(error.filename or root), error)

    for here, folders, files in os.walk(root, onerror=refuse):
        folders.sort()  # os.walk enters them in this order, and enters no link
        base = Path(here)
        names = [name for name in sorted(files) if is_image_name(Path(name)) and _stays(base / name, root)]
        yield base.relative_to(root), names


def _stays(path: Path, root: Path) -> bool:
    return not path.is_symlink() or (is_within(path, root) and path.is_file())
