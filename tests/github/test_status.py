from __future__ import annotations

from typing import Any

import pytest
from github_server import FAULTS, REPO, FakeGitHub

from pipeline.github.client import GitHubClient
from pipeline.github.statuses import set_status, status_body
from pipeline.support.errors import RepathError, UsageError

SHA = "a" * 40


def body(**fields: Any) -> dict[str, str]:
    given = {"state": "success", "context": "candidate", "description": "All is well.", "target_url": None}
    return status_body(**{**given, **fields})


def test_the_newest_status_of_a_name_counts(api: FakeGitHub, client: GitHubClient) -> None:
    set_status(client, REPO, SHA, body(state="pending"))
    set_status(client, REPO, SHA, body(state="failure", target_url="https://example.org/run/5"))
    [status] = api.statuses_of(SHA).values()
    assert (status["state"], status["target_url"]) == ("failure", "https://example.org/run/5")


def test_a_description_is_one_line_that_github_takes() -> None:
    said = body(description="first\n::error::x\r\n" + "long " * 90)["description"]
    assert said.isprintable()
    assert len(said) == 140
    assert said.endswith("…")


@pytest.mark.parametrize(
    "fields",
    [
        {"context": " "},
        {"context": "a\nb"},
        {"context": "x" * 256},
        {"state": "neutral"},
        {"target_url": "javascript:alert(1)"},
        {"target_url": "https://user:secret@example.org"},
        {"target_url": "https://a b"},
        {"target_url": "https://[::1"},
    ],
)
def test_what_github_would_refuse_or_a_reader_should_not_follow_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        body(**fields)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("sha", ["a" * 39, "main", "A" * 40, "a" * 40 + "/../x"])
def test_a_commit_is_named_in_whole(api: FakeGitHub, client: GitHubClient, sha: str) -> None:
    with pytest.raises(UsageError, match="whole commit"):
        set_status(client, REPO, sha, body())
    assert api.requests == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_tried_again(api: FakeGitHub, client: GitHubClient, fault: str) -> None:
    api.faults = [fault]
    set_status(client, REPO, SHA, body())
    assert api.statuses_of(SHA)["candidate"]["state"] == "success"


def test_the_command_sets_it(on_api: FakeGitHub, repath: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    call = ("github", "status", "--repo", REPO, "--sha", SHA, "--state", "failure", "--context", "candidate")
    assert repath(*call, "--dry-run").json["dry_run"]
    assert on_api.state.statuses == []
    ran = repath(*call, "--description", "the gate says no")
    assert (ran.code, ran.json["state"]) == (0, "failure")
    assert on_api.statuses_of(SHA)["candidate"]["description"] == "the gate says no"
    monkeypatch.setenv("GITHUB_TOKEN", "wrong-token")
    refused = repath(*call)
    assert (refused.code, "refuses the token" in refused.err) == (1, True)
    assert "wrong-token" not in refused.err


def test_every_request_and_answer_is_as_github_describes_them(
    api: FakeGitHub, client: GitHubClient, description: object
) -> None:
    if isinstance(description, str):
        pytest.skip(description)
    set_status(client, REPO, SHA, body(target_url="https://example.org"))
    assert api.description is not None
    assert api.description.checked >= 2


def test_a_refusal_is_an_error_of_the_one_root(api: FakeGitHub, client: GitHubClient) -> None:
    api.fault_for = lambda request: "rate-out"
    with pytest.raises(RepathError, match="rate limit is spent"):
        set_status(client, REPO, SHA, body())
