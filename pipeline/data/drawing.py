"""Drawn pictures: surfaces, light, and layers put on them, with the box of every item that can be seen.

Only Pillow and NumPy, and every number from the generator that is handed in: the same seed draws the same
picture. Lengths are pixels unless said otherwise, colours are RGB from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Array = NDArray[np.floating[Any]]
Rgb = tuple[float, float, float]
Box = tuple[int, int, int, int]

MIN_VISIBLE = 0.75
"""Least share of an item that later layers must leave in sight."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One item on a picture: its class and its box, corners ``x1,y1,x2,y2`` in pixels, ends exclusive."""

    kind: str
    box: Box


class Scene:
    """A picture under way: a surface, then layers from the back to the front."""

    def __init__(self, surface: Array, rng: np.random.Generator) -> None:
        """Take a surface of shape (height, width, 3); the light falls from where ``rng`` says."""
        self.rng = rng
        self.canvas = Image.fromarray(_bytes(surface), "RGB")
        self.instances = np.zeros(surface.shape[:2], np.int16)
        """Which layer is in front at each pixel; 0 is the surface."""
        self._kinds: list[str] = []
        self._areas: list[int] = []
        angle = rng.uniform(0, 2 * math.pi)
        self._shadow = (math.cos(angle), abs(math.sin(angle)) + 0.4)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.canvas.size

    def place(self, layer: Image.Image, centre: tuple[float, float], kind: str = "") -> bool:
        """Put an RGBA layer with its shadow on the picture, ``kind`` empty for what is not to be found.

        Returns:
            False, with nothing drawn, where it would hide too much of an item or lie partly outside.
        """
        left, top = round(centre[0] - layer.width / 2), round(centre[1] - layer.height / 2)
        mask = np.zeros_like(self.instances, bool)
        alpha = np.asarray(layer.getchannel("A")) > 127
        inside = _window(mask, left, top, alpha)
        if kind and inside < alpha.sum():
            return False
        if self._hides_too_much(mask):
            return False
        self._cast_shadow(layer, left, top)
        self.canvas.paste(layer, (left, top), layer)
        self._kinds.append(kind)
        self._areas.append(int(mask.sum()))
        self.instances[mask] = len(self._kinds)
        return True

    def seen(self) -> list[Seen]:
        """Return the items in the order they were placed, each box tight around the pixels in sight."""
        found = []
        for number, kind in enumerate(self._kinds, start=1):
            if kind:
                rows, columns = np.nonzero(self.instances == number)
                box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                found.append(Seen(kind, (int(box[0]), int(box[1]), int(box[2]), int(box[3]))))
        return found

    def finish(self) -> Image.Image:
        """Return the picture as a camera would give it: uneven light, a little blur, noise."""
        width, height = self.size
        pixels = np.asarray(self.canvas, np.float32) / 255
        across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
        down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        slope = self.rng.uniform(-0.13, 0.13, 2).astype(np.float32)
        light = 1 + slope[0] * across + slope[1] * down - 0.1 * (across**2 + down**2)
        warmth = self.rng.uniform(-0.035, 0.035)
        tint = np.array([1 + warmth, 1, 1 - warmth], np.float32) * np.float32(self.rng.uniform(0.94, 1.08))
        image = Image.fromarray(_bytes(pixels * light[..., None] * tint), "RGB")
        image = image.filter(ImageFilter.GaussianBlur(float(self.rng.uniform(0.2, 0.6))))
        grain = self.rng.standard_normal((height, width, 1), np.float32) * np.float32(
            self.rng.uniform(0.004, 0.012)
        )
        return Image.fromarray(_bytes(np.asarray(image, np.float32) / 255 + grain), "RGB")

    def _hides_too_much(self, mask: NDArray[np.bool_]) -> bool:
        covered = np.bincount(self.instances[mask], minlength=len(self._kinds) + 1)
        in_sight = np.bincount(self.instances.ravel(), minlength=len(self._kinds) + 1)
        return any(
            kind and in_sight[number] - covered[number] < MIN_VISIBLE * self._areas[number - 1]
            for number, kind in enumerate(self._kinds, start=1)
        )

    def _cast_shadow(self, layer: Image.Image, left: int, top: int) -> None:
        reach = max(4, round(0.05 * max(layer.size)))
        pad = 3 * reach
        shade = Image.new("L", (layer.width + 2 * pad, layer.height + 2 * pad))
        shade.paste(layer.getchannel("A").point(lambda value: value * 0.55), (pad, pad))
        shade = shade.filter(ImageFilter.BoxBlur(reach))
        at = (left - pad + round(reach * self._shadow[0]), top - pad + round(reach * self._shadow[1]))
        self.canvas.paste((18, 16, 22), at, shade)


