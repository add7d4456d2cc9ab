"""What publication needs of the place that holds releases; `pipeline.github.host` is the one that is used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HostedAsset:
    """A file of a release, as its host tells of it."""

    id: int
    name: str
    bytes: int
    whole: bool
    """Whether the host has finished taking it; an upload that broke off leaves one that is not."""
    sha256: str | None = None
    """The digest that the host worked out, where it tells one."""


@dataclass(frozen=True, slots=True)
class HostedRelease:
    """A release, as its host tells of it."""

    id: int
    tag: str
    name: str
    notes: str
    draft: bool
    prerelease: bool
    url: str
    upload_url: str
    assets: tuple[HostedAsset, ...]


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A file on this machine that is to be an asset."""

    name: str
    path: Path
    bytes: int
    sha256: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Size and digest of bytes that came back."""

    bytes: int
    sha256: str


class ReleaseHost(Protocol):
    """A place that holds releases and their files.

    Every method raises `RemoteError` where the host refuses or does not answer. One that changes something
    raises `RemoteUnsureError` where the answer was lost, and leaves it to the caller to look before it asks
    again; deleting what is gone already is no error.
    """

    def releases(self) -> list[HostedRelease]:
        """Return all releases, drafts too. The list may lag behind what was done a moment ago."""

    def release(self, release_id: int) -> HostedRelease:
        """Return one release."""

    def published(self, tag: str) -> HostedRelease | None:
        """Return the published release of a tag, or None; a draft is not found by its tag."""

    def asset(self, asset_id: int) -> HostedAsset | None:
        """Return one asset, or None where it is gone."""

    def create_draft(
        self, *, tag: str, name: str, notes: str, prerelease: bool, commit: str | None
    ) -> HostedRelease:
        """Make a draft."""

    def upload(self, release: HostedRelease, file: ReleaseFile) -> HostedAsset:
        """Add a file to a draft; raises `RemoteExistsError` where there is one of this name."""

    def download(self, asset: HostedAsset, *, max_bytes: int, target: Path | None = None) -> Downloaded:
        """Read an asset in a stream, and keep it at ``target`` where one is given."""

    def publish(self, release: HostedRelease, *, prerelease: bool, latest: bool) -> HostedRelease:
        """Make a draft public; raises `RemoteExistsError` where its tag has a published release."""

    def delete_asset(self, asset: HostedAsset) -> None:
        """Remove an asset."""

    def delete_draft(self, release: HostedRelease) -> None:
        """Remove a draft."""
