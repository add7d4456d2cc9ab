"""The workspace: a folder with a ``repath.toml``, and the defaults that stand in it."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from pipeline.contracts.base import faults_of
from pipeline.contracts.settings import Settings
from pipeline.support.documents import read_text
from pipeline.support.errors import ContractError, Fault, InputError, WorkspaceError
from pipeline.support.sources import SETTINGS_FILE, workspace_of


@dataclass(frozen=True, slots=True)
class Workspace:
    """A root and its settings; without a ``repath.toml`` the working directory and the defaults."""

    root: Path
    settings: Settings = field(default_factory=Settings)
    configured: bool = False
    """Whether a ``repath.toml`` was read."""

    def path(self, key: str) -> Path:
        """Return the path that ``[paths]`` gives for ``key``, inside the workspace."""
        relative: str = getattr(self.settings.paths, key)
        return self.root / relative


def open_workspace(directory: Path | None = None) -> Workspace:
    """Open the workspace at ``directory``, or the nearest one at or above the working directory.

    Raises:
        WorkspaceError: ``directory`` was given and holds no ``repath.toml``.
        InputError: ``repath.toml`` is not TOML.
        ContractError: a setting is unknown or has a value it may not have.
    """
    if directory is not None:
        root = directory.resolve()
        if not (root / SETTINGS_FILE).is_file():
            hint = f"Make a workspace with: repath init {directory}"
            raise WorkspaceError(f"{directory} holds no {SETTINGS_FILE}", hint=hint)
        return Workspace(root, read_settings(root / SETTINGS_FILE), configured=True)
    found = workspace_of(Path.cwd())
    if found is None:
        return Workspace(Path.cwd())
    return Workspace(found, read_settings(found / SETTINGS_FILE), configured=True)


def read_settings(path: Path) -> Settings:
    """Read ``repath.toml``.

    Raises:
        InputError: it is missing or not TOML.
        ContractError: a setting is unknown (the nearest known one is named) or has a wrong value.
    """
    try:
        data = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        faults = []
        for fault, item in zip(faults_of(error, data), error.errors(include_url=False), strict=True):
            problem = fault.problem
            if item["type"] == "extra_forbidden":
                problem = f"there is no such setting{_nearest(item['loc'])}"
            faults.append(Fault(fault.where, problem))
        raise ContractError(str(path), faults) from None


def _nearest(loc: tuple[int | str, ...]) -> str:
    table: object = Settings
    for step in loc[:-1]:
        fields = getattr(table, "model_fields", {})
        table = fields[step].annotation if step in fields else None
    near = difflib.get_close_matches(str(loc[-1]), list(getattr(table, "model_fields", {})), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
