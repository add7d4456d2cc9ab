"""A pull request, run for real: compared, commented, the same comment kept; a fork reads and no more."""

from __future__ import annotations

import html
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from act_runs import Project, Run
from github_server import REPO, FakeGitHub

pytestmark = pytest.mark.slow
HOSTILE = "x\"; touch $(id); #`id`$IFS'%0A::error::"
"""As much as git lets a branch be called, and then some."""


def pull_payload(
    number: int, head: str, base: str, *, branch: str, repo: str | None = REPO
) -> dict[str, Any]:
    return {
        "action": "synchronize",
        "number": number,
        "pull_request": {
            "number": number,
            "title": HOSTILE,
            "head": {"ref": branch, "sha": head, "repo": {"full_name": repo} if repo else None},
            "base": {"ref": "main", "sha": base, "repo": {"full_name": REPO}},
        },
    }


def run_payload(run_id: int, head: str, conclusion: str, *, branch: str, repo: str = REPO) -> dict[str, Any]:
    return {
        "action": "completed",
        "workflow_run": {
            "id": run_id,
            "name": "Pull request",
            "event": "pull_request",
            "conclusion": conclusion,
            "head_branch": branch,
            "head_sha": head,
            "head_repository": {"full_name": repo},
            "pull_requests": [],
        },
    }


def packed_artifact(folder: Path) -> bytes:
    """Pack an artifact as GitHub hands it out."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return packed.getvalue()


def commented(project: Project, head: str, conclusion: str, *, branch: str, repo: str = REPO) -> Run:
    """Hand the last run's comparison to the workflow that comments, as GitHub does."""
    run_id = project.run_id
    comparison = project.artifact("pull-request-comparison")
    if comparison.is_dir():
        project.github.add_artifact(run_id, "pull-request-comparison", packed_artifact(comparison))
    project.git("checkout", "--quiet", "main")
    payload = run_payload(run_id, head, conclusion, branch=branch, repo=repo)
    return project.run("workflow_run", "pull-request-comment.yml", payload)


def pushed(project: Project, branch: str, files: dict[str, bytes | str]) -> tuple[str, str]:
    """Push to a branch; the repository then stands at the merge, as a pull request's run does."""
    base = project.git("rev-parse", "main")
    made = project.git("branch", "--list", branch)
    project.git("checkout", "--quiet", *([] if made else ["-b"]), branch, *([] if made else ["main"]))
    head = project.commit(files)
    project.git("checkout", "--quiet", "--detach", "main")
    project.git("merge", "--quiet", "--no-ff", "--message", "Merge", branch)
    return base, head


def test_a_pull_request_is_compared_and_its_comment_kept_up_to_date(
    project: Project, github: FakeGitHub, released: None, stored: Callable[[str], bytes]
) -> None:
    project.variables = {"REPATH_SHARDS": "2"}
    base, head = pushed(project, "candidate", {"candidate.json": stored("better")})
    number = github.add_pull("candidate", sha=head)
    first = project.run(
        "pull_request", "pull-request.yml", pull_payload(number, head, base, branch="candidate")
    )
    assert first.ok, first.text[-4000:]
    assert set(first.results().values()) == {"success"}
    comparison = json.loads((project.artifact("pull-request-comparison") / "comparison.json").read_text())
    assert comparison["gate"]["passed"]
    assert comparison["digests"]["candidate"] != comparison["digests"]["baseline"]
    assert commented(project, head, "success", branch="candidate").ok
    [(comment_id, comment)] = github.comments.items()
    assert comment["number"] == number
    assert comment["login"] == github.login
    assert "**Gate: passed.**" in comment["body"]

    project.variables = {}
    base, head = pushed(project, "candidate", {"candidate.json": stored("blind")})
    github.state.pulls[number]["sha"] = head
    second = project.run(
        "pull_request", "pull-request.yml", pull_payload(number, head, base, branch="candidate")
    )
    assert not second.ok, "the gate says no, and so does the check"
    assert second.results()["Compare/Compare (reusable)/Compare"] == "failure"
    assert "any_hit_rate" in second.jobs["Compare/Compare (reusable)/Compare"].log
    assert commented(project, head, "failure", branch="candidate").ok
    assert list(github.comments) == [comment_id]
    body = html.unescape(github.comments[comment_id]["body"])
    assert "**Gate: no.**" in body
    assert "any_hit_rate" in body, "the comment says why"


def test_a_fork_is_measured_on_a_hosted_runner_without_a_secret_and_writes_nothing(
    project: Project, github: FakeGitHub, released: None
) -> None:
    # A runner of our own, an image and a secret are there; act would fail at the first, since it has none.
    project.variables = {"REPATH_RUNNER": '["self-hosted","gpu"]', "REPATH_IMAGE": "example.org/image:1"}
    project.secrets = {"REPATH_DATA_TOKEN": "the-data-token"}
    settings = (project.repository / "repath.toml").read_text()
    changed = f"{settings}\n[benchmark]\nthreshold = 0.85\n"
    base, head = pushed(project, "topic", {"repath.toml": changed})
    github.new_round()
    fork = "stranger/some-model"
    payload = pull_payload(7, head, base, branch=HOSTILE, repo=fork)
    run = project.run("pull_request", "pull-request.yml", payload)
    assert run.ok, run.text[-4000:]
    assert {request.method for request in github.requests} == {"GET"}
    assert "the-data-token" not in run.text
    comparison = json.loads((project.artifact("pull-request-comparison") / "comparison.json").read_text())
    # The same model under two evaluations: that of the pull request and that of its base.
    digests = comparison["digests"]
    assert digests["candidate"]["model"] == digests["baseline"]["model"]
    assert any("threshold" in note for note in comparison["notes"])

    number = github.add_pull("topic", sha=head, head_repo=fork)
    assert commented(project, head, "success", branch="topic", repo=fork).ok
    assert [comment["number"] for comment in github.comments.values()] == [number]
