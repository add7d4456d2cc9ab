"""The sample workspace: a small town's pack, drawn pictures of four items, and what the lifecycle asks for.

Made without network from a seed: the same version of repath, Pillow and NumPy writes the same bytes. What
trains and what is held out are different drawings; no picture stands on both sides.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.contracts.labeled import LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, ManifestBox, ManifestRow
from pipeline.contracts.pack import OptionCard, Pack, PackItem
from pipeline.contracts.settings import Baseline, Gate, Kaggle, Release, Settings, Training
from pipeline.contracts.text import slug
from pipeline.data.drawing import Seen
from pipeline.data.drawing_clutter import SCENES
from pipeline.data.sample_pictures import Picture, backdrop, draw, draw_scene

SOURCE = "drawn_sample"
QUALITY = 90

LABELS = {
    "can": "Aluminum Can",
    "box": "Cardboard Box",
    "bottle": "Glass Bottle",
    "bulb": "Light Bulb",
}
"""What is drawn, and the label that the pack has for it; the order is that of the class ids."""

TRAINING_POSITIVES = 52
TRAINING_NEGATIVES = 8
HELD_OUT_POSITIVES = 18
HELD_OUT_NEGATIVES = 6


@dataclass(frozen=True, slots=True)
class Planned:
    """A picture to be drawn."""

    number: int
    kinds: tuple[str, ...]
    """The items on it; the first gives the row its label. Empty for a negative."""
    scene: str | None = None
    """For a negative: one of `SCENES`; None is a surface with clutter."""
    trains: bool = False


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """All that the sample consists of, as contracts and bytes."""

    pack: Pack
    seed: BenchmarkManifest
    labeled: list[LabeledRow]
    pictures: dict[str, bytes]
    """JPEG files by their path in the workspace."""
    annotations: dict[str, str]
    """YOLO label files by file name, and ``classes.txt``."""


def plan() -> list[Planned]:
    """Return the pictures of the sample: those for training first, then those held out."""
    # Every sixth shows a second item, so that the detector learns to find both.
    mixed = [_kind(i, i + 1 + i // 4 % 3) if i % 6 == 5 else _kind(i) for i in range(TRAINING_POSITIVES)]
    twice = [_kind(i, i) if i % 6 == 5 else _kind(i) for i in range(HELD_OUT_POSITIVES)]
    scenes = [*SCENES, *[None] * max(TRAINING_NEGATIVES, HELD_OUT_NEGATIVES)]
    return [
        *(Planned(i, kinds, trains=True) for i, kinds in enumerate(mixed)),
        *(Planned(100 + i, (), scenes[i], trains=True) for i in range(TRAINING_NEGATIVES)),
        *(Planned(200 + i, kinds) for i, kinds in enumerate(twice)),
        *(Planned(300 + i, (), scenes[i]) for i in range(HELD_OUT_NEGATIVES)),
    ]


def draw_planned(planned: Planned) -> Picture:
    """Draw one picture of the plan."""
    if planned.scene is not None:
        return draw_scene(planned.number, planned.scene)
    return draw(planned.number, planned.kinds)


def assemble(planned: Sequence[Planned], pictures: Sequence[Picture]) -> SampleFiles:
    """Name the drawn pictures and write down what each shows.

    Args:
        planned: the plan.
        pictures: its pictures, in the same order.
    """
    names = _names(planned)
    seed, labeled = [], []
    files, annotations = {}, {"classes.txt": "".join(f"{label}\n" for label in LABELS.values())}
    for each, name, picture in zip(planned, names, pictures, strict=True):
        url = f"data/images/{'training' if each.trains else 'benchmark'}/{name}.jpg"
        files[url] = _jpeg(picture)
        labeled.append(_labeled_row(each, name, url))
        if each.trains:
            annotations[f"{name}.txt"] = _yolo(picture)
        elif each.kinds:
            seed.append(_seed_row(each, url, picture.seen))
    manifest = BenchmarkManifest(name="municipal-benchmark-seed-sample", images=seed)
    return SampleFiles(_pack(), manifest, labeled, files, annotations)


def sample_settings() -> Settings:
    """Return the settings of the sample: a detector that two CPU cores train in a few minutes.

    From the model definition, so without weights; one-to-many head, since an end-to-end one learns more
    slowly. A step after every batch (``nbs = batch``) instead of one per 64 pictures: with so few pictures
    that is what makes it learn at all in the time.
    """
    return Settings(
        kaggle=Kaggle(
            folders={
                "Aluminum Can": ["aluminum_soda_cans"],
                "Cardboard Box": ["cardboard_boxes"],
                "Glass Bottle": ["glass_beverage_bottles"],
            }
        ),
        training=Training(
            model="yolov8n.yaml",
            epochs=120,
            imgsz=128,
            batch=8,
            device="cpu",
            workers=0,
            patience=0,
            seed=0,
            val_fraction=0.1,
            test_fraction=0.1,
            overrides={
                "optimizer": "AdamW",
                "lr0": 0.002,
                "lrf": 0.05,
                "cos_lr": True,
                "nbs": 8,
                "warmup_epochs": 2,
                "warmup_bias_lr": 0.0,
                "mosaic": 0.0,
                "scale": 0.2,
                "flipud": 0.5,
                "hsv_h": 0.01,
                "hsv_s": 0.4,
                "hsv_v": 0.3,
                # Six pictures are too few to choose an epoch by: the last one is taken.
                "val": False,
                "save_period": 40,
            },
        ),
        baseline=Baseline(epoch=80),
        gate=Gate(min={"any_hit_rate": 0.6, "negative_clean_rate": 0.6}),
        release=Release(name="RePath Sample Model"),
    )


def _kind(*numbers: int) -> tuple[str, ...]:
    kinds = list(LABELS)
    return tuple(kinds[number % len(kinds)] for number in numbers)


def _names(planned: Sequence[Planned]) -> list[str]:
    """Return the row names, as the playbook forms them: a built manifest numbers the pictures of a label."""
    counts: Counter[str] = Counter()
    names = []
    for each in planned:
        label = slug(LABELS[each.kinds[0]]) if each.kinds else ""
        if each.trains:
            stem = f"retrain_positive_{label}" if label else f"retrain_negative_{each.scene or 'tabletop'}"
            counts[stem] += 1
            names.append(f"{stem}_v{counts[stem]}")
        elif label:
            counts[label] += 1
            number = "" if counts[label] == 1 else f"_{counts[label]}"
            names.append(_seed_name(each) + number)
        else:
            stem = f"todo_negative_{each.scene or 'tabletop'}"
            counts[stem] += 1
            names.append(stem if each.scene else f"{stem}_{counts[stem]}")
    return names


def _seed_name(planned: Planned) -> str:
    return f"{slug(LABELS[planned.kinds[0]])}_on_{backdrop(planned.number)}"


def _labeled_row(planned: Planned, name: str, url: str) -> LabeledRow:
    label = LABELS[planned.kinds[0]] if planned.kinds else ""
    place = planned.scene or backdrop(planned.number)
    return LabeledRow(
        name=name,
        url=url,
        item_id=slug(label),
        canonical_label=label,
        source=SOURCE,
        notes=f"drawing={planned.number}; scene={place}",
    )


def _seed_row(planned: Planned, url: str, seen: Sequence[Seen]) -> ManifestRow:
    boxes = [ManifestBox(label=LABELS[item.kind], box=[float(edge) for edge in item.box]) for item in seen]
    return ManifestRow(
        name=_seed_name(planned), url=url, expected_any=[LABELS[planned.kinds[0]]], boxes=boxes
    )


def _yolo(picture: Picture) -> str:
    """Return the boxes as YOLO lines: class, centre and size as shares of the picture."""
    width, height = picture.image.size
    classes = list(LABELS)
    lines = []
    for item in picture.seen:
        x1, y1, x2, y2 = item.box
        centre = f"{(x1 + x2) / 2 / width:.6f} {(y1 + y2) / 2 / height:.6f}"
        lines.append(
            f"{classes.index(item.kind)} {centre} {(x2 - x1) / width:.6f} {(y2 - y1) / height:.6f}\n"
        )
    return "".join(lines)


def _jpeg(picture: Picture) -> bytes:
    data = io.BytesIO()
    picture.image.save(data, "JPEG", quality=QUALITY)
    return data.getvalue()


def _pack() -> Pack:
    """Return the pack of a town that is not on any map."""
    return Pack.model_validate(
        {
            "pack_id": "sample-town",
            "pack_version": "1.0.0",
            "pack_schema_version": "1.2.0",
            "retrieved_at": "2026-02-03T00:00:00Z",
            "municipality": {"name": "Sample Town", "region": "EX", "country": "US"},
            "locations": [
                {
                    "id": "sample-yard",
                    "name": "Sample Town Recycling Yard",
                    "type": "dropoff",
                    "country": "US",
                }
            ],
            "items": [item.to_data() for item in _items()],
        }
    )


def _items() -> list[PackItem]:
    return [
        _item(
            "Aluminum Can",
            ["Soda can", "Beer can", "Drink can"],
            [("curbside_recycle", "Recycle at the curb", "Empty it; crushing is not needed.")],
        ),
        _item(
            "Cardboard Box",
            ["Carton", "Shipping box", "Moving box"],
            [
                ("curbside_recycle", "Recycle at the curb", "Flatten it and take the tape off."),
                ("reuse", "Use it again", "Offer it to somebody who moves house."),
            ],
        ),
        _item(
            "Glass Bottle",
            ["Wine bottle", "Beer bottle", "Bottle"],
            [
                ("dropoff_recycle", "Take to the recycling yard", "Rinse it; caps go with metal."),
                ("curbside_recycle", "Recycle at the curb", "Only unbroken bottles."),
            ],
        ),
        _item(
            "Light Bulb",
            ["Bulb", "LED bulb", "Lamp"],
            [("dropoff_other", "Take to the recycling yard", "Wrap it in paper so that it does not break.")],
        ),
    ]


def _item(name: str, keywords: list[str], cards: list[tuple[str, str, str]]) -> PackItem:
    item_id = slug(name)
    options = []
    for priority, (kind, title, text) in enumerate(cards):
        action: dict[str, Any] = {"type": "copy_text", "label": "Info", "text": text}
        options.append(
            OptionCard.model_validate(
                {
                    "id": f"{item_id}-{kind}",
                    "kind": kind,
                    "title": title,
                    "priority": priority,
                    "confidence": 1.0,
                    "actions": [action],
                }
            )
        )
    return PackItem(id=item_id, name=name, keywords=keywords, option_cards=options)
