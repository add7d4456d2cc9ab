from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from candidate_files import CandidateFiles, write_candidate
from github_server import API, FAULTS, REPO, STOPS, FakeGitHub, Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.pointer import CandidatePointer
from pipeline.github.candidate_pull import BRANCH, CandidatePull, body_of, open_candidate_pull
from pipeline.github.candidates import candidate_to_store
from pipeline.github.client import GitHubClient
from pipeline.support.documents import read_json, write_json
from pipeline.support.errors import ReleaseError, RemoteForbiddenError, RepathError, UsageError
from pipeline.support.patience import Patience

PATH = "candidate.json"


def pointer_of(files: CandidateFiles) -> CandidatePointer:
    return candidate_to_store(files.directory, results=files.results, comparison=files.comparison).pointer


@pytest.fixture
def pointer(tmp_path: Path) -> CandidatePointer:
    return pointer_of(write_candidate(tmp_path))


@pytest.fixture
def other(tmp_path: Path) -> CandidatePointer:
    return pointer_of(write_candidate(tmp_path, "20260203-040506", model=b"the next model"))


def open_pull(client: GitHubClient, pointer: CandidatePointer, **more: Any) -> CandidatePull:
    return open_candidate_pull(client, REPO, pointer, path=PATH, **more)


def assert_one(api: FakeGitHub, pointer: CandidatePointer, path: str = PATH) -> None:
    """There is one open pull request, and it changes one file on top of its base."""
    [pull] = api.open_pulls(BRANCH)
    assert (pull["base"], pull["title"]) == ("main", f"Candidate {pointer.run_id}: improved")
    assert pull["body"] == body_of(pointer, path, None)
    head, base = api.branch(BRANCH), api.branch("main")
    assert head is not None
    assert base is not None
    assert api.commits[head]["parents"] == [base]
    assert api.files_of(head) == {**api.files_of(base), path: pointer.to_json()}


def test_a_pull_request_changes_one_file_on_a_branch_of_its_own(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer
) -> None:
    before = api.head()
    done = open_pull(client, pointer)
    assert_one(api, pointer)
    assert api.branch("main") == before
    assert (done.action, done.branch, done.base, done.head_sha) == (
        "created",
        BRANCH,
        "main",
        api.branch(BRANCH),
    )
    assert done.url == f"{api.url}/{REPO}/pull/{done.number}"


def test_every_request_and_answer_is_as_github_describes_them(
    api: FakeGitHub,
    client: GitHubClient,
    pointer: CandidatePointer,
    other: CandidatePointer,
    description: object,
) -> None:
    if isinstance(description, str):
        pytest.skip(description)
    open_pull(client, pointer)
    open_pull(client, other)
    assert api.description is not None
    assert api.description.checked >= 15
    assert api.violations == []


def test_run_again_it_changes_nothing(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer
) -> None:
    first = open_pull(client, pointer)
    api.new_round()
    again = open_pull(client, pointer)
    assert (again.action, again.number, again.head_sha) == ("unchanged", first.number, first.head_sha)
    assert {request.method for request in api.requests} == {"GET"}


def test_the_next_candidate_updates_the_same_pull_request(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, other: CandidatePointer
) -> None:
    first = open_pull(client, pointer)
    second = open_pull(client, other)
    assert (second.action, second.number) == ("updated", first.number)
    assert_one(api, other)


def test_a_branch_that_was_merged_or_squashed_starts_anew_from_its_base(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, other: CandidatePointer
) -> None:
    first = open_pull(client, pointer)
    api.state.pulls[first.number or 0]["state"] = "closed"
    api.add_commit("main", {PATH: pointer.to_json()}, "Squashed")
    assert open_pull(client, pointer).action == "in base"
    second = open_pull(client, other)
    assert (second.action, second.number == first.number) == ("created", False)
    assert_one(api, other)


def test_a_base_that_went_on_without_touching_the_file_moves_nothing(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer
) -> None:
    first = open_pull(client, pointer)
    api.add_commit("main", {"README.md": b"# Another\n"})
    again = open_pull(client, pointer)
    assert (again.action, again.head_sha) == ("unchanged", first.head_sha)


