"""The geometry of the report's charts, in the user units of their SVG; the templates draw it.

A share of 0..1 runs over a track from 0 to `TRACK`; a change runs over the same track from the most negative
to the most positive change that is shown, the same on both sides of zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.contracts.results import Sweep, SweepPoint
from pipeline.evaluation.verdict import WORDS

TRACK = 200.0
_PLOT = (34.0, 12.0, 310.0, 150.0)
"""Left, top, right and bottom of the area that a curve is drawn in."""
_CURVES = ("micro_precision", "micro_recall", "any_hit_rate", "negative_clean_rate")


@dataclass(frozen=True, slots=True)
class Interval:
    """A point and the ends of its interval on a track."""

    low: float
    at: float
    high: float

    @property
    def width(self) -> float:
        """Length of the interval on the track."""
        return round(self.high - self.low, 1)


@dataclass(frozen=True, slots=True)
class Change:
    """A change with its interval, the line of no change, and the band within the margin."""

    interval: Interval
    zero: float
    margin_low: float
    margin_high: float

    @property
    def margin_width(self) -> float:
        """Width of the band within which a change counts as none."""
        return round(self.margin_high - self.margin_low, 1)


@dataclass(frozen=True, slots=True)
class Line:
    """One model's curve: pieces of ``x,y x,y``, broken where the rate has no cases."""

    side: str
    pieces: list[str]


@dataclass(frozen=True, slots=True)
class Mark:
    """A threshold that is marked on a curve."""

    kind: str
    x: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure over thresholds."""

    title: str
    lines: list[Line]
    marks: list[Mark]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    left: float = _PLOT[0]
    top: float = _PLOT[1]
    right: float = _PLOT[2]
    bottom: float = _PLOT[3]


def share(value: float) -> float:
    """Return where a share of 0..1 lies on a track; what is outside is put at its end."""
    return round(min(max(value, 0.0), 1.0) * TRACK, 1)


def share_interval(low: float, value: float, high: float) -> Interval:
    """Return a share and its interval on a track."""
    return Interval(share(low), share(value), share(high))


def scale_of(changes: Sequence[float]) -> float:
    """Return the change at the ends of a track that holds all of these: one, two or five tenths, or one."""
    most = max((abs(change) for change in changes), default=0.0)
    return next((step for step in (0.1, 0.2, 0.5) if most <= step), 1.0)


def change(delta: float, interval: Sequence[float], margin: float, *, scale: float) -> Change:
    """Return a change, its interval and its margin on a track that ends at ``scale`` on both sides."""

    def place(value: float) -> float:
        return share((value / scale + 1) / 2)

    low, high = interval
    return Change(Interval(place(low), place(delta), place(high)), place(0), place(-margin), place(margin))


def curves(baseline: Sweep | None, candidate: Sweep, *, threshold: float) -> list[Curve]:
    """Return one curve for each figure that has cases, with both models' lines.

    Args:
        baseline: its figures over thresholds, where it is known.
        candidate: the same of the candidate.
        threshold: the one that the figures of the report are made at.
    """
    marks = [Mark("used", _x(threshold), threshold)]
    if candidate.best_threshold is not None:
        marks.append(Mark("best", _x(candidate.best_threshold), candidate.best_threshold))
    drawn = []
    for name in _CURVES:
        sides = [("baseline", baseline), ("candidate", candidate)]
        lines = [Line(side, _pieces(swept.points, _value_of(name))) for side, swept in sides if swept]
        if any(line.pieces for line in lines):
            drawn.append(Curve(WORDS[name], lines, marks, _x_ticks(), _y_ticks()))
    return drawn


def _value_of(name: str) -> Callable[[SweepPoint], float | None]:
    def value(point: SweepPoint) -> float | None:
        found: float | None = getattr(point, name)
        return found

    return value


def _pieces(points: Sequence[SweepPoint], value_of: Callable[[SweepPoint], float | None]) -> list[str]:
    pieces: list[list[str]] = [[]]
    for point in points:
        value = value_of(point)
        if value is None or not math.isfinite(value):
            pieces.append([])
        else:
            pieces[-1].append(f"{_x(point.threshold)},{_y(value)}")
    return [" ".join(piece) for piece in pieces if piece]


def _x(threshold: float) -> float:
    left, _, right, _ = _PLOT
    return round(left + min(max(threshold, 0.0), 1.0) * (right - left), 1)


def _y(value: float) -> float:
    _, top, _, bottom = _PLOT
    return round(bottom - min(max(value, 0.0), 1.0) * (bottom - top), 1)


def _x_ticks() -> list[Tick]:
    return [Tick(_x(value), f"{value:g}") for value in (0, 0.25, 0.5, 0.75, 1)]


def _y_ticks() -> list[Tick]:
    return [Tick(_y(value), f"{value:g}") for value in (0, 0.5, 1)]
