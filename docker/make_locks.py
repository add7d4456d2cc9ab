"""Write the lock files of the image: every version with the SHA-256 of each file that the registry has of it.

`uv pip compile` resolves once, under docker/constraints.txt, for Linux and every Python from 3.11 on. The
result is split: what every image installs, and what comes on top of it in the image for GPUs and in that for
CPUs. The latter needs CUDA libraries, too, since the registry's PyTorch wheel is linked against most of them
and does not load without; those that it opens only where there is a GPU are left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docker"
CONSTRAINTS = FOLDER / "constraints.txt"

COMMON, CUDA, CPU, BUILD = "lock-common.txt", "lock-cuda.txt", "lock-cpu.txt", "lock-build.txt"

_HEADS = {
    COMMON: "# The libraries of every image, without those of CUDA.",
    CUDA: "# On top of lock-common.txt, in the image for NVIDIA GPUs: all that PyTorch asks for.",
    CPU: "# On top of lock-common.txt, in the image for CPUs: what PyTorch's wheel is linked against.",
    BUILD: "# What builds the wheel inside the image's build (docker/build.in).",
}
_HOW = "# Written by: make lock. Install with: pip install --no-deps --require-hashes -r FILE"
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)
_IMAGE = {
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
}
_OF_CUDA = re.compile(r"(nvidia-(?!ml-py$)|cuda-|triton$)")
"""nvidia-ml-py is plain Python that asks a driver, and Ultralytics imports it everywhere."""
_ONLY_WITH_A_GPU = ("cuda-", "nvidia-cusolver", "nvidia-nvtx", "triton")
"""What no library of PyTorch's that is loaded at import names as needed (readelf -d torch/lib/*.so)."""


def main() -> None:
    """Resolve, split and write."""
    libraries = compiled(ROOT / "pyproject.toml", "--extra", "train")
    build = compiled(FOLDER / "build.in")
    common, cuda = split(libraries)
    cpu = [block for block in cuda if not block.startswith(_ONLY_WITH_A_GPU)]
    for name, blocks in ((COMMON, common), (CUDA, cuda), (CPU, cpu), (BUILD, requirements(build))):
        text = "\n".join([_HEADS[name], _HOW, *blocks, ""])
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docker/{name}: {len(blocks)} packages", file=sys.stderr)


def compiled(source: Path, *more: str) -> str:
    """Return what `uv pip compile` makes of a project or requirements file."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lock.txt"
        subprocess.run(
            [
                sys.executable, "-m", "uv", "--quiet", "pip", "compile", str(source), *more,
                "--constraint", str(CONSTRAINTS), "--universal", "--python-version", "3.11",
                "--generate-hashes", "--no-header", "--no-annotate", "--output-file", str(out),
            ],
            check=True,
            cwd=ROOT,
        )  # fmt: skip
        return out.read_text(encoding="utf-8")


def requirements(text: str) -> list[str]:
    """Return the requirements of a lock file that an image can need, each with its lines of hashes."""
    places = [match.start() for match in _NAME.finditer(text)]
    blocks = [text[start:end].rstrip() for start, end in zip(places, [*places[1:], len(text)], strict=True)]
    return [block for block in blocks if _for_images(Requirement(block.split("\\")[0]))]


def _for_images(requirement: Requirement) -> bool:
    return requirement.marker is None or any(
        requirement.marker.evaluate({**_IMAGE, "python_version": minor, "python_full_version": f"{minor}.0"})
        for minor in ("3.11", "3.12", "3.13", "3.14")
    )


def split(text: str) -> tuple[list[str], list[str]]:
    """Return the requirements without CUDA's, and CUDA's."""
    parts: tuple[list[str], list[str]] = ([], [])
    for block in requirements(text):
        parts[_OF_CUDA.match(block.split("==")[0]) is not None].append(block)
    return parts


if __name__ == "__main__":
    main()
