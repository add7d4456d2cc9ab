"""What lies about in the sample's pictures and is not to be found: clutter, and scenes without items."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from pipeline.data.drawing import Array, Rgb, Scene, fitted, layer_of, surface

SIDE = 300
"""Longer side of a layer of clutter."""

Colour = tuple[int, int, int]


def book(rng: np.random.Generator) -> Image.Image:
    """A closed book from above: a cloth cover with a title and the pages' edge."""
    image, draw = _blank(round(SIDE * rng.uniform(0.68, 0.78)), SIDE)
    cover, paler = _shades(_cloth(rng))
    width, height = image.size
    draw.rectangle([6, 6, width - 1, height - 1], fill=(226, 222, 208))
    draw.rectangle([0, 0, width - 10, height - 10], fill=cover)
    draw.rectangle([0, 0, 18, height - 10], fill=_times(cover, 0.75))
    draw.rectangle([48, 50, width - 45, 62], fill=paler)
    draw.rectangle([48, 76, width - 75, 84], fill=paler)
    draw.ellipse(
        [width * 0.35, height * 0.5, width * 0.65, height * 0.5 + width * 0.3], outline=paler, width=5
    )
    return image


def ball(rng: np.random.Generator) -> Image.Image:
    """A rubber ball in two colours, lit from the upper left."""
    across, down = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    inside = across**2 + down**2 <= 1
    depth = np.sqrt(np.clip(1 - across**2 - down**2, 0, 1))
    lean = rng.uniform(-0.5, 0.5)
    first, second = np.array(_cloth(rng)), np.array([0.9, 0.9, 0.88])
    striped = np.abs(across * math.sin(lean) + down * math.cos(lean)) < rng.uniform(0.15, 0.3)
    light = 0.35 + 0.75 * np.clip(-0.45 * across - 0.5 * down + 0.74 * depth, 0, 1)
    colour = np.where(striped[..., None], second, first) * light[..., None]
    return layer_of(colour.astype(np.float32), inside.astype(np.float32))


def plate(rng: np.random.Generator) -> Image.Image:
    """A plate from above with a coloured rim."""
    image, draw = _blank(SIDE, SIDE)
    rim, pale = _shades(_cloth(rng))
    for share, colour in (
        (0.5, rim),
        (0.47, (236, 236, 234)),
        (0.34, (214, 214, 212)),
        (0.32, (240, 240, 238)),
    ):
        _disc(draw, SIDE / 2, SIDE / 2, share * SIDE, colour)
    if rng.random() < 0.5:
        for _ in range(6):
            x, y = rng.uniform(0.35, 0.65, 2) * SIDE
            _disc(draw, x, y, SIDE * 0.05, _times(pale, 0.8))
    return image


def pencil(rng: np.random.Generator) -> Image.Image:
    """A pencil with its point and rubber."""
    image, draw = _blank(SIDE, 26)
    body, paler = _shades(_cloth(rng))
    draw.rectangle([26, 2, SIDE - 50, 23], fill=body)
    draw.rectangle([26, 2, SIDE - 50, 8], fill=paler)
    draw.polygon([(SIDE - 50, 2), (SIDE - 1, 12), (SIDE - 50, 23)], fill=(222, 190, 150))
    draw.polygon([(SIDE - 16, 9), (SIDE - 1, 12), (SIDE - 16, 16)], fill=(50, 50, 54))
    draw.rectangle([0, 2, 14, 23], fill=(224, 140, 150))
    draw.rectangle([14, 2, 26, 23], fill=(190, 190, 180))
    return image


def leaf(rng: np.random.Generator) -> Image.Image:
    """A fallen leaf, red or green."""
    image, draw = _blank(SIDE, 150)
    hues: list[Rgb] = [(0.5, 0.2, 0.15), (0.3, 0.42, 0.15), (0.42, 0.18, 0.26), (0.36, 0.34, 0.2)]
    colour, paler = _shades(hues[int(rng.integers(len(hues)))])
    places = np.linspace(0, math.pi, 24)
    upper = [(20 + a / math.pi * 260, 75 - 62 * math.sin(a) ** 0.8) for a in places]
    lower = [(20 + a / math.pi * 260, 75 + 58 * math.sin(a) ** 0.9) for a in places[::-1]]
    draw.polygon([*upper, *lower], fill=colour)
    draw.line([(0, 78), (280, 75)], fill=paler, width=4)
    for x in range(60, 250, 38):
        draw.line([(x, 75), (x + 28, 40)], fill=paler, width=2)
        draw.line([(x, 75), (x + 28, 110)], fill=paler, width=2)
    return image


