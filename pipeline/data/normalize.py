"""Urls of labeled rows in one form: Commons files as ``Special:FilePath``, local files relative."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.labeled import LabeledRow
from pipeline.contracts.text import with_note
from pipeline.data.places import Places
from pipeline.support.commons_urls import canonical_url
from pipeline.support.errors import PathEscapeError
from pipeline.support.images import MAX_PIXELS, inspect_image, read_image_bytes
from pipeline.support.pictures import copy_picture, safe_stem
from pipeline.support.sources import SourceFinder, is_remote


@dataclass(slots=True)
class Normalized:
    """All rows in their order, and what was done to them."""

    rows: list[LabeledRow] = field(default_factory=list)
    changed: int = 0
    copied: int = 0
    missing: list[str] = field(default_factory=list)
    """Rows whose ``file://`` or absolute path is not there, in words; they are left as they are."""


@dataclass(frozen=True, slots=True)
class UrlNormalizer:
    """Brings urls to one form.

    - a Commons file in any form: ``https://commons.wikimedia.org/wiki/Special:FilePath/<quoted name>``;
    - ``file://`` and absolute paths inside the workspace: relative to it;
    - the same under a ``--root`` outside the workspace: copied into the cache folder, which becomes the url
      and is noted as ``local_cached=``;
    - relative paths: without ``./`` and ``//``. They are not looked up: rows may be ahead of their pictures.

    Every other url stays as it is, and so does a row that is in form.
    """

    finder: SourceFinder
    places: Places
    cache_dir: Path
    max_pixels: int = MAX_PIXELS

    def normalize(self, rows: Sequence[LabeledRow], lines: Sequence[int]) -> Normalized:
        """Normalise every row; ``lines`` tells where each stands, for errors.

        Raises:
            PathEscapeError: a path leaves the workspace.
            ImageError: a ``file://`` url or absolute path is no picture.
            UsageError: a picture must be copied and the cache folder lies outside the workspace.
        """
        result = Normalized()
        for row, line in zip(rows, lines, strict=True):
            url = row.url
            if url.startswith(("https://", "http://")):
                form = canonical_url(url)
                changed = row if form == url else row.replace(url=form)
            elif not url:
                changed = row
            else:
                changed = self._other(row, f"line {line} ({row.name})", result)
            result.changed += changed is not row
            result.rows.append(changed)
        return result

    def _other(self, row: LabeledRow, where: str, result: Normalized) -> LabeledRow:
        url = row.url.strip()
        if is_remote(url):
            form = canonical_url(url)
        elif url.lower().startswith("file:") or url.startswith("/"):
            return self._local(row, url, where, result)
        elif "://" in url or not url:
            form = url
        else:
            form = posixpath.normpath(url)
            if form == ".." or form.startswith("../"):
                raise PathEscapeError(
                    f"{self.finder.document}: {where}: the path {url!r} leaves the workspace by '..'",
                    hint="Paths inside files are relative to the workspace and stay in it.",
                )
        return row if form == row.url else row.replace(url=form)

    def _local(self, row: LabeledRow, url: str, where: str, result: Normalized) -> LabeledRow:
        path = self.finder.find(url, row=where)
        if path is None:
            result.missing.append(f"{where}: {url}")
            return row
        source = f"{self.finder.document}: {where}: {path}"
        inspect_image(read_image_bytes(path, source=source), source=source, max_pixels=self.max_pixels)
        form = self.places.url_of(path)
        if form is not None:
            return row.replace(url=form)
        self.places.require_inside(self.cache_dir, flag="--cache-dir")
        copied = copy_picture(path, self.cache_dir / safe_stem(row.name), max_pixels=self.max_pixels)
        result.copied += 1
        form = self.places.url_of(copied)
        assert form is not None
        return row.replace(url=form, notes=with_note(row.notes, f"local_cached={form}"))
