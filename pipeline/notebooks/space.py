"""A workspace in a notebook: its roots, its stages, and what they left."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from pipeline.contracts.settings import Settings
from pipeline.lifecycle.engine import Run, Stage, run_stages
from pipeline.lifecycle.stages import STAGES
from pipeline.notebooks.display import show_tables_well
from pipeline.support.documents import read_json
from pipeline.support.roots import Root, find_roots

if TYPE_CHECKING:
    from pipeline.training.epochs import Epoch

C = TypeVar("C", bound=BaseModel)


class _Printed:
    """Prints a line for each stage under the cell, and one for all that were up to date."""

    def __init__(self, told: set[str]) -> None:
        self._told = told
        self._skipped: list[str] = []

    def started(self, stage: Stage, number: int, total: int) -> None:
        self.flush()
        if stage.slow:
            self._line(stage, number, total, f"{stage.title} …")

    def skipped(self, stage: Stage, number: int, total: int, line: str) -> None:
        if stage.name not in self._told:
            self._skipped.append(stage.name)

    def finished(self, stage: Stage, number: int, total: int, line: str, seconds: float) -> None:
        self._line(stage, number, total, f"done in {seconds:.1f} s  {line}")

    def flush(self) -> None:
        """Tell of the stages that were up to date, unless a cell told of them before."""
        if self._skipped:
            first, last = self._skipped[0], self._skipped[-1]
            names = first if first == last else f"{first} … {last}"
            sys.stdout.write(f"up to date: {names}\n")
            self._told.update(self._skipped)
            self._skipped = []

    def _line(self, stage: Stage, number: int, total: int, text: str) -> None:
        sys.stdout.write(f"[{number:>2}/{total}] {stage.name:<12} {text}\n")
        self._told.add(stage.name)


@dataclass(slots=True)
class Space:
    """A workspace that a notebook works on."""

    run: Run
    roots: tuple[Root, ...]
    _told: set[str] = field(default_factory=set)

    @property
    def root(self) -> Path:
        """The folder that holds ``repath.toml``."""
        return self.run.workspace.root

    @property
    def settings(self) -> Settings:
        """What ``repath.toml`` says, with every path under its root."""
        return self.run.settings

    def path(self, key: str) -> Path:
        """Return a path of ``[paths]``."""
        return self.run.path(key)

    def read(self, key: str, model: type[C]) -> C:
        """Read a JSON file of ``[paths]``.

        Raises:
            InputError: it is missing: the stage that writes it has not run.
            ContractError: it breaks its contract.
        """
        return read_json(self.path(key), model)

    def at(self, fact: str) -> Path:
        """Return the path that a stage found out, such as ``bundle_dir`` or ``candidate_dir``."""
        return self.run.at(self.run.facts[fact])

    def run_until(
        self,
        stage: str,
        *,
        tell: Callable[[str], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> dict[str, Any]:
        """Run the lifecycle until a stage; what is up to date is left alone. Return the stage's summary.

        Args:
            stage: the name, as in `repath run --until`.
            tell: takes the lines of progress of a training.
            on_epoch: is given each of its epochs.

        Raises:
            RepathError: whatever a stage raises; the stages before it are journaled.
        """
        self.run.tell = tell
        self.run.epoch_listeners = (on_epoch,) if on_epoch is not None else ()
        printed = _Printed(self._told)
        try:
            run_stages(self.run, STAGES, printed, last=stage)
        finally:
            printed.flush()
        return self.run.summaries[stage]


def start(directory: str | Path | None = None, *, environ: Mapping[str, str] | None = None) -> Space:
    """Open the workspace and make it the working directory, so that relative paths mean what files say.

    Args:
        directory: the workspace; by default that of ``REPATH_WORKSPACE``, else the nearest ``repath.toml``.
        environ: the environment that may name the roots; by default that of this process.

    Raises:
        WorkspaceError: there is no workspace, or a variable names no folder; it says what to do.
        ContractError: a setting is unknown or has a value it may not have.
    """
    found = find_roots(
        os.environ if environ is None else environ, directory=Path(directory) if directory else None
    )
    os.chdir(found.workspace.root)
    # litert-torch draws its progress into the notebook, past every redirection.
    os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")
    show_tables_well()
    return Space(Run(found.workspace), found.roots)
