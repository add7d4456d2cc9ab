"""A tag, run for real: measured anew, held to the gate, built, attested, published; run again, unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from act_runs import Project
from github_server import FakeGitHub, Request

pytestmark = pytest.mark.slow


def tag_payload(project: Project, tag: str) -> dict[str, Any]:
    project.git("tag", "--force", tag)
    head = {"id": project.git("rev-parse", "HEAD"), "timestamp": "2026-02-03T04:05:06+01:00"}
    return {"ref": f"refs/tags/{tag}", "after": head["id"], "head_commit": head}


def one_of(github: FakeGitHub, tag: str) -> dict[str, Any]:
    [release] = github.of_tag(tag)
    return release


def test_a_tag_publishes_the_candidate_and_a_rerun_changes_nothing(
    project: Project, github: FakeGitHub, released: None, stored: Callable[[str], bytes]
) -> None:
    pointer = stored("better")
    project.variables = {"REPATH_SHARDS": "1"}
    project.commit({"candidate.json": pointer, "release-notes.md": "Sees bottles, too.\n"})
    uploads = iter(range(100))

    def out_of_rate(request: Request) -> str | None:
        """Let two files pass, and then run out of requests."""
        upload = request.method == "POST" and request.path.endswith("/assets")
        return "rate-out" if upload and next(uploads) >= 2 else None

    github.fault_for = out_of_rate
    first = project.run("push", "release.yml", tag_payload(project, "v0.2.0"))
    assert not first.ok
    assert one_of(github, "v0.2.0")["draft"], "half of a release is never published"

    github.new_round()
    second = project.run("push", "release.yml", tag_payload(project, "v0.2.0"))
    assert second.ok, second.text[-4000:]
    release = one_of(github, "v0.2.0")
    files = github.files(release)
    assert not release["draft"]
    assert release["latest"]
    assert release["body"].strip() == "Sees bottles, too."
    assert set(files) == {
        "yolo-repath-v0.2.0.tflite",
        "yolo-repath-v0.2.0.labels.json",
        "release-manifest-v0.2.0.json",
        "SHA256SUMS",
        "provenance.sigstore.json",
    }
    model = json.loads(pointer)["model"]["sha256"]
    assert hashlib.sha256(files["yolo-repath-v0.2.0.tflite"]).hexdigest() == model
    assert json.loads(files["release-manifest-v0.2.0.json"])["generated_at"].startswith("2026-02-03T03:05:06")

    github.new_round()
    third = project.run("push", "release.yml", tag_payload(project, "v0.2.0"))
    assert third.ok, third.text[-4000:]
    assert github.files(one_of(github, "v0.2.0")) == files
    assert {request.method for request in github.requests} == {"GET"}
