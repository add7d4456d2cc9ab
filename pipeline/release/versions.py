"""Which of two semantic versions comes first, and the release before a given one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.release import SEMVER, ReleaseManifest
from pipeline.support.documents import read_json
from pipeline.support.errors import ReleaseError, UsageError

_LONGEST = 128


def semantic_version(text: str) -> str:
    """Return a version without a leading ``v``.

    Raises:
        UsageError: it is not of https://semver.org, or longer than 128 characters.
    """
    version = text.strip().removeprefix("v")
    if len(version) > _LONGEST:  # it becomes part of file names, and numbers of it are compared
        raise UsageError(f"the version {version[:20]}… has {len(version)} characters; {_LONGEST} are allowed")
    if SEMVER.fullmatch(version) is None:
        raise UsageError(
            f"{text!r} is not a semantic version",
            hint="Write it as MAJOR.MINOR.PATCH, such as 0.1.0 or v1.2.0-rc.1 (https://semver.org).",
        )
    return version


def precedence(version: str) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
    """Return what versions are ordered by: https://semver.org, item 11. Build metadata does not count.

    Raises:
        UsageError: it is no semantic version.
    """
    match = SEMVER.fullmatch(semantic_version(version))
    assert match is not None
    core = (int(match["major"]), int(match["minor"]), int(match["patch"]))
    identifiers = match["prerelease"].split(".") if match["prerelease"] else []
    ranked = tuple(
        # Numbers come before words, and are compared as numbers.
        (False, int(part), "") if part.isdigit() else (True, 0, part)
        for part in identifiers
    )
    return core, not identifiers, ranked


@dataclass(frozen=True, slots=True)
class ReleasedModel:
    """The model and labels of a release bundle."""

    tag: str
    model: Path
    labels: Path


def release_before(root: Path, version: str) -> ReleasedModel | None:
    """Return the newest release under ``root`` that comes before ``version``, or None.

    Raises:
        UsageError: ``version`` is no semantic version.
        ContractError: a release's manifest breaks its contract.
        ReleaseError: a release's manifest names no model or no labels.
    """
    below = precedence(version)
    earlier = [
        (precedence(manifest.version), path.parent, manifest)
        for path in sorted(root.glob("v*/release-manifest-v*.json"))
        if precedence((manifest := read_json(path, ReleaseManifest)).version) < below
    ]
    if not earlier:
        return None
    _, folder, manifest = max(earlier, key=lambda entry: entry[0])
    return ReleasedModel(
        manifest.tag, _named(folder, manifest, ".tflite"), _named(folder, manifest, ".labels.json")
    )


def _named(folder: Path, manifest: ReleaseManifest, ending: str) -> Path:
    for artifact in manifest.artifacts:
        if artifact.filename.endswith(ending):
            return folder / artifact.filename
    raise ReleaseError(f"{folder}: its manifest names no *{ending}")
