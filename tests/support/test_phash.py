"""The perceptual hash on real copies, its mirror, its trims, and what it refuses to judge."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from pipeline.support import phash
from pipeline.support.errors import ImageError
from pipeline.support.near_pairs import near_pairs
from pipeline.support.phash import MAX_DISTANCE, PictureHash, hash_files, picture_hash

NATURAL = ("newspaper/default/Image_12.jpg", "newspaper/default/Image_15.jpg")
CROPPED = ("glass_food_jars/default/Image_7.jpg", "glass_food_jars/default/Image_17.jpg")
"""A copy that lost 5% at every edge: found by the trimmed hashes."""


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Blobs on a ground: enough in it to be told by."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, tuple(int(x) for x in rng.integers(60, 200, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        w, h = rng.uniform(15, 90, 2)
        draw.ellipse((x - w, y - h, x + w, y + h), fill=tuple(int(c) for c in rng.integers(0, 255, 3)))
    return image


def bits(image: Image.Image, **options: object) -> int:
    return picture_hash(encoded(image, quality=90, **options)).bits


def test_every_listed_copy_of_the_real_folders_is_found_and_nothing_else_but_the_natural_pair(
    real: Path,
) -> None:
    folders = real / "folders"
    files = sorted(folders.rglob("*.jpg"))
    hashed = hash_files(files, trims=True)
    pictures = [entry.picture for entry in hashed if entry.picture]
    pairs = near_pairs([picture.bits for picture in pictures], max_distance=MAX_DISTANCE)
    names = [file.relative_to(folders).as_posix() for file in files]
    found = {frozenset((names[i], names[j])) for i, j in zip(pairs.a, pairs.b, strict=True)}
    with (folders / "duplicates.csv").open(newline="") as stream:
        listed = {frozenset((row["file_a"], row["file_b"])) for row in csv.DictReader(stream)}

    cropped = frozenset(CROPPED)
    assert len(listed) == 20
    assert found == listed - {cropped} | {frozenset(NATURAL)}
    trims = [trim for picture in pictures for trim in picture.trims]
    bits_of = [picture.bits for picture in pictures]
    pairs = near_pairs(bits_of, trims, max_distance=MAX_DISTANCE - phash.TRIMMED_CLOSER)
    trimmed = {frozenset((names[i], names[j // 9])) for i, j in zip(pairs.a, pairs.b, strict=True)}
    assert {pair for pair in trimmed if len(pair) == 2} - found == {cropped}
    mirrored = [phash.mirrored(bits) for bits in bits_of]
    assert len(near_pairs(bits_of, mirrored, max_distance=MAX_DISTANCE).a) == 0


def test_photos_of_different_things_stay_further_apart_than_the_limit(real: Path) -> None:
    hashed = hash_files(sorted((real / "photos").rglob("*.jpg")))
    assert all(entry.picture is not None and entry.picture.telling for entry in hashed)
    pairs = near_pairs([entry.picture.bits for entry in hashed if entry.picture], max_distance=MAX_DISTANCE)
    near = {(hashed[i].path.stem, hashed[j].path.stem) for i, j in zip(pairs.a, pairs.b, strict=True)}
    # Two photos each of one object, seen by eye.
    assert near == {("dev_0029", "dev_0087"), ("dev_0064", "dev_0092")}


@pytest.mark.parametrize("seed", range(8))
def test_copies_are_near_and_the_mirrored_copy_is_near_the_mirrored_hash(seed: int) -> None:
    image = scene(seed)
    width, height = image.size
    original = bits(image)
    copies = {
        "re-encoded": picture_hash(encoded(image, quality=30)).bits,
        "png": picture_hash(encoded(image, "PNG")).bits,
        "webp": picture_hash(encoded(image, "WEBP", quality=80)).bits,
        "halved": bits(image.resize((width // 2, height // 2))),
        "doubled": bits(image.resize((width * 2, height * 2))),
        "brighter": bits(ImageEnhance.Brightness(image).enhance(1.1)),
        "darker": bits(ImageEnhance.Brightness(image).enhance(0.7)),
        "grey": bits(image.convert("L")),
        "cropped": bits(image.crop((4, 3, width - 4, height - 3))),
        "mirrored": phash.mirrored(bits(ImageOps.mirror(image))),
    }
    assert {name: phash.distance(original, copy) for name, copy in copies.items()} == pytest.approx(
        dict.fromkeys(copies, 0), abs=MAX_DISTANCE
    )
    assert phash.distance(original, bits(scene(seed + 100))) > MAX_DISTANCE


@pytest.mark.parametrize("seed", range(4))
def test_a_copy_without_some_of_its_edges_is_near_one_of_the_trims(seed: int) -> None:
    image = scene(seed)
    width, height = image.size
    trims = picture_hash(encoded(image, "PNG"), trims=True).trims
    assert len(trims) == 9
    x, y = int(0.05 * width), int(0.05 * height)
    for box in ((x, y, width, height), (0, 0, width - x, height - y), (x, 0, width, height)):
        cropped = bits(image.crop(box))
        assert min(phash.distance(cropped, trim) for trim in trims) <= MAX_DISTANCE - phash.TRIMMED_CLOSER


def test_trims_are_made_only_where_they_are_asked_for() -> None:
    assert picture_hash(encoded(scene(0), "PNG")).trims == ()


def test_a_picture_stored_on_its_side_has_the_hash_of_the_upright_one() -> None:
    image = scene(1)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = image.transpose(Image.Transpose.ROTATE_90)
    assert phash.distance(bits(image), bits(lying, exif=exif.tobytes())) <= 2


def test_pixels_and_bytes_of_one_picture_have_nearly_the_same_hash() -> None:
    image = scene(2)
    pixels = np.asarray(image)
    assert phash.distance(picture_hash(pixels).bits, picture_hash(encoded(image, "PNG")).bits) == 0
    assert phash.distance(picture_hash(pixels).bits, bits(image)) <= 3


def test_the_hash_does_not_depend_on_simplejpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(scene(3, (900, 700)), quality=85)
    before = picture_hash(data)
    monkeypatch.setattr("pipeline.support.images._simplejpeg", lambda: None)
    assert picture_hash(data) == before


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (300, 200), (255, 255, 255)),
        Image.new("RGB", (300, 200), (12, 90, 40)),
        Image.new("RGBA", (64, 64), (0, 0, 0, 0)),
        Image.linear_gradient("L"),
        Image.new("1", (1, 1)),
    ],
)
def test_a_flat_or_shaded_picture_is_not_told_by_its_hash(image: Image.Image) -> None:
    assert not picture_hash(encoded(image, "PNG")).telling
    assert not picture_hash(encoded(image.convert("RGB"), "JPEG")).telling


def test_a_picture_that_is_none_has_its_reason_and_does_not_stop_the_others(tmp_path: Path) -> None:
    whole, cut, text, missing = (tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"))
    data = encoded(scene(4), quality=90)
    whole.write_bytes(data)
    cut.write_bytes(data[: len(data) // 2])
    text.write_text("hello")
    good, truncated, no_picture, gone = hash_files([whole, cut, text, missing], workers=2)
    assert good.picture is not None
    assert good.problem is None
    assert truncated.picture is None
    assert "truncated" in str(truncated.problem)
    assert truncated.sha256 is not None
    assert "not a picture" in str(no_picture.problem)
    assert gone.sha256 is None
    assert "does not exist" in str(gone.problem)
    with pytest.raises(ImageError):
        picture_hash(b"GIF89a")


def test_a_hash_is_shown_as_sixteen_hexadecimal_digits() -> None:
    assert str(PictureHash(255, telling=True)) == "00000000000000ff"


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_distance_is_symmetric_and_the_mirror_keeps_it(a: int, b: int) -> None:
    assert phash.distance(a, b) == phash.distance(b, a)
    assert phash.distance(a, a) == 0
    assert phash.mirrored(phash.mirrored(a)) == a
    assert phash.distance(phash.mirrored(a), phash.mirrored(b)) == phash.distance(a, b)
