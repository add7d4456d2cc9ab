"""A command in a container: workspace mounted, user kept, output live, exit code passed, nothing left."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from pipeline.image.engine import Engine, explained
from pipeline.image.gpus import gpu_count
from pipeline.image.inspect import get_image
from pipeline.image.mounts import Mount
from pipeline.support.errors import EngineError

if TYPE_CHECKING:
    from docker.models.containers import Container

_GRACE_S = 20
"""Seconds that a command has to end after it was told to."""
_POLL_S = 0.2
PASSED = (
    "CI", "COLUMNS", "HTTPS_PROXY", "HTTP_PROXY", "KAGGLE_WASTE_DIR", "NO_COLOR", "NO_PROXY",
    "OMP_NUM_THREADS", "REPATH_COMMONS_API", "SOURCE_DATE_EPOCH", "https_proxy", "http_proxy", "no_proxy",
)  # fmt: skip
"""Variables of the caller that commands read, and that therefore go into the container."""
_OF_GITHUB = (
    "GH_TOKEN", "GITHUB_ACTIONS", "GITHUB_API_URL", "GITHUB_BASE_REF", "GITHUB_EVENT_NAME", "GITHUB_HEAD_REF",
    "GITHUB_REF", "GITHUB_REF_NAME", "GITHUB_REF_TYPE", "GITHUB_REPOSITORY", "GITHUB_RUN_ATTEMPT",
    "GITHUB_RUN_ID", "GITHUB_SERVER_URL", "GITHUB_SHA", "GITHUB_TOKEN", "GITHUB_WORKFLOW",
)  # fmt: skip
"""More of them, for the `github` commands alone: a token goes to nobody who has no use for it."""

Sink = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What runs in the container, and what it may see and use."""

    image: str
    command: tuple[str, ...]
    """Arguments of `repath`."""
    directory: Path
    """The working directory, inside one of the mounts."""
    mounts: tuple[Mount, ...]
    """The workspace first: files that are written get its owner where the caller is root."""
    gpus: str | None = None
    """``all``, or how many."""
    network: str | None = None
    shm_size: str = "2g"
    """Shared memory; PyTorch's data loaders hand pictures over in it."""
    environment: Mapping[str, str] = field(default_factory=dict)


def passed_on(environ: Mapping[str, str], command: Sequence[str]) -> dict[str, str]:
    """Return the variables of the caller's environment that this command is given."""
    names = PASSED + (_OF_GITHUB if command[:1] in (["github"], ("github",)) else ())
    return {name: environ[name] for name in names if name in environ}


def identity(engine: Engine, owner: os.stat_result, *, uid: int, gid: int) -> dict[str, str]:
    """Return the user of the container, so that what it writes belongs to the caller.

    Args:
        engine: in a rootless one users have other numbers inside than outside.
        owner: of the workspace: root works as whom it belongs to, so that no root's files are left there.
        uid: of the caller.
        gid: of the caller.
    """
    if engine.rootless:
        if engine.kind == "podman":
            return {"user": f"{uid}:{gid}", "userns_mode": "keep-id"}
        return {"user": "0:0"}
    if uid == 0:
        return {"user": f"{owner.st_uid}:{owner.st_gid}"}
    return {"user": f"{uid}:{gid}"}


def container_settings(engine: Engine, options: RunOptions, *, uid: int, gid: int) -> dict[str, Any]:
    """Return what the SDK creates: read-only but for the mounts and /tmp, and without privileges."""
    from docker import types

    settings: dict[str, Any] = {
        "image": options.image,
        "command": list(options.command),
        "working_dir": str(options.directory),
        "mounts": [
            types.Mount(str(each.target), str(each.source), type="bind", read_only=each.read_only)
            for each in options.mounts
        ],
        "environment": dict(options.environment),
        "read_only": True,
        # exec: compilers of kernels (Triton) load what they wrote there.
        "tmpfs": {"/tmp": "rw,exec,nosuid,nodev,mode=1777"},  # noqa: S108 - the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "shm_size": options.shm_size,
        **identity(engine, options.mounts[0].source.stat(), uid=uid, gid=gid),
    }
    if options.network is not None:
        settings["network_mode"] = options.network
    if options.gpus is not None:
        count = -1 if options.gpus == "all" else gpu_count(options.gpus)
        settings["device_requests"] = [types.DeviceRequest(count=count, capabilities=[["gpu"]])]
        # The entry point looks whether they are there before anything else is done.
        settings["environment"]["REPATH_GPUS"] = options.gpus
    return settings


