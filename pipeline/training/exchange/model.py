"""What every format is turned into and made from: pictures with boxes under their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.contracts.bundle import Subset
from pipeline.contracts.exchange import ProblemKind
from pipeline.support.yolo_labels import YoloBox

Corners = tuple[float, float, float, float]
"""``x1, y1, x2, y2``."""

HARMLESS = frozenset({"cut_off", "several_annotations", "proposals_unchanged", "ignored"})
"""Problems in spite of which a picture's boxes are taken."""
OF_ONE_SHAPE = frozenset({"unknown_label", "unsupported_shape", "rotated_box", "invalid_box"})
"""Problems of a shape that can be left out where the user takes pictures in part."""


@dataclass(frozen=True, slots=True)
class Region:
    """A box in pixels of the upright picture."""

    label: str
    corners: Corners
    box: YoloBox
    """The same as the label file has it."""
    score: float | None = None
    """The detector's, of a box that it proposed."""


@dataclass(frozen=True, slots=True)
class OutPicture:
    """A picture that is handed to a tool."""

    id: str
    name: str
    size: tuple[int, int]
    subset: Subset
    is_negative: bool
    class_label: str
    proposed: bool
    """Whether its boxes are a detector's that no person has confirmed."""
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A bundle that is handed to a tool."""

    name: str
    classes: tuple[str, ...]
    pictures: tuple[OutPicture, ...]
    detector: str | None
    """The file of the detector that proposed boxes."""


@dataclass(frozen=True, slots=True)
class ReadRegion:
    """A box as a tool gave it back."""

    label: str
    corners: Corners
    unit: Literal["pixels", "shares"]
    """Pixels of the picture, or shares of its sides."""
    by_detector: bool = False
    """Whether the tool says that no person has touched it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a picture that is not a box of this bundle."""

    kind: ProblemKind
    reason: str
    whole: bool = False
    """Whether it is about the picture, also where its kind is one of single shapes."""


@dataclass(slots=True)
class ReadPicture:
    """A picture as a tool gave it back."""

    name: str
    regions: list[ReadRegion] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    size: tuple[float, float] | None = None
    """Width and height that the tool saw; None where it does not say."""
    row_id: str | None = None
    """The bundle's id, where the tool kept it."""
    any_scale: bool = False
    """Whether a plain change of size does no harm, since boxes are shares of the sides."""
    answered: bool = True
    """Whether a person has annotated it; False where the tool says that nobody did."""
    confirmed: bool = False
    """Whether the tool says that a person has handed in its boxes as they are."""

    def find(self, kind: ProblemKind, reason: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(kind, reason))


def number(value: object) -> float | None:
    """Return a JSON or XML value as a finite number; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def numbers(values: Sequence[object]) -> list[float] | None:
    """Return finite numbers; None where one of them is none."""
    found = [number(value) for value in values]
    return [value for value in found if value is not None] if None not in found else None


def colour(index: int) -> str:
    """Return the colour of a class, ``#rrggbb``: hues a golden angle apart, so that neighbours differ."""
    import colorsys

    channels = colorsys.hls_to_rgb(index * 0.381966 % 1, 0.45 + 0.1 * (index % 3), 0.75)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)
