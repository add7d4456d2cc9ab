"""The pictures of the sample: what each shows, drawn from the sample's seed and its own number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.data.drawing import SURFACES, Scene, Seen, fitted, surface
from pipeline.data.drawing_clutter import CLUTTER, SCENES
from pipeline.data.drawing_items import ITEMS

SEED = 20_260_203
SIZES = ((320, 320), (352, 304), (304, 352))
"""Width and height; near square, because the app stretches every picture to a square."""

_SIZE = {"can": (0.38, 0.52), "box": (0.42, 0.58), "bottle": (0.5, 0.68), "bulb": (0.4, 0.54)}
_TILT = {"can": 180.0, "box": 14.0, "bottle": 180.0, "bulb": 180.0}
"""How far an item may be turned to either side, in degrees: a box stands, the others also lie."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture, what is to be found on it, and which item is in front at each pixel."""

    image: Image.Image
    seen: list[Seen]
    instances: NDArray[np.int16]


def backdrop(number: int) -> str:
    """Return the name of the surface that picture ``number`` is drawn on."""
    return list(SURFACES)[number % len(SURFACES)]


def draw(number: int, kinds: tuple[str, ...]) -> Picture:
    """Draw picture ``number`` with one item of each of ``kinds`` (a kind may stand twice) among clutter."""
    rng = np.random.default_rng([SEED, number])
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    scene = Scene(surface(rng, backdrop(number), width, height), rng)
    for _ in range(int(rng.integers(1, 4)) if kinds else 5):
        _strew(scene, width, height)
    for kind in kinds:
        _put(scene, kind, crowded=len(kinds) > 1)
    if rng.random() < 0.4:
        _strew(scene, width, height)
    return _taken(scene)


def draw_scene(number: int, name: str) -> Picture:
    """Draw picture ``number`` as one of the scenes that show no item."""
    rng = np.random.default_rng([SEED, number])
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    return _taken(SCENES[name](rng, width, height))


def _put(scene: Scene, kind: str, *, crowded: bool) -> None:
    rng, (width, height) = scene.rng, scene.size
    item = ITEMS[kind](rng)
    low, high = _SIZE[kind]
    share = rng.uniform(low, high) * (0.75 if crowded else 1.0)
    angle = float(rng.uniform(-1, 1) * _TILT[kind])
    while True:
        layer = fitted(item, share * min(width, height), angle)
        for _ in range(40):
            x = rng.uniform(layer.width / 2, max(width - layer.width / 2, layer.width / 2 + 1))
            y = rng.uniform(layer.height / 2, max(height - layer.height / 2, layer.height / 2 + 1))
            if scene.place(layer, (float(x), float(y)), kind):
                return
        share *= 0.85


def _strew(scene: Scene, width: int, height: int) -> None:
    rng = scene.rng
    thing = list(CLUTTER.values())[int(rng.integers(len(CLUTTER)))](rng)
    layer = fitted(thing, rng.uniform(0.22, 0.48) * min(width, height), float(rng.uniform(0, 360)))
    scene.place(layer, (float(rng.uniform(0, width)), float(rng.uniform(0, height))))


def _taken(scene: Scene) -> Picture:
    seen, instances = scene.seen(), scene.instances
    return Picture(scene.finish(), seen, instances)
