"""The journal of a workspace: which stage ran on what, and what it left."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.contracts.base import Contract, Line, Name, Sha256


class JournalEntry(Contract):
    """One finished stage. A stage is up to date while these digests still hold."""

    stage: Name
    finished_at: Line
    seconds: float
    version: Line
    """The version of repath that ran it."""
    settings: Sha256
    inputs: dict[str, str]
    """Path relative to the workspace to SHA-256, or ``absent``."""
    outputs: dict[str, str]
    facts: dict[str, str]
    """What later stages need to know of this one, such as the folder of the bundle."""
    summary: dict[str, Any]


class Journal(Contract):
    """``.repath/journal.json``: which stages of `repath run` are finished, and of which bytes."""

    entries: list[JournalEntry] = Field(default_factory=list)

    def entry(self, stage: str) -> JournalEntry | None:
        """Return the last entry of a stage, or None."""
        return next((entry for entry in reversed(self.entries) if entry.stage == stage), None)

    def with_entry(self, entry: JournalEntry) -> Journal:
        """Return the journal with this entry in place of the stage's earlier one."""
        others = [other for other in self.entries if other.stage != entry.stage]
        return self.replace(entries=[*others, entry])
