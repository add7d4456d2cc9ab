"""The lifecycle as a picture: one list of files and arrows, drawn wide for a screen and tall for a phone.

Colours come from the page's theme, so that it is as readable in the dark; each box leads to the section of
the concepts that tells about it.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BOX = (152, 52)
"""Width and height of a box, in units of the picture."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A kind of file, and the stages of ``repath run`` that make it."""

    title: str
    stages: str
    room: str
    anchor: str


BOXES = {
    "pack": Box("pack", "yours", "data", "pack"),
    "taxonomy": Box("taxonomy", "taxonomy", "data", "taxonomy"),
    "rows": Box("labeled rows", "yours · curate", "data", "labeled-rows"),
    "manifest": Box("benchmark", "manifest · coverage", "evaluation", "benchmark"),
    "resolved": Box("resolved benchmark", "resolve · leakage", "evaluation", "resolved-benchmark"),
    "results": Box("results", "measure · benchmark", "evaluation", "results"),
    "verdict": Box("verdict", "compare · report · gate", "evaluation", "verdict-and-gate"),
    "retraining": Box("retraining manifest", "retraining", "training", "retraining-manifest"),
    "bundle": Box("annotation bundle", "bundle · validate", "training", "annotation-bundle"),
    "candidate": Box("candidate", "train · export", "training", "candidate"),
    "promoted": Box("promoted model", "promote", "release", "promotion-and-release"),
    "release": Box("release bundle", "release", "release", "promotion-and-release"),
    "published": Box("GitHub Release", "publish-release", "release", "promotion-and-release"),
}


@dataclass(frozen=True, slots=True)
class Arrow:
    """A path through points; ``dashed`` where a person decides or goes round again."""

    points: tuple[Point, ...]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands: the middles of the boxes, the arrows, words beside them, and the rooms."""

    name: str
    size: tuple[float, float]
    centres: Mapping[str, Point]
    arrows: tuple[Arrow, ...]
    words: tuple[tuple[float, float, str, str], ...] = ()
    """x, y, anchor (start, middle or end) and the words."""
    bands: tuple[tuple[float, float, str], ...] = ()
    """Top, height and name of a room's band."""


WIDE = Layout(
    "wide",
    (960, 486),
    {
        "manifest": (288, 64), "resolved": (480, 64), "results": (672, 64), "verdict": (864, 64),
        "pack": (96, 184), "taxonomy": (288, 184), "rows": (480, 184),
        "retraining": (480, 304), "bundle": (672, 304), "candidate": (864, 304),
        "promoted": (864, 424), "release": (672, 424), "published": (480, 424),
    },
    (
        Arrow(((172, 184), (210, 184))),
        Arrow(((288, 158), (288, 92))),
        Arrow(((364, 64), (402, 64))),
        Arrow(((480, 158), (480, 92))),
        Arrow(((556, 64), (594, 64))),
        Arrow(((748, 64), (786, 64))),
        Arrow(((480, 210), (480, 276))),
        Arrow(((556, 304), (594, 304))),
        Arrow(((748, 304), (786, 304))),
        Arrow(((840, 278), (840, 184), (700, 184), (700, 92))),
        Arrow(((650, 90), (650, 184), (558, 184)), dashed=True),
        Arrow(((864, 330), (864, 396))),
        Arrow(((930, 90), (930, 364), (872, 364)), dashed=True),
        Arrow(((788, 424), (750, 424))),
        Arrow(((596, 424), (558, 424))),
    ),
    (
        (604, 176, "middle", "weak classes"),
        (488, 250, "start", "retrain_* rows"),
        (856, 366, "end", "the gate says yes"),
        (770, 176, "middle", "is measured"),
    ),
    ((14, 100, "evaluation"), (134, 100, "data"), (254, 100, "training"), (374, 100, "release")),
)  # fmt: skip

TALL = Layout(
    "tall",
    (360, 812),
    {
        "pack": (88, 40), "taxonomy": (88, 132), "rows": (272, 132),
        "manifest": (88, 224), "retraining": (272, 224),
        "resolved": (88, 316), "bundle": (272, 316),
        "results": (88, 408), "candidate": (272, 408),
        "verdict": (88, 500), "promoted": (272, 588), "release": (272, 680), "published": (272, 772),
    },
    (
        Arrow(((88, 66), (88, 104))),
        Arrow(((88, 158), (88, 196))),
        Arrow(((88, 250), (88, 288))),
        Arrow(((88, 342), (88, 380))),
        Arrow(((272, 158), (272, 196))),
        Arrow(((272, 250), (272, 288))),
        Arrow(((272, 342), (272, 380))),
        Arrow(((196, 145), (186, 145), (186, 305), (166, 305))),
        Arrow(((196, 408), (166, 408))),
        Arrow(((88, 434), (88, 472))),
        Arrow(((164, 392), (174, 392), (174, 119), (194, 119)), dashed=True),
        Arrow(((272, 434), (272, 560))),
        Arrow(((164, 500), (264, 500)), dashed=True),
        Arrow(((272, 614), (272, 652))),
        Arrow(((272, 706), (272, 744))),
    ),
    ((194, 516, "start", "the gate"),),
)  # fmt: skip


def lifecycle() -> str:
    """Return both drawings as one HTML figure; the style sheet shows the one that fits."""
    drawn = "\n".join("\n".join(_drawing(layout)) for layout in (WIDE, TALL))
    return f'<figure class="lifecycle">\n{drawn}\n</figure>'


def _drawing(layout: Layout) -> Iterator[str]:
    width, height = layout.size
    name = f"lifecycle-{layout.name}"
    yield (
        f'<svg class="{name}" viewBox="0 0 {width:g} {height:g}" role="group" aria-labelledby="{name}-title" '
        'xmlns="http://www.w3.org/2000/svg">'
    )
    yield (
        f'<title id="{name}-title">The lifecycle, from a pack to a release: every box is a file, '
        "every arrow a command</title>"
    )
    yield (
        f'<defs><marker id="{name}-head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" '
        'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0 8 4 0 8z" class="head"/></marker></defs>'
    )
    for top, band_height, room in layout.bands:
        yield (
            f'<rect x="1" y="{top:g}" width="{width - 2:g}" height="{band_height:g}" rx="8" class="band"/>'
            f'<text x="14" y="{top + 20:g}" class="room">{room}</text>'
        )
    for arrow in layout.arrows:
        path = "M" + " L".join(f"{x:g} {y:g}" for x, y in arrow.points)
        dashed = " dashed" if arrow.dashed else ""
        yield f'<path d="{path}" class="arrow{dashed}" marker-end="url(#{name}-head)"/>'
    for x, y, anchor, words in layout.words:
        yield f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="words">{html.escape(words)}</text>'
    for key, (x, y) in layout.centres.items():
        yield from _box(BOXES[key], x, y)
    yield "</svg>"


def _box(box: Box, x: float, y: float) -> Iterator[str]:
    width, height = BOX
    yield (
        f'<a href="#{box.anchor}"><rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width}" '
        f'height="{height}" rx="6" class="box {box.room}"/>'
    )
    for below, words, kind in ((-3, box.title, "title"), (15, box.stages, "stages")):
        yield (
            f'<text x="{x:g}" y="{y + below:g}" text-anchor="middle" class="{kind}">'
            f"{html.escape(words)}</text>"
        )
    yield "</a>"
