"""A tag, run for real: measured anew, held to the gate, built, attested, published; run again, unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from act_runs import Project, record_image_commands, recorded_calls
from github_server import FakeGitHub

pytestmark = pytest.mark.slow


def tag_payload(project: Project, tag: str) -> dict[str, Any]:
    project.git("tag", "--force", tag)
    head = {"id": project.git("rev-parse", "HEAD"), "timestamp": "2026-02-03T04:05:06+01:00"}
    return {"ref": f"refs/tags/{tag}", "after": head["id"], "head_commit": head}


def half_published(github: FakeGitHub, tag: str) -> None:
    """Leave what a run leaves that was killed in an upload: a draft with a file that is cut."""
    release_id, asset_id = github.new_id(), github.new_id()
    asset = {"id": asset_id, "name": f"yolo-repath-{tag}.tflite", "state": "starter", "type": ""}
    github.blobs[asset_id] = b"TFL3, and then nothing"
    github.releases[release_id] = {
        "id": release_id,
        "tag_name": tag,
        "name": f"RePath Model {tag}",
        "body": "Sees bottles, too.",
        "draft": True,
        "prerelease": False,
        "assets": [asset],
        "target_commitish": "main",
        "latest": False,
    }


def one_of(github: FakeGitHub, tag: str) -> dict[str, Any]:
    [release] = github.of_tag(tag)
    return release


def test_a_tag_goes_on_with_a_release_that_stopped_half_way_and_a_rerun_changes_nothing(
    project: Project, github: FakeGitHub, released: None, stored: Callable[[str], bytes]
) -> None:
    pointer = stored("better")
    project.variables = {"REPATH_SHARDS": "1", "REPATH_IMAGE_NAME": "registry.example/someone/image"}
    record_image_commands(project)
    project.commit({"candidate.json": pointer, "release-notes.md": "Sees bottles, too.\n"})
    half_published(github, "v0.2.0")
    first = project.run("push", "release.yml", tag_payload(project, "v0.2.0"))
    assert first.ok, first.text[-4000:]
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
        "image.cdx.json",
    }
    assert recorded_calls(project)[1][:4] == [
        "image",
        "build",
        "--tag",
        "registry.example/someone/image:v0.2.0",
    ]
    model = json.loads(pointer)["model"]["sha256"]
    assert hashlib.sha256(files["yolo-repath-v0.2.0.tflite"]).hexdigest() == model
    assert json.loads(files["release-manifest-v0.2.0.json"])["generated_at"].startswith("2026-02-03T03:05:06")

    github.new_round()
    again = project.run("push", "release.yml", tag_payload(project, "v0.2.0"))
    assert again.ok, again.text[-4000:]
    assert github.files(one_of(github, "v0.2.0")) == files
    assert {request.method for request in github.requests} == {"GET"}


def test_a_tag_publishes_nothing_that_the_gate_refuses(
    project: Project, github: FakeGitHub, released: None, stored: Callable[[str], bytes]
) -> None:
    project.variables = {"REPATH_SHARDS": "1"}
    project.commit({"candidate.json": stored("blind")})
    run = project.run("push", "release.yml", tag_payload(project, "v0.2.0"))
    assert not run.ok
    assert run.results()["Compare/Compare (reusable)/Compare"] == "failure"
    assert not any(name.startswith("Release/Release (reusable)/Publish") for name in run.results())
    assert github.of_tag("v0.2.0") == []
