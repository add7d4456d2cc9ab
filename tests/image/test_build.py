"""Building: what the Dockerfile is told, how a log is read, and what is said where nothing can be built."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import __version__
from pipeline.image.build import CPU_BASE, BuildOptions, build_arguments, build_image, push_image
from pipeline.image.engine import Engine
from pipeline.support.errors import BuildError, EngineError

PODMAN = [
    {"stream": "[1/2] STEP 1/2: FROM base\n"},
    {"stream": "[1/2] STEP 2/2: RUN one\n"},
    {"stream": "first line\nsecond "},
    {"stream": "line\n"},
]
DOCKER = [
    {"stream": "Step 1/9 : FROM base"},
    {"stream": "\n"},
    {"stream": " ---> 0123456789ab\n"},
    {"status": "Pulling", "progressDetail": {}},
    {"stream": "Step 2/9 : RUN one"},
    {"stream": "\n"},
    {"stream": "\u001b[91mfirst line\n"},
]


def _engine(events: list[dict[str, Any]], *, kind: Any = "docker", pushed: Any = ()) -> Engine:
    """Return an engine that answers with these events; the real one is tested in `test_image`."""
    image = SimpleNamespace(id="sha256:ab", labels={}, attrs={"Size": 12, "RepoDigests": ["r/x@sha256:cd"]})
    client = SimpleNamespace(
        api=SimpleNamespace(build=lambda **_: iter(events), push=lambda *_, **__: iter(pushed)),
        images=SimpleNamespace(get=lambda name: image),
    )
    return Engine(client, "unix:///here", kind, rootless=False)  # type: ignore[arg-type]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit, of a known time."""
    (tmp_path / "Dockerfile.gpu").write_text("FROM scratch\n")

    def git(*arguments: str) -> None:
        settings = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false"]
        when = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
        subprocess.run(
            ["git", "-C", tmp_path, *settings, *arguments], check=True, env=when | {"PATH": "/usr/bin:/bin"}
        )

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    return tmp_path


def test_the_dockerfile_is_told_variant_version_revision_and_time(checkout: Path) -> None:
    told = build_arguments(checkout, BuildOptions("x"))
    assert "BASE_IMAGE" not in told
    assert told["VARIANT"] == "cuda"
    assert told["VERSION"] == __version__
    assert len(told["REVISION"]) == 40
    assert told["SOURCE_DATE_EPOCH"] == "1700000000"
    assert told["CREATED"] == "2023-11-14T22:13:20.000Z"


def test_a_fixed_time_goes_before_that_of_the_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    told = build_arguments(checkout, BuildOptions("x"))
    assert told["SOURCE_DATE_EPOCH"] == "1767225600"
    assert told["CREATED"] == "2026-01-01T00:00:00.000Z"


def test_files_that_differ_from_the_commit_are_told(checkout: Path) -> None:
    (checkout / "Dockerfile.gpu").write_text("FROM other\n")
    assert build_arguments(checkout, BuildOptions("x"))["REVISION"].endswith("-dirty")


def test_an_unpacked_archive_builds_too(tmp_path: Path) -> None:
    told = build_arguments(tmp_path, BuildOptions("x", "cpu"))
    assert told["REVISION"] == "unknown"
    assert "SOURCE_DATE_EPOCH" not in told
    assert told["BASE_IMAGE"] == CPU_BASE
    assert build_arguments(tmp_path, BuildOptions("x", "cpu", "mine"))["BASE_IMAGE"] == "mine"


@pytest.mark.parametrize("events", [PODMAN, DOCKER])
def test_the_log_goes_on_line_by_line(events: list[dict[str, Any]], checkout: Path) -> None:
    told: list[str] = []
    done = build_image(_engine(events), checkout, BuildOptions("x"), told.append)
    assert done["image_id"] == "sha256:ab"
    assert done["digest"] == "r/x@sha256:cd"
    assert any("first line" in line for line in told)
    assert "second line" in told or events is DOCKER
    assert all(line.strip() and "\n" not in line for line in told)


@pytest.mark.parametrize(
    ("events", "step"), [(PODMAN, "[1/2] STEP 2/2: RUN one"), (DOCKER, "Step 2/9 : RUN one")]
)
def test_the_step_that_fails_is_named(events: list[dict[str, Any]], step: str, checkout: Path) -> None:
    failing = [*events, {"error": "exit status 3", "errorDetail": {"message": "exit status 3"}}]
    with pytest.raises(BuildError) as told:
        build_image(_engine(failing), checkout, BuildOptions("x"), lambda line: None)
    first, *rest = told.value.message.splitlines()
    assert first == f"the build failed at {step}"
    assert "first line" in rest[0]
    assert rest[-1] == "  exit status 3"


def test_a_build_that_fails_before_a_step_says_so(checkout: Path) -> None:
    with pytest.raises(BuildError, match=r"before its first step\n  no such base"):
        build_image(_engine([{"error": "no such base"}]), checkout, BuildOptions("x"), lambda line: None)


def test_a_push_gives_the_digest_that_the_registry_told() -> None:
    events = [{"status": "Pushing", "progressDetail": {"current": 1}}, {"aux": {"Digest": "sha256:ef"}}]
    assert (
        push_image(_engine([], pushed=events), "host:5000/a/b:v1", lambda line: None)
        == "host:5000/a/b@sha256:ef"
    )
    assert push_image(_engine([], pushed=[]), "r/x:v1", lambda line: None) == "r/x@sha256:cd"


def test_a_push_that_is_refused_is_an_error() -> None:
    with pytest.raises(EngineError, match="cannot be pushed: denied") as told:
        push_image(_engine([], pushed=[{"error": "denied"}]), "r/x:v1", lambda line: None)
    assert "docker login" in str(told.value.hint)


def test_where_there_is_no_dockerfile_it_is_said_what_to_do(
    repath: Callable[..., Any], tmp_path: Path
) -> None:
    ran = repath("image", "build", "--context", tmp_path)
    assert ran.code == 1
    assert "there is no Dockerfile.gpu in" in ran.err
    assert "--context" in ran.err
