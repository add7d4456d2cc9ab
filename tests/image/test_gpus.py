"""GPUs are asked of the driver: found, none, no driver, a driver that does not start."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.image.gpus import Gpus, find_gpus, gpu_count, main, require_gpus
from pipeline.support.errors import EngineError, UsageError


class Driver:
    """Answers as libcuda does: results through pointers, a code as the return value."""

    def __init__(self, names: tuple[str, ...] = (), *, code: int = 0, cuda: int = 13000) -> None:
        self.names, self.code, self.cuda = names, code, cuda

    def cuInit(self, flags: int) -> int:
        return self.code

    def cuDriverGetVersion(self, out: Any) -> int:
        out._obj.value = self.cuda
        return 0

    def cuDeviceGetCount(self, out: Any) -> int:
        out._obj.value = len(self.names)
        return 0

    def cuDeviceGet(self, out: Any, index: int) -> int:
        out._obj.value = index
        return 0

    def cuDeviceGetName(self, text: Any, size: int, device: ctypes.c_int) -> int:
        text.value = self.names[device.value].encode()
        return 0


def _loads(driver: Driver) -> Callable[[str], Any]:
    return lambda name: driver


def _no_driver(name: str) -> Any:
    raise OSError(f"{name}: cannot open shared object file")


def test_gpus_are_told_by_name_with_the_drivers_cuda() -> None:
    found = find_gpus(_loads(Driver(("NVIDIA L4", "NVIDIA T4"))))
    assert found == Gpus(("NVIDIA L4", "NVIDIA T4"), "13.0")
    assert found.to_data() == {
        "seen": True,
        "why_not": None,
        "driver_cuda": "13.0",
        "devices": ["NVIDIA L4", "NVIDIA T4"],
    }


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        (Driver(), "shows this process no GPU"),
        (Driver(code=100), "shows this process no GPU"),
        (Driver(code=35), "older than this CUDA needs"),
        (Driver(code=999), "CUDA error 999"),
    ],
)
def test_a_driver_without_a_gpu_says_why(driver: Driver, reason: str) -> None:
    found = find_gpus(_loads(driver))
    assert not found.names
    assert reason in str(found.why_not)


def test_a_device_without_its_driver_is_told_from_no_device(tmp_path: Path) -> None:
    assert "no GPU device" in str(find_gpus(_no_driver, tmp_path).why_not)
    (tmp_path / "nvidia0").touch()
    assert "must mount it" in str(find_gpus(_no_driver, tmp_path).why_not)


@pytest.mark.parametrize(("wanted", "names"), [("all", ("a",)), ("1", ("a", "b")), ("2", ("a", "b"))])
def test_gpus_that_were_asked_for_and_are_there_are_well(wanted: str, names: tuple[str, ...]) -> None:
    require_gpus(wanted, Gpus(names))


@pytest.mark.parametrize(
    ("wanted", "names", "told"),
    [("all", (), "none is here"), ("1", (), "none is here"), ("2", ("a",), "1 are here")],
)
def test_gpus_that_were_asked_for_and_are_not_there_are_an_error(
    wanted: str, names: tuple[str, ...], told: str
) -> None:
    with pytest.raises(EngineError, match=told):
        require_gpus(wanted, Gpus(names, why_not="the request was ignored"))


@pytest.mark.parametrize("text", ["0", "-1", "two", "", "1.5", "all,1", "١"])
def test_what_is_no_number_of_gpus_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        gpu_count(text)


def test_the_entry_points_check_ends_with_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    code = main("64")
    told = capsys.readouterr()
    assert code == 1
    assert told.err.startswith("error: 64 GPU(s) were asked for")
    assert told.out == ""
