"""The four household items of the sample, drawn upright on transparent layers about 320 pixels high.

Can, bottle and bulb are turned on a lathe: an outline of radii along the axis, seen slightly from above and
lit from the left. The box is a cuboid in parallel projection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from pipeline.data.drawing import Array, Rgb, layer_of, one_of

HEIGHT = 320
"""Length of an item's axis on its layer."""

Paint = Callable[[Array, Array], Array]
"""Colours (…, 3) from the place on a lathed body: across (-1 to 1) and along the axis (0 to 1)."""


def can(rng: np.random.Generator) -> Image.Image:
    """A drinks can: a coloured body with a wave and a badge, silver ends, a tab on top."""
    colours: list[Rgb] = [(0.82, 0.1, 0.13), (0.1, 0.3, 0.75), (0.95, 0.5, 0.08), (0.6, 0.12, 0.5)]
    body, band = one_of(rng, colours), np.array([0.94, 0.94, 0.96])
    phase, lean = rng.uniform(0, 2 * math.pi), rng.uniform(0.08, 0.2)
    width, badge = rng.uniform(0.07, 0.12), rng.uniform(-0.3, 0.3)
    silver = np.array([0.8, 0.82, 0.85])

    def paint(across: Array, along: Array) -> Array:
        wave = np.abs(along - 0.55 - lean * np.sin(3 * np.arcsin(across) + phase)) < width
        round_badge = (np.arcsin(across) - badge) ** 2 * 0.1 + (along - 0.3) ** 2 < 0.011
        colour = np.where(wave[..., None], band, body)
        colour = np.where(round_badge[..., None], body * 0.35 + band * 0.65, colour)
        ends = (along < 0.1) | (along > 0.93)
        return np.where(ends[..., None], silver, colour)

    radius = HEIGHT * float(rng.uniform(0.25, 0.29))
    outline = [(0.0, 0.8), (0.1, 1.0), (0.93, 1.0), (1.0, 0.82)]
    squash = rng.uniform(0.22, 0.34)
    colour, alpha = _lathe(outline, radius, squash, paint, gloss=0.55)
    layer = layer_of(colour, alpha)
    _can_top(layer, radius * 0.8, squash)
    return layer


def bottle(rng: np.random.Generator) -> Image.Image:
    """A glass bottle: green or brown, clear towards the middle, with a paper label and often a cap."""
    tints: list[Rgb] = [(0.1, 0.42, 0.2), (0.16, 0.5, 0.22), (0.07, 0.36, 0.25), (0.22, 0.5, 0.12)]
    glass = one_of(rng, tints)
    paper = one_of(rng, [(0.95, 0.92, 0.82), (0.96, 0.96, 0.94), (0.93, 0.85, 0.6)])
    ink = one_of(rng, [(0.55, 0.12, 0.12), (0.12, 0.2, 0.4), (0.15, 0.15, 0.15)])
    cap = one_of(rng, [(0.78, 0.68, 0.3), (0.7, 0.12, 0.12), (0.75, 0.77, 0.8)])
    capped, low, high = rng.random() < 0.6, rng.uniform(0.52, 0.57), rng.uniform(0.78, 0.85)

    def paint(across: Array, along: Array) -> Array:
        rim = (0.55 + 0.75 * (1 - across**2))[..., None]
        colour = glass * rim
        label = (along > low) & (along < high)
        stripe = label & ((np.abs(along - low - 0.03) < 0.008) | (np.abs(along - high + 0.03) < 0.008))
        mark = label & (np.abs(along - (low + high) / 2) < 0.05) & (np.abs(across) < 0.4)
        colour = np.where(label[..., None], paper, colour)
        colour = np.where((stripe | mark)[..., None], ink, colour)
        return np.where((capped & (along < 0.055))[..., None], cap, colour)

    neck, shoulder = rng.uniform(0.3, 0.36), rng.uniform(0.36, 0.44)
    outline = [(0.0, neck * 1.12), (0.055, neck * 1.12), (0.06, neck), (0.22, neck), (0.3, neck * 1.3)]
    outline += [(shoulder - 0.03, 0.9), (shoulder + 0.03, 1.0), (0.97, 1.0), (1.0, 0.93)]
    colour, alpha = _lathe(outline, HEIGHT * rng.uniform(0.14, 0.17), 0.16, paint, gloss=0.8)
    return layer_of(colour, alpha * np.float32(0.94))


