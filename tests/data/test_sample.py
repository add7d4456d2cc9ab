"""The sample: deterministic drawings with tight boxes, in files that every contract reads."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.contracts.base import parse
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.pack import Pack
from pipeline.data.drawing import MIN_VISIBLE, SURFACES, Scene, fitted, surface
from pipeline.data.drawing_clutter import CLUTTER
from pipeline.data.drawing_items import ITEMS
from pipeline.data.sample import (
    LABELS,
    Planned,
    SampleFiles,
    assemble,
    draw_planned,
    plan,
    sample_settings,
)
from pipeline.data.sample_pictures import Picture
from pipeline.support.phash import MAX_DISTANCE, distance, mirrored, picture_hash


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Planned, Picture]]:
    return [(planned, draw_planned(planned)) for planned in plan()]


@pytest.fixture(scope="module")
def sample(drawn: list[tuple[Planned, Picture]]) -> SampleFiles:
    return assemble([planned for planned, _ in drawn], [picture for _, picture in drawn])


def test_a_picture_is_drawn_the_same_every_time(drawn: list[tuple[Planned, Picture]]) -> None:
    for planned, picture in drawn[::7]:
        again = draw_planned(planned)
        assert again.image.tobytes() == picture.image.tobytes()
        assert again.seen == picture.seen


def test_no_picture_depends_on_those_drawn_before_it() -> None:
    third = draw_planned(plan()[2]).image.tobytes()
    draw_planned(plan()[50])
    assert draw_planned(plan()[2]).image.tobytes() == third


def test_every_item_asked_for_is_on_its_picture_and_in_sight(drawn: list[tuple[Planned, Picture]]) -> None:
    for planned, picture in drawn:
        assert sorted(item.kind for item in picture.seen) == sorted(planned.kinds)


def test_a_box_touches_its_item_on_all_four_sides(drawn: list[tuple[Planned, Picture]]) -> None:
    for _, picture in drawn:
        for item in picture.seen:
            x1, y1, x2, y2 = item.box
            owner = _owner(picture, item.box)
            inside = picture.instances == owner
            assert not inside[:y1].any()
            assert not inside[y2:].any()
            assert not inside[:, :x1].any()
            assert not inside[:, x2:].any()
            for edge in (inside[y1], inside[y2 - 1], inside[:, x1], inside[:, x2 - 1]):
                assert edge.any()


def _owner(picture: Picture, box: tuple[int, int, int, int]) -> int:
    """The layer whose pixels have exactly this box, found from the picture of layers alone."""
    for number in np.unique(picture.instances[picture.instances > 0]):
        rows, columns = np.nonzero(picture.instances == number)
        if (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == box:
            return int(number)
    raise AssertionError(f"no layer has the box {box}")


@pytest.mark.parametrize("kind", ITEMS)
def test_only_the_box_and_its_shadow_change_when_an_item_is_put_down(kind: str) -> None:
    rng = np.random.default_rng(4)
    ground = surface(rng, "concrete", 320, 320)
    scene = Scene(ground, rng)
    before = np.asarray(scene.canvas, np.int16)
    assert scene.place(fitted(ITEMS[kind](rng), 150, 30), (160, 150), kind)
    x1, y1, x2, y2 = scene.seen()[0].box
    changed = np.abs(np.asarray(scene.canvas, np.int16) - before).max(axis=2)
    brighter = (np.asarray(scene.canvas, np.int16) - before).max(axis=2) > 3
    assert (changed[y1:y2, x1:x2] > 10).mean() > 0.3
    outside = np.ones_like(brighter)
    outside[y1 - 1 : y2 + 1, x1 - 1 : x2 + 1] = False
    assert not (brighter & outside).any(), "a shadow only darkens; what is brighter belongs to the item"


def test_nothing_may_hide_most_of_an_item() -> None:
    rng = np.random.default_rng(1)
    scene = Scene(surface(rng, "wood", 320, 320), rng)
    item = fitted(ITEMS["can"](rng), 120, 0)
    assert scene.place(item, (160, 160), "can")
    whole = int((scene.instances == 1).sum())
    assert not scene.place(fitted(CLUTTER["plate"](rng), 200, 0), (160, 160))
    assert int((scene.instances == 1).sum()) == whole
    scene.place(fitted(CLUTTER["pencil"](rng), 100, 90), (160, 160))
    assert (scene.instances == 1).sum() >= MIN_VISIBLE * whole


def test_an_item_is_never_placed_partly_outside() -> None:
    rng = np.random.default_rng(1)
    scene = Scene(surface(rng, "wood", 320, 320), rng)
    item = fitted(ITEMS["can"](rng), 120, 0)
    for centre in ((10.0, 160.0), (310.0, 160.0), (160.0, 5.0), (160.0, 316.0), (-500.0, -500.0)):
        assert not scene.place(item, centre, "can")
    assert scene.seen() == []


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("size", [(320, 320), (351, 287)])
def test_a_surface_has_the_size_and_range_of_a_picture(name: str, size: tuple[int, int]) -> None:
    pixels = surface(np.random.default_rng(0), name, *size)
    assert pixels.shape == (size[1], size[0], 3)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert pixels.std() > 0.01


def test_no_held_out_picture_is_near_one_that_trains(sample: SampleFiles) -> None:
    hashes = {path: picture_hash(data).bits for path, data in sample.pictures.items()}
    training = [bits for path, bits in hashes.items() if "/training/" in path]
    held_out = [bits for path, bits in hashes.items() if "/benchmark/" in path]
    nearest = min(min(distance(a, b), distance(a, mirrored(b))) for a in training for b in held_out)
    assert nearest > MAX_DISTANCE
    assert len(set(sample.pictures.values())) == len(sample.pictures)


def test_the_pictures_are_about_eighty_in_four_labels_with_negatives_on_both_sides(
    sample: SampleFiles,
) -> None:
    training = [row for row in sample.labeled if row.feeds_retraining]
    held_out = [row for row in sample.labeled if not row.feeds_retraining]
    assert 75 <= len(sample.labeled) <= 88
    for rows, negatives, least in ((training, 8, 13), (held_out, 6, 4)):
        assert sum(row.is_negative for row in rows) == negatives
        for label in LABELS.values():
            assert sum(row.canonical_label == label for row in rows) >= least
    assert all(row.name.startswith("retrain_negative_") for row in training if row.is_negative)
    assert {row.url for row in sample.labeled} == set(sample.pictures)
    assert len({row.name for row in sample.labeled}) == len(sample.labeled)


def test_every_picture_is_a_jpeg_of_its_drawing(
    sample: SampleFiles, drawn: list[tuple[Planned, Picture]]
) -> None:
    for data, (_, picture) in zip(sample.pictures.values(), drawn, strict=True):
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "JPEG"
            assert image.size == picture.image.size
            difference = np.asarray(image, np.float32) - np.asarray(picture.image, np.float32)
        assert np.abs(difference).mean() < 6


def test_a_label_file_says_what_the_drawing_shows(
    sample: SampleFiles, drawn: list[tuple[Planned, Picture]]
) -> None:
    classes = sample.annotations["classes.txt"].split("\n")
    for row, (_, picture) in zip(sample.labeled, drawn, strict=True):
        if not row.feeds_retraining:
            assert f"{row.name}.txt" not in sample.annotations
            continue
        lines = sample.annotations[f"{row.name}.txt"].splitlines()
        width, height = picture.image.size
        assert len(lines) == len(picture.seen)
        for line, item in zip(lines, picture.seen, strict=True):
            number, *shares = line.split()
            x, y, w, h = (float(share) for share in shares)
            back = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            assert back == pytest.approx(item.box, abs=0.01)
            assert classes[int(number)] == LABELS[item.kind]


def test_the_seed_has_boxes_for_every_held_out_picture_with_an_item(sample: SampleFiles) -> None:
    again = parse(BenchmarkManifest, json.loads(sample.seed.to_json()), source="seed")
    assert again.to_json() == sample.seed.to_json()
    positives = {row.url: row for row in sample.labeled if not row.feeds_retraining and not row.is_negative}
    assert {row.url for row in again.images} == set(positives)
    for row in again.images:
        assert row.boxes
        assert row.expected_any == [positives[row.url].canonical_label]
        assert {box.label for box in row.boxes} == set(row.expected_any)
        with Image.open(io.BytesIO(sample.pictures[row.url])) as image:
            for box in row.boxes:
                x1, y1, x2, y2 = box.box
                assert 0 <= x1 < x2 <= image.width
                assert 0 <= y1 < y2 <= image.height


def test_the_pack_is_valid_by_the_schema_of_packs(sample: SampleFiles, real: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((real / "repath-core" / "pack.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(sample.pack.to_json()))


def test_the_pack_names_what_is_drawn(sample: SampleFiles) -> None:
    again = parse(Pack, json.loads(sample.pack.to_json()), source="pack")
    assert [item.name for item in again.items] == list(LABELS.values())
    assert all(item.option_cards for item in again.items)


def test_the_baseline_of_the_sample_is_a_checkpoint_that_its_training_keeps() -> None:
    settings = sample_settings()
    period = settings.training.overrides["save_period"]
    assert isinstance(period, int)
    assert settings.baseline.epoch is not None
    assert settings.baseline.epoch % period == 0
    assert 0 < settings.baseline.epoch < settings.training.epochs
