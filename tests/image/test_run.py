"""Running: who the container is, what it may do, and what it is told."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.image.engine import Engine
from pipeline.image.mounts import mounts_of
from pipeline.image.run import RunOptions, container_settings, identity, passed_on, run_in_image
from pipeline.support.errors import EngineError, UsageError


def _engine(client: Any = None, *, kind: Any = "docker", rootless: bool = False) -> Engine:
    return Engine(client, "unix:///here", kind, rootless=rootless)


def _options(space: Path, **more: Any) -> RunOptions:
    return RunOptions("image", ("run",), space, mounts_of(space, space, ()), **more)


@pytest.mark.parametrize(
    ("kind", "rootless", "uid", "expected"),
    [
        ("docker", False, 7, {"user": "7:8"}),
        ("podman", False, 7, {"user": "7:8"}),
        # In a rootless engine the caller is root inside, or keeps the number where the engine can map it.
        ("docker", True, 7, {"user": "0:0"}),
        ("podman", True, 7, {"user": "7:8", "userns_mode": "keep-id"}),
        # Root leaves no files of root's in a workspace that belongs to someone.
        ("docker", False, 0, None),
    ],
)
def test_what_is_written_belongs_to_the_caller(
    kind: str, rootless: bool, uid: int, expected: dict[str, str] | None, tmp_path: Path
) -> None:
    owner = tmp_path.stat()
    who = identity(_engine(kind=kind, rootless=rootless), owner, uid=uid, gid=8)
    assert who == (expected or {"user": f"{owner.st_uid}:{owner.st_gid}"})


def test_the_container_may_write_the_workspace_and_tmp_alone(tmp_path: Path) -> None:
    settings = container_settings(_engine(), _options(tmp_path), uid=7, gid=8)
    assert settings["read_only"]
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges"]
    assert list(settings["tmpfs"]) == ["/tmp"]
    assert [(m["Source"], m["Target"], m["ReadOnly"]) for m in settings["mounts"]] == [
        (str(tmp_path), str(tmp_path), False)
    ]
    assert settings["working_dir"] == str(tmp_path)
    assert "device_requests" not in settings
    assert "network_mode" not in settings


@pytest.mark.parametrize(("gpus", "count"), [("all", -1), ("2", 2)])
def test_gpus_are_asked_for_and_the_entry_point_is_told_to_check(
    gpus: str, count: int, tmp_path: Path
) -> None:
    settings = container_settings(_engine(), _options(tmp_path, gpus=gpus), uid=7, gid=8)
    (request,) = settings["device_requests"]
    assert (request["Count"], request["Capabilities"]) == (count, [["gpu"]])
    assert settings["environment"]["REPATH_GPUS"] == gpus


def test_a_wrong_number_of_gpus_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--gpus none"):
        container_settings(_engine(), _options(tmp_path, gpus="none"), uid=7, gid=8)


def test_a_token_goes_to_the_github_commands_alone() -> None:
    caller = {
        "GITHUB_TOKEN": "secret",
        "GH_TOKEN": "secret",
        "SOURCE_DATE_EPOCH": "1",
        "CI": "true",
        "HOME": "/root",
    }
    assert passed_on(caller, ["run"]) == {"SOURCE_DATE_EPOCH": "1", "CI": "true"}
    assert passed_on(caller, ["github", "context"]) == {
        name: value for name, value in caller.items() if name != "HOME"
    }


class Container:
    """A container that runs until it is killed, as the SDK shows it."""

    name = "c"

    def __init__(self, *, code: int | None = None, deaf: bool = False) -> None:
        self.told: list[str] = []
        self.ended = threading.Event()
        self.code = code
        self.deaf = deaf
        self.removed = False

    def attach(self, **_: Any) -> Any:
        yield b"out\n", None
        yield None, b"err\n"
        self.ended.wait(30)
        yield b"last", None

    def start(self) -> None:
        if self.code is not None:
            self.ended.set()

    def wait(self) -> dict[str, int]:
        self.ended.wait(30)
        return {"StatusCode": self.code or 0}

    def kill(self, name: str) -> None:
        self.told.append(name)
        if not self.deaf or name == "SIGKILL":
            self.code = 137 if name == "SIGKILL" else 130
            self.ended.set()

    def remove(self, **_: Any) -> None:
        self.removed = True


def _run(container: Container, space: Path) -> tuple[int, bytes, bytes]:
    client = SimpleNamespace(
        containers=SimpleNamespace(create=lambda **_: container),
        images=SimpleNamespace(get=lambda name: None),
    )
    out, err = bytearray(), bytearray()
    code = run_in_image(_engine(client), _options(space), out=out.extend, err=err.extend)
    return code, bytes(out), bytes(err)


def test_output_and_exit_code_are_passed_on_and_nothing_is_left(tmp_path: Path) -> None:
    container = Container(code=3)
    assert _run(container, tmp_path) == (3, b"out\nlast", b"err\n")
    assert container.removed


def test_a_reader_that_goes_away_is_told_when_the_command_has_ended(tmp_path: Path) -> None:
    container = Container(code=0)
    client = SimpleNamespace(
        containers=SimpleNamespace(create=lambda **_: container),
        images=SimpleNamespace(get=lambda name: None),
    )

    def gone(data: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_in_image(_engine(client), _options(tmp_path), out=gone, err=lambda data: None)
    assert container.removed


def _interrupt_after(*seconds: float) -> None:
    for each in seconds:
        threading.Timer(each, os.kill, (os.getpid(), signal.SIGINT)).start()


def test_ctrl_c_reaches_the_command_and_the_container_goes(tmp_path: Path) -> None:
    container = Container()
    _interrupt_after(0.5)
    assert _run(container, tmp_path)[0] == 130
    assert container.told == ["SIGINT"]
    assert container.removed


def test_a_second_ctrl_c_ends_what_does_not_listen(tmp_path: Path) -> None:
    container = Container(deaf=True)
    _interrupt_after(0.5, 1.2)
    assert _run(container, tmp_path)[0] == 137
    assert container.told == ["SIGINT", "SIGKILL"]
    assert container.removed


def test_what_does_not_end_in_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.image.run._GRACE_S", 0.5)
    container = Container(deaf=True)
    _interrupt_after(0.3)
    assert _run(container, tmp_path)[0] == 137
    assert container.removed


def test_a_container_that_cannot_start_is_removed_all_the_same(tmp_path: Path) -> None:
    from docker.errors import APIError

    container = Container()

    def refuse() -> None:
        raise APIError("no", explanation="no such runtime")

    container.start = refuse  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="image cannot be run: no such runtime"):
        _run(container, tmp_path)
    container.ended.set()
    assert container.removed


def test_an_image_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    from docker.errors import ImageNotFound

    def get(name: str) -> None:
        raise ImageNotFound("no")

    client = SimpleNamespace(images=SimpleNamespace(get=get))
    with pytest.raises(EngineError, match="docker has no image 'image'") as told:
        run_in_image(_engine(client), _options(tmp_path), out=lambda _: None, err=lambda _: None)
    assert "repath image build" in str(told.value.hint)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--env", "=x", "--", "run"], "--env =x"),
        (["--env", "REPATH_NOT_SET", "--", "run"], "it is not set here"),
        (["--workspace", "nowhere", "--", "run"], "no such folder"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], told: str, repath: Callable[..., Any]) -> None:
    ran = repath("image", "run", *arguments)
    assert ran.code == 2
    assert told in ran.err
