"""What a publication would do at a host that holds no release yet: a plan without asking anybody."""

from __future__ import annotations

from pathlib import Path

from pipeline.release.host import Downloaded, HostedAsset, HostedRelease, ReleaseFile
from pipeline.release.publication import Publication
from pipeline.release.publish import Published, plan_release
from pipeline.support.errors import RemoteError
from pipeline.support.patience import Patience


class NoReleases:
    """A `ReleaseHost` without a release, at which nothing can be changed."""

    def releases(self) -> list[HostedRelease]:
        """Return none."""
        return []

    def published(self, tag: str) -> HostedRelease | None:
        """Return None."""
        return None

    def release(self, release_id: int) -> HostedRelease:
        """Refuse: there is none."""
        raise _nothing_here(f"release {release_id}")

    def asset(self, asset_id: int) -> HostedAsset | None:
        """Return None."""
        return None

    def create_draft(
        self,
        *,
        tag: str,
        name: str,
        notes: str,
        prerelease: bool,
        commit: str | None,
    ) -> HostedRelease:
        """Refuse to change anything."""
        raise _nothing_here(f"a draft of {tag}")

    def upload(self, release: HostedRelease, file: ReleaseFile) -> HostedAsset:
        """Refuse to change anything."""
        raise _nothing_here(f"{file.name} of {release.tag}")

    def download(self, asset: HostedAsset, *, max_bytes: int, target: Path | None = None) -> Downloaded:
        """Refuse: there is none."""
        raise _nothing_here(asset.name)

    def publish(self, release: HostedRelease, *, prerelease: bool, latest: bool) -> HostedRelease:
        """Refuse to change anything."""
        raise _nothing_here(release.tag)

    def delete_asset(self, asset: HostedAsset) -> None:
        """Refuse to change anything."""
        raise _nothing_here(asset.name)

    def delete_draft(self, release: HostedRelease) -> None:
        """Refuse to change anything."""
        raise _nothing_here(release.tag)


def _nothing_here(what: str) -> RemoteError:
    return RemoteError(f"{what}: there is no host, only a plan")


def plan_offline(publication: Publication) -> Published:
    """Return what `publish_release` would do where there is no release yet; nobody is asked."""
    return plan_release(NoReleases(), publication, patience=Patience(tries=1))
