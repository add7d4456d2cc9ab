from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.github.context import MAX_PAYLOAD, event_context
from pipeline.support.errors import InputError, RepathError, UsageError

SHA, OTHER = "a" * 40, "b" * 40
OURS = {"full_name": "someone/some-model"}
EVIL = "$(touch pwned);`touch pwned`\"'&&touch pwned #"


def pull(head: Any = OURS, *, ref: Any = "a-branch", number: Any = 7) -> dict[str, Any]:
    sides = {
        "head": {"ref": ref, "sha": SHA, "repo": head},
        "base": {"ref": "main", "sha": OTHER, "repo": OURS},
    }
    return {
        "action": "opened",
        "repository": OURS,
        "pull_request": {"number": number, "title": EVIL, **sides},
    }


def context(tmp_path: Path, event: str, payload: Any, **environ: str) -> Any:
    path = tmp_path / "event.json"
    path.write_text(payload if isinstance(payload, str) else json.dumps(payload))
    return event_context({"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(path), **environ})


def test_a_pull_request_of_the_repository_is_trusted(tmp_path: Path) -> None:
    found = context(tmp_path, "pull_request", pull())
    assert (found.pull_request, found.fork, found.trusted) == (7, False, True)
    assert (found.head.repository, found.head.sha, found.base.sha) == (OURS["full_name"], SHA, OTHER)


@pytest.mark.parametrize("event", ["pull_request", "pull_request_target"])
@pytest.mark.parametrize("head", [{"full_name": "mallory/some-model"}, None])
def test_a_pull_request_of_a_fork_is_not_trusted_also_where_the_fork_is_gone(
    tmp_path: Path, event: str, head: Any
) -> None:
    found = context(tmp_path, event, pull(head))
    assert (found.fork, found.trusted) == (True, False)


def test_a_workflow_run_is_trusted_by_the_repository_of_its_head(tmp_path: Path) -> None:
    run = {"id": 5, "event": "pull_request", "head_branch": "x", "head_sha": SHA, "pull_requests": []}
    for head, trusted in ((OURS, True), ({"full_name": "mallory/x"}, False), (None, False)):
        payload = {"repository": OURS, "workflow_run": {**run, "head_repository": head}}
        found = context(tmp_path, "workflow_run", payload)
        assert (found.trusted, found.workflow_run_id, found.pull_request) == (trusted, 5, None)


def test_a_tag_is_told_and_an_event_that_anybody_may_cause_is_not_trusted(tmp_path: Path) -> None:
    environ = {"GITHUB_REF": "refs/tags/v1.0.0", "GITHUB_SHA": SHA}
    assert context(tmp_path, "push", {"repository": OURS}, **environ).tag == "v1.0.0"
    assert not context(tmp_path, "issue_comment", {"repository": OURS}, **environ).trusted
    assert not context(tmp_path, "an_event_of_tomorrow", {"repository": OURS}, **environ).trusted


def test_shell_metacharacters_stay_text_on_one_line(tmp_path: Path, repath: Any, monkeypatch: Any) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(pull(ref=EVIL)))
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))
    ran = repath("github", "context")
    assert ran.json["head"]["ref"] == EVIL
    assert ran.json["trusted"] is True
    assert not [*tmp_path.glob("**/pwned"), *Path.cwd().glob("**/pwned")]


@pytest.mark.parametrize(
    "ref", [EVIL, "trusted=true", "a<<EOF", "x%0Atrusted=true", "::set-output name=x::y"]
)
def test_a_branch_cannot_write_an_output_of_its_own(
    tmp_path: Path, repath: Any, monkeypatch: pytest.MonkeyPatch, ref: str
) -> None:
    path, outputs = tmp_path / "event.json", tmp_path / "outputs"
    path.write_text(json.dumps(pull({"full_name": "mallory/some-model"}, ref=ref)))
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    assert repath("github", "context", "--github-output").code == 0
    lines = [line.partition("=") for line in outputs.read_text().splitlines()]
    values = {key: value for key, _, value in lines}
    assert len(values) == len(lines)
    assert all("<<" not in key for key in values)
    assert (values["head-ref"], values["trusted"], values["fork"]) == (ref, "false", "true")
    assert (values["pull-request"], values["head-sha"], values["base-sha"]) == ("7", SHA, OTHER)


@pytest.mark.parametrize(
    "payload",
    [
        pull(ref="a\nGITHUB_TOKEN=x"),
        pull(ref="x" * 256),
        pull(ref=["main"]),
        pull(number="7; touch pwned"),
        pull(number=True),
        pull(number=-1),
        pull({"full_name": "a/b/../../c"}),
        pull({"full_name": "$(id)/x"}),
        {"repository": OURS},
        {"pull_request": None},
        [],
        "not JSON",
        '{"repository": NaN}',
    ],
)
def test_a_payload_that_github_would_not_send_is_refused(tmp_path: Path, payload: Any) -> None:
    with pytest.raises(InputError):
        context(tmp_path, "pull_request", payload)


def test_a_huge_payload_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="larger than any payload"):
        context(tmp_path, "pull_request", " " * (MAX_PAYLOAD + 1))


@pytest.mark.parametrize("event", ["", "push; id", "a" * 65])
def test_outside_a_workflow_it_says_so(tmp_path: Path, event: str) -> None:
    with pytest.raises(UsageError, match="no run of a workflow"):
        context(tmp_path, event, {"repository": OURS})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    event=st.sampled_from(["pull_request", "workflow_run", "push"]),
    parts=st.dictionaries(
        st.sampled_from(["repository", "pull_request", "workflow_run", "action"]), json_values
    ),
)
def test_any_payload_gives_a_context_or_an_error_in_words(
    tmp_path: Path, event: str, parts: dict[str, Any]
) -> None:
    try:
        found = context(tmp_path, event, {**pull(), **parts}, GITHUB_REF="refs/heads/x", GITHUB_SHA=SHA)
    except RepathError:
        return
    assert "\n" not in "".join(str(value) for value in (found.head.ref, found.head.sha, found.repository))
