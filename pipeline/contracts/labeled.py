"""``benchmark-labeled.csv`` and the retraining queue: one labeled picture a row, edited by people."""

from __future__ import annotations

import re

from pipeline.contracts.base import Contract, Line
from pipeline.contracts.text import note_value

LABELED_COLUMNS = ("name", "url", "item_id", "canonical_label", "source", "notes")
RETRAIN_PREFIX = "retrain_"
RETRAIN_NEGATIVE_PREFIX = "retrain_negative_"


_SCENE = re.compile(r"(?:todo_)?negative_(.+?)(?:_v?\d+)?")


def scene_of(name: str) -> str | None:
    """Return the scene that a negative is named after: ``todo_negative_street_scene`` → ``street_scene``."""
    found = _SCENE.fullmatch(name)
    return found.group(1) if found else None


class LabeledRow(Contract):
    """A row without ``canonical_label`` is a negative. ``notes`` is ``key=value`` joined by ``; ``."""

    name: Line
    url: Line
    item_id: Line
    canonical_label: Line
    source: Line
    notes: str

    @property
    def is_negative(self) -> bool:
        """Nothing should be detected on this picture."""
        return not self.canonical_label.strip()

    @property
    def feeds_retraining(self) -> bool:
        """Rows named ``retrain_*`` are training material, not benchmark material."""
        return self.name.startswith(RETRAIN_PREFIX)

    def note(self, key: str) -> str | None:
        """The value of ``key=`` in the notes, or None."""
        return note_value(self.notes, key)

    @property
    def search_query(self) -> str:
        """What ``query=`` of the notes says to search for, without a remark behind it; empty for nothing."""
        return (self.note("query") or "").partition(";")[0].strip()
