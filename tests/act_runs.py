"""Workflows run for real: act in host mode, stand-ins for the actions of others, a GitHub on loopback.

A `Project` is a git repository with this checkout's workflows, action and package and a small workspace. What
`actions/checkout` fetches comes out of it, artifacts and caches lie in folders beside it, and every `repath`
command talks to the GitHub of the tests. act does not look at ``tags:`` filters, permissions or choices, and
takes each called workflow's own name for GITHUB_WORKFLOW: those are asserted on the YAML instead.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from github_server import API, REPO, FakeGitHub

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"
ACTIONS = ROOT / "tests" / "workflows" / "actions"
SHIPPED = (".github", "action.yml", "docker", "pipeline", "pyproject.toml", "README.md", "LICENSE")
"""What a repository needs of this checkout for its workflows to run."""


def pinned() -> dict[str, set[str]]:
    """Return ``owner/name`` to the commits that the workflows and the action pin it to."""
    found: dict[str, set[str]] = {}
    for path in (*sorted(WORKFLOWS.glob("*.yml")), ROOT / "action.yml"):
        for name, ref in re.findall(r"uses: ([\w.-]+/[\w.-]+)[\w./-]*@(\S+)", path.read_text("utf-8")):
            found.setdefault(name, set()).add(ref)
    return found


@dataclass(frozen=True)
class Job:
    """How one job ended, and what it said."""

    name: str
    result: str
    lines: list[str]

    @property
    def log(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Run:
    """How a workflow ended."""

    code: int
    jobs: dict[str, Job]
    text: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    def results(self) -> dict[str, str]:
        return {name: job.result for name, job in sorted(self.jobs.items())}


@dataclass
class Project:
    """A repository whose workflows are run."""

    folder: Path
    github: FakeGitHub
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ("ubuntu-latest",)
    more_repositories: dict[str, Path] = field(default_factory=dict)
    """``owner/name@ref`` of workflows of others, such as those that another repository calls."""
    run_id: int = 1000

    @property
    def repository(self) -> Path:
        return self.folder / "repositories" / REPO

    def artifact(self, name: str) -> Path:
        """Return the folder of an artifact of the last run."""
        return self.folder / "artifacts" / name

    def git(self, *words: str, repository: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=repository or self.repository,
            env={**os.environ, **_IDENTITY},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, bytes | str], message: str = "A change") -> str:
        """Write files, commit them, and return the commit."""
        for name, content in files.items():
            path = self.repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def run(
        self,
        event: str,
        workflow: str,
        payload: Mapping[str, Any],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = 800,
    ) -> Run:
        """Run a workflow for an event, with no artifacts yet; caches stay from run to run."""
        self.run_id += 1
        shutil.rmtree(self.folder / "artifacts", ignore_errors=True)
        event_path = self.folder / "event.json"
        event_path.write_text(json.dumps({"repository": _repository(), **payload}), "utf-8")
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        variables = {
            "ACT_STATE": str(self.folder),
            "GITHUB_API_URL": f"{self.github.url}{API}",
            "GITHUB_RUN_ID": str(self.run_id),
            "GITHUB_RUN_ATTEMPT": "1",
            "REPATH_IN_IMAGE": "1",
            "OMP_NUM_THREADS": "1",
            **(env or {}),
        }
        command = [
            *(act(), event, "--workflows", f".github/workflows/{workflow}", "--eventpath", str(event_path)),
            *("--json", "--no-skip-checkout", "--no-cache-server", "--pull=false", "--actor", "somebody"),
            *("--secret", f"GITHUB_TOKEN={self.github.token}"),
            *_each("--platform", (f"{name}=-self-hosted" for name in self.platforms)),
            *_each("--env", (f"{name}={value}" for name, value in variables.items())),
            *_each("--var", (f"{name}={value}" for name, value in self.variables.items())),
            *_each("--secret", (f"{name}={value}" for name, value in self.secrets.items())),
            *_each("--local-repository", self._stand_ins()),
        ]
        done = subprocess.run(
            command,
            cwd=self.repository,
            env={
                **{
                    k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "ACTIONS_", "PYTEST"))
                },
                "PATH": os.pathsep.join(
                    [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
                ),
                "HOME": str(home),
                "XDG_CACHE_HOME": str(home / ".cache"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return _read(done.returncode, done.stdout, done.stderr)

    def _stand_ins(self) -> list[str]:
        named = [
            f"{name}@{ref}={ACTIONS / name.removeprefix('actions/')}"
            for name, refs in pinned().items()
            for ref in refs
        ]
        return [*named, *(f"{name}={folder}" for name, folder in self.more_repositories.items())]


def act() -> str:
    """Return where act is."""
    found = shutil.which("act", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        import pytest

        pytest.skip("act is not installed")
    return found


def new_project(folder: Path, github: FakeGitHub, workspace: Path, at: str = ".") -> Project:
    """Make a repository out of this checkout and a workspace, with one commit on ``main``."""
    project = Project(folder, github)
    repository = project.repository
    repository.mkdir(parents=True)
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, repository / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, repository / name)
    shutil.copytree(workspace, repository / at, dirs_exist_ok=True)
    caller = repository / ".github" / "workflows" / "pull-request.yml"
    caller.write_text(caller.read_text("utf-8").replace("'4'", "'1'"), "utf-8")
    project.git("init", "--quiet", "--initial-branch", "main")
    project.git("config", "uploadpack.allowAnySHA1InWant", "true")
    project.git("remote", "add", "origin", f"https://github.com/{REPO}")
    project.commit({}, "The pipeline and a workspace")
    return project


def record_image_commands(project: Project) -> None:
    """Put a recorder in the place of `repath image` and docker; every other command stays what it is.

    What the image's commands do is tested with a real engine, in tests/image.
    """
    if (project.repository / "pipeline" / "__main__.py").read_text("utf-8") != _RECORDER:
        project.commit({"pipeline/__main__.py": _RECORDER})
    docker = project.folder / "bin" / "docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text(_DOCKER, "utf-8")
    docker.chmod(0o755)
    (project.folder / "calls").write_text("", "utf-8")


def recorded_calls(project: Project) -> list[list[str]]:
    """Return the calls of docker and of the image's commands since they began to be recorded."""
    return [json.loads(line) for line in (project.folder / "calls").read_text("utf-8").splitlines()]


