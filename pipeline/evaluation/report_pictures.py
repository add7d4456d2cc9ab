"""Thumbnails inside the report: found in the workspace, held to their digests, and small enough together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.leakage import LeakageReport
from pipeline.contracts.results import ResultRow
from pipeline.support.errors import ImageError, InputError
from pipeline.support.files import is_within
from pipeline.support.images import read_image_bytes
from pipeline.support.pool import cores, spread
from pipeline.support.sources import SourceFinder, is_remote
from pipeline.support.thumbnails import LARGE, SMALL, Thumbnail, thumbnail

LARGE_BYTES = 6_500_000
"""JPEG bytes of all large pictures together; base64 makes four thirds of them."""
SMALL_BYTES = 1_500_000
_MOST = 60_000
"""Bytes of one large picture where there are few."""

NOT_HERE = "The picture is not on this disk."
OTHER_PICTURE = "The file on this disk is not the picture that was measured."
NOT_USABLE = "The path of the picture leaves the workspace or cannot be used."
NOT_DECODED = "The picture cannot be decoded."

_JPEG = re.compile(r"/9j/[A-Za-z0-9+/]{20,60000}={0,2}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture that the report shows, large or small."""

    row: ResultRow
    large: bool
    in_bundle: bool = False


@dataclass(frozen=True, slots=True)
class PictureFolders:
    """Where the pictures of a report are looked for.

    Attributes:
        manifest: the benchmark manifest, or the results where it is not here: relative urls are looked for
            around it.
        root: folder that is looked in first.
        bundle: folder of the annotation bundle, whose test pictures results may hold.
    """

    manifest: Path
    root: Path | None = None
    bundle: Path | None = None


def folders_of(
    manifest: Path, leakage: LeakageReport | None, *, base: Path, root: Path | None = None
) -> PictureFolders:
    """Return the folders of a report; the bundle is the one that leakage was looked for in.

    Args:
        manifest: the benchmark manifest.
        leakage: names the bundle, relative to ``base``.
        base: the workspace; a bundle outside it is left alone.
        root: folder that is looked in first.
    """
    bundle = base / leakage.bundle if leakage is not None else None
    inside = bundle is not None and is_within(bundle, base) and bundle.is_dir()
    return PictureFolders(manifest, root, bundle if inside else None)


@dataclass(slots=True)
class _Finder:
    folders: PictureFolders
    manifest: SourceFinder = field(init=False)
    bundle: SourceFinder | None = field(init=False)

    def __post_init__(self) -> None:
        self.manifest = SourceFinder(self.folders.manifest, root=self.folders.root)
        bundle = self.folders.bundle
        self.bundle = SourceFinder(bundle / "images", root=bundle) if bundle is not None else None

    def find(self, wanted: Wanted) -> Path | str:
        """Return the file of a picture, or why there is none."""
        finder = self.bundle if wanted.in_bundle else self.manifest
        if finder is None or not wanted.row.url or is_remote(wanted.row.url):
            return NOT_HERE
        try:
            return finder.find(wanted.row.url, row=wanted.row.name) or NOT_HERE
        except InputError:
            return NOT_USABLE


def thumbnails(wanted: Sequence[Wanted], folders: PictureFolders) -> list[Thumbnail]:
    """Return a thumbnail for each picture; the more there are, the smaller each.

    A file that is not the picture that was measured (by its SHA-256, where the results have it) is not shown.
    """
    finder = _Finder(folders)
    large = max(sum(each.large for each in wanted), 1)
    small = max(len(wanted) - large, 1)
    limits = {True: min(LARGE_BYTES // large, _MOST), False: SMALL_BYTES // small}
    files = [finder.find(each) for each in wanted]

    def made(index: int) -> tuple[int, Thumbnail]:
        each, file = wanted[index], files[index]
        if isinstance(file, str):
            return index, Thumbnail(problem=file)
        return index, _thumbnail(file, each, limits[each.large])

    return [
        found for _, found in sorted(spread(range(len(wanted)), lambda: made, workers=cores()), key=_index)
    ]


def embedded(encoded: str | None) -> str | None:
    """Return the URI of a JPEG that another file holds in base64; None where it is none or is too large."""
    if encoded is None or not _JPEG.fullmatch(encoded):
        return None
    return f"data:image/jpeg;base64,{encoded}"


def _index(made: tuple[int, Thumbnail]) -> int:
    return made[0]


def _thumbnail(path: Path, wanted: Wanted, limit: int) -> Thumbnail:
    try:
        data = read_image_bytes(path)
        measured = wanted.row.picture_sha256
        if measured is not None and hashlib.sha256(data).hexdigest() != measured:
            return Thumbnail(problem=OTHER_PICTURE)
        sizes = LARGE if wanted.large else SMALL
        return thumbnail(data, source=str(path), sizes=sizes, limit=limit)
    except ImageError:
        return Thumbnail(problem=NOT_DECODED)
    except InputError:
        return Thumbnail(problem=NOT_HERE)
