"""All that a retraining does on GitHub, one after the other, broken off anywhere, until it is done once."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from candidate_files import CandidateFiles
from github_server import FAULTS, REPO, STOPS, FakeGitHub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contracts.pointer import CandidatePointer
from pipeline.github.candidate_pull import BRANCH, open_candidate_pull
from pipeline.github.candidates import StoredCandidate, candidate_to_store
from pipeline.github.client import GitHubClient
from pipeline.github.comment import Place, keep_comment
from pipeline.github.fetch_candidate import fetch_candidate
from pipeline.github.host import GitHubReleases
from pipeline.github.statuses import set_status, status_body
from pipeline.release.publish import publish_release
from pipeline.support.errors import RepathError


def retrain(client: GitHubClient, stored: StoredCandidate) -> str:
    """Store, propose, comment and set the status; return the commit of the pull request."""
    publish_release(GitHubReleases(client, REPO), stored.publication, patience=client.patience)
    pull = open_candidate_pull(client, REPO, stored.pointer, path="candidate.json")
    assert pull.number is not None
    assert pull.head_sha is not None
    keep_comment(client, Place(REPO, pull.number, "comparison", "repath"), "All is well.")
    body = status_body(state="success", context="repath/comparison", description="", target_url=None)
    set_status(client, REPO, pull.head_sha, body)
    return pull.head_sha


def assert_done_once(
    api: FakeGitHub,
    client: GitHubClient,
    files: CandidateFiles,
    pointer: CandidatePointer,
    sha: str,
    root: Path,
) -> None:
    [release] = api.releases.values()
    assert (release["draft"], release["prerelease"], release["latest"]) == (False, True, False)
    assert api.files(release) == files.all_bytes()
    [pull] = api.open_pulls(BRANCH)
    assert api.branch(BRANCH) == sha
    assert api.files_of(sha)["candidate.json"] == pointer.to_json()
    [comment] = api.comments.values()
    assert comment["number"] == pull["number"]
    assert api.statuses_of(sha)["repath/comparison"]["state"] == "success"
    shutil.rmtree(root, ignore_errors=True)
    host = GitHubReleases(client, REPO)
    found = fetch_candidate(host, pointer, repository=REPO, candidates_root=root)
    assert {path.name for path in found.directory.iterdir()} == {
        path.name for path in files.directory.iterdir()
    }
    assert api.violations == []


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    faults=st.lists(st.sampled_from([None, None, None, *FAULTS, *STOPS]), max_size=60),
    kills=st.lists(st.integers(0, 50), max_size=3),
)
def test_however_often_a_retraining_is_broken_off_it_is_done_once(
    api: FakeGitHub,
    client: GitHubClient,
    candidate: CandidateFiles,
    killed_after: Callable[..., bool],
    tmp_path: Path,
    faults: list[str | None],
    kills: list[int],
) -> None:
    stored = candidate_to_store(
        candidate.directory, results=candidate.results, comparison=candidate.comparison
    )
    api.clear()
    api.faults = list(faults)

    def once() -> None:
        with contextlib.suppress(RepathError):
            retrain(client, stored)

    for number in kills:
        killed_after(number, once)
        assert_never(api)
    once()
    assert_never(api)
    api.new_round()
    sha = retrain(client, stored)
    assert_done_once(api, client, candidate, stored.pointer, sha, tmp_path / "fetched")


def assert_never(api: FakeGitHub) -> None:
    """What must never be, whatever went wrong: half a release in public, two of one."""
    public: list[Any] = [release for release in api.releases.values() if not release["draft"]]
    assert len(public) <= 1
    assert len(api.open_pulls(BRANCH)) <= 1
    assert api.violations == []