_RECORDER = """
import json, os, pathlib, sys, time
words = sys.argv[1:]
if words[:1] != ["image"]:
    from pipeline.cli.main import main
    main()
with open(os.environ["ACT_STATE"] + "/calls", "a") as calls:
    calls.write(json.dumps(words) + "\\n")
if "--sbom" in words:
    made = {"bomFormat": "CycloneDX", "serialNumber": time.time_ns()}
    pathlib.Path(words[words.index("--sbom") + 1]).write_text(json.dumps(made))
print(json.dumps({"digest": "registry.example/someone/image@sha256:12"}))
"""
_DOCKER = """#!/usr/bin/env python3
import json, os, sys
password = sys.stdin.read().strip() if "--password-stdin" in sys.argv else None
with open(os.environ["ACT_STATE"] + "/calls", "a") as calls:
    calls.write(json.dumps(["docker", *sys.argv[1:], *([password] if password else [])]) + "\\n")
"""


def workflow(name: str) -> dict[str, Any]:
    """Return a workflow as its YAML says; ``on`` is not read as a truth value."""
    loaded = yaml.load((WORKFLOWS / name).read_text("utf-8"), Loader=_Loader)
    assert isinstance(loaded, dict)
    return loaded


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of a truth value: ``on`` is a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def _each(flag: str, values: Any) -> Sequence[str]:
    return [word for value in values for word in (flag, value)]


def _read(code: int, out: str, err: str) -> Run:
    jobs: dict[str, Job] = {}
    for line in out.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        name = entry.get("job")
        if not isinstance(name, str):
            continue
        name = name.strip()  # act fills names up to one width
        job = jobs.setdefault(name, Job(name, "", []))
        job.lines.append(str(entry.get("msg", "")).rstrip("\n"))
        if isinstance(entry.get("jobResult"), str):
            jobs[name] = Job(name, entry["jobResult"], job.lines)
    return Run(code, jobs, f"{out}\n{err}")


def _repository() -> dict[str, Any]:
    owner, _, name = REPO.partition("/")
    return {
        "full_name": REPO,
        "name": name,
        "owner": {"login": owner},
        "default_branch": "main",
        "private": False,
    }


_IDENTITY = {
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.org",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.org",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
