"""Fetch a release as the app does, hold it to its manifest and SHA256SUMS, and place its files together."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.base import parse
from pipeline.contracts.candidate import ActiveModelRelease
from pipeline.contracts.release import SUMS_NAME, ReleaseArtifact, ReleaseManifest
from pipeline.github.host import GitHubReleases
from pipeline.release.host import HostedAsset, HostedRelease
from pipeline.release.verify import VerifiedRelease, verify_release
from pipeline.release.versions import semantic_version
from pipeline.support.clock import timestamp
from pipeline.support.documents import json_bytes, read_json
from pipeline.support.errors import ReleaseError, RemoteMissingError
from pipeline.support.files import display_path, sha256_file
from pipeline.support.together import Placement, place_together

LATEST = "latest"
RECORD = "active-model.release.json"
MAX_TEXT = 16 << 20
"""Bytes of a manifest, labels file or SHA256SUMS."""
MAX_MODEL = 1 << 30
"""Bytes of a model, unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class FetchedRelease:
    """A release whose every byte was checked, in its place."""

    record: ActiveModelRelease
    record_path: Path
    manifest: ReleaseManifest
    manifest_sealed: bool


def fetch_release(
    host: GitHubReleases,
    *,
    repository: str,
    tag: str,
    assets_dir: Path,
    out: Path | None = None,
    max_model_bytes: int = MAX_MODEL,
    root: Path | None = None,
) -> FetchedRelease:
    """Download a release, verify it, and place model, labels, manifest and record, all or none.

    Args:
        host: where the release is.
        repository: ``owner/name``, for the record.
        tag: ``vX.Y.Z`` or ``latest``.
        assets_dir: gets ``<prefix>.tflite``, ``<prefix>.labels.json`` and ``<prefix>.release-manifest.json``.
        out: the record; otherwise ``active-model.release.json`` in ``assets_dir``.
        max_model_bytes: a larger model is refused.
        root: the workspace that recorded paths are relative to.

    Raises:
        UsageError: ``tag`` is no version.
        RemoteError: there is no such release, or GitHub does not answer.
        ContractError: its manifest is none.
        ReleaseError: a file is missing, too large, or not the one that manifest and SHA256SUMS name.
        OutputError: a file cannot be placed; then none is.
    """
    release = _find(host, repository, tag)
    if release.draft:
        raise ReleaseError(f"{release.tag} of {repository} is a draft")
    with tempfile.TemporaryDirectory(prefix="repath-fetch-") as folder:
        verified = _download(host, release, Path(folder), max_model_bytes)
        return _place(verified, release, repository, tag, assets_dir, out or assets_dir / RECORD, root)


def _find(host: GitHubReleases, repository: str, tag: str) -> HostedRelease:
    if tag == LATEST:
        found = host.latest()
    else:
        tag = f"v{semantic_version(tag)}"
        found = host.published(tag)
    if found is None:
        raise RemoteMissingError(
            f"{repository} has no published release {tag}",
            hint="Check --repo and --tag; drafts do not count.",
        )
    return found


def _download(
    host: GitHubReleases, release: HostedRelease, folder: Path, max_model_bytes: int
) -> VerifiedRelease:
    manifest_name = f"release-manifest-{release.tag}.json"
    manifest_path = folder / manifest_name
    for name in (manifest_name, SUMS_NAME):
        asset = _named(release, name)
        host.download(asset, max_bytes=MAX_TEXT, target=folder / name)
    manifest = read_json(manifest_path, ReleaseManifest)
    if manifest.tag != release.tag:
        raise ReleaseError(f"the manifest of {release.tag} is that of {manifest.tag}: {release.url}")
    for item in manifest.artifacts:
        limit = max_model_bytes if item.filename.endswith(".tflite") else MAX_TEXT
        asset = _named(release, item.filename)
        _check_size(asset, item, limit)
        host.download(asset, max_bytes=item.bytes, target=folder / item.filename)
    return verify_release(manifest_path)


def _check_size(asset: HostedAsset, item: ReleaseArtifact, limit: int) -> None:
    """Refuse what cannot be right before it is downloaded."""
    if asset.bytes != item.bytes:
        raise ReleaseError(f"{item.filename} has {asset.bytes} bytes, its manifest says {item.bytes}")
    if item.bytes > limit:
        raise ReleaseError(
            f"{item.filename} has {item.bytes} bytes; no more than {limit} are fetched",
            hint="A larger model can be allowed with --max-model-mb.",
        )


def _named(release: HostedRelease, name: str) -> HostedAsset:
    asset = next((item for item in release.assets if item.name == name and item.whole), None)
    if asset is None:
        raise ReleaseError(
            f"{release.url} has no file {name}", hint="It is no release of a model, or not whole."
        )
    return asset


def _place(
    verified: VerifiedRelease,
    release: HostedRelease,
    repository: str,
    requested: str,
    assets_dir: Path,
    out: Path,
    root: Path | None,
) -> FetchedRelease:
    model, labels = (_artifact(verified.manifest, ending) for ending in (".tflite", ".labels.json"))
    prefix = model.filename.removesuffix(f"-{release.tag}.tflite")
    manifest_path = verified.directory / f"release-manifest-{release.tag}.json"
    places = {
        "model_path": assets_dir / f"{prefix}.tflite",
        "labels_path": assets_dir / f"{prefix}.labels.json",
        "manifest_path": assets_dir / f"{prefix}.release-manifest.json",
    }
    record = parse(
        ActiveModelRelease,
        {
            "pulled_at": timestamp(),
            "repo": repository,
            "requested_version": requested,
            "release_tag": release.tag,
            "release_name": release.name or None,
            "model_asset": model.filename,
            "labels_asset": labels.filename,
            **{key: display_path(path, root) for key, path in places.items()},
            "verification": {
                "enabled": True,
                "manifest_required": True,
                "manifest_present": True,
                "verified": True,
                "model": _checked(model),
                "labels": _checked(labels),
            },
        },
        source=RECORD,
    )
    sources = (
        (verified.directory / model.filename, model.sha256),
        (verified.directory / labels.filename, labels.sha256),
        (manifest_path, sha256_file(manifest_path)),
    )
    placements = [
        Placement(target, source, digest)
        for target, (source, digest) in zip(places.values(), sources, strict=True)
    ]
    place_together([*placements, Placement(out, json_bytes(record))])
    return FetchedRelease(record, out, verified.manifest, verified.manifest_sealed)


def _artifact(manifest: ReleaseManifest, ending: str) -> ReleaseArtifact:
    return next(item for item in manifest.artifacts if item.filename.endswith(ending))


def _checked(item: ReleaseArtifact) -> dict[str, object]:
    return {"filename": item.filename, "sha256": item.sha256, "bytes": item.bytes}
