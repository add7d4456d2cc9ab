"""Several files that take their places together, or none of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.support.errors import DigestMismatchError, OutputError
from pipeline.support.files import copy_file, output_error, write_bytes


@dataclass(frozen=True, slots=True)
class Placement:
    """What is to stand at a place: another file's bytes, or these."""

    target: Path
    source: Path | bytes
    sha256: str | None = None
    """What a copied file must hash to at the moment it is copied."""


def place_together(placements: Sequence[Placement]) -> None:
    """Put every file in its place; where one cannot be placed, the others are as they were before.

    All bytes are on the disk beside their places before the first place is taken, so that what can still fail
    then is a rename.

    Raises:
        InputError: a source cannot be read.
        DigestMismatchError: a source is not the file that was asked for.
        OutputError: a target cannot be written.
    """
    with contextlib.ExitStack() as cleanup:
        staged = [_staged(placement, cleanup) for placement in placements]
        kept = [_kept(placement.target, cleanup) for placement in placements]
        taken: list[tuple[Path, Path | None]] = []
        try:
            for placement, new, old in zip(placements, staged, kept, strict=True):
                # Noted first: an interruption may come right behind the rename, and putting back what was
                # not yet replaced changes nothing.
                taken.append((placement.target, old))
                new.replace(placement.target)
        except BaseException as error:
            for target, old in reversed(taken):
                _put_back(target, old)
            if isinstance(error, OSError):
                raise output_error(taken[-1][0], error) from error
            raise


def _staged(placement: Placement, cleanup: contextlib.ExitStack) -> Path:
    """Write a file beside its place; what was not placed at the end is removed."""
    target = placement.target
    if target.is_dir():
        raise OutputError(f"{target} cannot be written: it is a folder")
    beside = target.with_name(f".{target.name[:80]}.{os.getpid()}.new")
    copied = None
    try:
        if isinstance(placement.source, bytes):
            write_bytes(beside, placement.source)
        else:
            copied = copy_file(placement.source, beside)
        if target.is_file():  # a file that is there keeps its mode
            beside.chmod(target.stat().st_mode & 0o777)
    except OutputError as error:
        raise OutputError(error.message.replace(str(beside), str(target)), hint=error.hint) from error
    cleanup.callback(beside.unlink, missing_ok=True)
    if copied is not None and placement.sha256 not in {None, copied}:
        raise DigestMismatchError(f"{placement.source!s} was changed while it was being copied")
    return beside


def _kept(target: Path, cleanup: contextlib.ExitStack) -> Path | None:
    """Give what stands at ``target`` a second name, from which it can be put back."""
    if not target.exists() and not target.is_symlink():
        return None
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name[:80]}.", suffix=".old", dir=target.parent))
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        old = folder / "kept"
        try:
            os.link(target, old, follow_symlinks=False)
        except OSError:  # a file system without hard links
            shutil.copy2(target, old, follow_symlinks=False)
    except OSError as error:
        raise output_error(target, error) from error
    return old


def _put_back(target: Path, old: Path | None) -> None:
    if old is None:
        target.unlink(missing_ok=True)
    else:
        old.replace(target)
