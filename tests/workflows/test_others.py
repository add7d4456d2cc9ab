"""The other flows, run for real: nothing to do, hostile artifacts, another repository, image, install."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from act_runs import ROOT, SHIPPED, Project, record_image_commands, recorded_calls
from github_server import REPO, FakeGitHub

pytestmark = pytest.mark.slow
HOSTILE = "@everyone <img src=x onerror=alert(1)> | ](http://x) <!-- repath-model:comment --> `::error::`"


def finished_run(project: Project, conclusion: str) -> dict[str, Any]:
    """Return the event of a finished pull request's run whose head is that of a pull request here."""
    head = project.git("rev-parse", "main")
    project.github.add_pull("topic", sha=head)
    return {
        "action": "completed",
        "workflow_run": {
            "id": 55,
            "event": "pull_request",
            "conclusion": conclusion,
            "head_branch": "topic",
            "head_sha": head,
            "head_repository": {"full_name": REPO},
        },
    }


def packed(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


# -- nothing to compare --------------------------------------------------------------------------------------


def test_without_a_workspace_a_pull_request_passes_and_says_nothing(
    project: Project, github: FakeGitHub
) -> None:
    (project.repository / "repath.toml").unlink()
    head = project.commit({})
    pull = {"number": 7, "title": "x", "base": {"ref": "main", "sha": head, "repo": {"full_name": REPO}}}
    pull["head"] = {"ref": "topic", "sha": head, "repo": {"full_name": REPO}}
    run = project.run("pull_request", "pull-request.yml", {"action": "opened", "pull_request": pull})
    assert run.ok, run.text[-3000:]
    assert run.results() == {"Compare/Compare (reusable)/Plan": "success"}
    assert "nothing is compared" in run.text
    assert project.run("workflow_run", "pull-request-comment.yml", finished_run(project, "success")).ok
    assert github.comments == {}


# -- what a stranger's run leaves ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files",
    [{"../comparison.json": b"{}", "comparison.json": b"{}"}, {"comparison.json": b'{"baseline": 1}'}],
    ids=["leaves its folder", "breaks its contract"],
)
def test_what_cannot_be_read_is_told_in_words_of_our_own(
    project: Project, github: FakeGitHub, files: dict[str, bytes]
) -> None:
    github.add_artifact(55, "pull-request-comparison", packed(files))
    run = project.run("workflow_run", "pull-request-comment.yml", finished_run(project, "failure"))
    assert run.ok, run.text[-3000:]
    [comment] = github.comments.values()
    assert "No comparison" in comment["body"]
    assert f"https://github.com/{REPO}/actions/runs/55" in comment["body"]


def test_labels_of_a_stranger_are_text_in_the_comment(
    project: Project, github: FakeGitHub, material: Any, repath: Callable[..., Any], tmp_path: Path
) -> None:
    _, better = material.candidate("better")
    _, baseline = material.candidate("baseline")
    comparison = tmp_path / "comparison.json"
    sides = ("--candidate", better, "--baseline", baseline, "--out", comparison)
    assert repath("evaluation", "compare-benchmark-results", *sides).code == 0
    forged = comparison.read_text("utf-8").replace("Glass Bottle", HOSTILE)
    assert forged.count(HOSTILE) > 3
    github.add_artifact(55, "pull-request-comparison", packed({"comparison.json": forged.encode()}))
    assert project.run("workflow_run", "pull-request-comment.yml", finished_run(project, "success")).ok
    [comment] = github.comments.values()
    marker, _, body = comment["body"].partition("\n")
    assert "workflow=repath label=comparison" in marker
    assert not re.search(r"<img|<!--|@everyone|\]\(http://x|`::error", body)


def test_a_candidate_json_that_names_other_bytes_fails_the_check_and_is_told(
    project: Project, github: FakeGitHub, released: None, stored: Callable[[str], bytes]
) -> None:
    pointer = json.loads(stored("better"))
    base = project.git("rev-parse", "main")
    pointer["model"]["sha256"] = "0" * 64
    head = project.commit({"candidate.json": json.dumps(pointer)})
    side = {"ref": "topic", "sha": head, "repo": {"full_name": "stranger/some-model"}}
    pull = {"number": 7, "head": side, "base": {"ref": "main", "sha": base, "repo": {"full_name": REPO}}}
    run = project.run("pull_request", "pull-request.yml", {"action": "opened", "pull_request": pull})
    assert not run.ok
    assert "::error title=repath github fetch-candidate::" in run.text
    assert not project.artifact("pull-request-comparison").exists()
    assert project.run("workflow_run", "pull-request-comment.yml", finished_run(project, "failure")).ok
    [comment] = github.comments.values()
    assert "No comparison" in comment["body"]


# -- another repository --------------------------------------------------------------------------------------