def mug(rng: np.random.Generator) -> Image.Image:
    """A mug of coffee from above, its handle to the side."""
    image, draw = _blank(SIDE, round(SIDE * 0.78))
    body, paler = _shades(_cloth(rng))
    middle = image.height / 2
    draw.rounded_rectangle([200, middle - 22, SIDE - 6, middle + 22], radius=20, fill=body)
    _disc(draw, middle, middle, middle - 1, body)
    _disc(draw, middle, middle, middle * 0.88, paler)
    _disc(draw, middle, middle, middle * 0.8, (66, 40, 26))
    draw.arc([middle * 0.4, middle * 0.4, middle * 1.6, middle * 1.6], 190, 260, fill=(120, 84, 60), width=6)
    return image


def spoon(rng: np.random.Generator) -> Image.Image:
    """A spoon of wood or steel."""
    image, draw = _blank(SIDE, 64)
    colour, paler = _shades((0.66, 0.67, 0.7) if rng.random() < 0.5 else (0.6, 0.42, 0.25))
    draw.rounded_rectangle([80, 25, SIDE - 1, 39], radius=7, fill=colour)
    draw.ellipse([0, 2, 106, 61], fill=colour)
    draw.ellipse([10, 10, 92, 53], fill=paler)
    return image


CLUTTER: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "book": book,
    "ball": ball,
    "plate": plate,
    "pencil": pencil,
    "leaf": leaf,
    "mug": mug,
    "spoon": spoon,
}


