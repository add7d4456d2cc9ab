"""What is to be published: a verified bundle, the files attached to it, and how the release is called."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.release import LABELS_TYPE, MODEL_TYPE, SEMVER, SUMS_NAME
from pipeline.release.host import ReleaseFile
from pipeline.release.verify import verify_release
from pipeline.support.errors import ReleaseError
from pipeline.support.files import sha256_file

MAX_ASSET = 2 << 30
"""GitHub: each file of a release must be smaller than 2 GiB."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One release with all its files; their digests are what the host's copies are held to."""

    tag: str
    name: str
    notes: str
    prerelease: bool
    files: tuple[ReleaseFile, ...]
    commit: str | None = None
    """The commit that the tag is put on where there is no such tag yet."""


def publication_of(
    manifest_path: Path, *, title: str, attachments: Sequence[Path] = (), commit: str | None = None
) -> Publication:
    """Verify a bundle and return what is published of it.

    Args:
        manifest_path: the bundle's ``release-manifest-vX.Y.Z.json``.
        title: what the release's name begins with, before its tag.
        attachments: more files, such as an SBOM.
        commit: the commit that the tag is put on where there is no such tag yet.

    Raises:
        InputError: a file cannot be read.
        ContractError: the manifest is none.
        ReleaseError: the bundle does not verify, or an attachment cannot be an asset beside it.
    """
    verified = verify_release(manifest_path)
    manifest = verified.manifest
    files = [
        ReleaseFile(
            item.filename, verified.directory / item.filename, item.bytes, item.sha256, item.content_type
        )
        for item in manifest.artifacts
    ]
    files.append(_file(manifest_path, LABELS_TYPE))
    files.append(_file(verified.directory / SUMS_NAME, "text/plain"))
    files += [_file(path, mimetypes.guess_type(path.name)[0] or MODEL_TYPE) for path in attachments]
    _check(files)
    match = SEMVER.fullmatch(manifest.version)
    return Publication(
        tag=manifest.tag,
        name=f"{title} {manifest.tag}",
        notes=manifest.notes or "",
        prerelease=match is not None and match["prerelease"] is not None,
        files=tuple(files),
        commit=commit,
    )


def _file(path: Path, content_type: str) -> ReleaseFile:
    digest = sha256_file(path)
    return ReleaseFile(path.name, path, path.stat().st_size, digest, content_type)


def _check(files: Sequence[ReleaseFile]) -> None:
    seen: set[str] = set()
    for file in files:
        if not all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in file.name):
            # GitHub changes such names, and the app would not find the file.
            raise ReleaseError(
                f"{file.path}: its name cannot be that of a release's file",
                hint="Use letters, digits, '.', '_' and '-'.",
            )
        if file.name.lower() in seen:
            raise ReleaseError(f"{file.path}: two files of the release have the name {file.name}")
        if not 0 < file.bytes < MAX_ASSET:
            raise ReleaseError(
                f"{file.path} has {file.bytes} bytes: a release's file has 1 to {MAX_ASSET - 1}"
            )
        seen.add(file.name.lower())
