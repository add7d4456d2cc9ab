"""Every picture of a manifest brought into the workspace, and the rows that could not be told why."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.evaluation.completion import Completion, SourcedRow
from pipeline.support.errors import ContractError, Fault, InputError
from pipeline.support.files import display_path, is_within
from pipeline.support.images import MAX_PIXELS, inspect_image, read_image_bytes
from pipeline.support.pictures import PictureFetcher, cached_pictures, copy_picture, fetch_all, safe_stem
from pipeline.support.progress import track
from pipeline.support.sources import SourceFinder, is_remote

DOWNLOAD_DISABLED = "download_disabled"
LOCAL_NOT_FOUND = "local_not_found"
DOWNLOAD_FAILED = "download_failed"


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that has no picture in the workspace, and why."""

    name: str
    url: str
    error: str


@dataclass(slots=True)
class Resolution:
    """The rows in their order, the failures among them, and where local pictures were found."""

    rows: list[ManifestRow]
    resolved: int = 0
    failures: list[Failure] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    """How many local pictures were found under which folder (relative to the base); ``missing`` the rest."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """Brings pictures into ``cache_dir``; what an earlier, interrupted run left there is not fetched again.

    A picture is stored under its row's name and a digest of its ``url``: when people change a row's url, the
    picture of the old one is not taken for it.
    """

    cache_dir: Path
    base: Path
    """The folder that the written paths are relative to."""
    root: Path | None = None
    """What ``--root`` named: where relative urls are tried first."""
    fetcher: PictureFetcher | None = None
    """None where nothing may be downloaded."""
    copy_local: bool = True
    max_pixels: int = MAX_PIXELS

    def resolve(self, rows: Sequence[SourcedRow]) -> Resolution:
        """Resolve every ready row; todo rows stay as they are.

        Local pictures come first, so that a bad one stops the work before anything is downloaded.

        Raises:
            PathEscapeError: a local url leaves the workspace.
            ContractError: a local file is no whole picture; every such row is named.
            OutputError: the cache cannot be written.
        """
        places: dict[int, Path | str] = {}
        local: list[tuple[int, SourcedRow]] = []
        remote: list[tuple[int, SourcedRow]] = []
        for index, sourced in enumerate(rows):
            if sourced.row.is_ready:
                (remote if is_remote(sourced.row.url) else local).append((index, sourced))
        found = self._local(local, places)
        self._remote(remote, places)
        done = Resolution([], found=found)
        for index, sourced in enumerate(rows):
            place = places.get(index)
            if place is None:
                done.rows.append(sourced.row)
            elif isinstance(place, str):
                done.failures.append(Failure(sourced.row.name, sourced.row.url, place))
                done.rows.append(sourced.row.replace(source_url=_origin(sourced.row), resolve_error=place))
            else:
                done.resolved += 1
                done.rows.append(_resolved(sourced.row, display_path(place, self.base)))
        return done

    def _local(self, local: list[tuple[int, SourcedRow]], places: dict[int, Path | str]) -> Counter[str]:
        finders: dict[Path, SourceFinder] = {}
        faults: list[Fault] = []
        for index, sourced in track(local, total=len(local), what="Local pictures"):
            document = sourced.document
            if document not in finders:
                finders[document] = SourceFinder(document, root=self.root)
            path = finders[document].find(sourced.row.url, row=sourced.where)
            if path is None:
                places[index] = LOCAL_NOT_FOUND
                continue
            try:
                places[index] = self._taken(path, sourced.row)
            except InputError as error:
                faults.append(Fault(f"{document}: {sourced.where}", error.message))
        if faults:
            raise ContractError(
                "pictures that cannot be used", faults, hint="Replace each, or clear the row's url."
            )
        found: Counter[str] = Counter()
        for finder in finders.values():
            for folder, count in finder.found.items():
                found[folder if folder == "missing" else display_path(Path(folder), self.base)] += count
        return found

    def _taken(self, path: Path, row: ManifestRow) -> Path:
        if self.copy_local and not is_within(path, self.cache_dir):
            return copy_picture(path, self._stem(row), max_pixels=self.max_pixels)
        inspect_image(read_image_bytes(path), source=str(path), max_pixels=self.max_pixels)
        return path

    def _remote(self, remote: list[tuple[int, SourcedRow]], places: dict[int, Path | str]) -> None:
        wanted = [(sourced.row.url, self._stem(sourced.row)) for _, sourced in remote]
        if self.fetcher is None:
            cached = cached_pictures(stem for _, stem in wanted)
            for (index, _), there in zip(remote, cached, strict=True):
                places[index] = there or DOWNLOAD_DISABLED
            return
        fetched = fetch_all(self.fetcher, wanted, what="Fetching pictures")
        for (index, sourced), result in zip(remote, fetched, strict=True):
            if isinstance(result, Path):
                places[index] = result
            else:
                reason = " ".join(result.message.removeprefix(f"{sourced.row.url}: ").split())
                places[index] = f"{DOWNLOAD_FAILED}: {reason}"

    def _stem(self, row: ManifestRow) -> Path:
        digest = hashlib.sha256(row.url.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return self.cache_dir / f"{safe_stem(row.name)}-{digest}"


def resolved_manifest(
    manifest: BenchmarkManifest,
    completion: Completion,
    resolution: Resolution,
    *,
    source: dict[str, Any],
    generated_at: str,
) -> BenchmarkManifest:
    """Put the resolved rows into a manifest, with a summary of what became of them.

    Args:
        manifest: the manifest that was resolved; its name and unknown fields stay.
        completion: what the labeled CSV gave.
        resolution: the rows and the failures.
        source: the input files and settings, added to those that the manifest records.
        generated_at: ISO 8601 UTC.
    """
    rows = resolution.rows
    kinds = Counter(failure.error.split(":", 1)[0] for failure in resolution.failures)
    ready = sum(row.is_ready for row in rows)
    summary = {
        "rows": len(rows),
        "ready": ready,
        "todo": len(rows) - ready,
        "negatives": sum(row.is_negative for row in rows),
        "filled_from_completed": completion.filled,
        "appended_from_completed": completion.appended,
        "completed_rows_not_used": len(completion.unused),
        "resolved": resolution.resolved,
        "failed": len(resolution.failures),
        **{kind: kinds[kind] for kind in (DOWNLOAD_DISABLED, LOCAL_NOT_FOUND, DOWNLOAD_FAILED)},
        "found": dict(sorted(resolution.found.items())),
    }
    return manifest.replace(
        generated_at=generated_at, source={**(manifest.source or {}), **source}, summary=summary, images=rows
    )


def _resolved(row: ManifestRow, url: str) -> ManifestRow:
    changes = {"url": url, "source_url": _origin(row)}
    if row.resolve_error is None:
        return row.replace(**changes)
    data = row.to_data()
    del data["resolve_error"]
    return ManifestRow.model_validate({**data, **changes})


def _origin(row: ManifestRow) -> str:
    return row.source_url or row.url
