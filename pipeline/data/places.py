"""Where a local picture stands, as the url of a labeled row records it: relative to the CSV's workspace."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.support.errors import InputError, UsageError
from pipeline.support.files import sha256_file
from pipeline.support.pictures import cached_picture
from pipeline.support.sources import SourceFinder

_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(slots=True)
class Places:
    """Turns files into urls that the labeled CSV's later readers find without any flag.

    Args:
        document: the CSV that will hold the urls.
        root: the folder of ``--root``; preferred where readers look under it anyway.
    """

    document: Path
    root: Path | None = None
    _folders: list[Path] = field(init=False)

    def __post_init__(self) -> None:
        folders = SourceFinder(self.document).roots
        first = [self.root.resolve()] if self.root is not None and self.root.resolve() in folders else []
        self._folders = list(dict.fromkeys([*first, *folders]))

    def url_of(self, path: Path) -> str | None:
        """Return the relative url of a file; None where it lies outside the workspace.

        Raises:
            InputError: the file's name holds control characters, which no row may.
        """
        path = path.resolve()
        for folder in self._folders:
            if path.is_relative_to(folder):
                url = path.relative_to(folder).as_posix()
                if not _ONE_LINE.fullmatch(url):
                    raise InputError(f"{url!r}: a file name with control characters cannot stand in a row")
                return url
        return None

    def require_inside(self, folder: Path, *, flag: str) -> None:
        """Check that pictures put into ``folder`` can be named by a row.

        Raises:
            UsageError: it lies outside the workspace.
        """
        if self.url_of(folder / "picture.jpg") is None:
            raise UsageError(
                f"{flag} {folder} lies outside the workspace of {self.document}",
                hint="Rows name pictures relative to the workspace: choose a folder inside it.",
            )


def free_stem(base: Path, digest: str, *, places: Places, taken: Collection[str]) -> Path:
    """Return where a picture is stored, without its ending: ``base``, or ``base-2``, ``base-3``, ….

    A file that is there is taken for this picture only if it has its bytes (an earlier run was stopped before
    it wrote the rows) and no row shows it.

    Args:
        base: the first choice.
        digest: SHA-256 of the picture.
        places: turns the file into the url of a row.
        taken: the urls that rows have.
    """
    number = 1
    while True:
        stem = base if number == 1 else base.with_name(f"{base.name}-{number}")
        there = cached_picture(stem)
        if there is None or (places.url_of(there) not in taken and sha256_file(there) == digest):
            return stem
        number += 1