def bulb(rng: np.random.Generator) -> Image.Image:
    """A light bulb: a warm or cool globe, and a metal screw base with its thread."""
    globe = one_of(rng, [(1.0, 0.86, 0.3), (1.0, 0.9, 0.45), (1.0, 0.8, 0.25)])
    metal, tip = np.array([0.62, 0.62, 0.64]), np.array([0.16, 0.16, 0.18])
    turns = rng.uniform(95, 120)

    def paint(across: Array, along: Array) -> Array:
        glow = (0.95 + 0.3 * np.exp(-(across**2 * 3 + ((along - 0.3) * 3.2) ** 2)))[..., None]
        shine = np.exp(-(((across + 0.38) / 0.2) ** 2 + ((along - 0.2) / 0.06) ** 2))[..., None]
        thread = (0.8 + 0.35 * np.sin(along * turns + across * 0.8))[..., None]
        colour = np.where((along > 0.7)[..., None], metal * thread, globe * glow + shine * 0.4)
        return np.where((along > 0.94)[..., None], tip, colour)

    # Steps of equal angle, so that the crown is round.
    round_part = [(0.31 - 0.31 * math.cos(a), math.sin(a)) for a in np.linspace(0, 2.2, 40)]
    neck = rng.uniform(0.4, 0.46)
    outline = [*round_part, (0.6, 0.56), (0.7, neck), (0.93, neck), (0.945, 0.22), (1.0, 0.14)]
    colour, alpha = _lathe(outline, HEIGHT * rng.uniform(0.28, 0.32), 0.05, paint, gloss=0.06)
    return layer_of(colour, alpha)


def box(rng: np.random.Generator) -> Image.Image:
    """A cardboard box seen from a corner: shut with tape, or open with its flaps out."""
    brown = one_of(rng, [(0.72, 0.53, 0.34), (0.66, 0.47, 0.29), (0.76, 0.6, 0.42)])
    turn, pitch = rng.uniform(0.35, 1.2), rng.uniform(0.4, 0.75)
    wide, deep, tall = rng.uniform(0.8, 1.2), rng.uniform(0.7, 1.0), rng.uniform(0.45, 0.85)
    to_screen = _Projection(turn, pitch, wide, deep, tall)
    image = Image.new("RGBA", (to_screen.side, to_screen.side))
    draw = ImageDraw.Draw(image)
    left = 0.78 + 0.1 * math.cos(turn)
    if rng.random() < 0.35:
        _open_top(draw, to_screen, brown)
    else:
        draw.polygon(to_screen.face("top", (0, 0, 1, 1)), fill=_rgba(brown * 1.12))
        draw.polygon(to_screen.face("top", (0, 0.42, 1, 0.58)), fill=_rgba(np.array([0.86, 0.74, 0.52])))
        draw.line(to_screen.face("top", (0, 0.5, 1, 0.5)), fill=_rgba(brown * 0.6), width=2)
    draw.polygon(to_screen.face("left", (0, 0, 1, 1)), fill=_rgba(brown * left))
    draw.polygon(to_screen.face("right", (0, 0, 1, 1)), fill=_rgba(brown * (left - 0.2)))
    _print_on(draw, to_screen, brown, rng)
    for face in ("left", "right"):
        draw.line(to_screen.face(face, (0, 0, 1, 1), closed=True), fill=_rgba(brown * 0.5), width=3)
    return image.crop(image.getbbox())


ITEMS: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "can": can,
    "box": box,
    "bottle": bottle,
    "bulb": bulb,
}


def _lathe(
    outline: Sequence[tuple[float, float]], radius: float, squash: float, paint: Paint, *, gloss: float
) -> tuple[Array, Array]:
    """Return colours and opacity of a turned body; ``squash`` is the height of a ring over its width."""
    pad = math.ceil(squash * radius) + 4
    half = math.ceil(radius) + 4
    along_px = np.arange(-pad, HEIGHT + pad, dtype=np.float32)[:, None]
    across_px = np.arange(-half, half + 1, dtype=np.float32)[None, :]
    places, radii = np.array(outline, np.float32).T
    local = _at(along_px / HEIGHT, places, radii) * radius
    # The near side of a ring lies lower in the picture than the axis: follow it back to its ring.
    front = np.sqrt(np.clip(1 - (across_px / np.maximum(local, 1)) ** 2, 0, 1))
    along = (along_px - squash * local * front) / HEIGHT
    local = _at(along, places, radii) * radius
    across = np.clip(across_px / np.maximum(local, 1), -1, 1)
    inside = (np.abs(across_px) <= local) & (along >= 0) & (along <= 1)
    front = np.sqrt(1 - across**2)
    light = 0.42 + 0.62 * np.clip(-0.45 * across + 0.85 * front, 0, 1)
    shine = np.exp(-(((across + 0.42) / 0.1) ** 2)) + 0.35 * np.exp(-(((across - 0.7) / 0.07) ** 2))
    colour = paint(across, along) * light[..., None] + gloss * shine[..., None] * 0.55
    return colour.astype(np.float32), inside.astype(np.float32)


def _at(along: Array, places: Array, radii: Array) -> Array:
    return np.interp(along, places, radii).astype(np.float32)


