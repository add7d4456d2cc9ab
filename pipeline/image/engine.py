"""The container engine: found where Docker and Podman leave their sockets, and asked what it is.

Everything is said to it through Docker's SDK; Podman answers the same API (`podman system service`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.support.errors import EngineError, RepathError

if TYPE_CHECKING:
    from docker import DockerClient

_ASK_S = 10
"""Seconds that an engine has to say that it is there."""
_ANSWER_S = 3600
"""Seconds that it may be silent while it works: a step of a build, an epoch of a training."""

Kind = Literal["docker", "podman"]


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that answers."""

    client: DockerClient
    address: str
    kind: Kind
    rootless: bool
    """Whether root in a container is the user who runs the engine."""


def candidates(environ: Mapping[str, str], *, uid: int, home: Path) -> list[tuple[str, str]]:
    """Return the addresses where an engine may listen, and why each is one; the first that answers is taken.

    An address that the user set is the only one: to ask another engine than that would be a surprise.
    """
    for variable in ("DOCKER_HOST", "CONTAINER_HOST"):
        if environ.get(variable):
            return [(environ[variable], variable)]
    context = _docker_context()
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    found = [
        *([context] if context else []),
        ("unix:///var/run/docker.sock", "Docker"),
        (f"unix://{runtime}/docker.sock", "rootless Docker"),
        (f"unix://{home}/.docker/run/docker.sock", "Docker Desktop"),
        *([("unix:///run/podman/podman.sock", "Podman")] if uid == 0 else []),
        (f"unix://{runtime}/podman/podman.sock", "rootless Podman"),
    ]
    return list({address: (address, why) for address, why in reversed(found)}.values())[::-1]


def _docker_context() -> tuple[str, str] | None:
    """Return the address of the context that `docker context use` chose."""
    from docker.context import ContextAPI
    from docker.errors import DockerException

    try:
        context = ContextAPI.get_current_context()
    except (DockerException, OSError, ValueError):
        return None  # unreadable: `docker context` tells more than we could
    if context is None or context.Name == "default" or not context.Host:
        return None
    return str(context.Host), f"docker context {context.Name}"


@contextlib.contextmanager
def open_engine(environ: Mapping[str, str] = os.environ) -> Iterator[Engine]:
    """Connect to the engine of this machine, and hang up at the end.

    Raises:
        EngineError: none answers; the message says what was tried, and what came of each.
    """
    tried = []
    for address, why in candidates(environ, uid=os.getuid(), home=Path.home()):
        try:
            engine = _connect(address, environ)
        except EngineError as error:
            tried.append(f"  {address} ({why}): {error.message}")
            continue
        try:
            yield engine
        finally:
            engine.client.close()
        return
    raise EngineError(
        "\n".join(["no container engine answers; tried:", *tried]),
        hint="Start Docker, or Podman's service (systemctl --user start podman.socket), or set DOCKER_HOST.",
    )


def _connect(address: str, environ: Mapping[str, str]) -> Engine:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    import docker

    if address.startswith("unix://") and not Path(address.removeprefix("unix://")).exists():
        raise EngineError("there is no such socket")
    try:
        settings = {**environ, "DOCKER_HOST": address}
        with contextlib.closing(docker.from_env(timeout=_ASK_S, environment=settings)) as asked:
            told: dict[str, Any] = asked.version()
            options = asked.info().get("SecurityOptions") or []
        client = docker.from_env(timeout=_ANSWER_S, environment=settings)
    except (DockerException, RequestException, OSError, ValueError) as error:
        raise EngineError(_short(error)) from None
    parts = [str(part.get("Name", "")) for part in told.get("Components") or []]
    kind: Kind = "podman" if any("podman" in part.lower() for part in parts) else "docker"
    return Engine(client, address, kind, rootless=any("rootless" in option for option in options))


@contextlib.contextmanager
def explained(what: str, *, hint: str | None = None) -> Iterator[None]:
    """Turn what the SDK raises into one error that says what was being done.

    Raises:
        EngineError: the engine refuses, breaks off, or cannot be reached any more.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except RepathError:
        raise
    except (DockerException, RequestException) as error:
        raise EngineError(f"{what}: {_short(error)}", hint=hint) from error


def _short(error: Exception) -> str:
    text = str(getattr(error, "explanation", None) or error)
    return " ".join(text.split())[:400] or type(error).__name__