def test_a_reusable_workflow_brings_its_own_code_into_another_repository(
    project: Project, github: FakeGitHub, released: None
) -> None:
    published = project.folder / "repositories" / "krispeterson" / "repath-model"
    published.mkdir(parents=True)
    for name in SHIPPED:
        shutil.move(project.repository / name, published / name)
    for words in (("init", "--quiet"), ("config", "uploadpack.allowAnySHA1InWant", "true"), ("add", "--all")):
        project.git(*words, repository=published)
    project.git("commit", "--quiet", "--message", "The pipeline", repository=published)
    commit = project.git("rev-parse", "HEAD", repository=published)
    caller = {
        "name": "Measure",
        "on": "push",
        "permissions": {},
        "jobs": {
            "measure": {
                "permissions": {"contents": "read"},
                "uses": f"krispeterson/repath-model/.github/workflows/reusable-benchmark.yml@{commit}",
                "with": {
                    "models": '["release"]',
                    "shards": 1,
                    "runner": '["self-hosted","gpu"]',
                    # act, as an old Enterprise Server, does not tell a workflow where it comes from.
                    "pipeline-repository": "krispeterson/repath-model",
                    "pipeline-ref": commit,
                },
            }
        },
    }
    project.commit({".github/workflows/measure.yml": yaml.safe_dump(caller)})
    project.more_repositories = {f"krispeterson/repath-model@{commit}": published}
    project.platforms = ("self-hosted",)  # a job that asked for another runner would not run
    run = project.run("push", "measure.yml", {"ref": "refs/heads/main"})
    assert run.ok, run.text[-3000:]
    # The job that calls has no end of its own.
    assert [result for result in run.results().values() if result] == ["success"] * 3
    results = json.loads((project.artifact("benchmark-results") / "release.json").read_text("utf-8"))
    assert results["summary"]["images_evaluated"] == 24


# -- the project's own workflows -----------------------------------------------------------------------------


def test_the_checks_are_the_two_commands_that_the_readme_gives(project: Project) -> None:
    project.commit({"Makefile": "lint test:\n\t@echo made $@\n"})
    run = project.run("push", "ci.yml", {"ref": "refs/heads/main"})
    assert run.ok, run.text[-3000:]
    assert len(run.jobs) == 3
    assert "made lint" in run.text
    assert run.text.count("made test") >= 2


def image_calls(project: Project, event: str, payload: dict[str, Any]) -> list[list[str]]:
    """Run the image's workflow with a recorder in the place of `repath` and docker; return their calls.

    What the commands do is tested with a real engine, in tests/image.
    """
    record_image_commands(project)
    run = project.run(event, "image.yml", payload)
    assert run.ok, run.text[-3000:]
    assert (project.artifact("image-sbom") / "image.cdx.json").is_file()
    return recorded_calls(project)


def test_the_image_is_built_tried_described_and_pushed_only_where_it_is_asked_for(
    project: Project, github: FakeGitHub
) -> None:
    calls = image_calls(project, "push", {"ref": "refs/heads/main"})
    tag = "repath-model:main"
    assert calls == [
        ["image", "build", "--tag", tag, "--context", ".pipeline", "--cpu"],
        ["image", "run", "--image", tag, "--", "image", "selftest", "--quick"],
        ["image", "inspect", "--image", tag, "--sbom", "image.cdx.json"],
    ]
    project.variables = {"REPATH_IMAGE_NAME": "registry.example/Someone/image"}
    payload = {"ref": "refs/heads/main", "inputs": {"push": "true", "runner": '["ubuntu-latest"]'}}
    calls = image_calls(project, "workflow_dispatch", payload)
    tag = "registry.example/someone/image:main"
    login = ["docker", "login", "registry.example", "--username", "somebody", "--password-stdin"]
    assert calls[0] == [*login, github.token]
    assert calls[1] == ["image", "build", "--tag", tag, "--context", ".pipeline", "--push"]
    assert calls[-1] == ["docker", "logout", "registry.example"]


# -- the action where no image holds the pipeline ------------------------------------------------------------


def test_the_action_installs_the_pipeline_once_for_a_job(tmp_path: Path) -> None:
    """Its very scripts, with pip: the second call of a job finds what the first one installed."""
    described = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    scripts = {step["name"]: step["run"] for step in described["runs"]["steps"] if "run" in step}
    output = tmp_path / "output"
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("REPATH_", "PYTHONPATH"))},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_OUTPUT": str(output),
        "RUNNER_TEMP": str(tmp_path),
        "EXTRAS": "",
    }

    def step(name: str, **more: str) -> subprocess.CompletedProcess[str]:
        words = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", scripts[name]]
        return subprocess.run(
            words, env={**env, **more}, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    def looked(**more: str) -> dict[str, str]:
        output.write_text("", "utf-8")
        assert step("Look for the pipeline", **more).returncode == 0
        return dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())

    assert looked()["install"] == "true"
    assert looked(REPATH_IN_IMAGE="1")["install"] == "false"
    assert step("Look for the pipeline", EXTRAS="bench; id").returncode == 2
    installed = step("Install the pipeline")
    if installed.returncode and "No matching distribution" in installed.stderr:
        pytest.skip("no package index can be reached")
    assert installed.returncode == 0, installed.stderr
    again = looked()
    assert again["install"] == "false"
    assert looked(EXTRAS="bench")["install"] == "true"
    ran = step(
        "Run repath",
        REPATH_ACTION_PYTHON=again["python"],
        REPATH_COMMAND="init",
        REPATH_ARGS="city",
        GITHUB_WORKSPACE=str(tmp_path),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "city" / "repath.toml").is_file()