def _can_top(layer: Image.Image, radius: float, squash: float) -> None:
    draw = ImageDraw.Draw(layer)
    centre = (layer.width / 2, math.ceil(squash * radius / 0.8) + 4.0)
    for share, grey in ((1.0, 150), (0.93, 222), (0.82, 176), (0.76, 198)):
        draw.ellipse(_ring(centre, radius * share, squash), fill=(grey, grey + 2, grey + 6, 255))
    hole = (centre[0], centre[1] + radius * squash * 0.4)
    draw.ellipse(_ring(hole, radius * 0.3, squash), fill=(70, 70, 74, 255))
    draw.ellipse(
        _ring((centre[0], centre[1] - radius * squash * 0.1), radius * 0.25, squash),
        fill=(236, 236, 240, 255),
    )


def _ring(centre: tuple[float, float], radius: float, squash: float) -> list[float]:
    across, down = radius, radius * squash
    return [centre[0] - across, centre[1] - down, centre[0] + across, centre[1] + down]


class _Projection:
    """Places on the faces of a cuboid, in pixels of its layer."""

    side = round(HEIGHT * 1.6)

    def __init__(self, turn: float, pitch: float, wide: float, deep: float, tall: float) -> None:
        unit = HEIGHT * 0.48
        self.right = np.array([math.cos(turn), math.sin(turn) * math.sin(pitch)]) * wide * unit
        self.back = np.array([-math.sin(turn), math.cos(turn) * math.sin(pitch)]) * deep * unit
        self.up = np.array([0.0, -math.cos(pitch) * tall * unit])
        self.origin = np.array([self.side / 2, self.side / 2]) - (self.right + self.back + self.up) / 2

    def at(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Return where the corner coordinates (each 0 to 1 inside the cuboid) fall."""
        point = self.origin + x * self.right + y * self.back + z * self.up
        return float(point[0]), float(point[1])

    def face(
        self, name: str, part: tuple[float, float, float, float], *, closed: bool = False
    ) -> list[tuple[float, float]]:
        """Return the corners of a rectangle (left, low, right, high; 0 to 1) on one of the faces in sight."""
        x1, y1, x2, y2 = part
        corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
        # The axis that stands still on this face goes between the two that run.
        axis = {"top": 2, "left": 1, "right": 0}[name]
        points = [self.at(*_with(corner, axis, 1.0)) for corner in corners]
        return [*points, points[0]] if closed else points


def _with(corner: tuple[float, float], axis: int, value: float) -> tuple[float, float, float]:
    point = list(corner)
    point.insert(axis, value)
    return point[0], point[1], point[2]


def _open_top(draw: ImageDraw.ImageDraw, to_screen: _Projection, brown: Array) -> None:
    back = [
        [
            to_screen.at(0, 0, 1),
            to_screen.at(1, 0, 1),
            to_screen.at(1.05, -0.35, 1.25),
            to_screen.at(-0.05, -0.35, 1.25),
        ],
        [
            to_screen.at(0, 0, 1),
            to_screen.at(0, 1, 1),
            to_screen.at(-0.35, 1.05, 1.25),
            to_screen.at(-0.35, -0.05, 1.25),
        ],
    ]
    for flap in back:
        draw.polygon(flap, fill=_rgba(brown * 0.95), outline=_rgba(brown * 0.55))
    draw.polygon(to_screen.face("top", (0, 0, 1, 1)), fill=_rgba(brown * 0.38))
    draw.polygon(
        [to_screen.at(0, 0, 1), to_screen.at(1, 0, 1), to_screen.at(1, 0, 0.4)], fill=_rgba(brown * 0.55)
    )


def _print_on(
    draw: ImageDraw.ImageDraw, to_screen: _Projection, brown: Array, rng: np.random.Generator
) -> None:
    """Draw tape ends, arrows that point up and a sticker, as on parcels."""
    ink = _rgba(brown * 0.45)
    draw.polygon(to_screen.face("right", (0.42, 0.78, 0.58, 1)), fill=_rgba(np.array([0.7, 0.58, 0.4])))
    if rng.random() < 0.7:
        for x in (0.12, 0.26):
            draw.polygon(to_screen.face("left", (x + 0.035, 0.15, x + 0.055, 0.38)), fill=ink)
            tip = [(x, 0.36), (x + 0.09, 0.36), (x + 0.045, 0.5)]
            draw.polygon([to_screen.at(a, 1, b) for a, b in tip], fill=ink)
    if rng.random() < 0.7:
        draw.polygon(to_screen.face("left", (0.55, 0.45, 0.88, 0.8)), fill=(240, 240, 235, 255))
        for line in range(3):
            high = 0.72 - 0.09 * line
            draw.line(
                to_screen.face("left", (0.6, high, 0.83 - 0.06 * line, high))[:2],
                fill=(90, 90, 95, 255),
                width=4,
            )


def _rgba(colour: Array) -> tuple[int, int, int, int]:
    red, green, blue = (int(value) for value in np.clip(colour, 0, 1) * 255)
    return red, green, blue, 255
