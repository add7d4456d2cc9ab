"""Bring the data that a workspace does not hold: a repository at a commit, archives by digest.

Pictures by url are no part of it: manifests and labeled rows name them, and each command that needs them
fetches them into the image cache.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pipeline.contracts.base import Contract, parse
from pipeline.contracts.dataset import DataRecord, FetchedSource
from pipeline.github.branches import Sha
from pipeline.github.client import JSON_TYPE, GitHubClient
from pipeline.github.downloads import save
from pipeline.github.host import GitHubReleases
from pipeline.github.references import ArchiveReference, AssetReference, Reference, RepositoryReference
from pipeline.github.repository import is_commit, repository_path
from pipeline.support.archives import ArchiveLimits, Extracted, extract
from pipeline.support.clock import timestamp
from pipeline.support.documents import read_json, write_json
from pipeline.support.errors import (
    DigestMismatchError,
    InputError,
    OutputError,
    RemoteInvalidError,
    RemoteMissingError,
    RepathError,
)
from pipeline.support.files import staged_directory
from pipeline.support.folders import replaced_directory, tree_of
from pipeline.support.http import HttpClient

RECORD = ".repath-data.json"
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_MAX_LFS_POINTER = 1024
_LONGEST_S = 3600.0
"""Seconds that the download of an archive may take."""


class ApiCommitId(Contract):
    """What a ref is."""

    sha: Sha


@dataclass(frozen=True, slots=True)
class FetchedData:
    """Data in its place, and where it came from."""

    directory: Path
    record: DataRecord
    unchanged: bool
    """Whether it was there already, from the same commit and archives."""


def fetch_data(
    references: Sequence[Reference],
    *,
    client: GitHubClient,
    http: HttpClient,
    into: Path,
    max_bytes: int,
) -> FetchedData:
    """Fetch every reference into one folder; a folder that was fetched before is replaced as a whole.

    Args:
        references: one repository at most, whose files stand at the top of ``into``, and archives, each with
            a folder of its own.
        client: for repositories and releases.
        http: for archives by url; its token is none.
        into: the folder.
        max_bytes: of one download, and of what comes out of it.

    Raises:
        RemoteError: GitHub refuses or does not answer, or has no such thing.
        DownloadError: an archive cannot be had.
        DigestMismatchError: an archive is not the one of its digest.
        InputError: an archive is none, or holds what is not taken out of one.
        OutputError: ``into`` holds what was not fetched, or was changed since; or it cannot be written.
    """
    work = _Fetch(client, http, max_bytes)
    commits = {item: work.commit_of(item) for item in references if isinstance(item, RepositoryReference)}
    there = _there(into)
    if there is not None and _is_same(there, references, commits):
        return FetchedData(into, there, unchanged=True)
    with replaced_directory(into) as staging:
        sources = [work.bring(item, staging, commits) for item in _repositories_first(references)]
        tree = tree_of(staging, without=RECORD)
        record = parse(
            DataRecord,
            {
                "fetched_at": timestamp(),
                "sources": [source.to_data() for source in sources],
                "files": tree.files,
                "bytes": tree.bytes,
                "tree_sha256": tree.sha256,
            },
            source=RECORD,
        )
        write_json(staging / RECORD, record)
    return FetchedData(into, record, unchanged=False)


@dataclass(frozen=True, slots=True)
class _Fetch:
    client: GitHubClient
    http: HttpClient
    max_bytes: int

    def commit_of(self, item: RepositoryReference) -> str:
        """Return the commit that a ref is now."""
        if item.ref is not None and is_commit(item.ref):
            return item.ref
        path = f"{repository_path(item.repository)}/commits/{quote(item.ref or 'HEAD')}"
        what = f"looking for {item.ref or 'the default branch'} of {item.repository}"
        try:
            data = self.client.get(path, what=what).data
        except RemoteInvalidError:
            # GitHub's word for a ref that is none of the repository's.
            raise RemoteMissingError(f"{what}: not found", hint="Check the ref.") from None
        return parse(ApiCommitId, data, source="GitHub's answer about a commit").sha

    def bring(
        self, item: Reference, staging: Path, commits: Mapping[RepositoryReference, str]
    ) -> FetchedSource:
        with tempfile.TemporaryDirectory(prefix="repath-data-") as scratch:
            packed = Path(scratch) / "archive"
            if isinstance(item, RepositoryReference):
                return self._repository(item, commits[item], packed, staging)
            return self._archive(item, packed, staging)

    def _repository(
        self, item: RepositoryReference, commit: str, packed: Path, staging: Path
    ) -> FetchedSource:
        what = f"{item.text} ({commit[:12]})"
        path = f"{repository_path(item.repository)}/tarball/{commit}"
        save(self.client, path, packed, max_bytes=self.max_bytes, what=f"reading {what}", accept=JSON_TYPE)
        out = extract(packed, staging, limits=self._limits(), source=what, take=_below(item.path))
        if not out.files:
            raise InputError(f"{what} holds no files", hint="Check the path.")
        _refuse_lfs(staging, out.files, what)
        if RECORD in out.files:
            raise InputError(f"{what} holds a file {RECORD}, which is written here")
        return _source(
            "repository",
            item,
            ".",
            out,
            repository=item.repository,
            ref=item.ref,
            commit=commit,
            path=item.path,
        )

    def _archive(self, item: ArchiveReference | AssetReference, packed: Path, staging: Path) -> FetchedSource:
        if isinstance(item, ArchiveReference):
            what = f"Reading {item.folder}"
            digest = self.http.save(item.url, packed, max_bytes=self.max_bytes, total_s=_LONGEST_S, what=what)
        else:
            digest = self._asset(item, packed)
        if digest != item.sha256:
            raise DigestMismatchError(
                f"{item.text}: what came has SHA-256 {digest}",
                hint="The archive is not the one that was meant: look at it before its digest is taken over.",
            )
        folder = staging / item.folder
        if folder.exists():
            raise InputError(
                f"{item.text}: the repository holds {item.folder} already", hint="Rename the archive."
            )
        with staged_directory(folder) as inner:
            out = extract(packed, inner, limits=self._limits(), source=item.text)
        if not out.files:
            raise InputError(f"{item.text} holds no files")
        kind = "archive" if isinstance(item, ArchiveReference) else "asset"
        return _source(kind, item, item.folder, out, sha256=item.sha256)

    def _asset(self, item: AssetReference, packed: Path) -> str:
        host = GitHubReleases(self.client, item.repository)
        release = host.published(item.tag)
        asset = (
            next((a for a in release.assets if a.name == item.name and a.whole), None) if release else None
        )
        if asset is None:
            what = f"file {item.name}" if release else f"published release {item.tag}"
            raise RemoteMissingError(
                f"{item.text}: there is no {what}", hint="Check repository, tag and name."
            )
        return host.download(asset, max_bytes=self.max_bytes, target=packed).sha256

    def _limits(self) -> ArchiveLimits:
        return ArchiveLimits(max_files=1_000_000, max_bytes=self.max_bytes)


def _refuse_lfs(folder: Path, names: Sequence[str], what: str) -> None:
    """Refuse files that only say where Git LFS keeps the real ones, which would look like broken pictures.

    Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
    """
    for name in names:
        path = folder / name
        if path.stat().st_size < _MAX_LFS_POINTER and path.read_bytes().startswith(_LFS_POINTER):
            raise InputError(
                f"{what}: {name} is a pointer of Git LFS, not the file itself",
                hint="Allow it in the data repository's settings (include Git LFS objects in archives), or "
                "give the data as an archive.",
            )


def _source(kind: str, item: Reference, folder: str, out: Extracted, **more: str | None) -> FetchedSource:
    data = {
        "kind": kind,
        "reference": item.text,
        "folder": folder,
        "files": len(out.files),
        "bytes": out.bytes,
        **more,
    }
    return parse(FetchedSource, data, source=item.text)


def _repositories_first(references: Sequence[Reference]) -> list[Reference]:
    return sorted(references, key=lambda item: not isinstance(item, RepositoryReference))


def _below(path: str) -> Callable[[str], str | None]:
    """Map names of a repository's tarball, which has one folder at its top, to those below ``path``."""
    prefix = f"{path}/" if path else ""

    def take(name: str) -> str | None:
        inner = name.partition("/")[2]
        return inner.removeprefix(prefix) or None if inner.startswith(prefix) else None

    return take


def _there(into: Path) -> DataRecord | None:
    """Return the record of what stands there, if it is as it was fetched."""
    if not into.exists() and not into.is_symlink():
        return None
    if into.is_dir() and not into.is_symlink() and not any(into.iterdir()):
        return None
    hint = "Move away what is there, or choose another folder with --into."
    try:
        record = read_json(into / RECORD, DataRecord)
        tree = tree_of(into, without=RECORD)
    except RepathError as error:
        raise OutputError(f"{into} holds what was not fetched: {error.message}", hint=hint) from None
    if tree.sha256 != record.tree_sha256:
        raise OutputError(f"{into} was changed since it was fetched, and is not replaced", hint=hint)
    return record


def _is_same(
    record: DataRecord, references: Sequence[Reference], commits: dict[RepositoryReference, str]
) -> bool:
    wanted = sorted((item.text, _commit(item, commits)) for item in references)
    return wanted == sorted((source.reference, source.commit or "") for source in record.sources)


def _commit(item: Reference, commits: dict[RepositoryReference, str]) -> str:
    return commits[item] if isinstance(item, RepositoryReference) else ""
