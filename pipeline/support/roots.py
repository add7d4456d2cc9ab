"""Roots of the playbook: folders outside the workspace that environment variables name, and its own else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pipeline.contracts.settings import Settings
from pipeline.support.errors import WorkspaceError
from pipeline.support.workspace import Workspace, open_workspace

WORKSPACE = "REPATH_WORKSPACE"
ASSETS = "REPATH_MODEL_ASSETS_ROOT"
BENCHMARK = "REPATH_BENCHMARK_ROOT"
TRAINING = "REPATH_TRAINING_ARTIFACTS_ROOT"
KAGGLE = "KAGGLE_WASTE_DIR"

_MOVED: dict[str, tuple[str, ...]] = {
    ASSETS: ("assets", "taxonomy"),
    BENCHMARK: (
        "manifest", "resolved_manifest", "holdout_manifest", "curated", "coverage", "baseline_results",
        "candidate_results", "leakage", "comparison", "report",
    ),
    TRAINING: ("retraining_manifest", "bundles", "runs", "candidates"),
}  # fmt: skip
"""Which of ``[paths]`` lie under which root, by the last part of their path; ``assets`` is the root."""
_HOLDS = {
    ASSETS: "the taxonomy and the model that the app ships",
    BENCHMARK: "manifests, coverage, results and reports",
    TRAINING: "bundles, training runs and candidates",
    KAGGLE: "class folders of the Kaggle household-waste set",
}


@dataclass(frozen=True, slots=True)
class Root:
    """A folder, and what named it."""

    name: str
    """The environment variable that may name it."""
    holds: str
    folder: Path | None
    """None where nothing names one."""
    source: Literal["environment", "workspace", "not set"]


@dataclass(frozen=True, slots=True)
class RootedWorkspace:
    """A workspace whose ``[paths]`` lie under the roots."""

    workspace: Workspace
    roots: tuple[Root, ...]


def find_roots(environ: Mapping[str, str], *, directory: Path | None = None) -> RootedWorkspace:
    """Return the workspace with every path under its root: of the environment first, then of the workspace.

    Args:
        environ: the environment. A variable that is empty counts as not set; a relative folder is taken from
            the working directory.
        directory: the workspace; None takes ``REPATH_WORKSPACE``, else the nearest ``repath.toml``.

    Raises:
        WorkspaceError: there is no workspace although a root is not set, or a variable names no folder.
        InputError: ``repath.toml`` is not TOML.
        ContractError: a setting is unknown or has a value it may not have.
    """
    named = {name: _folder(name, environ.get(name, "")) for name in (*_MOVED, KAGGLE, WORKSPACE)}
    space = open_workspace(directory or named[WORKSPACE])
    missing = [name for name in _MOVED if named[name] is None]
    if missing and not space.configured:
        raise WorkspaceError(
            f"there is no workspace at or above {Path.cwd()}, and {', '.join(missing)} "
            f"{'are' if len(missing) > 1 else 'is'} not set",
            hint=f"Make one with: repath init DIR --sample; then start in it, or set {WORKSPACE} to it.",
        )
    paths = {
        key: str(
            folder if key == "assets" else folder / PurePosixPath(getattr(space.settings.paths, key)).name
        )
        for name, keys in _MOVED.items()
        if (folder := named[name]) is not None
        for key in keys
    }
    settings = space.settings.model_copy(update={"paths": space.settings.paths.model_copy(update=paths)})
    kaggle = named[KAGGLE]
    if kaggle is not None:
        settings = settings.model_copy(
            update={"kaggle": settings.kaggle.model_copy(update={"dir": str(kaggle)})}
        )
    rooted = Workspace(space.root, settings, configured=space.configured)
    return RootedWorkspace(rooted, tuple(_root(name, named[name], rooted) for name in _HOLDS))


def _folder(name: str, value: str) -> Path | None:
    if not value.strip():
        return None
    folder = Path(value.strip()).expanduser()
    if not folder.is_dir():
        raise WorkspaceError(
            f"{name} is {value!r}, which is no folder", hint=f"Make the folder, or unset {name}."
        )
    return folder.resolve()


def _root(name: str, named: Path | None, space: Workspace) -> Root:
    if named is not None:
        return Root(name, _HOLDS[name], named, "environment")
    own = _own(name, space.settings)
    if own is None:
        return Root(name, _HOLDS[name], None, "not set")
    return Root(name, _HOLDS[name], space.root / own, "workspace")


def _own(name: str, settings: Settings) -> str | None:
    """Return the workspace's own folder for a root, as ``[paths]`` has it."""
    if name == KAGGLE:
        return settings.kaggle.dir
    if name == ASSETS:
        return settings.paths.assets
    first = settings.paths.manifest if name == BENCHMARK else settings.paths.runs
    return PurePosixPath(first).parent.as_posix()
