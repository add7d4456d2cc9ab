"""What of the host a container sees: folders at their own paths, so that every path means the same inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.support.errors import InputError, UsageError

_WHOLE = frozenset({"/", "/home", "/mnt", "/opt", "/root", "/run", "/tmp", "/var"})  # noqa: S108 - names only
"""Folders that hold too much, or that the image has uses for; what lies in them may be mounted."""
_OF_THE_IMAGE = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/opt/venv",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the host, and where it stands in the container."""

    source: Path
    target: Path
    read_only: bool = False


def mount(folder: Path, *, read_only: bool = False) -> list[Mount]:
    """Return the mounts that show a folder at its own path, and at the path that its links lead to.

    Raises:
        InputError: it is no folder.
        UsageError: it cannot be mounted without hiding what the image needs, or showing the whole machine.
    """
    real = folder.resolve()
    if not real.is_dir():
        raise InputError(f"{folder} is not a folder, and cannot be mounted")
    if str(real) in _WHOLE or any(real.is_relative_to(each) for each in _OF_THE_IMAGE):
        raise UsageError(
            f"{real} cannot be mounted into a container",
            hint="Stand in the workspace, or name it with --workspace.",
        )
    return [Mount(real, target, read_only) for target in dict.fromkeys((real, folder.absolute()))]


def mounts_of(workspace: Path, directory: Path, further: Iterable[str]) -> tuple[Mount, ...]:
    """Return all mounts of a run: the workspace, the working directory, and what was named besides.

    Args:
        workspace: mounted for writing.
        directory: the working directory; mounted, too, where it lies outside of the workspace.
        further: folders for reading, or with ``:rw`` at their end for writing.

    Raises:
        InputError, UsageError: as for `mount`.
    """
    wanted = mount(workspace)
    if not shows(wanted, directory):
        wanted += mount(directory)
    for text in further:
        path = Path(text.removesuffix(":rw").removesuffix(":ro")).expanduser()
        wanted += mount(path if path.is_absolute() else workspace / path, read_only=not text.endswith(":rw"))
    return tuple({each.target: each for each in reversed(wanted)}.values())[::-1]


def shows(mounts: Sequence[Mount], path: Path) -> bool:
    """Tell whether a path of the host means the same inside."""
    return any(path.absolute().is_relative_to(each.target) for each in mounts)


def require_shown(mounts: Sequence[Mount], arguments: Sequence[str]) -> None:
    """Check that every path among a command's arguments can be seen in the container.

    Raises:
        UsageError: one is there on the host and would not be inside.
    """
    for argument in arguments:
        value = argument.partition("=")[2] if argument.startswith("--") else argument
        if not value or "\n" in value or len(value) > 4096:
            continue
        path = Path(value)
        real = path.resolve()
        if path.exists() and not any(real.is_relative_to(each.source) for each in mounts):
            raise UsageError(
                f"{value} lies outside of what the container sees",
                hint=f'Add its folder to the [image] table of repath.toml: mounts = ["{real.parent}"]',
            )
