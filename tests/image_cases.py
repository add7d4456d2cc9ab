"""What the tests of the built image share: the image with the SDK beside it, and a workspace to run in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podman_engine import IMAGE, Podman
from workspaces import TINY

import docker

OWNER = 12345
SETTINGS = f"""
[kaggle.folders]
"Light Bulb" = ["light_bulbs"]

[training]
model = "tiny.yaml"
epochs = 2
imgsz = 96
batch = 8
workers = 2

[training.overrides]
save_period = 1

[export]
parity_images = 4

[baseline]
epoch = 1

[image]
name = "{IMAGE}"
network = "none"
"""


@dataclass(frozen=True)
class Built:
    """The image, how it was built, and the SDK to look at it with."""

    summary: dict[str, Any]
    log: str
    engine: Podman
    client: docker.DockerClient

    def run(self, *command: str, **settings: Any) -> str:
        """Run something in a container as a stranger who may write nothing but /tmp, without network."""
        strict: dict[str, Any] = {
            "read_only": True,
            "tmpfs": {"/tmp": "rw,exec,mode=1777"},
            "network_mode": "none",
            "user": "4321:4321",
            "cap_drop": ["ALL"],
        }
        container = self.client.containers.create(IMAGE, list(command), **{**strict, **settings})
        try:
            container.start()
            code = container.wait()["StatusCode"]
            out, err = (container.logs(stdout=o, stderr=not o).decode() for o in (True, False))
        finally:
            container.remove(force=True)
        assert code == 0, err
        return out


def sample(engine: Podman, folder: Path) -> Path:
    """Write a sample workspace for a detector that trains in seconds, owned by user 12345."""
    done = engine.repath("init", folder, "--sample", cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    (folder / "tiny.yaml").write_text(TINY)
    (folder / "repath.toml").write_text(SETTINGS)
    return give_away(folder)


def give_away(folder: Path) -> Path:
    """Make a folder and all in it belong to user 12345."""
    for path in [*folder.rglob("*"), folder]:
        os.chown(path, OWNER, OWNER)
    return folder
