"""A real container engine for tests and benchmarks: Podman, alone in a folder, with a Debian base of its own.

It works in a sandbox that has neither systemd nor cgroups to hand out, leaves the machine's own containers
alone, and is gone afterwards.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BASE = "localhost/debian-base:12"
IMAGE = "localhost/repath-model:test"
ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("podman", "runc", "mmdebstrap")
DISK_BYTES = 25 << 30
"""The image stands there twice while it is built: in the stages that make its layers, and whole."""

_CONTAINERS = """\
[containers]
netns = "host"
log_driver = "k8s-file"
# Podman 4.3 swaps soft and hard limits that are asked for through its API: both the same, and within ours.
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""


@dataclass(frozen=True, slots=True)
class Podman:
    """A running service."""

    socket: Path
    environment: dict[str, str]

    @property
    def host(self) -> str:
        """The address for DOCKER_HOST."""
        return f"unix://{self.socket}"

    def command(self, *arguments: str) -> str:
        """Run `podman` on the same store and return what it prints."""
        done = subprocess.run(
            ["podman", *arguments], env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def repath(self, *arguments: object, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `repath` as a program that finds this engine."""
        return subprocess.run(
            repath_command(*arguments),
            cwd=cwd,
            env=self.for_repath(**more),
            capture_output=True,
            text=True,
            check=False,
        )

    def for_repath(self, **more: str) -> dict[str, str]:
        """Return the environment of a `repath` that finds this engine."""
        return {**os.environ, "DOCKER_HOST": self.host, "NO_COLOR": "1", "PYTHONPATH": str(ROOT), **more}


def repath_command(*arguments: object) -> list[str]:
    """Return the command line of `repath` with this Python."""
    return [sys.executable, "-m", "pipeline", *map(str, arguments)]


def why_not() -> str | None:
    """Return why no engine can be started here, or None where one can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (apt-get install podman buildah runc mmdebstrap)"
    if os.getuid() != 0:
        return "needs root, to make a Debian base and mount layers"
    if shutil.disk_usage("/tmp").free < DISK_BYTES:
        return f"needs {DISK_BYTES >> 30} GiB of free disk"
    return None


@contextlib.contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """Start Podman's service with a store in ``folder``, and take both away at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "containers.conf").write_text(_CONTAINERS)
    (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
    environment = {
        **os.environ,
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
        "BUILDAH_ISOLATION": "chroot",
        "TMPDIR": str(folder),
    }
    (folder / "registries.conf").write_text('[[registry]]\nlocation = "localhost:5999"\ninsecure = true\n')
    # A socket's path must be short, and pytest's folders are not.
    engine = Podman(Path(f"/tmp/repath-podman-{os.getpid()}.sock"), environment)
    with (folder / "service.log").open("wb") as log:
        service = subprocess.Popen(
            ["podman", "system", "service", "--time", "0", engine.host],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for(engine.socket, service)
        yield engine
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(timeout=60)
        engine.socket.unlink(missing_ok=True)
        # Unmounts every layer, which rmtree could not.
        subprocess.run(
            ["podman", "system", "reset", "--force"], env=environment, capture_output=True, check=False
        )
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(path: Path, service: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert service.poll() is None, "Podman's service ended"
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} does not answer")


def make_base(engine: Podman, folder: Path) -> None:
    """Make a small Debian 12 with Python, and give it to the engine as `BASE`.

    Programs in it reach the package registries as this machine does: with its certificates.
    """
    root = folder / "rootfs.tar"
    certificates = os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    (folder / "pip.conf").write_text("[global]\ncert = /etc/ssl/certs/of-the-machine.crt\n")
    subprocess.run(
        [
            "mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates,python3-venv,tini",
            f"--customize-hook=upload {certificates} /etc/ssl/certs/of-the-machine.crt",
            f"--customize-hook=upload {folder / 'pip.conf'} /etc/pip.conf",
            "bookworm", str(root),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    engine.command("import", "--quiet", str(root), BASE)
    root.unlink()
