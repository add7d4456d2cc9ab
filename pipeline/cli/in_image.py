"""`repath --in-image` and `[image] use = true`: the same command line, run inside the image."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pipeline import __version__
from pipeline.cli.common import note
from pipeline.support.errors import RepathError, UsageError
from pipeline.support.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from pipeline.image.run import RunOptions

_STAYS = frozenset({"image"})
"""The group that deals with the engine of this machine."""


def wants_image(command: Sequence[str], asked: bool | None) -> bool:
    """Tell whether a command line is to run in the image.

    Args:
        command: the command and its arguments.
        asked: what ``--in-image`` or ``--no-in-image`` says; None: what the workspace says.

    Raises:
        UsageError: ``--in-image`` with a command that cannot.
    """
    if os.environ.get("REPATH_IN_IMAGE") or asked is False or not command:
        return False
    if command[0] in _STAYS:
        if asked:
            raise UsageError(
                f"--in-image: repath {command[0]} deals with the container engine of this machine"
            )
        return False
    if asked:
        return True
    if {"--help", "-h"} & set(command):
        return False
    try:
        space = _workspace_of(command)
    except RepathError:
        return False  # the command itself says what is wrong with repath.toml, if it reads it
    return space.configured and space.settings.image.use


def forward(command: Sequence[str]) -> int:
    """Run a command line in the image and return its exit code.

    Raises:
        UsageError: an argument names a file that the container would not see.
        EngineError: no engine answers, there is no image, or the engine refuses.
    """
    return run_and_show(run_options(command))


def run_options(command: Sequence[str]) -> RunOptions:
    """Return how a command line runs in the image: in this folder, with the workspace at its own path.

    Raises:
        UsageError: an argument names a file that the container would not see, or this folder cannot be
            mounted.
    """
    from pipeline.image.mounts import mounts_of, require_shown
    from pipeline.image.run import RunOptions

    space = _workspace_of(command)
    wanted = space.settings.image
    mounts = mounts_of(space.root, Path.cwd(), wanted.mounts)
    require_shown(mounts, command)
    return RunOptions(
        image=wanted.name,
        command=tuple(command),
        directory=Path.cwd(),
        mounts=mounts,
        gpus=wanted.gpus,
        network=wanted.network,
        shm_size=wanted.shm_size,
        environment=container_environment(command),
    )


def container_environment(command: Sequence[str]) -> dict[str, str]:
    """Return the variables that the container gets: those that commands read, and the terminal's width."""
    from pipeline.image.run import passed_on

    width = {"COLUMNS": str(shutil.get_terminal_size().columns)} if sys.stderr.isatty() else {}
    return {**width, **passed_on(os.environ, command)}


def _workspace_of(command: Sequence[str]) -> Workspace:
    """Return the workspace that a command line means: ``--workspace``, else the nearest one."""
    for index, argument in enumerate(command):
        name, given, value = argument.partition("=")
        if name != "--workspace":
            continue
        if not given:
            value = command[index + 1] if index + 1 < len(command) else ""
        if value:
            return open_workspace(Path(value))
    return open_workspace()


def run_and_show(options: RunOptions) -> int:
    """Run in the image, with the container's output as ours, and return its exit code.

    Raises:
        EngineError: no engine answers, there is no image, or the engine refuses.
    """
    from pipeline.image.engine import open_engine
    from pipeline.image.inspect import get_image
    from pipeline.image.run import run_in_image

    with open_engine() as engine:
        theirs = get_image(engine, options.image).labels.get("org.opencontainers.image.version")
        if theirs not in {None, "unknown", __version__}:
            note(f"{options.image} holds repath {theirs}, and this is {__version__}: they may differ")
        return run_in_image(engine, options, out=_writer(sys.stdout), err=_writer(sys.stderr))


def _writer(stream: TextIO) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        stream.buffer.write(data)
        stream.flush()

    return write
