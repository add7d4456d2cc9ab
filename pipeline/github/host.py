"""GitHub Releases as a `ReleaseHost`. Source: https://docs.github.com/en/rest/releases"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from pipeline.contracts.base import Contract, Line, parse
from pipeline.github.client import GitHubClient
from pipeline.github.downloads import save
from pipeline.github.repository import repository_path
from pipeline.github.transfer import StreamBody
from pipeline.release.host import Downloaded, HostedAsset, HostedRelease, ReleaseFile
from pipeline.support.errors import RemoteMissingError
from pipeline.support.files import open_input
from pipeline.support.progress import track

_CHUNK = 1 << 20


class ApiAsset(Contract):
    """What the API tells of an asset, as far as it is used."""

    id: int
    name: Line
    size: int
    state: Line
    digest: Line | None = None


class ApiRelease(Contract):
    """What the API tells of a release, as far as it is used."""

    id: int
    tag_name: Line
    name: str | None
    body: str | None = None
    draft: bool
    prerelease: bool
    html_url: Line
    upload_url: Line
    assets: list[ApiAsset]


class GitHubReleases:
    """The releases of one repository."""

    def __init__(self, client: GitHubClient, repository: str) -> None:
        """Take a client and ``owner/name``.

        Raises:
            UsageError: it is no repository's name.
        """
        self._client = client
        self._path = f"{repository_path(repository)}/releases"

    def releases(self) -> list[HostedRelease]:
        """Return all releases, drafts too where the token may see them."""
        return [_release(row) for row in self._client.pages(self._path, what="listing the releases")]

    def release(self, release_id: int) -> HostedRelease:
        """Return one release."""
        return _release(self._client.get(f"{self._path}/{release_id}", what="reading the release").data)

    def published(self, tag: str) -> HostedRelease | None:
        """Return the published release of a tag, or None."""
        try:
            found = self._client.get(f"{self._path}/tags/{quote(tag, safe='')}", what=f"looking for {tag}")
        except RemoteMissingError:
            return None
        return _release(found.data)

    def latest(self) -> HostedRelease | None:
        """Return the release that GitHub calls the latest: published, no pre-release."""
        try:
            return _release(
                self._client.get(f"{self._path}/latest", what="looking for the latest release").data
            )
        except RemoteMissingError:
            return None

    def none_yet(self) -> bool:
        """Tell whether the repository has no release that counts as the latest.

        GitHub says "not found" of a release that is not there and of a repository that the token may not
        see: so the repository is looked at, too.

        Raises:
            RemoteMissingError: there is no such repository, or the token may not see it.
        """
        if self.latest() is not None:
            return False
        self._client.get(self._path.removesuffix("/releases"), what="reading the repository")
        return True

    def asset(self, asset_id: int) -> HostedAsset | None:
        """Return one asset, or None where it is gone."""
        try:
            return _asset(self._client.get(f"{self._path}/assets/{asset_id}", what="reading an asset").data)
        except RemoteMissingError:
            return None

    def create_draft(
        self, *, tag: str, name: str, notes: str, prerelease: bool, commit: str | None
    ) -> HostedRelease:
        """Make a draft."""
        body: dict[str, Any] = {
            "tag_name": tag,
            "name": name,
            "body": notes,
            "draft": True,
            "prerelease": prerelease,
        }
        if commit is not None:
            body["target_commitish"] = commit
        made = self._client.change("POST", self._path, body, what=f"making the draft of {tag}", repeat=False)
        return _release(made.data)

    def upload(self, release: HostedRelease, file: ReleaseFile) -> HostedAsset:
        """Add a file to a draft, in a stream, with progress."""
        query = urlencode({"name": file.name})
        with open_input(file.path) as stream:

            def body() -> StreamBody:
                stream.seek(0)
                chunks = iter(lambda: stream.read(_CHUNK), b"")
                total = math.ceil(file.bytes / _CHUNK)
                return StreamBody(track(chunks, total=total, what=f"Uploading {file.name} (MB)"), file.bytes)

            answer = self._client.upload(
                f"{release.upload_url.partition('{')[0]}?{query}",
                body,
                content_type=file.content_type,
                what=f"uploading {file.name}",
            )
        return _asset(answer.data)

    def download(self, asset: HostedAsset, *, max_bytes: int, target: Path | None = None) -> Downloaded:
        """Read an asset in a stream, and keep it at ``target`` where one is given."""
        total = max(math.ceil(asset.bytes / _CHUNK), 1)
        return save(
            self._client,
            f"{self._path}/assets/{asset.id}",
            target,
            max_bytes=max_bytes,
            what=f"reading {asset.name}",
            follow=lambda chunks: track(chunks, total=total, what=f"Reading {asset.name} (MB)"),
        )

    def publish(self, release: HostedRelease, *, prerelease: bool, latest: bool) -> HostedRelease:
        """Make a draft public."""
        body = {
            "tag_name": release.tag,
            "draft": False,
            "prerelease": prerelease,
            "make_latest": "true" if latest else "false",
        }
        path, what = f"{self._path}/{release.id}", f"publishing {release.tag}"
        return _release(self._client.change("PATCH", path, body, what=what, repeat=False).data)

    def delete_asset(self, asset: HostedAsset) -> None:
        """Remove an asset."""
        self._delete(f"{self._path}/assets/{asset.id}", f"removing {asset.name}")

    def delete_draft(self, release: HostedRelease) -> None:
        """Remove a draft."""
        self._delete(f"{self._path}/{release.id}", f"removing a draft of {release.tag}")

    def _delete(self, path: str, what: str) -> None:
        try:
            self._client.change("DELETE", path, None, what=what, repeat=True)
        except RemoteMissingError:
            return  # gone already, perhaps by a try whose answer was lost


def _release(data: Any) -> HostedRelease:
    row = parse(ApiRelease, data, source="GitHub's answer about a release")
    return HostedRelease(
        id=row.id,
        tag=row.tag_name,
        name=row.name or "",
        notes=row.body or "",
        draft=row.draft,
        prerelease=row.prerelease,
        url=row.html_url,
        upload_url=row.upload_url,
        assets=tuple(_hosted(asset) for asset in row.assets),
    )


def _asset(data: Any) -> HostedAsset:
    return _hosted(parse(ApiAsset, data, source="GitHub's answer about an asset"))


def _hosted(row: ApiAsset) -> HostedAsset:
    kind, _, digest = (row.digest or "").partition(":")
    return HostedAsset(
        row.id, row.name, row.size, row.state == "uploaded", digest.lower() if kind == "sha256" else None
    )
