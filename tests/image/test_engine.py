"""The engine: where it is looked for, what is said where none answers, and what it is taken for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pipeline.image import engine as module
from pipeline.image.engine import candidates, open_engine
from pipeline.support.errors import EngineError


@pytest.fixture(autouse=True)
def _no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_docker_context", lambda: None)


def test_an_engine_that_the_user_named_is_the_only_one(tmp_path: Path) -> None:
    for variable in ("DOCKER_HOST", "CONTAINER_HOST"):
        found = candidates({variable: "tcp://there:1"}, uid=0, home=tmp_path)
        assert found == [("tcp://there:1", variable)]


def test_sockets_of_docker_and_podman_are_looked_for_in_this_order(tmp_path: Path) -> None:
    found = candidates({"XDG_RUNTIME_DIR": "/run/user/7"}, uid=7, home=tmp_path)
    assert [why for _, why in found] == ["Docker", "rootless Docker", "Docker Desktop", "rootless Podman"]
    assert ("unix:///run/user/7/podman/podman.sock", "rootless Podman") in found
    assert "Podman" in [why for _, why in candidates({}, uid=0, home=tmp_path)]


def test_the_context_that_docker_uses_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_docker_context", lambda: ("tcp://far:2", "docker context far"))
    assert candidates({}, uid=7, home=tmp_path)[0] == ("tcp://far:2", "docker context far")


def test_where_none_answers_all_that_was_tried_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module,
        "candidates",
        lambda environ, uid, home: [(f"unix://{tmp_path}/a", "Docker"), ("tcp://127.0.0.1:1", "b")],
    )
    with pytest.raises(EngineError) as told, open_engine({}):
        pass
    lines = told.value.message.splitlines()
    assert lines[0] == "no container engine answers; tried:"
    assert lines[1] == f"  unix://{tmp_path}/a (Docker): there is no such socket"
    assert lines[2].startswith("  tcp://127.0.0.1:1 (b): ")
    assert "refused" in lines[2]
    assert "DOCKER_HOST" in str(told.value.hint)


@pytest.mark.parametrize(
    "value", ["nonsense", "unix:///nowhere.sock", "tcp://127.0.0.1:1", "ftp://x", "http://["]
)
@pytest.mark.parametrize("command", ["inspect", "run -- run", "build"])
def test_every_command_ends_with_one_error_without_an_engine(
    value: str, command: str, repath: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", value)
    ran = repath("image", *command.split())
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("error: no container engine answers; tried:")
    assert "Traceback" not in ran.err


class _Answers(BaseHTTPRequestHandler):
    version: ClassVar[dict[str, Any]] = {}
    info: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        told = self.info if self.path.endswith("/info") else self.version
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"tcp://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("components", "options", "kind", "rootless"),
    [
        (["Engine", "containerd"], ["name=seccomp,profile=builtin"], "docker", False),
        (["Engine"], ["name=rootless"], "docker", True),
        (["Podman Engine", "Conmon"], ["name=seccomp"], "podman", False),
        (["Podman Engine"], ["name=rootless"], "podman", True),
    ],
)
def test_docker_and_podman_and_rootless_are_told_apart(
    answering: str, components: list[str], options: list[str], kind: str, rootless: bool
) -> None:
    _Answers.version = {"ApiVersion": "1.41", "Components": [{"Name": name} for name in components]}
    _Answers.info = {"SecurityOptions": options}
    with open_engine({"DOCKER_HOST": answering}) as found:
        assert (found.kind, found.rootless) == (kind, rootless)


def test_a_server_that_is_no_engine_is_one_error(answering: str) -> None:
    _Answers.version, _Answers.info = {"hello": 1}, {}
    with (
        pytest.raises(EngineError, match="no container engine answers"),
        open_engine({"DOCKER_HOST": answering}),
    ):
        pass
