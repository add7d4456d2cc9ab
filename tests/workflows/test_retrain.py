"""Retrain, run for real: trained, compared, stored as a pre-release, proposed, commented, given a status."""

from __future__ import annotations

import hashlib
import html
import json
from typing import Any

import pytest
from act_runs import Project
from github_server import FakeGitHub

pytestmark = [pytest.mark.slow, pytest.mark.train]


def dispatch(project: Project, **inputs: str) -> dict[str, Any]:
    project.git("checkout", "--quiet", "main")
    given = {"base-weights": "", "epochs": "1", "image-size": "64", "dataset": "", "use-image": "false"}
    return {"ref": "refs/heads/main", "inputs": {**given, "runner": '["ubuntu-latest"]', **inputs}}


def test_a_dispatch_ends_in_a_pre_release_and_a_pull_request(
    project: Project, github: FakeGitHub, released: None
) -> None:
    pytest.importorskip("ultralytics")
    pytest.importorskip("litert_torch")
    project.variables = {"REPATH_SHARDS": "1"}
    # An untrained model sees nothing: the gate says no; the candidate is stored and proposed all the same.
    run = project.run("workflow_dispatch", "retrain.yml", dispatch(project))
    assert run.ok, run.text[-5000:]
    [candidate] = [item for item in github.releases.values() if item["tag_name"].startswith("candidate-")]
    assert candidate["prerelease"]
    assert not candidate["draft"]
    assert not candidate["latest"]
    files = github.files(candidate)
    assert {"metadata.json", "benchmark-results.json", "benchmark-comparison.json"} <= files.keys()

    [pull] = github.open_pulls("repath/candidate")
    changed = github.files_of(github.branch("repath/candidate"))
    base = github.files_of(github.branch("main"))
    assert {name for name in changed if changed[name] != base.get(name)} == {"candidate.json"}
    pointer = json.loads(changed["candidate.json"])
    assert pointer["tag"] == candidate["tag_name"]
    for part in ("model", "labels", "results", "comparison"):
        data = files[pointer[part]["filename"]]
        assert hashlib.sha256(data).hexdigest() == pointer[part]["sha256"]
    assert pointer["verdict"]["gate_passed"] is False

    [comment] = github.comments.values()
    assert comment["number"] == pull["number"]
    assert "any_hit_rate" in html.unescape(comment["body"])
    statuses = github.statuses_of(github.branch("repath/candidate"))
    assert statuses["repath/comparison"]["state"] == "failure"


def test_with_a_token_of_its_own_the_usual_flow_comments(project: Project) -> None:
    """Asserted on the YAML: act would train once more for it."""
    from act_runs import workflow

    jobs = workflow("retrain.yml")["jobs"]
    for name in ("comment", "status"):
        assert "needs.propose.outputs.own-token == 'false'" in jobs[name]["if"]
    [step] = [step for step in jobs["propose"]["steps"] if step.get("id") == "open"]
    assert step["with"]["github-token"] == "${{ secrets.REPATH_PR_TOKEN || github.token }}"