def test_a_base_that_changed_the_file_itself_would_conflict_so_the_branch_starts_anew(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, other: CandidatePointer
) -> None:
    first = open_pull(client, pointer)
    api.add_commit("main", {PATH: other.to_json()})
    again = open_pull(client, pointer)
    assert (again.action, again.number) == ("updated", first.number)
    assert_one(api, pointer)


def test_a_persons_commits_on_the_branch_are_never_thrown_away(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, other: CandidatePointer
) -> None:
    open_pull(client, pointer)
    theirs = api.add_commit(BRANCH, {"pipeline/fix.py": b"fixed = True\n"}, "A fix")
    with pytest.raises(ReleaseError, match=r"changes of other files: pipeline/fix\.py"):
        open_pull(client, other)
    assert api.branch(BRANCH) == theirs


def test_a_persons_branch_that_a_lagging_answer_hides_is_not_overwritten(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer
) -> None:
    api.head()
    theirs = api.commit_files({"theirs.txt": b"x"}, parents=(api.head(),), branch=BRANCH)
    hidden: list[int] = []

    def lagging(request: Request) -> str | None:
        if request.path.endswith(f"git/ref/heads/{BRANCH}") and not hidden:
            hidden.append(1)
            del api.state.refs[f"refs/heads/{BRANCH}"]
        elif hidden:
            api.state.refs.setdefault(f"refs/heads/{BRANCH}", theirs)
        return None

    api.fault_for = lagging
    with pytest.raises(ReleaseError, match="changes of other files"):
        open_pull(client, pointer)
    assert api.branch(BRANCH) == theirs


def test_a_pull_request_of_a_fork_with_the_same_branch_name_is_not_ours(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer
) -> None:
    theirs = api.add_pull(BRANCH, head_repo="mallory/some-model", sha="a" * 40, title="Mine")
    same_owner = api.add_pull(BRANCH, head_repo="someone/another-fork", sha="b" * 40, title="Mine, too")
    done = open_pull(client, pointer)
    assert done.action == "created"
    assert done.number not in {theirs, same_owner}
    assert {api.state.pulls[number]["title"] for number in (theirs, same_owner)} == {"Mine", "Mine, too"}
    assert_one(api, pointer)


def test_another_base_keeps_to_the_one_pull_request(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer
) -> None:
    first = open_pull(client, pointer)
    api.commit_files(api.files_of(api.head()), parents=(api.head(),), branch="develop")
    moved = open_pull(client, pointer, base="develop")
    assert (moved.number, moved.base) == (first.number, "develop")
    assert len(api.open_pulls(BRANCH)) == 1


