"""Publication: a draft, its files held to their digests, and only then the release; a rerun goes on.

Answers get lost, lists lag behind, uploads break off, and another run may be at work on the same tag. So
every step looks, does one thing, and looks again; a file counts as uploaded when it was read back with the
digest it should have. Two rules are never broken: a draft becomes public only when it holds exactly the files
of the bundle, and what is public is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.contracts.release import SEMVER
from pipeline.release.host import HostedAsset, HostedRelease, ReleaseFile, ReleaseHost
from pipeline.release.publication import Publication
from pipeline.release.versions import precedence
from pipeline.support.errors import (
    ReleaseError,
    RemoteError,
    RemoteExistsError,
    RemoteMissingError,
    RemoteUnsureError,
)
from pipeline.support.patience import Patience

_AGAIN = "Run the same command again: it goes on from here."


@dataclass(frozen=True, slots=True)
class Published:
    """How a publication ended."""

    tag: str
    url: str | None
    unchanged: bool
    """Whether this very release was public already."""
    prerelease: bool
    latest: bool
    steps: tuple[str, ...]
    """What was done, or would be done, in words."""


def publish_release(host: ReleaseHost, publication: Publication, *, patience: Patience) -> Published:
    """Publish a release, or go on with a publication that was broken off.

    Raises:
        ReleaseError: the tag is published with other files, or its draft holds files that are not of it.
        RemoteError: the host refuses or does not answer; the same call goes on later.
    """
    return _Run(host, publication, patience).publish()


def plan_release(host: ReleaseHost, publication: Publication, *, patience: Patience) -> Published:
    """Return what `publish_release` would do now, changing nothing at the host.

    Raises:
        ReleaseError: the tag is published with other files.
        RemoteError: the host refuses or does not answer.
    """
    return _Run(host, publication, patience).plan()


@dataclass(slots=True)
class _Run:
    host: ReleaseHost
    wanted: Publication
    patience: Patience
    steps: list[str] = field(default_factory=list)

    def publish(self) -> Published:
        release = self._release()
        if not release.draft:
            return self._unchanged(release)
        brought = {file.name: self._bring(release, file).id for file in self.wanted.files}
        self._hold_to(release, brought)
        return self._go_public(release)

    def plan(self) -> Published:
        found = self._found()
        release = next((item for item in found if not item.draft), found[0] if found else None)
        if release is not None and not release.draft:
            return self._unchanged(release)
        self.steps.append(f"go on with the draft {release.url}" if release else "make a draft")
        for file in self.wanted.files:
            asset = (
                next((item for item in release.assets if item.name == file.name), None) if release else None
            )
            if asset is None:
                self.steps.append(f"upload {file.name} ({file.bytes:,} bytes)")
            elif not self._holds(asset, file):
                self.steps.append(f"replace {file.name} ({file.bytes:,} bytes), which is not whole")
        latest = self._is_latest()
        self.steps.append("publish it" + (" as pre-release" if self.wanted.prerelease else ""))
        return self._published(release, unchanged=False, latest=latest)

    # -- the release -------------------------------------------------------------------------------------

    def _release(self) -> HostedRelease:
        """Return the one release of the tag: public, or a draft that is found or made."""
        found = self._found()
        if found:
            return self._only(found)
        made: HostedRelease | None = None
        for _ in self.patience.attempts():
            if made is None:
                try:
                    made = self.host.create_draft(
                        tag=self.wanted.tag,
                        name=self.wanted.name,
                        notes=self.wanted.notes,
                        prerelease=self.wanted.prerelease,
                        commit=self.wanted.commit,
                    )
                    self.steps.append("made a draft")
                except RemoteUnsureError:
                    pass  # it may be there: the list will tell
            found = self._found()
            # A list that shows our draft also shows those that another run made before it.
            if any(made is None or item.id == made.id or not item.draft for item in found):
                return self._only(found)
        raise RemoteError(f"the list of releases does not show the draft of {self.wanted.tag}", hint=_AGAIN)

    def _found(self) -> list[HostedRelease]:
        """Return the releases of the tag, oldest first; the published one also where the list lags behind."""
        found = {item.id: item for item in self.host.releases() if item.tag == self.wanted.tag}
        published = self.host.published(self.wanted.tag)
        if published is not None:
            found[published.id] = published
        return sorted(found.values(), key=lambda item: item.id)

    def _only(self, found: Sequence[HostedRelease]) -> HostedRelease:
        """Choose the published release or the oldest draft, and remove drafts that runs of ours left over."""
        public = [item for item in found if not item.draft]
        chosen = (public or found)[0]
        for other in found:
            if other.id == chosen.id:
                continue
            if other.draft and self._is_ours(other):
                self.host.delete_draft(other)
                self.steps.append(f"removed a second draft, {other.url}")
            elif not public:
                raise ReleaseError(
                    f"there are two drafts of {self.wanted.tag}: {chosen.url} and {other.url}",
                    hint="Delete the one that is not wanted, and run the command again.",
                )
        return chosen

    def _is_ours(self, draft: HostedRelease) -> bool:
        """Tell whether a draft is as we make it: then nothing that a person wrote is lost with it."""
        names = {file.name for file in self.wanted.files}
        same_text = (draft.name, _lines(draft.notes)) == (self.wanted.name, _lines(self.wanted.notes))
        return same_text and all(asset.name in names for asset in draft.assets)

    # -- its files ---------------------------------------------------------------------------------------

    def _bring(self, draft: HostedRelease, file: ReleaseFile) -> HostedAsset:
        """Have the draft hold a file, and read it back."""
        known: HostedAsset | None = None
        for _ in self.patience.attempts():
            asset = known or self._listed(draft, file.name)
            if asset is not None:
                if self._holds(asset, file):
                    return asset
                self._discard(draft, asset)
            known = self._upload(draft, file)
            if known is not None and self._holds(known, file):
                return known
        raise RemoteError(
            f"{file.name} was not taken by {draft.url} in {self.patience.tries} tries", hint=_AGAIN
        )

    def _upload(self, draft: HostedRelease, file: ReleaseFile) -> HostedAsset | None:
        try:
            asset = self.host.upload(draft, file)
        except (RemoteUnsureError, RemoteExistsError):
            return None  # neither is believed: the next look tells what is there
        self.steps.append(f"uploaded {file.name}")
        return asset

    def _listed(self, release: HostedRelease, name: str) -> HostedAsset | None:
        listed = next((item for item in self.host.release(release.id).assets if item.name == name), None)
        # Asked for itself: the list may show it as it was.
        return self.host.asset(listed.id) if listed else None

    def _holds(self, asset: HostedAsset, file: ReleaseFile) -> bool:
        """Tell whether an asset is the file, byte for byte, by reading it."""
        if not asset.whole or asset.bytes != file.bytes or asset.sha256 not in {None, file.sha256}:
            return False
        try:
            back = self.host.download(asset, max_bytes=file.bytes)
        except RemoteMissingError:
            return False
        return (back.bytes, back.sha256) == (file.bytes, file.sha256)

    def _discard(self, draft: HostedRelease, asset: HostedAsset) -> None:
        """Remove what is not the file it is called, from a draft only."""
        if not self.host.release(draft.id).draft:
            raise ReleaseError(
                f"{self.wanted.tag} was published by another run while this one was at work",
                hint="Run the same command again: it compares the files and changes nothing.",
            )
        self.host.delete_asset(asset)
        self.steps.append(f"removed {asset.name}, which was not whole")

    def _hold_to(self, draft: HostedRelease, brought: dict[str, int]) -> None:
        """Make sure that the draft holds the files that were read back, and no other."""
        for _ in self.patience.attempts():
            listed = self.host.release(draft.id).assets
            foreign = sorted({item.name for item in listed} - set(brought))
            if foreign:
                names = ", ".join(foreign)
                raise ReleaseError(
                    f"the draft {draft.url} holds files that are not of {self.wanted.tag}: {names}",
                    hint="Remove them from the draft, or name them with --attach; then run it again.",
                )
            if {item.name: item.id for item in listed} == brought:
                return
        raise RemoteError(f"{draft.url} does not show the files that were uploaded", hint=_AGAIN)

    # -- going public ------------------------------------------------------------------------------------

    def _go_public(self, draft: HostedRelease) -> Published:
        latest = self._is_latest()
        for _ in self.patience.attempts():
            try:
                done = self.host.publish(draft, prerelease=self.wanted.prerelease, latest=latest)
            except RemoteUnsureError:
                done = self.host.release(draft.id)
            except RemoteExistsError:
                # Another run was quicker, with a draft of its own.
                release = self._release()
                if release.draft:
                    raise
                return self._unchanged(release)
            if not done.draft:
                self.steps.append("published")
                return self._published(done, unchanged=False, latest=latest)
        raise RemoteError(f"{draft.url} could not be published", hint=_AGAIN)

    def _unchanged(self, release: HostedRelease) -> Published:
        """Compare a public release with the bundle; nothing of it is changed, whatever is found."""
        faults: list[str] = []
        for _ in self.patience.attempts():
            faults = self._differences(self.host.release(release.id))
            if not faults:
                latest = False if self.wanted.prerelease else self._is_latest()
                return self._published(release, unchanged=True, latest=latest)
            if not all(fault.endswith(_ABSENT) for fault in faults):
                break
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise ReleaseError(
            f"{self.wanted.tag} is published already, with other files: {release.url}\n{lines}",
            hint="A published release is never changed: choose the next version.",
        )

    def _differences(self, release: HostedRelease) -> list[str]:
        there = {item.name: item for item in release.assets}
        faults = [f"{name} is not of this bundle" for name in there if name not in self._names()]
        for file in self.wanted.files:
            if file.name not in there:
                faults.append(f"{file.name} {_ABSENT}")
            elif not self._holds(there[file.name], file):
                faults.append(f"{file.name} has other bytes")
        return faults

    def _names(self) -> set[str]:
        return {file.name for file in self.wanted.files}

    def _is_latest(self) -> bool:
        """Tell whether this is the highest version: a later fix of an old one must not become the latest."""
        if self.wanted.prerelease or not _is_version(self.wanted.tag):
            return False
        mine = precedence(self.wanted.tag)
        return all(
            precedence(item.tag) <= mine
            for item in self.host.releases()
            if not item.draft and not item.prerelease and _is_version(item.tag)
        )

    def _published(self, release: HostedRelease | None, *, unchanged: bool, latest: bool) -> Published:
        url = release.url if release else None
        return Published(self.wanted.tag, url, unchanged, self.wanted.prerelease, latest, tuple(self.steps))


_ABSENT = "is missing"


def _is_version(tag: str) -> bool:
    return SEMVER.fullmatch(tag.removeprefix("v")) is not None


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
