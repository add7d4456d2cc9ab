"""An artefact of a workflow's run, taken as data: its zip is anybody's, and is taken out with care.

Source: https://docs.github.com/en/rest/actions/artifacts
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.base import Contract, Line, parse
from pipeline.github.client import JSON_TYPE, GitHubClient
from pipeline.github.context import Number
from pipeline.github.downloads import save
from pipeline.github.repository import repository_path
from pipeline.support.archives import ArchiveLimits, Extracted, extract
from pipeline.support.errors import DigestMismatchError, InputError, RemoteMissingError, UsageError
from pipeline.support.files import staged_directory

MAX_FILES = 2000


class ApiArtifact(Contract):
    """What the API tells of an artefact, as far as it is used."""

    id: Number
    name: Line
    size_in_bytes: int
    expired: bool
    digest: Line | None = None


@dataclass(frozen=True, slots=True)
class FetchedArtifact:
    """An artefact, taken out."""

    artifact_id: int
    directory: Path
    zip_bytes: int
    zip_sha256: str
    extracted: Extracted


def fetch_artifact(
    client: GitHubClient, repository: str, *, run_id: int, name: str, out_dir: Path, max_bytes: int
) -> FetchedArtifact:
    """Download a run's newest artefact of this name, and take it out into a new folder, all of it or nothing.

    Args:
        client: with a token that may read Actions.
        repository: ``owner/name``.
        run_id: the run.
        name: the artefact.
        out_dir: must not be there, or be empty.
        max_bytes: of the zip, and of all that comes out of it.

    Raises:
        RemoteMissingError: the run has no such artefact, or it has expired.
        RemoteError: it is too large, or GitHub refuses or does not answer.
        DigestMismatchError: what came is not what GitHub has the digest of.
        InputError: the zip holds what is not taken out of one.
        OutputError: ``out_dir`` has something in it, or cannot be written.
    """
    if run_id < 1:
        raise UsageError(f"{run_id} is not the number of a run")
    found = _find(client, repository, run_id, name)
    what = f"the artefact {name} of run {run_id}"
    if found.size_in_bytes > max_bytes:
        raise InputError(
            f"{what} has {found.size_in_bytes:,} bytes; no more than {max_bytes:,} are fetched",
            hint="A larger one can be allowed with --max-mb.",
        )
    limits = ArchiveLimits(max_files=MAX_FILES, max_bytes=max_bytes, max_file_bytes=max_bytes)
    with (
        staged_directory(out_dir) as staging,
        tempfile.TemporaryDirectory(prefix="repath-artefact-") as scratch,
    ):
        packed = Path(scratch) / "artefact.zip"
        path = f"{repository_path(repository)}/actions/artifacts/{found.id}/zip"
        back = save(client, path, packed, max_bytes=max_bytes, what=f"reading {what}", accept=JSON_TYPE)
        if found.digest not in {None, f"sha256:{back.sha256}"}:
            raise DigestMismatchError(f"{what}: what came is not the file that GitHub has the digest of")
        extracted = extract(packed, staging, limits=limits, source=what)
    return FetchedArtifact(found.id, out_dir, back.bytes, back.sha256, extracted)


def _find(client: GitHubClient, repository: str, run_id: int, name: str) -> ApiArtifact:
    path = f"{repository_path(repository)}/actions/runs/{run_id}/artifacts"
    what = f"listing the artefacts of run {run_id}"
    rows = client.pages(path, what=what, query={"name": name}, key="artifacts")
    named = [item for item in _artifacts(rows) if item.name == name]
    whole = [item for item in named if not item.expired]
    if not whole:
        why = "it has expired" if named else "the run has none of this name"
        raise RemoteMissingError(
            f"there is no artefact {name!r} of run {run_id} in {repository}: {why}",
            hint="Check --run-id and --name; run the workflow again where it has expired.",
        )
    # A job that is run again uploads anew: the newest is of the last attempt.
    return max(whole, key=lambda item: item.id)


def _artifacts(rows: list[object]) -> Iterator[ApiArtifact]:
    for row in rows:
        yield parse(ApiArtifact, row, source="GitHub's answer about an artefact")
