"""Rules that no linter knows: triggers, permissions, forks, timeouts, pins; on the parsed YAML."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from act_runs import ROOT, WORKFLOWS, workflow

NAMES = sorted(path.name for path in WORKFLOWS.glob("*.yml"))
REUSABLE = [name for name in NAMES if name.startswith("reusable-")]
PINS = {
    "actions/checkout": ("3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1"),
    "actions/setup-python": ("5fda3b95a4ea91299a34e894583c3862153e4b97", "v7.0.0"),
    "actions/upload-artifact": ("043fb46d1a93c77aae656e7c1c64a875d1fc6a0a", "v7.0.1"),
    "actions/download-artifact": ("3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1"),
    "actions/attest": ("a1948c3f048ba23858d222213b7c278aabede763", "v4.1.1"),
    "actions/cache": ("668228422ae6a00e4ad889ee87cd7109ec5666a7", "v5.0.4"),
}
WRITES = {
    ("pull-request-comment.yml", "comment"): {"pull-requests"},
    ("retrain.yml", "store"): {"contents"},
    ("retrain.yml", "propose"): {"contents", "pull-requests"},
    ("retrain.yml", "comment"): {"pull-requests"},
    ("retrain.yml", "status"): {"statuses"},
    ("reusable-release.yml", "attest"): {"id-token", "attestations"},
    ("reusable-release.yml", "publish"): {"contents"},
    ("release.yml", "image"): {"packages"},
    ("release.yml", "release"): {"contents", "id-token", "attestations"},
    ("image.yml", "build"): {"packages"},
}
"""Every job that may write, and what; one that calls another workflow grants what that one asks for."""
FORK = "github.event.pull_request && github.event.pull_request.head.repo.full_name != github.repository"


def jobs(*names: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in names or NAMES:
        for key, job in workflow(name)["jobs"].items():
            yield name, key, job


def steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    return job.get("steps", [])


def test_all_workflows_are_there() -> None:
    assert NAMES == [
        "ci.yml", "image.yml", "pull-request-comment.yml", "pull-request.yml", "release.yml", "retrain.yml",
        "reusable-benchmark.yml", "reusable-compare.yml", "reusable-release.yml", "reusable-train.yml",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_permitted_at_the_top_and_only_what_is_listed_below(name: str) -> None:
    assert workflow(name)["permissions"] == {}
    for _, key, job in jobs(name):
        assert isinstance(job.get("permissions"), dict), f"{key} says nothing of permissions"
        writes = {scope for scope, level in job["permissions"].items() if level == "write"}
        assert writes == WRITES.get((name, key), set()), key
        assert set(job["permissions"].values()) <= {"read", "write"}


@pytest.mark.parametrize("name", NAMES)
def test_every_permission_has_a_reason(name: str) -> None:
    lines = (WORKFLOWS / name).read_text("utf-8").splitlines()
    granted = [line for line in lines if re.match(r" +[a-z-]+: (?:read|write)\b", line)]
    assert granted
    assert [line for line in granted if not re.search(r" # \w", line)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_job_ends_in_time(name: str) -> None:
    for _, key, job in jobs(name):
        limit = job.get("timeout-minutes")
        if "uses" in job:
            assert limit is None, "GitHub takes none there; the called jobs have theirs"
        else:
            assert limit == "${{ inputs.max-minutes }}" or 0 < limit <= 120, key


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it() -> None:
    found = set()
    for path in (*WORKFLOWS.glob("*.yml"), ROOT / "action.yml"):
        for line in path.read_text("utf-8").splitlines():
            match = re.match(r"\s*(?:- )?uses: (\S+)(?: # (\S+))?", line)
            if match is None or match[1].startswith("./"):
                continue
            name, _, ref = match[1].partition("@")
            owner_name = "/".join(name.split("/")[:2])
            assert (ref, match[2]) == PINS[owner_name], line
            found.add(owner_name)
    assert found == PINS.keys()


def test_local_actions_are_the_checked_out_pipeline() -> None:
    for _, key, job in jobs():
        for step in steps(job):
            used = step.get("uses", "")
            assert not used.startswith("./") or used == "./.pipeline", key
        called = job.get("uses", "")
        assert not called or (called.startswith("./.github/workflows/") and (ROOT / called).is_file())


@pytest.mark.parametrize("name", [*NAMES, "action.yml"])
def test_no_expression_stands_in_a_script(name: str) -> None:
    if name == "action.yml":
        scripts = [step.get("run", "") for step in action()["runs"]["steps"]]
    else:
        scripts = [step.get("run", "") for _, _, job in jobs(name) for step in steps(job)]
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_credentials_are_left_in_a_checkout(name: str) -> None:
    for _, key, job in jobs(name):
        for step in steps(job):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, key


# -- forks ---------------------------------------------------------------------------------------------------


def test_no_job_of_ours_runs_a_forks_code_with_rights() -> None:
    for name in NAMES:
        assert "pull_request_target" not in workflow(name)["on"]
    for name in ("pull-request.yml", "reusable-benchmark.yml", "reusable-compare.yml", "reusable-train.yml"):
        for _, key, job in jobs(name):
            assert job["permissions"] == {"contents": "read"}, key


@pytest.mark.parametrize("name", REUSABLE)
def test_a_fork_stays_on_a_hosted_runner_whoever_calls(name: str) -> None:
    for _, key, job in jobs(name):
        if "uses" in job:
            continue
        hosted = "${{ fromJSON(" + FORK + " && '[\"ubuntu-latest\"]' || inputs.runner) }}"
        assert job["runs-on"] == hosted, key
        assert job["container"]["image"] == "${{ !(" + FORK + ") && inputs.image || '' }}", key


def test_every_job_goes_to_the_runner_that_is_named_but_the_comment_and_the_checks() -> None:
    hosted = {(name, key) for name, key, job in jobs() if job.get("runs-on") == "ubuntu-latest"}
    assert hosted == {("pull-request-comment.yml", "comment"), ("ci.yml", "lint"), ("ci.yml", "test")}
    for name, key, job in jobs():
        assert "uses" in job or (name, key) in hosted or "inputs.runner" in job["runs-on"], f"{name} {key}"


def test_a_pull_request_gives_a_fork_neither_runner_nor_image_nor_secret() -> None:
    own = "github.event.pull_request.head.repo.full_name == github.repository && "
    job = workflow("pull-request.yml")["jobs"]["compare"]
    for value in (job["with"]["runner"], job["with"]["image"], job["secrets"]["data-token"]):
        assert value.startswith("${{ " + own)
    text = (WORKFLOWS / "pull-request.yml").read_text("utf-8")
    assert text.count("secrets.") == 1


def test_the_comment_takes_nothing_of_the_other_run_but_data() -> None:
    job = workflow("pull-request-comment.yml")["jobs"]["comment"]
    assert job["runs-on"] == "ubuntu-latest"
    checkouts = [step for step in steps(job) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"] for step in checkouts] == [{"path": ".pipeline", "persist-credentials": False}]
    assert not any(step.get("uses", "").startswith("actions/download-artifact@") for step in steps(job))
    # What the event says of a stranger goes nowhere but into the name of the concurrency group.
    text = yaml.safe_dump(job)
    named = set(re.findall(r"github\.event\.workflow_run\.([a-z_.]+)", text))
    assert named == {"event", "conclusion", "id"}


def test_secrets_are_named_one_by_one() -> None:
    for name, key, job in jobs():
        assert job.get("secrets") != "inherit", f"{name} {key}"


# -- triggers and concurrency --------------------------------------------------------------------------------


def test_triggers() -> None:
    triggers = {name: set(workflow(name)["on"]) for name in NAMES}
    assert triggers == {
        "ci.yml": {"push", "pull_request"},
        "image.yml": {"push", "workflow_dispatch", "workflow_call"},
        "pull-request-comment.yml": {"workflow_run"},
        "pull-request.yml": {"pull_request"},
        "release.yml": {"push"},
        "retrain.yml": {"workflow_dispatch"},
        **{name: {"workflow_call"} for name in REUSABLE},
    }
    assert workflow("pull-request.yml")["on"]["pull_request"] == {
        "types": ["opened", "synchronize", "reopened"]
    }
    assert workflow("pull-request-comment.yml")["on"]["workflow_run"] == {
        "workflows": [workflow("pull-request.yml")["name"]],
        "types": ["completed"],
    }
    assert workflow("ci.yml")["on"]["push"] == {"branches": ["main"]}


@pytest.mark.parametrize(
    ("tag", "publishes"),
    [
        ("v1.2.3", True), ("v0.10.0", True), ("v1.2.0-rc.1", True), ("v1.2", False), ("1.2.3", False),
        ("candidate-20260101-000000", False), ("v1.2.3.4", False), ("vx.y.z", False),
    ],
)  # fmt: skip
def test_only_versions_are_released(tag: str, publishes: bool) -> None:
    patterns = workflow("release.yml")["on"]["push"]
    assert patterns.keys() == {"tags"}
    assert any(matches(pattern, tag) for pattern in patterns["tags"]) is publishes


def matches(pattern: str, name: str) -> bool:
    """Match as GitHub does; ``+`` and ``[]`` as in a regular expression, a dot is a dot, ``*`` no slash.

    Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
    """
    return re.fullmatch(pattern.replace(".", r"\.").replace("*", "[^/]*"), name) is not None


def test_an_outdated_pull_request_is_cancelled_and_never_a_release() -> None:
    cancels = {
        name: workflow(name)["concurrency"]["cancel-in-progress"]
        for name in NAMES
        if "concurrency" in workflow(name)
    }
    assert cancels == {
        "ci.yml": "${{ github.event_name == 'pull_request' }}",
        "image.yml": False,
        "pull-request-comment.yml": False,
        "pull-request.yml": True,
        "release.yml": False,
        "retrain.yml": False,
    }
    assert "number" in workflow("pull-request.yml")["concurrency"]["group"]
    assert "github.ref" in workflow("release.yml")["concurrency"]["group"]
    # A called workflow's own group could meet that of its caller.
    assert not any("concurrency" in workflow(name) for name in REUSABLE)


def test_pictures_are_kept_by_the_digest_of_the_manifest() -> None:
    for name in ("reusable-benchmark.yml", "reusable-train.yml"):
        keys = [
            step["with"]["key"]
            for _, _, job in jobs(name)
            for step in steps(job)
            if step.get("uses", "").startswith("actions/cache/restore@")
        ]
        assert keys
        assert all("stages.manifest.digest" in key and "stages.curate.digest" in key for key in keys)


# -- interfaces ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REUSABLE)
def test_inputs_and_outputs_are_typed_and_described(name: str) -> None:
    call = workflow(name)["on"]["workflow_call"]
    for key, item in call["inputs"].items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", key)
        assert item["type"] in {"string", "number", "boolean"}
        assert len(item["description"]) > 10
        assert item.get("required") is True or "default" in item
    assert call["outputs"]
    for item in [*call["outputs"].values(), *call["secrets"].values()]:
        assert len(item["description"]) > 10


@pytest.mark.parametrize("name", REUSABLE)
def test_a_reusable_workflow_finds_its_own_code_from_another_repository(name: str) -> None:
    for _, key, job in jobs(name):
        uses_pipeline = any(step.get("uses") == "./.pipeline" for step in steps(job))
        fetched = [step for step in steps(job) if step.get("with", {}).get("path") == ".pipeline"]
        assert len(fetched) == uses_pipeline, key
        for step in fetched:
            repository, ref = step["with"]["repository"], step["with"]["ref"]
            assert "inputs.pipeline-repository || job.workflow_repository" in repository
            assert ref.startswith("${{ inputs.pipeline-ref || ")
            assert ref.endswith("job.workflow_sha || github.sha }}")


def test_a_container_leaves_nothing_of_root() -> None:
    for name, key, job in jobs():
        if "container" in job:
            last = job["steps"][-1]
            given = "use-image" if name == "retrain.yml" else "image"
            assert last["if"] == f"always() && inputs.{given}", f"{name} {key}"
            assert "--user 0:0" in job["container"]["options"]
            assert "--gpus all" in job["container"]["options"]


def test_what_root_wrote_is_given_back(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    scripts = {job["steps"][-1]["run"] for _, _, job in jobs() if "container" in job}
    [script] = scripts
    places = {name: tmp_path / name for name in ("temp", "workspace", "home")}
    for folder in places.values():
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file").write_text("written by root")
    (places["workspace"] / "link").symlink_to("/etc/passwd")
    os.chown(places["temp"], 1234, 5678)
    env = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(places["temp"]),
        "GITHUB_WORKSPACE": str(places["workspace"]),
        "HOME": str(places["home"]),
    }
    before = Path("/etc/passwd").stat().st_uid
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], env=env, check=True)
    for folder in places.values():
        for path in (folder, *folder.rglob("*")):
            found = path.lstat()
            assert (found.st_uid, found.st_gid) == (1234, 5678), path
    assert Path("/etc/passwd").stat().st_uid == before


def action() -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_the_action_has_the_interface_that_is_promised() -> None:
    described = action()
    assert described["runs"]["using"] == "composite"
    assert list(described["inputs"]) == [
        "command", "args", "working-directory", "extras", "python-version", "github-token"
    ]  # fmt: skip
    assert list(described["outputs"]) == ["summary", "exit-code"]
    assert described["inputs"]["github-token"]["default"] == ""
    for item in [*described["inputs"].values(), *described["outputs"].values()]:
        assert len(item["description"]) > 20


def test_dependabot_waits_before_it_proposes() -> None:
    settings = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text("utf-8"))
    updates = {item["package-ecosystem"]: item for item in settings["updates"]}
    assert updates.keys() == {"github-actions", "pip"}
    assert all(item["cooldown"]["default-days"] >= 7 for item in updates.values())
