"""Whether a release bundle is, file by file and byte by byte, what its manifest and checksums say."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.release import SEMVER, SUMS_NAME, ReleaseArtifact, ReleaseManifest, ReleaseNames
from pipeline.support.documents import read_json
from pipeline.support.errors import Fault, ReleaseError
from pipeline.support.files import input_error, open_input, sha256_file

_SUMS_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[A-Za-z0-9._+-]+)", re.ASCII)
_MAX_SUMS = 1 << 16


@dataclass(frozen=True, slots=True)
class VerifiedRelease:
    """A bundle in which every byte was checked."""

    directory: Path
    manifest: ReleaseManifest
    manifest_sealed: bool
    """Whether SHA256SUMS covers the manifest too; bundles of the system before this one leave it out."""
    bytes_checked: int


def verify_release(manifest_path: Path) -> VerifiedRelease:
    """Check a bundle: names, sizes, digests, SHA256SUMS, and that nothing else lies in the folder.

    Raises:
        InputError: the manifest is missing or cannot be read.
        ContractError: it is no release manifest; every fault is named.
        ReleaseError: the bundle is not what the manifest and SHA256SUMS say; every fault is named.
    """
    if manifest_path.is_symlink():
        raise ReleaseError(f"{manifest_path} is a link; a release bundle holds plain files")
    manifest = read_json(manifest_path, ReleaseManifest)
    directory = manifest_path.parent
    faults = _name_faults(manifest, manifest_path.name)
    listed = {item.filename for item in manifest.artifacts} | {SUMS_NAME, manifest_path.name}
    faults += _folder_faults(directory, listed)
    if faults:
        # What is a link, or lies elsewhere, is not even read.
        raise _release_error(manifest_path, faults)
    sums, faults = _read_sums(directory / SUMS_NAME)
    for item in manifest.artifacts:
        faults += _file_faults(directory / item.filename, item, sums)
    sealed = manifest_path.name in sums
    if sealed and sums[manifest_path.name] != sha256_file(manifest_path):
        faults.append(Fault(manifest_path.name, f"is not the manifest that {SUMS_NAME} lists"))
    faults += [
        Fault(SUMS_NAME, f"lists {name}, which the manifest does not") for name in sums if name not in listed
    ]
    if faults:
        raise _release_error(manifest_path, faults)
    return VerifiedRelease(directory, manifest, sealed, sum(item.bytes for item in manifest.artifacts))


def _file_faults(path: Path, item: ReleaseArtifact, sums: dict[str, str]) -> list[Fault]:
    with open_input(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size != item.bytes:
            return [Fault(item.filename, f"has {size} bytes, the manifest says {item.bytes}")]
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    faults = []
    if digest != item.sha256:
        faults.append(Fault(item.filename, f"has SHA-256 {digest}, the manifest says {item.sha256}"))
    if item.filename not in sums:
        faults.append(Fault(SUMS_NAME, f"does not list {item.filename}"))
    elif sums[item.filename] != digest:
        faults.append(Fault(SUMS_NAME, f"gives {item.filename} another SHA-256 than it has"))
    return faults


def _name_faults(manifest: ReleaseManifest, filename: str) -> list[Fault]:
    faults = []
    if SEMVER.fullmatch(manifest.version) is None:
        faults.append(Fault("version", f"{manifest.version!r} is not a semantic version"))
    if manifest.tag != f"v{manifest.version}":
        faults.append(Fault("tag", f"is {manifest.tag!r}, and the version is {manifest.version!r}"))
    names = sorted(item.filename for item in manifest.artifacts)
    ending = f"-{manifest.tag}.tflite"
    prefix = next((name.removesuffix(ending) for name in names if name.endswith(ending)), "")
    expected = ReleaseNames(prefix, manifest.version)
    if filename != expected.manifest:
        faults.append(Fault("file name", f"is {filename!r}, and the app looks for {expected.manifest!r}"))
    if names != sorted([expected.model, expected.labels]):
        wanted = f"<prefix>-{manifest.tag}.tflite and <prefix>-{manifest.tag}.labels.json"
        faults.append(Fault("artifacts", f"are {', '.join(names) or 'none'}; the app looks for {wanted}"))
    return faults


def _folder_faults(directory: Path, listed: set[str]) -> list[Fault]:
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise input_error(directory, error) from None
    faults = []
    for entry in entries:
        if entry.is_symlink():
            faults.append(Fault(entry.name, "is a link; a release bundle holds plain files"))
        elif not entry.is_file():
            faults.append(Fault(entry.name, "is a folder or a special file; a bundle holds plain files"))
        elif entry.name not in listed:
            faults.append(Fault(entry.name, "is not listed in the manifest"))
    here = {entry.name for entry in entries}
    faults += [Fault(name, "is missing") for name in sorted(listed - here)]
    return faults


def _read_sums(path: Path) -> tuple[dict[str, str], list[Fault]]:
    """Read SHA256SUMS strictly: what `sha256sum -c` merely tolerates is a fault here."""
    with open_input(path) as stream:
        # One character for each byte: nothing is skipped, such as a BOM that `sha256sum -c` would trip over.
        text = stream.read(_MAX_SUMS).decode("latin-1")
    sums: dict[str, str] = {}
    faults = []
    if not text.endswith("\n"):
        faults.append(Fault(SUMS_NAME, "does not end with a newline"))
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        match = _SUMS_LINE.fullmatch(line)
        if match is None:
            faults.append(Fault(f"{SUMS_NAME}, line {number}", "is not '<sha256>  <file name>'"))
        elif match["name"] in sums:
            faults.append(Fault(f"{SUMS_NAME}, line {number}", f"lists {match['name']} again"))
        else:
            sums[match["name"]] = match["digest"]
    return sums, faults


def _release_error(manifest_path: Path, faults: list[Fault]) -> ReleaseError:
    lines = "\n".join(f"  {fault}" for fault in faults)
    return ReleaseError(
        f"{manifest_path.parent} is not the release that its manifest says\n{lines}",
        hint="Do not publish or install it; build or download the release again.",
    )
