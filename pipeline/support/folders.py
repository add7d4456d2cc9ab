"""Folders as a whole: one digest for all that is in one, and a new one that takes an old one's place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.support.errors import InputError
from pipeline.support.files import input_error, output_error, sha256_file


@dataclass(frozen=True, slots=True)
class Tree:
    """All files below a folder."""

    files: int
    bytes: int
    sha256: str
    """Of the lines ``<sha256>  <path>``, sorted by path."""


def tree_of(folder: Path, *, without: str = "") -> Tree:
    """Hash every file below a folder, but the one named ``without`` at its top.

    Raises:
        InputError: it cannot be read, or holds a link or a special file.
    """
    digest, count, size = hashlib.sha256(), 0, 0
    for path in _plain_files(folder):
        relative = path.relative_to(folder).as_posix()
        if relative == without:
            continue
        digest.update(f"{sha256_file(path)}  {relative}\n".encode())
        count, size = count + 1, size + path.stat().st_size
    return Tree(count, size, digest.hexdigest())


@contextlib.contextmanager
def replaced_directory(target: Path) -> Iterator[Path]:
    """Give an empty folder beside ``target`` that takes its place, whole, when the block ends well.

    What stood there is removed then; where the block raises, it still stands.

    Raises:
        OutputError: ``target`` cannot be replaced.
    """
    staging: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name[:80]}.", suffix=".part", dir=target.parent))
        new, old = staging / "new", staging / "old"
        new.mkdir()
        yield new
        if target.exists() or target.is_symlink():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    except OSError as error:
        raise output_error(target, error) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _plain_files(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise input_error(Path(error.filename or folder), error)

    found = []
    for here, folders, names in os.walk(folder, onerror=refuse):
        for path in [Path(here) / name for name in (*folders, *names)]:
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise InputError(f"{path} is a link or a special file")
        found += [Path(here) / name for name in names]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())