def people_scene(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A few people standing on grass."""
    scene = Scene(_outdoors(rng, width, height), rng)
    for place in _spread(rng, 3):
        figure = fitted(_person(rng), height * rng.uniform(0.5, 0.65), float(rng.uniform(-3, 3)))
        scene.place(figure, (place * width, height * rng.uniform(0.55, 0.65)))
    return scene


def street_scene(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Houses along a road, with a car."""
    ground = _outdoors(rng, width, height)
    road = round(height * 0.74)
    ground[road:] = 0.36 + rng.normal(0, 0.02, (height - road, width, 1))
    marks = (np.arange(width) // (width // 9) % 2 == 0)[None, :, None]
    middle = slice((road + height) // 2 - 3, (road + height) // 2 + 3)
    ground[middle] = np.where(marks, 0.88, ground[middle])
    scene = Scene(ground, rng)
    for place in (0.17, 0.5, 0.83):
        scene.place(fitted(_house(rng), height * rng.uniform(0.5, 0.58), 0), (place * width, height * 0.47))
    scene.place(fitted(_car(rng), width * 0.36, 0), (width * rng.uniform(0.25, 0.75), height * 0.8))
    return scene


def toy_scene(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A rug with balls and building blocks."""
    scene = Scene(surface(rng, "carpet", width, height), rng)
    for place in _spread(rng, 3):
        size, angle = height * rng.uniform(0.22, 0.34), float(rng.uniform(0, 360))
        scene.place(fitted(ball(rng), size, angle), (place * width, height * rng.uniform(0.2, 0.45)))
    for place in _spread(rng, 3):
        size, angle = height * rng.uniform(0.18, 0.28), float(rng.uniform(0, 360))
        scene.place(fitted(_brick(rng), size, angle), (place * width, height * rng.uniform(0.6, 0.8)))
    return scene


SCENES: dict[str, Callable[[np.random.Generator, int, int], Scene]] = {
    "people_scene": people_scene,
    "street_scene": street_scene,
    "pet_or_toy_scene": toy_scene,
}


def _person(rng: np.random.Generator) -> Image.Image:
    image, draw = _blank(120, SIDE)
    coat, _ = _shades(_cloth(rng))
    trousers, _ = _shades(_cloth(rng))
    skins: list[Colour] = [(240, 205, 175), (200, 150, 110), (140, 95, 65), (95, 62, 45)]
    skin = skins[int(rng.integers(len(skins)))]
    draw.rounded_rectangle([36, 150, 57, SIDE - 2], radius=9, fill=trousers)
    draw.rounded_rectangle([63, 150, 84, SIDE - 2], radius=9, fill=trousers)
    draw.rounded_rectangle([10, 74, 30, 170], radius=10, fill=_times(coat, 0.85))
    draw.rounded_rectangle([90, 74, 110, 170], radius=10, fill=_times(coat, 0.85))
    draw.rounded_rectangle([28, 68, 92, 178], radius=16, fill=coat)
    _disc(draw, 60, 36, 29, skin)
    draw.pieslice([30, 4, 90, 66], 180, 360, fill=(60, 42, 32))
    return image


def _house(rng: np.random.Generator) -> Image.Image:
    image, draw = _blank(230, SIDE)
    wall, _ = _shades(_cloth(rng))
    draw.polygon([(0, 100), (115, 0), (229, 100)], fill=(120, 62, 52))
    draw.rectangle([14, 100, 216, SIDE - 1], fill=wall)
    for x in (40, 140):
        for y in (125, 200):
            draw.rectangle([x, y, x + 46, y + 50], fill=(190, 214, 226), outline=(240, 240, 240), width=5)
    draw.rectangle([94, 220, 132, SIDE - 1], fill=(70, 52, 46))
    return image


def _car(rng: np.random.Generator) -> Image.Image:
    image, draw = _blank(SIDE, 120)
    paint, _ = _shades(_cloth(rng))
    draw.polygon([(60, 52), (95, 6), (200, 6), (240, 52)], fill=(170, 200, 214))
    draw.line([(60, 52), (95, 6), (200, 6), (240, 52)], fill=paint, width=9)
    draw.rounded_rectangle([2, 48, SIDE - 3, 96], radius=18, fill=paint)
    for x in (70, 228):
        _disc(draw, x, 93, 26, (34, 34, 36))
        _disc(draw, x, 93, 12, (180, 180, 184))
    return image


def _brick(rng: np.random.Generator) -> Image.Image:
    image, draw = _blank(SIDE, SIDE)
    colour, paler = _shades(_cloth(rng))
    draw.rectangle([0, 0, SIDE - 1, SIDE - 1], fill=colour)
    for x in (52, 150, 248):
        for y in (52, 150, 248):
            _disc(draw, x, y + 4, 35, _times(colour, 0.75))
            _disc(draw, x, y, 34, paler)
    return image


def _outdoors(rng: np.random.Generator, width: int, height: int) -> Array:
    ground = surface(rng, "grass", width, height)
    horizon = round(height * 0.4)
    sky = np.linspace(0, 1, horizon)[:, None, None]
    ground[:horizon] = np.array([0.5, 0.68, 0.86]) * (1 - sky) + np.array([0.84, 0.89, 0.92]) * sky
    return ground


def _spread(rng: np.random.Generator, count: int) -> list[float]:
    return [(i + 0.5 + rng.uniform(-0.12, 0.12)) / count for i in range(count)]


def _cloth(rng: np.random.Generator) -> Rgb:
    """Return a muted colour: the items keep the strong ones, and brown, for themselves."""
    colours: list[Rgb] = [
        (0.25, 0.32, 0.46), (0.5, 0.3, 0.36), (0.36, 0.5, 0.54), (0.55, 0.52, 0.6), (0.68, 0.56, 0.6),
        (0.3, 0.3, 0.33), (0.46, 0.5, 0.42),
    ]  # fmt: skip
    return colours[int(rng.integers(len(colours)))]


def _shades(colour: Rgb) -> tuple[Colour, Colour]:
    """Return a colour in bytes, and a paler one for what is printed on it."""
    full = (round(colour[0] * 255), round(colour[1] * 255), round(colour[2] * 255))
    return full, (
        full[0] + (255 - full[0]) // 2,
        full[1] + (255 - full[1]) // 2,
        full[2] + (255 - full[2]) // 2,
    )


def _times(colour: Colour, factor: float) -> Colour:
    return round(colour[0] * factor), round(colour[1] * factor), round(colour[2] * factor)


def _blank(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (width, height))
    return image, ImageDraw.Draw(image)


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour) -> None:
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
