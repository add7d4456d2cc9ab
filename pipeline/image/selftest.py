"""The self-test: Python and libraries, the GPU or why there is none, one inference, one step of training.

It tells whether this installation can do its work, in the image as anywhere else.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pipeline import __version__
from pipeline.image.gpus import Gpus, find_gpus
from pipeline.support.errors import SelfTestError

Need = Literal["gpu", "litert", "tensorflow", "train"]
NEEDS: tuple[Need, ...] = ("gpu", "litert", "tensorflow", "train")
IN_IMAGE = "REPATH_IN_IMAGE"
"""Set in the image and nowhere else."""
TIMEOUT_S = 300
_START = (
    "import sys; sys.path[:] = sys.argv[3].splitlines(); "
    "from pipeline.image.selftest_checks import main; sys.exit(main(sys.argv[1], sys.argv[2] == '1'))"
)

_LIBRARIES = (
    "ai-edge-litert", "ai-edge-quantizer", "hotcoco", "litert-torch", "numpy", "opencv-python-headless",
    "pandas", "pillow", "simplejpeg", "tensorflow", "torch", "torchvision", "ultralytics-opencv-headless",
)  # fmt: skip
_NEEDED: dict[Need, tuple[str, ...]] = {
    "litert": ("ai_edge_litert", "cv2"),
    "tensorflow": ("tensorflow", "cv2"),
    "train": ("torch", "torchvision", "ultralytics"),
}
"""Check to the modules without which it cannot be made."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: it worked, it failed, or it was passed over."""

    ok: bool | None
    """None where it was passed over."""
    detail: str
    seconds: float = 0.0

    def to_data(self) -> dict[str, Any]:
        """Return plain data, as the report has it."""
        return {"ok": self.ok, "detail": self.detail, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Report:
    """What the self-test found."""

    libraries: dict[str, str | None]
    gpus: Gpus
    pytorch_cuda: str | None
    """The CUDA version that PyTorch was built for; None where PyTorch is not installed or has none."""
    checks: dict[str, Check] = field(default_factory=dict)
    missing: tuple[Need, ...] = ()
    """What was asked for and is not there."""

    @property
    def ok(self) -> bool:
        """Whether everything works that is here, and everything is here that was asked for."""
        return not self.missing and all(check.ok is not False for check in self.checks.values())

    def to_data(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "ok": self.ok,
            "version": __version__,
            "in_image": bool(os.environ.get(IN_IMAGE)),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "user": f"{os.getuid()}:{os.getgid()}",
            "libraries": self.libraries,
            "cuda": {**self.gpus.to_data(), "pytorch_cuda": self.pytorch_cuda},
            "checks": {name: check.to_data() for name, check in self.checks.items()},
            "missing": list(self.missing),
        }


def self_test(needs: Collection[Need] = (), *, quick: bool = False, gpus: Gpus | None = None) -> Report:
    """Try everything that is installed.

    Args:
        needs: what must be here and work.
        quick: look only whether the libraries are there, and run nothing.
        gpus: what the driver says, where it was asked already.

    Returns:
        The report. Nothing is raised for what fails: the report says it.
    """
    found = find_gpus() if gpus is None else gpus
    checks = {need: _check(need, on_gpu=bool(found.names), quick=quick) for need in _NEEDED}
    return Report(
        libraries={name: _version(name) for name in _LIBRARIES},
        gpus=found,
        pytorch_cuda=_pytorch_cuda(),
        checks={str(need): check for need, check in checks.items()},
        missing=tuple(
            need
            for need in NEEDS
            if need in needs and (not found.names if need == "gpu" else _absent(need) != [])
        ),
    )


def require(report: Report) -> None:
    """Raise where the report is not well.

    Raises:
        SelfTestError: something that was asked for is missing, or something that is here does not work.
    """
    lines = [f"{need}: {_why_missing(need, report)}" for need in report.missing]
    lines += [f"{name}: {check.detail}" for name, check in report.checks.items() if check.ok is False]
    if lines:
        raise SelfTestError("\n  ".join(["the self-test found what is missing or does not work:", *lines]))


def _why_missing(need: Need, report: Report) -> str:
    if need == "gpu":
        return report.gpus.why_not or "no GPU"
    return f"not installed: {', '.join(_absent(need))}"


def _check(need: Need, *, on_gpu: bool, quick: bool) -> Check:
    absent = _absent(need)
    if absent:
        return Check(None, f"not installed: {', '.join(absent)}")
    if quick:
        return Check(None, "installed; not tried (--quick)")
    started = time.monotonic()
    # In a process of its own: a library that does not fit this machine may end the process that loads it, and
    # PyTorch and TensorFlow do not get along in one.
    command = [sys.executable, "-P", "-c", _START, need, str(int(on_gpu)), "\n".join(sys.path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, text=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        return Check(False, f"it did not end within {TIMEOUT_S} s", time.monotonic() - started)
    seconds = time.monotonic() - started
    told = (done.stdout.strip() or done.stderr.strip() or "it said nothing").splitlines()[-1][:500]
    if done.returncode < 0:
        told = f"ended by signal {-done.returncode}: {told}"
    return Check(done.returncode == 0, told, seconds)


def _absent(need: Need) -> list[str]:
    return [name for name in _NEEDED.get(need, ()) if find_spec(name) is None]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _pytorch_cuda() -> str | None:
    """Return the CUDA version of PyTorch's build from its files: importing it takes seconds."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    for line in Path(spec.origin).with_name("version.py").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name.split(":")[0].strip() == "cuda":
            text = value.strip().strip("'\"")
            return None if text == "None" else text
    return None
