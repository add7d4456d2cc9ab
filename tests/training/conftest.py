"""Small models and a small bundle, so that training and export are tested in seconds with the real tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

LABELS = ("Tin Can", "Glass Jar", "Cardboard")

_BACKBONE = """
nc: 3
scales:
  n: [0.33, 0.0625, 256]
backbone:
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 1, Conv, [128, 3, 2]]
  - [-1, 1, Conv, [256, 3, 2]]
  - [-1, 1, Conv, [512, 3, 2]]
  - [-1, 1, Conv, [1024, 3, 2]]
head:
  - [[2, 3, 4], 1, Detect, [nc]]
"""


@pytest.fixture(scope="session")
def definition(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """Write the definition of a very small YOLO, with or without an end-to-end head."""

    def write(end2end: bool) -> Path:
        path = tmp_path_factory.mktemp("definition") / "yolov8n-tiny.yaml"
        path.write_text(f"end2end: {end2end}\n{_BACKBONE}")
        return path

    return write


@pytest.fixture(scope="session")
def checkpoint(
    definition: Callable[[bool], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Write a checkpoint of the small model: random, with scores spread as those of a trained one."""
    pytest.importorskip("ultralytics")
    import torch

    from pipeline.support import ultralytics_library as library

    library.prepare(why="These tests")

    def write(*, end2end: bool = False, spread: bool = True) -> Path:
        with library.output_to(None):
            from ultralytics.nn.tasks import DetectionModel

            torch.manual_seed(7)
            model = DetectionModel(str(definition(end2end)), nc=len(LABELS), verbose=False)
        model.names = dict(enumerate(LABELS))
        if spread:
            head = model.model[-1]
            branches = [head.cv3, *([head.one2one_cv3] if end2end else [])]
            for branch in branches:
                for level in branch:
                    level[-1].weight.data.normal_(0, 3)
                    level[-1].bias.data.fill_(-2)
        path = tmp_path_factory.mktemp("weights") / "tiny.pt"
        torch.save({"model": model, "train_args": {"imgsz": 96, "task": "detect"}}, path)
        return path

    return write


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight drawn pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(8):
        draw(index, folder / f"p{index}.jpg")
    return folder


def draw(seed: int, path: Path, size: tuple[int, int] = (120, 90)) -> tuple[float, float, float, float]:
    """Draw a coloured box on noise; return its place as YOLO writes it."""
    random = np.random.default_rng(seed)
    width, height = size
    pixels = random.integers(90, 130, (height, width, 3)).astype(np.uint8)
    x, y = random.integers(5, width // 3), random.integers(5, height // 3)
    w, h = random.integers(width // 4, width // 2), random.integers(height // 4, height // 2)
    pixels[y : y + h, x : x + w] = random.integers(0, 255, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)
    return (x + w / 2) / width, (y + h / 2) / height, w / width, h / height


@pytest.fixture(scope="session")
def bundle_writer() -> Callable[[Path], Path]:
    """Write the bundle of `bundle` into a folder: for fixtures that several tests share."""
    return write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of twelve drawn pictures: eight to train on (one negative), two each to validate and test."""
    return write_bundle(tmp_path / "bundles" / "20260101-000000")


def write_bundle(folder: Path) -> Path:
    """Write the bundle of `bundle`."""
    rows, entries = [], []
    for index in range(12):
        name, label = f"row_{index}", index % len(LABELS)
        box = draw(index, folder / "images" / f"{name}.jpg")
        negative = index == 3
        text = "" if negative else f"{label} {' '.join(f'{value:.6f}' for value in box)}\n"
        (folder / "labels").mkdir(exist_ok=True)
        (folder / "labels" / f"{name}.txt").write_text(text)
        row = [name, f"images/{name}.jpg", f"labels/{name}.txt", str(negative).lower()]
        row += ["", ""] if negative else [LABELS[label], str(label)]
        rows.append([*row, "annotated", "", ""])
        subset = "val" if index in {8, 9} else "test" if index > 9 else "train"
        entries.append({"id": name, "subset": subset, "group": name})
    columns = "id,image_file,label_file,is_negative,class_label,class_id,status,annotator,notes"
    lines = [columns, *(",".join(row) for row in rows)]
    (folder / "annotations-template.csv").write_text("\n".join(lines) + "\n")
    classes = {"classes": [{"id": index, "label": label} for index, label in enumerate(LABELS)]}
    (folder / "classes.json").write_text(json.dumps(classes))
    split = {
        "seed": 3,
        "method": "by hand",
        "digest": "ab" * 32,
        "counts": {"train": 8, "val": 2, "test": 2},
        "warnings": [],
        "entries": entries,
    }
    (folder / "split.json").write_text(json.dumps(split))
    metadata = {"run_id": folder.name, "generated_at": "x", "source_manifest": "x", "summary": {}}
    (folder / "bundle-metadata.json").write_text(json.dumps(metadata))
    return folder
