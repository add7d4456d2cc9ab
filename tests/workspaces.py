"""What the end-to-end tests share: real workspaces, folders compared whole, programs run apart."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contracts.labeled import LABELED_COLUMNS

PROGRAM = (sys.executable, "-m", "pipeline")

TINY = """
nc: 4
scales:
  n: [0.33, 0.125, 256]
backbone:
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 1, Conv, [128, 3, 2]]
  - [-1, 1, Conv, [256, 3, 2]]
  - [-1, 1, Conv, [512, 3, 2]]
  - [-1, 1, Conv, [1024, 3, 2]]
head:
  - [[2, 3, 4], 1, Detect, [nc]]
"""
"""A detector that trains in seconds; it learns little, and the lifecycle must not mind."""

SETTINGS = """
[kaggle.folders]
"Light Bulb" = ["light_bulbs"]

[training]
model = "tiny.yaml"
epochs = {epochs}
imgsz = 96
batch = 8
workers = 0

[training.overrides]
save_period = 1
plots = false

[export]
parity_images = 4

[baseline]
epoch = 1
"""
"""Settings with which the sample trains in seconds; `epochs` is to be filled in."""


def digests(folder: Path) -> dict[str, str]:
    """Return every file of a folder with the SHA-256 of its bytes; folders and links are named, too."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a program of its own: one thread for torch, and no colours."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "120", **more}


def program(
    *arguments: object, cwd: Path, timeout: float = 600, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run ``repath`` as a program of its own and return how it ended."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@dataclass(frozen=True, slots=True)
class RealPhotos:
    """Which photos of ``real/photos`` a workspace gets."""

    training: list[str]
    held_out: list[str]
    labels: dict[str, list[str]] = field(default_factory=dict)
    """File stem to the labels of its boxes, by class id of the first box; empty for a negative."""


def real_photos(real: Path, *, every: int = 1, without: Sequence[str] = ()) -> RealPhotos:
    """Take every so many of the photos for training, and all of the others for the benchmark."""
    classes = real_classes(real)
    stems, labels = {}, {}
    for subset in ("train", "val"):
        files = sorted((real / "photos" / "labels" / subset).glob("*.txt"))
        stems[subset] = [path.stem for path in files]
        for path in files:
            ids = [int(line.split()[0]) for line in path.read_text("utf-8").splitlines() if line.strip()]
            labels[path.stem] = list(dict.fromkeys(classes[number] for number in ids))
    training = [stem for stem in stems["train"][::every] if stem not in without]
    return RealPhotos(training, stems["val"], labels)


def real_classes(real: Path) -> list[str]:
    """Return the class names of ``real/photos``, in the order of their ids."""
    lines = (real / "photos" / "data.yaml").read_text("utf-8").splitlines()
    return [line.split(": ", 1)[1] for line in lines if line.startswith("  ")]


def write_real_workspace(folder: Path, real: Path, photos: RealPhotos, settings: str) -> None:
    """Fill a folder as a user of the earlier system would, with the real files and photos."""
    data = folder / "data"
    (data / "annotations").mkdir(parents=True)
    shutil.copy(real / "repath-core" / "fort-collins-co-us.pack.json", data / "pack.json")
    mobile = real / "repath-mobile"
    shutil.copy(mobile / "benchmark-manifest.seed.json", data / "benchmark-manifest.seed.json")
    shutil.copy(mobile / "benchmark-labeled.csv", data / "benchmark-labeled.csv")
    rows = [
        *(_photo_row(stem, photos.labels[stem], trains=True) for stem in photos.training),
        *(_photo_row(stem, photos.labels[stem], trains=False) for stem in photos.held_out),
    ]
    with (data / "benchmark-labeled.csv").open("a", encoding="utf-8", newline="") as stream:
        csv.DictWriter(stream, LABELED_COLUMNS, lineterminator="\n").writerows(rows)
    for subset, stems in (("train", photos.training), ("val", photos.held_out)):
        target = data / "images" / "photos" / subset
        target.mkdir(parents=True)
        for stem in stems:
            shutil.copy(real / "photos" / "images" / subset / f"{stem}.jpg", target)
    for stem in photos.training:
        drawn = real / "photos" / "labels" / "train" / f"{stem}.txt"
        shutil.copy(drawn, data / "annotations" / f"{_row_name(stem, photos.labels[stem], trains=True)}.txt")
    (data / "annotations" / "classes.txt").write_text("\n".join(real_classes(real)) + "\n", "utf-8")
    (folder / "release-notes.md").write_text("The first detector that was trained on photos.\n", "utf-8")
    (folder / "repath.toml").write_text(settings, "utf-8")


def _row_name(stem: str, labels: list[str], *, trains: bool) -> str:
    if trains:
        return f"retrain_{stem}" if labels else f"retrain_negative_{stem}"
    return f"photo_{stem}" if labels else f"photo_negative_{stem}"


def _photo_row(stem: str, labels: list[str], *, trains: bool) -> dict[str, str]:
    subset = "train" if trains else "val"
    return {
        "name": _row_name(stem, labels, trains=trains),
        "url": f"data/images/photos/{subset}/{stem}.jpg",
        "item_id": "",
        "canonical_label": labels[0] if labels else "",
        "source": "real_photos",
        "notes": f"labels={'/'.join(labels)}" if labels else "",
    }
