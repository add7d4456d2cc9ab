"""Runs stages in order, skips what is up to date, and journals each one as it ends.

A stage is up to date when it ran before, on inputs with these digests, under these settings, and its outputs
are still the files it left. A run that was interrupted therefore goes on at the stage it stopped in.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline import __version__
from pipeline.contracts.journal import Journal, JournalEntry
from pipeline.contracts.settings import Settings
from pipeline.support import clock
from pipeline.support.documents import read_json, write_json
from pipeline.support.errors import UsageError, WorkspaceError
from pipeline.support.files import display_path, sha256_file
from pipeline.support.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.training.epochs import Epoch

JOURNAL = Path(".repath") / "journal.json"
ABSENT = "absent"


@dataclass(slots=True)
class Run:
    """What every stage is given: the workspace, and what the stages before it found out."""

    workspace: Workspace
    facts: dict[str, str] = field(default_factory=dict)
    summaries: dict[str, dict[str, Any]] = field(default_factory=dict)
    tell: Callable[[str], None] | None = None
    """Takes the lines of progress of a training; None writes them to stderr."""
    epoch_listeners: tuple[Callable[[Epoch], None], ...] = ()
    """Are given each epoch of a training as it ends."""

    @property
    def settings(self) -> Settings:
        """What ``repath.toml`` says."""
        return self.workspace.settings

    def path(self, key: str) -> Path:
        """Return a path of ``[paths]``."""
        return self.workspace.path(key)

    def at(self, relative: str) -> Path:
        """Return a path that a fact names, relative to the workspace."""
        return self.workspace.root / relative

    def shown(self, path: Path) -> str:
        """Return a path as files of this workspace record it."""
        return display_path(path, self.workspace.root)


@dataclass(frozen=True, slots=True)
class Done:
    """What a stage leaves: files and folders, facts for later stages, figures, and a sentence for people."""

    line: str
    outputs: Sequence[Path] = ()
    facts: dict[str, str] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the lifecycle."""

    name: str
    title: str
    inputs: Callable[[Run], Sequence[Path]]
    settings: Callable[[Run], object]
    """What of ``repath.toml`` the result depends on: anything that `json` can write."""
    work: Callable[[Run], Done]
    slow: bool = False
    """Takes minutes: it is worth saying that it began."""


class Listener(Protocol):
    """Is told what happens, and shows it."""

    def started(self, stage: Stage, number: int, total: int) -> None:
        """Be told that a stage begins."""

    def skipped(self, stage: Stage, number: int, total: int, line: str) -> None:
        """Be told that a stage is up to date."""

    def finished(self, stage: Stage, number: int, total: int, line: str, seconds: float) -> None:
        """Be told that a stage ended well."""


def run_stages(
    run: Run,
    stages: Sequence[Stage],
    listener: Listener,
    *,
    first: str | None = None,
    last: str | None = None,
) -> Journal:
    """Run ``stages`` from ``first`` until ``last`` and return the journal.

    Args:
        run: the workspace; facts and summaries are filled in as stages end.
        stages: the lifecycle, in order.
        listener: is told of each stage.
        first: run this stage and all after it even where they are up to date; those before it must have run.
        last: stop after this stage.

    Raises:
        UsageError: there is no such stage, or ``last`` comes before ``first``.
        WorkspaceError: a stage before ``first`` has not run yet, or the journal is damaged.
        RepathError: whatever a stage raises; the stages before it are journaled.
    """
    begin, end = _bounds(stages, first, last)
    path = run.workspace.root / JOURNAL
    journal = read_json(path, Journal) if path.exists() else Journal(entries=[])
    total = len(stages)
    for number, stage in enumerate(stages[: end + 1], start=1):
        entry = journal.entry(stage.name)
        if number - 1 < begin:
            if entry is None:
                raise WorkspaceError(
                    f"the stage {stage.name!r} has not run yet, and {stages[begin].name!r} builds on it",
                    hint=f"Start earlier: repath run --from {stage.name}",
                )
            _take(run, entry)
            listener.skipped(stage, number, total, _line(entry))
            continue
        settings = digest_of(stage.settings(run))
        inputs = {run.shown(p): digest_path(p) for p in stage.inputs(run)}
        if first is None and entry is not None and _is_current(run, entry, settings, inputs):
            _take(run, entry)
            listener.skipped(stage, number, total, _line(entry))
            continue
        listener.started(stage, number, total)
        started = time.monotonic()
        done = stage.work(run)
        seconds = time.monotonic() - started
        entry = _entry(run, stage, settings, inputs, done, seconds)
        journal = journal.with_entry(entry)
        write_json(path, journal)
        _take(run, entry)
        listener.finished(stage, number, total, done.line, seconds)
    return journal


def digest_path(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files with their names; ``absent`` where nothing is."""
    if path.is_file():
        return sha256_file(path)
    if not path.is_dir():
        return ABSENT
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(folder) / name
            if file.is_file():
                relative = file.relative_to(path).as_posix()
                digest.update(f"{relative}\0{sha256_file(file)}\n".encode())
    return digest.hexdigest()


def digest_of(value: object) -> str:
    """Return the SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _bounds(stages: Sequence[Stage], first: str | None, last: str | None) -> tuple[int, int]:
    names = [stage.name for stage in stages]
    for name in (first, last):
        if name is not None and name not in names:
            raise UsageError(f"there is no stage {name!r}", hint=f"The stages are: {', '.join(names)}")
    begin = names.index(first) if first is not None else 0
    end = names.index(last) if last is not None else len(names) - 1
    if end < begin:
        raise UsageError(f"{last!r} comes before {first!r}", hint=f"The stages are: {', '.join(names)}")
    return begin, end


def _is_current(run: Run, entry: JournalEntry, settings: str, inputs: dict[str, str]) -> bool:
    if entry.settings != settings or entry.inputs != inputs:
        return False
    return all(digest_path(run.at(path)) == digest for path, digest in entry.outputs.items())


def _entry(
    run: Run, stage: Stage, settings: str, inputs: dict[str, str], done: Done, seconds: float
) -> JournalEntry:
    return JournalEntry(
        stage=stage.name,
        finished_at=clock.timestamp(),
        seconds=round(seconds, 3),
        version=__version__,
        settings=settings,
        inputs=inputs,
        outputs={run.shown(path): digest_path(path) for path in done.outputs},
        facts=done.facts,
        summary={"line": done.line, **done.summary},
    )


def _take(run: Run, entry: JournalEntry) -> None:
    run.facts.update(entry.facts)
    run.summaries[entry.stage] = {**entry.summary, "seconds": entry.seconds}


def _line(entry: JournalEntry) -> str:
    return str(entry.summary.get("line", ""))
