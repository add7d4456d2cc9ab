"""The image: its own size without CUDA's libraries, and how long a change of one line of the source takes.

Builds the real Dockerfile.gpu for CPUs on a small Debian, with Podman in a folder of its own, twice: as it
is, and with one line more. Podman copies the libraries' layers into place before it sees that it has them,
and takes the copy away at the end; that is told apart, since the floor is for what comes on top of it.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from podman_engine import BASE, IMAGE, Podman, make_base, podman, repath_command, why_not  # noqa: E402

import docker  # noqa: E402

FLOOR_S = 20.0
_COPY = re.compile(r"COPY --from=(cuda|libraries)")
_DONE = "Successfully tagged"


@dataclass
class Build:
    """How long a build took, and how much of that went into copying layers that were there already."""

    total: float
    copying: float


def main() -> int:
    reason = why_not()
    if reason:
        print(f"not measured: {reason}")
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="repath-bench-") as folder,
        podman(Path(folder) / "store") as engine,
    ):
        make_base(engine, Path(folder))
        checkout = Path(folder) / "checkout"
        files = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True)
        for name in files.stdout.splitlines():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
        first = build(engine, checkout)
        show_sizes(engine)
        with (checkout / "pipeline" / "__init__.py").open("a") as stream:
            stream.write("# one line more\n")
        again = build(engine, checkout)
    beyond = again.total - again.copying
    print(f"first build                   {first.total:7.1f} s  (downloads included)")
    print(f"after a change of one line    {again.total:7.1f} s")
    print(f"  copying unchanged layers    {again.copying:7.1f} s")
    print(f"  beyond the copy             {beyond:7.1f} s  (at most {FLOOR_S:.0f})")
    return 0 if beyond <= FLOOR_S else 1


def build(engine: Podman, checkout: Path) -> Build:
    """Build with `repath image build`, with a clock beside its log."""
    command = repath_command(
        "image",
        "build",
        "--cpu",
        "--base-image",
        BASE,
        "--network",
        "host",
        "--tag",
        IMAGE,
        "--context",
        checkout,
    )
    started = last = time.monotonic()
    copying, in_copy = 0.0, False
    with subprocess.Popen(
        command, env=engine.for_repath(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            now = time.monotonic()
            copying += now - last if in_copy else 0.0
            last = now
            if re.search(r"STEP \d+/\d+", line):
                in_copy = _COPY.search(line) is not None
            elif line.startswith(_DONE):
                in_copy = True
            elif "Successfully built" in line:
                in_copy = False
    if running.returncode:
        raise SystemExit("the build failed; see it with: repath image build --cpu")
    return Build(time.monotonic() - started, copying)


def show_sizes(engine: Podman) -> None:
    """Print what the image holds beyond its base, with and without CUDA's libraries."""
    place = "/opt/venv/lib/python3*/site-packages"
    script = (
        f"du -sb {place}/nvidia {place}/triton {place}/cuda {place}/torch/lib/*cuda*.so 2> /dev/null; true"
    )
    with contextlib.closing(docker.DockerClient(base_url=engine.host, timeout=600)) as client:
        container = client.containers.create(IMAGE, ["-c", script], entrypoint="sh", network_mode="none")
        container.start()
        container.wait()
        listed = container.logs(stderr=False).decode()
        container.remove(force=True)
    sizes = [(int(line.split("\t")[0]), line.split("\t")[1]) for line in listed.splitlines() if "\t" in line]
    in_torch = sum(size for size, path in sizes if "/torch/lib/" in path)
    cuda = sum(size for size, path in sizes) - in_torch
    base, whole = (
        int(engine.command("image", "inspect", "--format", "{{.Size}}", name)) for name in (BASE, IMAGE)
    )
    own = whole - base - cuda
    print(f"image                         {whole / 1e6:9.1f} MB")
    print(f"  its base                    {base / 1e6:9.1f} MB")
    print(f"  CUDA's libraries            {cuda / 1e6:9.1f} MB  (PyTorch's wheel does not load without them)")
    print(f"  its own                     {own / 1e6:9.1f} MB")
    print(f"    of it in PyTorch's wheel  {in_torch / 1e6:9.1f} MB  of CUDA code")


if __name__ == "__main__":
    sys.exit(main())