def run_in_image(engine: Engine, options: RunOptions, *, out: Sink, err: Sink) -> int:
    """Run a command in a container that is removed at its end, however that comes, and return its exit code.

    Ctrl-C and SIGTERM are passed on to the command, which has `_GRACE_S` to end; a second one kills it.

    Args:
        engine: runs it.
        options: what.
        out: takes what the command writes to stdout, as it comes.
        err: takes what it writes to stderr.

    Raises:
        EngineError: there is no such image, the engine refuses, or it is lost.
        UsageError: ``gpus`` is neither ``all`` nor a number.
    """
    settings = container_settings(engine, options, uid=os.getuid(), gid=os.getgid())
    get_image(engine, options.image)
    # From before the container is there until it is gone: no signal may come between the two.
    with _signals() as caught:
        with explained(f"{options.image} cannot be run"):
            container = engine.client.containers.create(**settings)
        try:
            with explained(f"{options.image} cannot be run"):
                return _watched(container, caught, out, err)
        finally:
            with explained(f"the container {container.name} cannot be removed"):
                container.remove(force=True, v=True)


def _watched(container: Container, caught: Sequence[signal.Signals], out: Sink, err: Sink) -> int:
    stream = container.attach(stdout=True, stderr=True, stream=True, logs=True, demux=True)
    failed: list[Exception] = []
    copying = threading.Thread(target=_copy, args=(stream, out, err, failed), daemon=True)
    copying.start()
    container.start()
    ended = threading.Event()
    code: list[int] = []
    threading.Thread(target=_wait, args=(container, code, ended), daemon=True).start()
    told, give_up_at = 0, math.inf
    while not ended.wait(_POLL_S):
        if len(caught) > told:
            _pass_on(container, caught[-1] if told == 0 else signal.SIGKILL)
            give_up_at = time.monotonic() + _GRACE_S
            told = len(caught)
        if time.monotonic() > give_up_at:
            _pass_on(container, signal.SIGKILL)
            give_up_at = math.inf
    copying.join(_GRACE_S)
    if failed:
        raise failed[0]
    if not code:
        raise EngineError(f"the engine lost the container {container.name} before it ended")
    return code[0]


def _wait(container: Container, code: list[int], ended: threading.Event) -> None:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    with contextlib.suppress(DockerException, RequestException):  # told by the missing code
        code.append(int(container.wait()["StatusCode"]))
    ended.set()


def _copy(
    stream: Iterator[tuple[bytes | None, bytes | None]], out: Sink, err: Sink, failed: list[Exception]
) -> None:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        for stdout, stderr in stream:
            if stdout:
                out(stdout)
            if stderr:
                err(stderr)
    except (DockerException, OSError, RequestException) as error:
        failed.append(error)  # the reader went away (`| head`), or the engine did; the command goes on


@contextlib.contextmanager
def _signals() -> Iterator[list[signal.Signals]]:
    """Collect Ctrl-C and SIGTERM instead of acting on them; only the main thread may."""
    caught: list[signal.Signals] = []

    def note(number: int, _frame: FrameType | None) -> None:
        caught.append(signal.Signals(number))

    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pass_on(container: Container, number: signal.Signals) -> None:
    from docker.errors import APIError

    with contextlib.suppress(APIError):  # it has ended meanwhile
        container.kill(number.name)