def test_what_labels_and_sentences_say_is_text_in_the_pull_request(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    files = write_candidate(tmp_path)
    data = files.comparison.read_text()
    evil = "<img src=x onerror=alert(1)> @everyone [x](javascript:1) <!-- repath-model:comment -->"
    files.comparison.write_text(data.replace("benchmarks/latest-results.json", evil))
    comparison = read_json(files.comparison, Comparison)
    open_pull(client, pointer_of(files), comparison=comparison)
    [pull] = api.open_pulls(BRANCH)
    assert "img src" in pull["body"]
    for mark in ("<img", "@everyone", "](", "<!--"):
        assert mark not in pull["body"]


@pytest.mark.parametrize(
    "path", ["", "/candidate.json", "../candidate.json", "a//b", ".git/config", "a`b", "x" * 300]
)
def test_a_path_that_is_none_of_a_repository_is_refused(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, path: str
) -> None:
    with pytest.raises(UsageError, match="not the path"):
        open_candidate_pull(client, REPO, pointer, path=path)
    assert api.requests == []


@pytest.mark.parametrize(
    "branch", ["", "a b", "a..b", "x.lock", "-x", "a\nb", "a~1", "refs/heads/..", "main"]
)
def test_a_branch_that_is_none_or_its_own_base_is_refused(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, branch: str
) -> None:
    with pytest.raises(UsageError):
        open_pull(client, pointer, branch=branch)
    assert all(request.method == "GET" for request in api.requests)


def test_a_repository_that_forbids_pull_requests_of_workflows_says_where_to_allow_them(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = api.handle

    def handle(request: Request) -> Any:
        if (request.method, request.path) == ("POST", f"{API}/repos/{REPO}/pulls"):
            words = "GitHub Actions is not permitted to create or approve pull requests."
            return 403, {}, {"message": words}
        return original(request)

    monkeypatch.setattr(api, "handle", handle)
    with pytest.raises(RemoteForbiddenError, match="not permitted to create") as caught:
        open_pull(client, pointer)
    assert "Workflow permissions" in str(caught.value)


@pytest.mark.parametrize("fault", [*FAULTS, *STOPS])
@pytest.mark.parametrize("at", range(10))
def test_a_fault_at_any_request_never_makes_two(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, fault: str, at: int
) -> None:
    api.faults = [None] * at + [fault]
    try:
        open_pull(client, pointer)
    except RepathError:
        api.new_round()
        open_pull(client, pointer)
    assert_one(api, pointer)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(st.sampled_from([None, None, *FAULTS, *STOPS]), max_size=40),
    turns=st.lists(st.booleans(), min_size=1, max_size=3),
)
def test_no_sequence_of_faults_makes_two_and_a_rerun_completes(
    api: FakeGitHub,
    client: GitHubClient,
    pointer: CandidatePointer,
    other: CandidatePointer,
    faults: list[str | None],
    turns: list[bool],
) -> None:
    api.clear()
    api.faults = list(faults)
    for turn in turns:
        with contextlib.suppress(RepathError):
            open_pull(client, other if turn else pointer)
        assert len(api.open_pulls(BRANCH)) <= 1
    api.new_round()
    open_pull(client, pointer)
    assert_one(api, pointer)
    assert api.violations == []


def test_a_client_killed_after_any_request_goes_on_where_it_was(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, killed_after: Callable[..., bool]
) -> None:
    number = 0
    while killed_after(number, lambda: open_pull(client, pointer)):
        open_pull(client, pointer)
        assert_one(api, pointer)
        api.clear()
        number += 1
    assert number >= 8


def test_two_runs_at_once_open_one(api: FakeGitHub, pointer: CandidatePointer) -> None:
    gate = threading.Barrier(2, timeout=60)
    waited: list[int] = []

    def together(request: Request) -> None:
        if (request.method, request.path) == ("POST", f"{API}/repos/{REPO}/pulls") and len(waited) < 2:
            waited.append(1)
            api._lock.release()
            try:
                gate.wait()
            finally:
                api._lock.acquire()

    api.head()
    api.fault_for = together
    failed: list[BaseException] = []

    def one_run() -> None:
        try:
            with GitHubClient(api.token, f"{api.url}{API}", Patience(sleep=lambda s: None)) as client:
                open_pull(client, pointer)
        except BaseException as error:  # noqa: BLE001  # a thread's failure is to fail the test
            failed.append(error)

    runs = [threading.Thread(target=one_run) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert failed == []
    assert_one(api, pointer)


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(
    api: FakeGitHub, client: GitHubClient, pointer: CandidatePointer, other: CandidatePointer
) -> None:
    assert open_pull(client, pointer, dry_run=True).action == "would be created"
    open_pull(client, pointer)
    api.new_round()
    assert open_pull(client, pointer, dry_run=True).action == "unchanged"
    assert open_pull(client, other, dry_run=True).action == "would be updated"
    assert {request.method for request in api.requests} == {"GET"}


def test_the_command_plans_opens_and_repeats(
    on_api: FakeGitHub, repath: Any, pointer: CandidatePointer, tmp_path: Path
) -> None:
    path = tmp_path / PATH
    write_json(path, pointer)
    call = ("github", "open-candidate-pr", "--repo", REPO, "--pointer", path)
    assert repath(*call, "--dry-run").json["action"] == "would be created"
    assert on_api.state.pulls == {}
    assert on_api.branch(BRANCH) is None
    first, second = repath(*call), repath(*call)
    assert [first.json["action"], second.json["action"]] == ["created", "unchanged"]
    assert first.json["head_sha"] == on_api.branch(BRANCH)
    assert on_api.token not in first.out + first.err
