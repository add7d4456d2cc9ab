"""Boxes as a page draws them over a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LABEL_CHARACTERS = 28


@dataclass(frozen=True, slots=True)
class Box:
    """A box in pixels of the picture; ``kind`` is the class of its style."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    text: str = ""
    below: bool = False
    """Whether the text stands under the box, where another box's stands above."""


def box_of(
    corners: Sequence[float] | None,
    kind: str,
    size: tuple[int, int],
    text: str = "",
    *,
    below: bool = False,
) -> Box | None:
    """Return a box within the picture; None where it is none or the picture's size is not known."""
    width, height = size
    if corners is None or len(corners) != 4 or not width:
        return None
    x1, x2 = (min(max(corners[at], 0.0), width) for at in (0, 2))
    y1, y2 = (min(max(corners[at], 0.0), height) for at in (1, 3))
    if x2 <= x1 or y2 <= y1:
        return None
    return Box(round(x1, 1), round(y1, 1), round(x2 - x1, 1), round(y2 - y1, 1), kind, text, below)


def short(label: str) -> str:
    """Return a label as it stands on a box."""
    return label if len(label) <= _LABEL_CHARACTERS else f"{label[: _LABEL_CHARACTERS - 1]}…"


def text_size(size: tuple[int, int]) -> float:
    """Return the height of a box's text in pixels of a picture of this size."""
    return round(max(size) / 22, 1)
