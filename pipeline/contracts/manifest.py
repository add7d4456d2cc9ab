"""Benchmark manifests: seed, built, resolved and supported-holdout are one format."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from pipeline.contracts.base import Contract, Line, Name

Status = Literal["ready", "todo"]


def _with_area(box: list[float]) -> list[float]:
    x1, y1, x2, y2 = box
    if x1 >= x2 or y1 >= y2:
        raise ValueError(f"the box {box} has no area: it is two corners x1,y1,x2,y2 in pixels")
    return box


Corners = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=4, max_length=4)]
"""A box in pixels, corners ``x1,y1,x2,y2``."""


class ManifestBox(Contract):
    """A ground-truth box in pixels of the original picture, corners ``x1,y1,x2,y2``."""

    label: Name
    box: Annotated[Corners, AfterValidator(_with_area)]


class ManifestRow(Contract):
    """One picture and what a detector should find on it; both lists empty is a negative."""

    name: Name
    url: Line
    expected_any: list[Name]
    expected_all: list[Name] = Field(default_factory=list)
    item_id: Line | None = None
    required: bool = False
    status: Status | None = None
    notes: str | None = None
    source_url: Line | None = None
    resolve_error: str | None = None
    synced_url: Line | None = None
    """The url that ``sync-benchmark-progress`` wrote last; another one in ``url`` is a person's."""
    boxes: list[ManifestBox] | None = None

    @property
    def is_ready(self) -> bool:
        """A row with a picture: ``status`` says so or, where a seed row has none, a ``url`` is there."""
        return bool(self.url) and self.status != "todo"

    @property
    def expected(self) -> list[str]:
        """The labels that are scored: ``expected_all`` if not empty, else ``expected_any``."""
        return self.expected_all or self.expected_any

    @property
    def is_negative(self) -> bool:
        """Nothing should be detected on this picture."""
        return not self.expected_any and not self.expected_all

    def labels(self) -> list[str]:
        """Every label that the row names, in order, once."""
        both = self.expected_any + self.expected_all
        return both if len(both) < 2 else list(dict.fromkeys(both))


class UnsupportedLabel(Contract):
    """A label of a model for which no holdout picture could be found, and why."""

    label: Line
    reason: str = ""


class BenchmarkManifest(Contract):
    """``benchmark-manifest.seed.json`` and its built, resolved and supported-holdout kinds."""

    name: Name
    generated_at: Line | None = None
    source: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    unsupported: list[Any] | None = None
    images: list[ManifestRow]


class HoldoutOverrides(Contract):
    """``benchmark-supported-holdout-overrides.seed.json``: pictures for labels that no folder covers."""

    generated_note: str | None = None
    labels: dict[str, list[Line]]
