"""The pictures of a manifest and of a training bundle, each with its file, its sources and its hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.contracts.bundle import (
    IMAGES,
    METADATA_FILE,
    SPLIT_FILE,
    TEMPLATE_COLUMNS,
    TEMPLATE_FILE,
    BundleMetadata,
    Split,
    Subset,
    TemplateRow,
)
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.text import note_value
from pipeline.support.commons_urls import source_key
from pipeline.support.documents import read_csv, read_json
from pipeline.support.files import confined
from pipeline.support.phash import HashedFile, hash_files
from pipeline.support.row_sources import row_sources
from pipeline.support.sources import SourceFinder, is_remote

NOT_FETCHED = "not on this disk: only its source was compared"
NO_FILE = "there is no such file: only its source was compared"
NOT_TELLING = "too plain to be told by its look: only its bytes and source were compared"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on one side of a comparison."""

    row: int
    """Index in the manifest, or in the bundle's template."""
    name: str
    url: str
    """As the manifest has it, or the file in the bundle."""
    sources: frozenset[str]
    path: Path | None
    subset: Subset | None = None
    """In a bundle; None in a manifest."""
    sha256: str | None = None
    bits: int | None = None
    """The perceptual hash; None where there is none that tells."""
    trims: tuple[int, ...] = ()
    """The hashes without some of the edges; none where there is no hash."""
    problem: str | None = None
    """Why it could be compared only in part."""

    @property
    def is_whole(self) -> bool:
        """It lies on this disk and can be decoded."""
        return self.path is not None and self.problem in {None, NOT_TELLING}


def benchmark_pictures(manifest: BenchmarkManifest, document: Path, *, root: Path | None) -> list[Picture]:
    """Return the rows of a manifest that have a picture, not yet hashed.

    Args:
        manifest: the rows.
        document: the file that they were read from, which relative urls are looked for around.
        root: folder that is looked in first.

    Raises:
        PathEscapeError: a url leaves the workspace.
    """
    finder = SourceFinder(document, root=root)
    pictures = []
    for index, row in enumerate(manifest.images):
        if not row.is_ready:
            continue
        remote = is_remote(row.url)
        path = None if remote else finder.find(row.url, row=f"images[{index}] ({row.name})")
        problem = None if path else NOT_FETCHED if remote else NO_FILE
        pictures.append(Picture(index, row.name, row.url, _sources(row), path, problem=problem))
    return pictures


def bundle_pictures(bundle: Path) -> list[Picture]:
    """Return the pictures of a bundle, not yet hashed; without ``split.json`` all of them are trained on.

    Raises:
        InputError: the template is missing.
        ContractError: a file of the bundle breaks its contract.
        PathEscapeError: a path in the template leaves the bundle.
    """
    subsets = _subsets(bundle)
    recorded = _recorded(bundle)
    pictures = []
    for index, row in enumerate(read_csv(bundle / TEMPLATE_FILE, TemplateRow, TEMPLATE_COLUMNS)):
        if not row.image_file.strip():  # a sample whose picture could not be had is not trained on
            continue
        relative = row.image_file if "/" in row.image_file else f"{IMAGES}/{row.image_file}"
        path = confined(bundle, relative, source=f"{bundle / TEMPLATE_FILE}: {row.id}")
        there = path.is_file()
        sources = frozenset(recorded.get(row.id) or row_sources("", "", row.notes))
        pictures.append(
            Picture(
                index,
                row.id,
                relative,
                sources,
                path if there else None,
                subsets.get(row.id, "train"),
                problem=None if there else NO_FILE,
            )
        )
    return pictures


def hashed(pictures: Sequence[Picture], *, what: str) -> list[Picture]:
    """Return the pictures with what their files say; each file is read once.

    Args:
        pictures: those to hash; one without a file stays as it is.
        what: the work in a word or two, for the progress line.
    """
    paths = list(dict.fromkeys(picture.path for picture in pictures if picture.path))
    files = dict(zip(paths, hash_files(paths, what=what, trims=True), strict=True))
    return [_with_file(picture, files[picture.path]) if picture.path else picture for picture in pictures]


def _with_file(picture: Picture, file: HashedFile) -> Picture:
    if file.picture is None:
        return replace(picture, sha256=file.sha256, problem=file.problem)
    if not file.picture.telling:
        return replace(picture, sha256=file.sha256, problem=NOT_TELLING)
    return replace(picture, sha256=file.sha256, bits=file.picture.bits, trims=file.picture.trims)


def _sources(row: ManifestRow) -> frozenset[str]:
    notes = row.notes or ""
    keys = row_sources(row.url, note_value(notes, "source") or "", notes)
    return frozenset([*keys, source_key(row.source_url or "")]) - {""}


def _subsets(bundle: Path) -> dict[str, Subset]:
    path = bundle / SPLIT_FILE
    return {entry.id: entry.subset for entry in read_json(path, Split).entries} if path.is_file() else {}


def _recorded(bundle: Path) -> dict[str, list[str]]:
    """Return the source keys that the bundle's own metadata names, by sample."""
    path = bundle / METADATA_FILE
    if not path.is_file():
        return {}
    return {picture.id: picture.sources for picture in read_json(path, BundleMetadata).pictures or []}
