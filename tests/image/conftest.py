"""The engine, and the image built once for all tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_cases import Built, give_away, sample
from podman_engine import BASE, IMAGE, ROOT, Podman, make_base, podman, why_not

import docker


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """A real engine with a Debian base; skipped with the reason where there cannot be one."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("engine")
    with podman(folder / "store") as running:
        make_base(running, folder)
        yield running


@pytest.fixture(scope="session")
def built(engine: Podman) -> Iterator[Built]:
    """The real Dockerfile.gpu on the Debian base, built by `repath image build` through Podman's socket."""
    done = engine.repath(
        "image", "build", "--cpu", "--base-image", BASE, "--network", "host", "--tag", IMAGE, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-3000:]
    client = docker.DockerClient(base_url=engine.host, timeout=600)
    yield Built(json.loads(done.stdout), done.stderr, engine, client)
    client.close()


@pytest.fixture
def left_behind(built: Built) -> Iterator[None]:
    """Check after a test that no container is left."""
    yield
    assert built.client.containers.list(all=True) == []


@pytest.fixture(scope="session")
def drawn(engine: Podman, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample workspace that trains in seconds, drawn once for all tests."""
    return sample(engine, tmp_path_factory.mktemp("drawn") / "space")


@pytest.fixture
def space(built: Built, drawn: Path, tmp_path: Path) -> Path:
    """A copy of the sample workspace; it belongs to a user that is not root."""
    shutil.copytree(drawn, tmp_path / "space")
    return give_away(tmp_path / "space")
