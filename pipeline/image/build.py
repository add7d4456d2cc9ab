"""The image is built, and pushed where that is asked for; the log goes on as it comes."""

from __future__ import annotations

import re
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pipeline import __version__
from pipeline.image.context import DOCKERFILE, pack_context
from pipeline.image.engine import Engine, explained
from pipeline.support import clock
from pipeline.support.errors import BuildError, EngineError

Variant = Literal["cuda", "cpu"]

CPU_BASE = (
    "docker.io/library/debian:bookworm-slim"
    "@sha256:96e378d7e6531ac9a15ad505478fcc2e69f371b10f5cdf87857c4b8188404716"
)
"""The base without CUDA: Debian 12, whose Python is the one that the tests run on."""
_STEP = re.compile(r"^(?:\[\d+/\d+\] )?STEP \d+/\d+ ?:|^Step \d+/\d+ ?:", re.IGNORECASE)
"""How Podman (``[3/6] STEP 2/3: RUN …``) and Docker (``Step 2/30 : RUN …``) begin a step."""
_TAIL = 15
"""Lines of a failing step that go into the error."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What is built."""

    tag: str
    variant: Variant = "cuda"
    base_image: str | None = None
    """None: what the Dockerfile names for CUDA, `CPU_BASE` for CPUs."""
    network: str | None = None
    use_cache: bool = True


def build_image(
    engine: Engine, context: Path, options: BuildOptions, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Build the image and return what came out, as `describe` gives it.

    Args:
        engine: builds.
        context: the checkout.
        options: what.
        tell: takes the log, a line at a time, as it comes.

    Raises:
        BuildError: a step fails; the message names it and ends with what it said last.
        EngineError: the engine refuses or cannot be reached.
        InputError: the context cannot be read.
    """
    # The builder behind Docker's API does not know cache mounts; that behind Podman's does.
    packed = pack_context(context, cache_mounts=engine.kind == "podman")
    log = _Log(tell)
    with explained(f"{options.tag} cannot be built"):
        for event in engine.client.api.build(
            fileobj=packed,
            custom_context=True,
            dockerfile=DOCKERFILE,
            tag=options.tag,
            buildargs=build_arguments(context, options),
            network_mode=options.network,
            nocache=not options.use_cache,
            rm=True,
            forcerm=True,
            decode=True,
        ):
            log.take(event)
    log.end()
    return {"tag": options.tag, "variant": options.variant, **describe(engine, options.tag)}


def build_arguments(context: Path, options: BuildOptions) -> dict[str, str]:
    """Return the arguments of Dockerfile.gpu: what is built, from which revision, at what time."""
    base = options.base_image or (CPU_BASE if options.variant == "cpu" else None)
    revision, committed = _revision(context)
    moment = clock.fixed() or committed
    return {
        **({"BASE_IMAGE": base} if base else {}),
        "VARIANT": options.variant,
        "VERSION": __version__,
        "REVISION": revision,
        # The same revision is the same image: its time is that of the commit, unless one is fixed.
        **(
            {
                "CREATED": clock.timestamp(datetime.fromtimestamp(moment, UTC)),
                "SOURCE_DATE_EPOCH": str(moment),
            }
            if moment
            else {}
        ),
    }


def describe(engine: Engine, tag: str) -> dict[str, Any]:
    """Return id, size, base and registry digest of an image."""
    with explained(f"{tag} cannot be inspected"):
        image = engine.client.images.get(tag)
    return {
        "image_id": image.id,
        "digest": next(iter(image.attrs.get("RepoDigests") or []), None),
        "base_image": image.labels.get("org.opencontainers.image.base.name"),
        "revision": image.labels.get("org.opencontainers.image.revision"),
        "bytes": image.attrs.get("Size"),
    }


def push_image(engine: Engine, tag: str, tell: Callable[[str], None]) -> str | None:
    """Push the image and return its digest as the registry has it, ``name@sha256:…``.

    Raises:
        EngineError: the registry refuses, or the engine does.
    """
    with explained(
        f"{tag} cannot be pushed", hint="Log in to the registry first: docker login, podman login."
    ):
        digest = None
        for event in engine.client.api.push(tag, stream=True, decode=True):
            if event.get("error"):
                raise EngineError(
                    f"{tag} cannot be pushed: {' '.join(str(event['error']).split())[:400]}",
                    hint="Log in to the registry first: docker login, podman login.",
                )
            digest = (event.get("aux") or {}).get("Digest") or digest
            if event.get("status") and not event.get("progressDetail"):
                tell(str(event["status"]))
    name = _without_tag(tag)
    if digest:
        return f"{name}@{digest}"
    listed: list[str] = engine.client.images.get(tag).attrs.get("RepoDigests") or []
    return next((each for each in listed if each.startswith(f"{name}@")), None)


def _without_tag(reference: str) -> str:
    head, slash, last = reference.rpartition("/")
    return f"{head}{slash}{last.split(':')[0].split('@')[0]}"


def _revision(context: Path) -> tuple[str, int | None]:
    """Return the commit that is built and its time; ``-dirty`` where files differ from it."""
    try:
        head = _git(context, "log", "-1", "--format=%H %ct").split()
        dirty = bool(_git(context, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return "unknown", None  # no git, or no repository: an unpacked archive builds too
    if len(head) != 2:
        return "unknown", None
    return head[0] + ("-dirty" if dirty else ""), int(head[1])


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603
        ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


class _Log:
    """The events of a build: lines are passed on, and the step that fails is known."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.step: str | None = None
        self.last: deque[str] = deque(maxlen=_TAIL)
        self.open = ""

    def take(self, event: Mapping[str, Any]) -> None:
        for line in self._lines(str(event.get("stream") or "")):
            self._line(line)
        if event.get("error"):
            self.end()
            reason = " ".join(str(event["error"]).split())[:400]
            where = f"at {self.step}" if self.step else "before its first step"
            raise BuildError(
                "\n".join([f"the build failed {where}", *(f"  {line}" for line in self.last), f"  {reason}"])
            )

    def end(self) -> None:
        if self.open:
            self._line(self.open)
            self.open = ""

    def _lines(self, text: str) -> Iterator[str]:
        *whole, self.open = (self.open + text).split("\n")
        yield from whole

    def _line(self, line: str) -> None:
        line = line.rstrip()
        if not line:
            return
        if _STEP.match(line):
            self.step = line
            self.last.clear()
        else:
            self.last.append(line)
        self.tell(line)
