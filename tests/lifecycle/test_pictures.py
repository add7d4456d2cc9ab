"""A picture that a row names is an input wherever it lies in the workspace."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.cli.main import run

Repath = Callable[..., Any]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "space"
    assert run(["init", str(folder), "--sample"]) == 0
    return folder


@pytest.fixture
def space(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample with one picture to train on and one to measure with in a folder of their own."""
    folder = tmp_path / "space"
    shutil.copytree(sample, folder)
    (folder / "photos").mkdir()
    labeled = folder / "data" / "benchmark-labeled.csv"
    seed = folder / "data" / "benchmark-manifest.seed.json"
    trained = re.search(r"retrain_positive[^,]*,([^,]+)", labeled.read_text("utf-8"))
    assert trained
    for document, url in (
        (labeled, trained[1]),
        (seed, json.loads(seed.read_text("utf-8"))["images"][0]["url"]),
    ):
        moved = f"photos/{Path(url).name}"
        (folder / url).rename(folder / moved)
        document.write_text(document.read_text("utf-8").replace(url, moved), "utf-8")
    monkeypatch.chdir(folder)
    return folder


def test_a_cache_beside_everything_else_makes_nothing_an_input_that_is_none(
    repath: Repath, space: Path
) -> None:
    settings = space / "repath.toml"
    settings.write_text(
        settings.read_text("utf-8").replace('# image_cache = "data/images/cache"', 'image_cache = "cache"'),
        "utf-8",
    )
    assert _ran(repath)[-1] == "bundle"
    assert len(list((space / "cache").iterdir())) > 10
    (space / "notes.txt").write_text("nobody's input", "utf-8")
    assert _ran(repath) == []


def test_a_picture_to_train_on_that_lies_in_the_cache_is_taken_up(repath: Repath, space: Path) -> None:
    labeled = space / "data" / "benchmark-labeled.csv"
    moved = next(path for path in (space / "photos").iterdir() if "retrain" in path.name)
    cached = space / "data" / "images" / "cache" / moved.name
    cached.parent.mkdir(exist_ok=True)
    moved.rename(cached)
    text = labeled.read_text("utf-8")
    labeled.write_text(text.replace(f"photos/{moved.name}", f"data/images/cache/{moved.name}"), "utf-8")
    assert _ran(repath)[-1] == "bundle"
    with Image.open(cached) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(cached)
    assert _ran(repath) == ["bundle"]


def _ran(repath: Repath) -> list[str]:
    ran = repath("run", "--until", "bundle")
    assert ran.code == 0, ran.err
    return re.findall(r"\[ *\d+/\d+\] (\S+) +done", ran.err)


def test_a_picture_outside_the_data_folder_that_changes_is_taken_up(repath: Repath, space: Path) -> None:
    assert _ran(repath)[-1] == "bundle"
    assert _ran(repath) == []
    for path in sorted((space / "photos").iterdir()):
        with Image.open(path) as picture:
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    again = _ran(repath)
    assert "resolve" in again
    assert "bundle" in again
    assert _ran(repath) == []


def test_rows_that_cannot_be_followed_are_named_by_their_stage(repath: Repath, space: Path) -> None:
    assert _ran(repath)[-1] == "bundle"
    curated = space / "benchmarks" / "benchmark-labeled.curated.csv"
    labeled = space / "data" / "benchmark-labeled.csv"
    labeled.write_text(labeled.read_text("utf-8").replace(",photos/", ",../photos/"), "utf-8")
    ran = repath("run", "--until", "bundle")
    assert ran.code == 1
    assert "leaves the workspace" in ran.err
    curated.write_bytes(b"\xff")  # made anew, whatever stands there
    labeled.write_text(labeled.read_text("utf-8").replace(",../photos/", ",photos/"), "utf-8")
    assert "curate" in _ran(repath)
