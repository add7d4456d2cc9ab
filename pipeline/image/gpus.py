"""Which NVIDIA GPUs a process may use, asked of the driver itself: no PyTorch, a few milliseconds.

Functions and result codes are those of the CUDA driver API:
https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__INITIALIZE.html
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.support.errors import EngineError, RepathError, UsageError

_LIBRARY = "libcuda.so.1"
_NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
_OLD_DRIVER = 35  # CUDA_ERROR_INSUFFICIENT_DRIVER


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs that were found, or the reason why there are none."""

    names: tuple[str, ...] = ()
    driver_cuda: str | None = None
    """The newest CUDA version that the driver knows, such as 13.0; None without a driver."""
    why_not: str | None = None

    def to_data(self) -> dict[str, Any]:
        """Return plain data, as the self-test prints it."""
        return {
            "seen": bool(self.names),
            "why_not": self.why_not,
            "driver_cuda": self.driver_cuda,
            "devices": list(self.names),
        }


def find_gpus(load: Callable[[str], Any] = ctypes.CDLL, devices: Path = Path("/dev")) -> Gpus:
    """Ask the driver which GPUs this process may use.

    Args:
        load: opens the driver's library; the tests give another.
        devices: where device files lie, to say whether a GPU was handed in without its driver.
    """
    try:
        driver = load(_LIBRARY)
    except OSError:
        handed_in = any(devices.glob("nvidia[0-9]*"))
        reason = (
            f"there are GPU devices, but no driver library ({_LIBRARY}): the engine must mount it "
            "(NVIDIA Container Toolkit)"
            if handed_in
            else f"no NVIDIA driver library ({_LIBRARY}) and no GPU device"
        )
        return Gpus(why_not=reason)
    code = driver.cuInit(0)
    if code:
        return Gpus(why_not=_reason(code), driver_cuda=_version(driver))
    count = ctypes.c_int()
    code = driver.cuDeviceGetCount(ctypes.byref(count))
    if code or not count.value:
        return Gpus(why_not=_reason(code or _NO_DEVICE), driver_cuda=_version(driver))
    return Gpus(tuple(_name(driver, index) for index in range(count.value)), _version(driver))


def require_gpus(wanted: str, found: Gpus) -> None:
    """Check that GPUs which were asked for are there.

    Args:
        wanted: ``all`` (at least one), or how many.
        found: what `find_gpus` says.

    Raises:
        EngineError: there are fewer.
    """
    number = 1 if wanted == "all" else gpu_count(wanted)
    if len(found.names) >= number:
        return
    asked = "GPUs were asked for" if wanted == "all" else f"{number} GPU(s) were asked for"
    have = f"{len(found.names)} are here" if found.names else f"none is here: {found.why_not}"
    raise EngineError(
        f"{asked}, and inside the container {have}",
        hint="Some engines ignore the request. On the host nvidia-smi must work, and the NVIDIA Container "
        "Toolkit must be set up for this engine.",
    )


def gpu_count(text: str) -> int:
    """Return the number in ``--gpus N``.

    Raises:
        UsageError: it is neither ``all`` nor a number above 0.
    """
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f"--gpus {text}: give all, or how many GPUs")
    return int(text)


def _version(driver: Any) -> str | None:
    number = ctypes.c_int()
    if driver.cuDriverGetVersion(ctypes.byref(number)) or not number.value:
        return None
    return f"{number.value // 1000}.{number.value % 1000 // 10}"


def _name(driver: Any, index: int) -> str:
    device = ctypes.c_int()
    text = ctypes.create_string_buffer(256)
    if driver.cuDeviceGet(ctypes.byref(device), index) or driver.cuDeviceGetName(text, len(text), device):
        return f"GPU {index}"
    return text.value.decode("utf-8", "replace")


def _reason(code: int) -> str:
    if code == _NO_DEVICE:
        return "the NVIDIA driver is here, and shows this process no GPU"
    if code == _OLD_DRIVER:
        return "the NVIDIA driver is older than this CUDA needs"
    return f"the NVIDIA driver does not start (CUDA error {code})"


def main(wanted: str) -> int:
    """Check for the entry point of the image: 0 where the GPUs are there, else 1 and one error."""
    try:
        require_gpus(wanted, find_gpus())
    except RepathError as error:
        print(f"error: {error.message}", file=sys.stderr)  # noqa: T201 - a program of its own
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
