"""Every EXIF orientation is undone alike by both decoders; broken pictures are named."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipeline.support import images
from pipeline.support.errors import ImageError


def jpeg(orientation: int = 1, size: tuple[int, int] = (40, 24)) -> bytes:
    ramp = np.linspace(0, 255, size[0] * size[1]).reshape(size[1], size[0]).astype(np.uint8)
    image = Image.fromarray(np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2))
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("with_simplejpeg", [True, False])
def test_every_exif_orientation_comes_out_upright(
    orientation: int, with_simplejpeg: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_simplejpeg:
        pytest.importorskip("simplejpeg")
    else:
        monkeypatch.setattr(images, "_simplejpeg", lambda: None)
    data = jpeg(orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    pixels = images.decode_rgb(data, source="a.jpg")
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected.astype(int)).max() <= 1
    info = images.inspect_image(data, source="a.jpg")
    assert (info.height, info.width) == expected.shape[:2]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"this is text, whatever it is called", "not a picture"),
        (jpeg()[:-60], "truncated"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 40, "picture"),
    ],
)
def test_what_is_no_whole_picture_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        images.decode_rgb(data, source="bad.jpg")
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        images.inspect_image(data, source="bad.jpg")


def test_the_pixel_limit_is_judged_on_the_header() -> None:
    out = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(out, "PNG")
    with pytest.raises(ImageError, match="more than 64000000 pixels"):
        images.decode_rgb(out.getvalue(), source="huge.png")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (8, 6)).save(out, "TIFF")
    pixels = images.decode_rgb(out.getvalue(), source="a.tif")
    assert pixels.shape == (6, 8, 3)
    assert pixels.dtype == np.uint8
