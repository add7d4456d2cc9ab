"""What is to be published: a verified bundle, the files attached to it, and how the release is called."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.release import MODEL_TYPE, SEMVER, SUMS_NAME
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
    manifest_path: Path,
    *,
    title: str,
    attachments: Sequence[Path] = (),
    commit: str | None = None,
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
    files.append(file_to_publish(manifest_path))
    files.append(file_to_publish(verified.directory / SUMS_NAME, content_type="text/plain"))
    files += [file_to_publish(path) for path in attachments]
    match = SEMVER.fullmatch(manifest.version)
    return Publication(
        tag=manifest.tag,
        name=f"{title} {manifest.tag}",
        notes=manifest.notes or "",
        prerelease=match is not None and match["prerelease"] is not None,
        files=checked_files(files),
        commit=commit,
    )


def file_to_publish(path: Path, name: str | None = None, *, content_type: str | None = None) -> ReleaseFile:
    """Hash a file that is to be one of a release, under its own name or another.

    Raises:
        InputError: it cannot be read.
    """
    name = name or path.name
    digest = sha256_file(path)
    kind = content_type or mimetypes.guess_type(name)[0] or MODEL_TYPE
    return ReleaseFile(name, path, path.stat().st_size, digest, kind)


def checked_files(files: Sequence[ReleaseFile]) -> tuple[ReleaseFile, ...]:
    """Return the files of a release if they can stand beside each other in one.

    Raises:
        ReleaseError: a name is one that GitHub would change or stands twice; a file is empty or too large.
    """
    seen: set[str] = set()
    for file in files:
        plain = all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in file.name)
        if not plain or file.name != file.name.strip("."):
            # GitHub changes such names, and the app would not find the file.
            raise ReleaseError(
                f"{file.path}: its name cannot be that of a release's file",
                hint="Use letters, digits, '_', '-' and '.', not at an end.",
            )
        if file.name.lower() in seen:
            raise ReleaseError(f"{file.path}: two files of the release have the name {file.name}")
        if not 0 < file.bytes < MAX_ASSET:
            raise ReleaseError(
                f"{file.path} has {file.bytes} bytes: a release's file has 1 to {MAX_ASSET - 1}"
            )
        seen.add(file.name.lower())
    return tuple(files)
