"""Thumbnails inside a page: JPEGs in ``data:`` URIs, without the metadata of the files they were made of."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.support.images import MAX_PIXELS, decode_small

LARGE = ((512, 80), (448, 78), (384, 75), (320, 72), (256, 68), (192, 62), (160, 50), (96, 40))
SMALL = ((192, 68), (160, 65), (128, 60), (96, 50), (64, 40))
"""Side in pixels and JPEG quality, tried from the first on until a picture is small enough."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as a ``data:`` URI and its size in pixels; or why there is none."""

    uri: str | None = None
    width: int = 0
    height: int = 0
    problem: str | None = None


def thumbnail(
    data: bytes,
    *,
    source: str,
    sizes: Sequence[tuple[int, int]],
    limit: int,
    max_pixels: int = MAX_PIXELS,
) -> Thumbnail:
    """Return a picture made small, upright.

    Args:
        data: the file's bytes.
        source: its path, for errors.
        sizes: sides and qualities to try, such as `LARGE`.
        limit: bytes that are small enough; the last size is taken in any case.
        max_pixels: width times height that is still decoded.

    Raises:
        ImageError: it cannot be decoded.
    """
    image = decode_small(data, source=source, side=sizes[0][0], mode="RGB", max_pixels=max_pixels)
    encoded, area = b"", 0
    for side, quality in sizes:
        scale = min(side / max(image.size), 1.0)
        pixels = round(image.width * scale) * round(image.height * scale)
        # A size that the last attempt shows to be far too large is not tried: noise would cost every step.
        if encoded and len(encoded) * pixels > 2 * limit * area and side != sizes[-1][0]:
            continue
        smaller, buffer = image.copy(), io.BytesIO()
        smaller.thumbnail((side, side))
        smaller.save(buffer, "JPEG", quality=quality, optimize=True)
        encoded, area = buffer.getvalue(), pixels
        if len(encoded) <= limit:
            break
    text = base64.b64encode(encoded).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{text}", smaller.width, smaller.height)