def fitted(layer: Image.Image, longest: float, angle: float) -> Image.Image:
    """Return a layer turned by ``angle`` degrees and scaled, cut to what it shows.

    ``longest`` is the longer side of the upright layer afterwards.
    """
    scale = longest / max(layer.size)
    # Halving in steps first keeps fine print from turning into noise.
    size = (max(1, round(layer.width * scale * 2)), max(1, round(layer.height * scale * 2)))
    turned = layer.resize(size, Image.Resampling.BOX).rotate(angle, Image.Resampling.BILINEAR, expand=True)
    small = turned.resize((turned.width // 2 or 1, turned.height // 2 or 1), Image.Resampling.BOX)
    box = small.getchannel("A").point(lambda value: 255 * (value > 127)).getbbox()
    return small.crop(box)


def layer_of(colour: Array, alpha: Array) -> Image.Image:
    """Return an RGBA layer of colours (height, width, 3) and an opacity (height, width), both 0 to 1."""
    return Image.fromarray(_bytes(np.dstack([colour, alpha])), "RGBA")


def smooth_noise(rng: np.random.Generator, height: int, width: int, cells: tuple[int, int]) -> Array:
    """Return a field of shape (height, width), about -1 to 1, that changes over ``cells`` (down, across)."""
    coarse = rng.uniform(-1, 1, (cells[0] + 1, cells[1] + 1)).astype(np.float32)
    fine = Image.fromarray(coarse, "F").resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(fine, np.float32)


def one_of(rng: np.random.Generator, choices: Sequence[Rgb]) -> Array:
    """Return one of some colours, as an array."""
    return np.asarray(choices[int(rng.integers(len(choices)))], np.float32)


def surface(rng: np.random.Generator, name: str, width: int, height: int) -> Array:
    """Return the pixels (height, width, 3) of one of `SURFACES`."""
    return np.clip(SURFACES[name](rng, height, width), 0, 1).astype(np.float32)


def _wood(rng: np.random.Generator, height: int, width: int) -> Array:
    base = one_of(rng, [(0.55, 0.37, 0.23), (0.4, 0.26, 0.17), (0.72, 0.6, 0.46)])
    planks = int(rng.integers(3, 6))
    rows = np.linspace(0, planks, height, endpoint=False)
    tone = rng.uniform(-0.12, 0.12, planks)[rows.astype(int)]
    grain = smooth_noise(rng, height, width, (height // 4, 3)) * 0.1
    field = 1 + tone[:, None] + grain + smooth_noise(rng, height, width, (height // 12, 2)) * 0.08
    field[(rows % 1) < planks * 1.5 / height] *= 0.55
    return _turned(rng, field[..., None] * base)


def _tiles(rng: np.random.Generator, height: int, width: int) -> Array:
    base = one_of(rng, [(0.82, 0.84, 0.85), (0.5, 0.62, 0.66), (0.83, 0.76, 0.66)])
    count = int(rng.integers(3, 6))
    side = max(height, width) / count
    down, across = np.arange(height) + rng.uniform(0, side), np.arange(width) + rng.uniform(0, side)
    tone = rng.uniform(-0.05, 0.05, (count + 2, count + 2))
    field = 1 + tone[(down // side).astype(int)][:, (across // side).astype(int)]
    field = field + smooth_noise(rng, height, width, (24, 24)) * 0.03
    joint = (down % side < 3)[:, None] | (across % side < 3)[None, :]
    return np.where(joint, 0.62, field)[..., None] * base


def _concrete(rng: np.random.Generator, height: int, width: int) -> Array:
    base = one_of(rng, [(0.56, 0.56, 0.57), (0.42, 0.43, 0.46), (0.68, 0.66, 0.62)])
    field = (
        1
        + smooth_noise(rng, height, width, (6, 6)) * 0.08
        + smooth_noise(rng, height, width, (50, 50)) * 0.06
    )
    return (field + rng.normal(0, 0.05, (height, width)))[..., None] * base


def _gingham(rng: np.random.Generator, height: int, width: int) -> Array:
    colour = one_of(rng, [(0.75, 0.3, 0.33), (0.3, 0.45, 0.7), (0.35, 0.58, 0.48)])
    side = rng.uniform(14, 30)
    down = (np.arange(height) // side % 2)[:, None]
    across = (np.arange(width) // side % 2)[None, :]
    share = ((down + across) / 2)[..., None]
    weave = 1 + 0.04 * smooth_noise(rng, height, width, (height // 3, width // 3))[..., None]
    return (0.93 * (1 - share) + colour * share) * weave


def _grass(rng: np.random.Generator, height: int, width: int) -> Array:
    base = one_of(rng, [(0.3, 0.45, 0.18), (0.4, 0.5, 0.24)])
    blades = smooth_noise(rng, height, width, (height // 8, width // 2)) * 0.3
    field = 1 + blades + smooth_noise(rng, height, width, (height // 3, width // 2)) * 0.25
    dry = np.clip(smooth_noise(rng, height, width, (8, 8)), 0, 1)[..., None] * np.array([0.16, 0.1, 0.0])
    grass: Array = field[..., None] * base + dry
    return grass


def _carpet(rng: np.random.Generator, height: int, width: int) -> Array:
    base = one_of(rng, [(0.42, 0.36, 0.5), (0.3, 0.38, 0.48), (0.62, 0.55, 0.5)])
    field = 1 + smooth_noise(rng, height, width, (height // 3, width // 3)) * 0.16
    return (field + smooth_noise(rng, height, width, (5, 5)) * 0.06)[..., None] * base


def _counter(rng: np.random.Generator, height: int, width: int) -> Array:
    """A wall above a table top: the horizon runs somewhere in the upper half."""
    wall = one_of(rng, [(0.78, 0.8, 0.72), (0.6, 0.7, 0.78), (0.85, 0.72, 0.62)])
    horizon = int(height * rng.uniform(0.2, 0.45))
    fade = np.linspace(1.06, 0.92, horizon)[:, None, None]
    back = (fade + smooth_noise(rng, horizon, width, (4, 4))[..., None] * 0.02) * wall
    table = _wood(rng, height, width) if rng.random() < 0.6 else _concrete(rng, height, width)
    front = table[: height - horizon].copy()
    front[:3] *= 0.6
    return np.concatenate([back, front])


SURFACES: dict[str, Callable[[np.random.Generator, int, int], Array]] = {
    "wood": _wood,
    "tiles": _tiles,
    "concrete": _concrete,
    "gingham": _gingham,
    "grass": _grass,
    "carpet": _carpet,
    "counter": _counter,
}


def _turned(rng: np.random.Generator, pixels: Array) -> Array:
    height, width = pixels.shape[:2]
    if height == width and rng.random() < 0.5:
        return pixels.transpose(1, 0, 2)
    return pixels


def _window(mask: NDArray[np.bool_], left: int, top: int, alpha: NDArray[np.bool_]) -> int:
    """Copy ``alpha`` into ``mask`` at a place that may lie partly outside; return the pixels copied."""
    height, width = mask.shape
    rows = slice(max(top, 0), min(top + alpha.shape[0], height))
    columns = slice(max(left, 0), min(left + alpha.shape[1], width))
    part = alpha[
        rows.start - top : max(rows.stop - top, 0), columns.start - left : max(columns.stop - left, 0)
    ]
    mask[rows, columns] = part
    return int(part.sum())


def _bytes(values: Array) -> NDArray[np.uint8]:
    scaled: NDArray[np.uint8] = (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
    return scaled
