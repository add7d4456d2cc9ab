"""Fetch the candidate that ``candidate.json`` points to, held to its digests, whole or not at all."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.pointer import CandidatePointer, PointedFile
from pipeline.contracts.results import BenchmarkResults
from pipeline.github.candidates import held_to
from pipeline.github.host import GitHubReleases
from pipeline.release.host import HostedRelease
from pipeline.release.provenance import check_comparison, check_results
from pipeline.support.candidates import open_candidate
from pipeline.support.documents import read_json
from pipeline.support.errors import DigestMismatchError, OutputError, ReleaseError, RemoteMissingError
from pipeline.support.files import staged_directory
from pipeline.support.runs import run_named
from pipeline.support.together import Placement, place_together

MAX_CANDIDATE = 4 << 30
"""Bytes of all files of a candidate together."""


@dataclass(frozen=True, slots=True)
class FetchedCandidate:
    """A candidate whose every byte was checked, in its place."""

    directory: Path
    url: str
    unchanged: bool
    """Whether the same candidate was there already, and was left as it is."""


def fetch_candidate(
    host: GitHubReleases,
    pointer: CandidatePointer,
    *,
    repository: str,
    candidates_root: Path,
    results_out: Path | None = None,
    comparison_out: Path | None = None,
    max_bytes: int = MAX_CANDIDATE,
) -> FetchedCandidate:
    """Download a candidate's pre-release, hold it to the pointer, and place ``<candidates_root>/<run-id>``.

    Args:
        host: where the pre-release is.
        pointer: what says which it is, and what its files are held to.
        repository: ``owner/name``, for messages.
        candidates_root: the folder of the candidates.
        results_out: gets the results that were measured of it.
        comparison_out: gets the comparison.
        max_bytes: a larger candidate is refused before anything is downloaded.

    Raises:
        RemoteError: there is no such pre-release, or GitHub does not answer.
        ReleaseError: it is a draft or a release, lacks a file, or has one of another size.
        DigestMismatchError: a file is not the one that the pointer names, or not of this candidate.
        OutputError: another candidate stands there, or a file cannot be written.
    """
    target = run_named(candidates_root, pointer.run_id)
    release = _find(host, pointer, repository)
    _check_sizes(release, pointer, max_bytes)
    there = target.is_dir() and any(target.iterdir())
    if there:
        _require_same(pointer, target)
    with tempfile.TemporaryDirectory(prefix="repath-fetch-") as scratch:
        more = _download_beside(host, release, pointer, Path(scratch), results_out, comparison_out)
        if there:
            _hold_together(pointer, target, Path(scratch))
            place_together(more)
        else:
            with staged_directory(target) as staging:
                for item in pointer.candidate_files():
                    _download(host, release, item, staging / item.filename)
                _hold_together(pointer, staging, Path(scratch))
                place_together(more)
    return FetchedCandidate(target, release.url, there)


def _find(host: GitHubReleases, pointer: CandidatePointer, repository: str) -> HostedRelease:
    release = host.published(pointer.tag)
    if release is None:
        raise RemoteMissingError(
            f"{repository} has no pre-release {pointer.tag}",
            hint="Store the candidate there with: repath github publish-candidate",
        )
    if release.draft or not release.prerelease or release.tag != pointer.tag:
        raise ReleaseError(f"{release.url} is no pre-release {pointer.tag}: a candidate is stored as one")
    return release


def _check_sizes(release: HostedRelease, pointer: CandidatePointer, max_bytes: int) -> None:
    there = {asset.name: asset for asset in release.assets if asset.whole}
    for item in pointer.all_files():
        asset = there.get(item.filename)
        if asset is None:
            raise ReleaseError(f"{release.url} has no file {item.filename}, which the pointer names")
        if asset.bytes != item.bytes:
            raise DigestMismatchError(
                f"{item.filename} of {pointer.tag} has {asset.bytes} bytes, the pointer says {item.bytes}",
                hint=_HINT,
            )
    size = sum(item.bytes for item in pointer.all_files())
    if size > max_bytes:
        raise ReleaseError(
            f"{pointer.tag} has {size:,} bytes; no more than {max_bytes:,} are fetched",
            hint="A larger candidate can be allowed with --max-mb.",
        )


def _require_same(pointer: CandidatePointer, target: Path) -> None:
    faults = held_to(pointer, target)
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults[:10])
        raise OutputError(
            f"{target} exists already, and is not the candidate of the pointer\n{lines}",
            hint="Remove it, or choose another folder with --candidates-root.",
        )


def _download_beside(
    host: GitHubReleases,
    release: HostedRelease,
    pointer: CandidatePointer,
    scratch: Path,
    results_out: Path | None,
    comparison_out: Path | None,
) -> list[Placement]:
    """Download what was measured of the candidate, and say where it is to be placed."""
    wanted = [(pointer.results, results_out)]
    if pointer.comparison is not None:
        wanted.append((pointer.comparison, comparison_out))
    placements = []
    for item, out in wanted:
        path = scratch / item.filename
        _download(host, release, item, path)
        if out is not None:
            placements.append(Placement(out, path, item.sha256))
    return placements


def _download(host: GitHubReleases, release: HostedRelease, item: PointedFile, target: Path) -> None:
    asset = next(asset for asset in release.assets if asset.name == item.filename and asset.whole)
    back = host.download(asset, max_bytes=item.bytes, target=target)
    if (back.bytes, back.sha256) != (item.bytes, item.sha256):
        raise DigestMismatchError(
            f"{item.filename} of {_called(release)} has SHA-256 {back.sha256[:12]}…, "
            f"the pointer says {item.sha256[:12]}…",
            hint=_HINT,
        )


def _called(release: HostedRelease) -> str:

    return f"{release.tag} ({release.url})"


def _hold_together(pointer: CandidatePointer, directory: Path, scratch: Path) -> None:
    """Make sure that metadata, results and comparison are of this very model, not only well kept bytes."""
    candidate = open_candidate(directory)
    if candidate.metadata.run_id != pointer.run_id:
        raise DigestMismatchError(
            f"the candidate is of run {candidate.metadata.run_id}, the pointer says {pointer.run_id}",
            hint=_HINT,
        )
    digests = candidate.model_artifact.sha256, candidate.labels_artifact.sha256
    if digests != (pointer.model.sha256, pointer.labels.sha256):
        raise DigestMismatchError("the pointer takes other files for model and labels", hint=_HINT)
    results = scratch / pointer.results.filename
    check_results(read_json(results, BenchmarkResults), pointer.results.filename, *digests)
    if pointer.comparison is not None:
        comparison = scratch / pointer.comparison.filename
        check_comparison(read_json(comparison, Comparison), pointer.comparison.filename, *digests)


_HINT = "The pointer was changed by hand, or the pre-release was: train the candidate again."
