from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from github_server import REPO, FakeGitHub

from pipeline.github.client import GitHubClient
from pipeline.github.context import EventContext, event_context
from pipeline.github.find_pull import FoundPull, find_pull_request

FORK = "mallory/some-model"
SHA, NEWER = "a" * 40, "b" * 40
EVIL = "$(touch pwned);`touch pwned`\"'&&touch pwned #"


def payload(
    head: str | None = FORK, *, branch: str | None = "patch-1", sha: str = SHA, event: str = "pull_request"
) -> Any:
    run = {
        "id": 5,
        "event": event,
        "head_branch": branch,
        "head_sha": sha,
        "head_repository": {"full_name": head} if head else None,
        "pull_requests": [{"number": 999}],
        "display_title": EVIL,
    }
    return {"action": "completed", "repository": {"full_name": REPO}, "workflow_run": run}


def event_of(tmp_path: Path, data: Any) -> EventContext:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(data))
    return event_context({"GITHUB_EVENT_NAME": "workflow_run", "GITHUB_EVENT_PATH": str(path)})


def find(client: GitHubClient, tmp_path: Path, **fields: Any) -> FoundPull:
    return find_pull_request(client, REPO, event_of(tmp_path, payload(**fields)))


def test_the_pull_request_of_a_fork_is_found_by_its_head(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    api.add_pull("patch-1", head_repo="somebody/some-model", sha=SHA)
    api.add_pull("patch-2", head_repo=FORK, sha=SHA)
    number = api.add_pull("patch-1", head_repo=FORK, sha=SHA)
    found = find(client, tmp_path)
    assert (found.found, found.number, found.fork, found.head_sha) == (True, number, True, SHA)
    assert (found.base_ref, found.base_sha) == ("main", api.head())


def test_a_pull_request_of_the_repository_itself_is_found(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    sha = api.commit_files({"a": b"b"}, parents=(api.head(),), branch="a/branch")
    number = api.add_pull("a/branch")
    found = find(client, tmp_path, head=REPO, branch="a/branch", sha=sha)
    assert (found.found, found.number, found.fork) == (True, number, False)


def test_the_fork_of_the_same_owner_by_another_name_is_another_one(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    api.add_pull("patch-1", head_repo="mallory/another-fork", sha=SHA)
    assert not find(client, tmp_path).found


def test_a_pull_request_that_moved_on_is_not_found(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    api.add_pull("patch-1", head_repo=FORK, sha=NEWER)
    found = find(client, tmp_path)
    assert (found.found, found.number) == (False, None)
    assert "moved on" in found.reason


def test_a_list_that_lags_behind_is_not_believed(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    number = api.add_pull("patch-1", head_repo=FORK, sha=SHA)
    listed = [api._simple(api.state.pulls[number])]
    api.state.pulls[number].update(sha=NEWER)
    api._list = lambda request, seen: (200, {}, listed)  # type: ignore[method-assign]
    assert not find(client, tmp_path).found


def test_a_closed_one_or_none_is_not_found(api: FakeGitHub, client: GitHubClient, tmp_path: Path) -> None:
    assert not find(client, tmp_path).found
    number = api.add_pull("patch-1", head_repo=FORK, sha=SHA)
    api.state.pulls[number]["state"] = "closed"
    assert not find(client, tmp_path).found


def test_two_pull_requests_of_one_head_are_not_guessed_between(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    for base in ("main", "develop"):
        api.add_pull("patch-1", head_repo=FORK, sha=SHA, base=base)
    found = find(client, tmp_path)
    assert not found.found
    assert "several pull requests" in found.reason


@pytest.mark.parametrize(
    "fields", [{"head": None}, {"branch": None}, {"event": "push"}, {"event": "workflow_dispatch"}]
)
def test_a_run_of_no_pull_request_asks_nothing(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path, fields: dict[str, Any]
) -> None:
    assert not find(client, tmp_path, **fields).found
    assert api.requests == []


def test_a_branch_with_shell_and_url_characters_finds_only_itself(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    evil = EVIL.replace(" ", "_")
    other = api.add_pull("patch-1", head_repo=FORK, sha=SHA)
    number = api.add_pull(evil, head_repo=FORK, sha=SHA, title=EVIL)
    found = find(client, tmp_path, branch=evil)
    assert (found.number, found.head_ref) == (number, evil)
    assert find(client, tmp_path, branch="patch-1&state=all").number is None
    assert find(client, tmp_path, branch="patch-1").number == other
    assert not [*tmp_path.glob("**/pwned"), *Path.cwd().glob("**/pwned")]


@pytest.mark.parametrize("fault", ["500", "429", "drop", "lost", "garbage", "502-after"])
@pytest.mark.parametrize("at", range(2))
def test_a_fault_is_tried_again(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path, fault: str, at: int
) -> None:
    number = api.add_pull("patch-1", head_repo=FORK, sha=SHA)
    api.faults = [None] * at + [fault]
    assert find(client, tmp_path).number == number


def test_the_command_finds_it_and_gives_outputs(
    on_api: FakeGitHub, repath: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = EVIL.replace(" ", "_")
    number = on_api.add_pull(evil, head_repo=FORK, sha=SHA)
    event, outputs = tmp_path / "event.json", tmp_path / "outputs"
    event.write_text(json.dumps(payload(branch=evil)))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    ran = repath("github", "find-pull-request", "--repo", REPO, "--github-output")
    assert (ran.code, ran.json["found"], ran.json["number"], ran.json["run_id"]) == (0, True, number, 5)
    lines = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    assert (lines["found"], lines["number"], lines["head-ref"]) == ("true", str(number), evil)
    on_api.state.pulls[number]["sha"] = NEWER
    ran = repath("github", "find-pull-request", "--repo", REPO)
    assert (ran.code, ran.json["found"]) == (0, False)
