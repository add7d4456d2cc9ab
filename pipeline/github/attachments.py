"""What an earlier run attached to a release: provenance and SBOM, taken up again instead of made anew.

A signature or an SBOM has other bytes each time it is made, and a release's files never change. So a workflow
that runs again takes those that are there: on the draft, or on the release that is published already. What is
cut, or speaks of other files, is left, and publication replaces it on a draft.
Sources: https://github.com/sigstore/protobuf-specs (bundle), https://github.com/secure-systems-lab/dsse (its
envelope), https://in-toto.io/Statement/v1 (its payload), https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import base64
import binascii
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.contracts.base import Contract, Line, parse
from pipeline.contracts.release import ReleaseManifest
from pipeline.github.host import GitHubReleases
from pipeline.release.host import HostedAsset, HostedRelease
from pipeline.support.documents import load_json
from pipeline.support.errors import InputError
from pipeline.support.files import sha256_file
from pipeline.support.together import Placement, place_together

PROVENANCE = ".sigstore.json"
SBOM = ".cdx.json"
MAX_BYTES = 64 << 20


class Envelope(Contract):
    """The signed part of a Sigstore bundle."""

    payload: str
    """An in-toto statement as JSON, in base64."""


class SigstoreBundle(Contract):
    """A Sigstore bundle, as far as it is used; the signature is checked by who downloads the release."""

    dsseEnvelope: Envelope  # noqa: N815 - the format's own name


class Subject(Contract):
    """A file that a statement is about."""

    name: str
    digest: dict[str, str]


class Statement(Contract):
    """An in-toto statement, as far as it is used."""

    subject: list[Subject] = Field(min_length=1)


class Sbom(Contract):
    """A CycloneDX document, as far as it is used."""

    bomFormat: Line  # noqa: N815 - the format's own name


@dataclass(frozen=True, slots=True)
class Attachments:
    """What was kept, and what was left with the reason."""

    kept: tuple[Path, ...]
    left: dict[str, str]


def fetch_attachments(host: GitHubReleases, manifest: ReleaseManifest, *, out_dir: Path) -> Attachments:
    """Place the attachments of a bundle's release into ``out_dir``, in the place of those of the same name.

    Args:
        host: where the release is; its drafts are seen only with a token that may write.
        manifest: of the bundle: its tag, and the files that provenance must speak of.
        out_dir: gets the files; it is made where it is missing.

    Raises:
        RemoteError: GitHub refuses or does not answer.
        OutputError: a file cannot be placed; then none is.
    """
    release = _find(host, manifest.tag)
    left: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="repath-attached-") as scratch:
        placements = []
        for asset in _attached(release):
            path = Path(scratch) / asset.name
            fault = _fetch(host, asset, path, manifest)
            if fault:
                left[asset.name] = fault
            else:
                placements.append(Placement(out_dir / asset.name, path, sha256_file(path)))
        place_together(placements)
    return Attachments(tuple(item.target for item in placements), left)


def _find(host: GitHubReleases, tag: str) -> HostedRelease | None:
    """Return the published release, else the oldest draft: the one that publication goes on with."""
    published = host.published(tag)
    if published is not None:
        return published
    drafts = [item for item in host.releases() if item.tag == tag]
    return min(drafts, key=lambda item: item.id, default=None)


def _attached(release: HostedRelease | None) -> list[HostedAsset]:
    assets = release.assets if release is not None else ()
    # GitHub gives no path in a name; what a forged answer says must not become one.
    return [
        item
        for item in assets
        if item.name.endswith((PROVENANCE, SBOM)) and item.name == Path(item.name).name
    ]


def _fetch(host: GitHubReleases, asset: HostedAsset, path: Path, manifest: ReleaseManifest) -> str:
    """Download one and return why it is not kept, or nothing."""
    if not asset.whole or not 0 < asset.bytes <= MAX_BYTES:
        return "it was not uploaded whole"
    host.download(asset, max_bytes=MAX_BYTES, target=path)
    try:
        document = load_json(path)
        if asset.name.endswith(SBOM):
            parse(Sbom, document, source=asset.name)
            return ""
        return _missing_subjects(document, asset.name, manifest, path.with_suffix(".statement"))
    except InputError:
        return "it is not whole, or not what its name says"


def _missing_subjects(document: Any, name: str, manifest: ReleaseManifest, scratch: Path) -> str:
    bundle = parse(SigstoreBundle, document, source=name)
    try:
        scratch.write_bytes(base64.b64decode(bundle.dsseEnvelope.payload, validate=True))
    except (binascii.Error, ValueError):
        return "its payload is not base64"
    statement = parse(Statement, load_json(scratch), source=name)
    told = {subject.digest.get("sha256") for subject in statement.subject}
    other = [item.filename for item in manifest.artifacts if item.sha256 not in told]
    return f"it does not speak of {', '.join(other)}" if other else ""
