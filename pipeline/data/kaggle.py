"""Pictures for todo rows out of class folders, such as those of the Kaggle household-waste set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.labeled import RETRAIN_PREFIX, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.text import fits_in_notes, slug
from pipeline.data.book import LabeledBook, refuse_names_twice
from pipeline.data.notes import renewed_notes
from pipeline.data.places import Places, free_stem
from pipeline.support.class_folders import ClassFolders
from pipeline.support.errors import ImageError, InputError
from pipeline.support.files import sha256_file
from pipeline.support.images import MAX_PIXELS
from pipeline.support.pictures import copy_picture
from pipeline.support.sources import SourceFinder, is_remote

SOURCE = "kaggle_household_waste_images"


@dataclass(slots=True)
class Suggested:
    """The rows that got a picture, and why others did not."""

    rows: list[LabeledRow] = field(default_factory=list)
    already_labeled: int = 0
    """Todo rows whose labeled row has a url by now."""
    negatives: int = 0
    """Rows that expect nothing: no class folder shows nothing."""
    training_names: list[str] = field(default_factory=list)
    """Rows of the manifest named ``retrain_*``: they would become training material, and are left out."""
    unmapped_labels: list[str] = field(default_factory=list)
    """Labels that the mapping names no folder for."""
    exhausted_labels: list[str] = field(default_factory=list)
    """Labels whose folders hold no further unused picture, or do not exist."""
    unreadable: list[str] = field(default_factory=list)
    """Pictures that were passed over, and why."""


@dataclass(slots=True)
class UsedPictures:
    """Pictures that some row shows already: by their bytes, and by folder and name in the rows' notes."""

    digests: set[str] = field(default_factory=set)
    noted: dict[str, set[str]] = field(default_factory=dict)

    def holds(self, folder: str, name: str) -> bool:
        """Tell whether a row's notes name this picture; a note may leave out sub-folders above or below."""
        inside = f"/{folder.casefold()}/"
        return any(f"/{noted}/" in inside for noted in self.noted.get(name.casefold(), ()))

    def note(self, folder: str, name: str) -> None:
        """Remember a picture by the folder and name that notes give it."""
        self.noted.setdefault(name.casefold(), set()).add(folder.strip("/").casefold())


def used_pictures(rows: Iterable[LabeledRow], finder: SourceFinder) -> UsedPictures:
    """Collect the pictures that rows show: files are hashed where they are found, and notes are read.

    Raises:
        PathEscapeError: a row's path leaves the workspace.
    """
    used = UsedPictures()
    for row in rows:
        folder, name = row.note("folder"), row.note("source_image")
        if folder and name:
            used.note(folder, name)
        if row.url and not is_remote(row.url):
            path = finder.find(row.url, row=row.name)
            if path is not None:
                used.digests.add(sha256_file(path))
    return used


@dataclass(frozen=True, slots=True)
class FolderSuggester:
    """Gives todo rows a picture each; never one picture to two rows, nor two copies of one picture."""

    folders: ClassFolders
    mapping: Mapping[str, Sequence[str]]
    """Label to folder names, the best first."""
    places: Places
    cache_dir: Path
    used: UsedPictures
    max_pixels: int = MAX_PIXELS

    def suggest(self, manifest: BenchmarkManifest, book: LabeledBook, *, source: str) -> Suggested:
        """Copy a picture into the cache for every todo row that a mapped folder can serve, and merge the row.

        A row that a person gave a url is left alone; one without a url keeps its label and item.

        Args:
            manifest: its todo rows are served, in order.
            book: the labeled rows; changed in place.
            source: the manifest's path, for errors.

        Raises:
            InputError: a name stands twice where one row must be picked.
            UsageError: the cache folder lies outside the workspace.
            OutputError: a picture cannot be written.
        """
        self.places.require_inside(self.cache_dir, flag="--cache-dir")
        result = Suggested()
        wanted = self._wanted(manifest, book, source, result)
        unmapped = dict.fromkeys(label for _, label, _ in wanted if label not in self.mapping)
        result.unmapped_labels = list(unmapped)
        names = {row.url for row in book.rows if row.url}
        exhausted: dict[str, None] = {}
        for todo, label, there in wanted:
            if label in unmapped or label in exhausted:
                continue
            picked = self._pick(label, todo.name, names, result)
            if picked is None:
                exhausted[label] = None
                continue
            url, image = picked
            row = LabeledRow(
                name=todo.name,
                url=url,
                item_id=there.item_id if there else todo.item_id or "",
                canonical_label=label,
                source=SOURCE,
                notes=renewed_notes(
                    there.notes if there else "",
                    f"folder={self.folders.folder_of(image)}; source_image={image.name}",
                ),
            )
            book.put(row)
            names.add(url)
            result.rows.append(row)
        result.exhausted_labels = list(exhausted)
        return result

    def _wanted(
        self, manifest: BenchmarkManifest, book: LabeledBook, source: str, result: Suggested
    ) -> list[tuple[ManifestRow, str, LabeledRow | None]]:
        """Return the rows to serve, each with the label to show and the labeled row that stands already."""
        todo = [(f"images[{n}]", row) for n, row in enumerate(manifest.images) if row.status == "todo"]
        refuse_names_twice(source, [(where, row.name) for where, row in todo])
        wanted = []
        for _, row in todo:
            if row.name.startswith(RETRAIN_PREFIX):
                result.training_names.append(row.name)
                continue
            if row.is_negative:
                result.negatives += 1
                continue
            there = book.find(row.name)
            if there is not None and there.is_negative:
                result.negatives += 1
            elif there is not None and there.url:
                result.already_labeled += 1
            else:
                label = there.canonical_label if there is not None else row.labels()[0]
                wanted.append((row, label, there))
        return wanted

    def _pick(self, label: str, name: str, names: set[str], result: Suggested) -> tuple[str, Path] | None:
        for image in self.folders.images(self.mapping[label]):
            folder = self.folders.folder_of(image)
            if self.used.holds(folder, image.name):
                continue
            if not fits_in_notes(f"folder={folder}") or not fits_in_notes(image.name):
                result.unreadable.append(f"{str(image)!r}: a name that notes cannot hold")
                self.used.note(folder, image.name)
                continue
            try:
                digest = sha256_file(image)
                self.used.note(folder, image.name)  # whatever it is, it is not looked at again
                if digest in self.used.digests:
                    continue
                base = self.cache_dir / (slug(name, limit=120) or "sample")
                stem = free_stem(base, digest, places=self.places, taken=names)
                copied = copy_picture(image, stem, max_pixels=self.max_pixels)
            except (ImageError, InputError) as error:
                result.unreadable.append(error.message)
                continue
            self.used.digests.add(digest)
            url = self.places.url_of(copied)
            assert url is not None
            return url, image
        return None
