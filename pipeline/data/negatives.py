"""Pictures for hard negatives of the retraining queue, out of a folder or the benchmark's negatives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.labeled import RETRAIN_NEGATIVE_PREFIX, LabeledRow
from pipeline.contracts.text import fits_in_notes
from pipeline.data.book import LabeledBook
from pipeline.data.kaggle import used_pictures
from pipeline.data.notes import renewed_notes
from pipeline.data.places import Places, free_stem
from pipeline.support.class_folders import ClassFolders
from pipeline.support.errors import DownloadError, ImageError, InputError
from pipeline.support.files import sha256_file
from pipeline.support.images import MAX_PIXELS
from pipeline.support.pictures import PictureFetcher, cached_picture, copy_picture, safe_stem
from pipeline.support.row_sources import row_sources
from pipeline.support.sources import SourceFinder, is_remote

FOLDER_POOL = "negative_folder"
BENCHMARK_POOL = "baseline_negative_pool"
"""What the system in use writes as ``seeded_from=`` where it took a negative of the benchmark."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A picture that may serve: a file, or the url of a benchmark row that is still to be brought here."""

    told: str
    path: Path | None = None
    url: str = ""
    of_benchmark: bool = False


@dataclass(slots=True)
class Filled:
    """Which rows got a picture, and why others did not."""

    filled: list[str] = field(default_factory=list)
    from_benchmark: list[str] = field(default_factory=list)
    """Those of them whose picture the benchmark measures with."""
    without: list[str] = field(default_factory=list)
    """Rows for which no picture is left."""
    passed_over: list[str] = field(default_factory=list)
    """Pictures that could not be used, and why."""


@dataclass(slots=True)
class NegativeFiller:
    """Gives each ``retrain_negative_*`` row without a url a picture; never one picture to two rows.

    The folder comes first, then, only where that is asked for, the labeled rows that are negatives of the
    benchmark: a model that is trained on them is measured too well on them.
    """

    folder: Path | None
    """Pictures that show nothing of interest, in sub-folders or not."""
    benchmark: bool
    """Whether the benchmark's negatives may be taken."""
    finder: SourceFinder
    places: Places
    cache_dir: Path
    fetcher: PictureFetcher | None = None
    """None where nothing may be fetched."""
    max_pixels: int = MAX_PIXELS
    _trained: set[str] = field(init=False, default_factory=set)
    """Digests of the pictures that training rows show."""
    _measured: set[str] = field(init=False, default_factory=set)
    """Digests of those that the benchmark's rows show."""

    def fill(self, book: LabeledBook) -> Filled:
        """Fill the rows in their order; no label is given or taken.

        Args:
            book: the labeled rows; changed in place.

        Raises:
            InputError: the folder is none, or a name stands twice.
            PathEscapeError: a row's path leaves the workspace.
            UsageError: the cache folder lies outside the workspace.
            OutputError: a picture cannot be written.
        """
        self.places.require_inside(self.cache_dir, flag="--cache-dir")
        done = Filled()
        self._trained = used_pictures((row for row in book.rows if row.feeds_retraining), self.finder).digests
        self._measured = used_pictures(
            (row for row in book.rows if not row.feeds_retraining), self.finder
        ).digests
        taken = {row.url for row in book.rows if row.url}
        pool = self._pool(book.rows, done)
        for row in wanting(book.rows):
            book.find(row.name)  # a name that stands twice has no one place to write to
            found = self._next(row, pool, taken, done)
            if found is None:
                done.without.append(row.name)
                continue
            candidate, url = found
            taken.add(url)
            notes = renewed_notes(row.notes, f"{candidate.told}; materialized_local={url}")
            book.put(row.replace(url=url, notes=notes))
            done.filled.append(row.name)
            if candidate.of_benchmark:
                done.from_benchmark.append(row.name)
        return done

    def _next(
        self, row: LabeledRow, pool: Iterator[_Candidate], taken: set[str], done: Filled
    ) -> tuple[_Candidate, str] | None:
        """Return the next picture of the pool that can be used, stored under the row's name, and its url."""
        for candidate in pool:
            try:
                path = self._stored(candidate, row.name, taken)
            except (DownloadError, ImageError, InputError) as error:
                done.passed_over.append(error.message)
                continue
            if path is not None:
                url = self.places.url_of(path)
                assert url is not None
                return candidate, url
        return None

    def _stored(self, candidate: _Candidate, name: str, taken: set[str]) -> Path | None:
        """Bring a picture into the cache; None where a row shows its bytes already."""
        stem = self.cache_dir / safe_stem(name)
        if candidate.path is not None:
            digest = sha256_file(candidate.path)
            if self._shown(digest, candidate):
                return None
            stem = free_stem(stem, digest, places=self.places, taken=taken)
            path = copy_picture(candidate.path, stem, max_pixels=self.max_pixels)
        else:
            mark = hashlib.sha256(candidate.url.encode("utf-8", "surrogatepass")).hexdigest()[:12]
            stem = stem.with_name(f"{stem.name}-{mark}")
            there = self.fetcher.fetch(candidate.url, stem) if self.fetcher else cached_picture(stem)
            if there is None:
                raise InputError(f"{candidate.url}: not fetched (--no-download)")
            path, digest = there, sha256_file(there)
            if self._shown(digest, candidate):
                return None
        self._trained.add(digest)
        return path

    def _shown(self, digest: str, candidate: _Candidate) -> bool:
        return digest in self._trained or (not candidate.of_benchmark and digest in self._measured)

    def _pool(self, rows: Sequence[LabeledRow], done: Filled) -> Iterator[_Candidate]:
        if self.folder is not None:
            yield from _of_folder(self.folder, done)
        if self.benchmark:
            yield from self._of_benchmark(list(rows), done)

    def _of_benchmark(self, rows: Sequence[LabeledRow], done: Filled) -> Iterator[_Candidate]:
        trained = {
            key for row in rows if row.feeds_retraining for key in row_sources(row.url, row.source, row.notes)
        }
        for row in rows:
            url = row.url.strip()
            keys = set(row_sources(url, row.source, row.notes))
            if row.feeds_retraining or not row.is_negative or not url or trained & keys:
                continue
            trained |= keys
            told = f"seeded_from={BENCHMARK_POOL}; source_url={url}"
            if not fits_in_notes(url):
                done.passed_over.append(f"{row.name}: a url that notes cannot hold")
            elif is_remote(url):
                yield _Candidate(told, url=url, of_benchmark=True)
            else:
                path = self.finder.find(url, row=row.name)
                if path is None:
                    done.passed_over.append(f"{row.name}: {url} is not there")
                else:
                    yield _Candidate(told, path, of_benchmark=True)


def _of_folder(folder: Path, done: Filled) -> Iterator[_Candidate]:
    for image in ClassFolders(folder).all_images():
        inner = image.parent.relative_to(folder).as_posix()
        if fits_in_notes(f"folder={inner}") and fits_in_notes(image.name):
            told = f"seeded_from={FOLDER_POOL}; folder={inner}; source_image={image.name}"
            yield _Candidate(told, image)
        else:
            done.passed_over.append(f"{str(image)!r}: a name that notes cannot hold")


def wanting(rows: Sequence[LabeledRow]) -> list[LabeledRow]:
    """Return the hard negatives that have no picture; a row of such a name that has a label is none."""
    return [
        row
        for row in rows
        if row.name.startswith(RETRAIN_NEGATIVE_PREFIX) and row.is_negative and not row.url.strip()
    ]
