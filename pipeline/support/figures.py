"""Figures drawn with matplotlib: without its global state, with text from files never read as mathematics."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.support.errors import MissingExtraError
from pipeline.support.files import write_bytes

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

TRUTH, FOUND = "#1b7f3b", "#d95f02"
"""Green for boxes that a person drew, orange for what a model finds; told apart with every colour vision by
their lines: the first is solid, the second dashed."""
_LONGEST = 36


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box on a picture: corners in pixels, and what is written at it."""

    corners: tuple[float, float, float, float]
    text: str
    drawn_by_person: bool


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of a mosaic, uint8 ``[h,w,3]``, with its boxes."""

    pixels: NDArray[np.uint8]
    title: str
    note: str = ""
    """A second line, in small."""
    boxes: Sequence[DrawnBox] = ()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "notebook", why="Drawing a figure")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def mosaic(tiles: Sequence[Tile], *, columns: int = 4, title: str = "") -> Figure:
    """Draw pictures side by side, with their boxes: a person's solid, a model's dashed.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    columns = max(1, min(columns, len(tiles)))
    rows = -(-len(tiles) // columns) or 1
    figure = new_figure(3 * columns, 3.15 * rows + 0.4 * bool(title))
    if title:
        figure.suptitle(title, fontsize=11, x=0.01, ha="left", parse_math=False)
    for index, tile in enumerate(tiles, start=1):
        axes = figure.add_subplot(rows, columns, index)
        axes.imshow(tile.pixels)
        axes.set_axis_off()
        lines = [shortened(line) for line in (tile.title, tile.note) if line]
        axes.set_title("\n".join(lines), fontsize=7, parse_math=False)
        for box in tile.boxes:
            _draw(axes, box)
    return figure


def _draw(axes: Axes, box: DrawnBox) -> None:
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = box.corners
    colour = TRUTH if box.drawn_by_person else FOUND
    style = "-" if box.drawn_by_person else "--"
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, lw=1.6, ls=style))
    if box.text:
        place: dict[str, Any] = {"y": y1, "va": "bottom"} if box.drawn_by_person else {"y": y2, "va": "top"}
        axes.text(
            x1, s=shortened(box.text), fontsize=7, color="white", clip_on=True, parse_math=False,
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 1}, **place,
        )  # fmt: skip


def shortened(text: str) -> str:
    """Return text short enough for a tile, in one line; names differ at their end, so the middle goes."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[: half - 1]}…{line[-half:]}"


def png_bytes(figure: Figure, *, dpi: int = 110) -> bytes:
    """Return a figure as PNG, without a date in it."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a label may hold letters that the font lacks
        figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def write_png(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_bytes(path, png_bytes(figure))
