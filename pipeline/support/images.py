"""Pictures: what they are, whether they are whole, and their pixels, upright and within a pixel limit.

JPEG goes through simplejpeg where it is installed (4 ms a megapixel against Pillow's 15, the same pixels);
every other format goes through Pillow. A picture's EXIF orientation is applied, as OpenCV and so training do.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from pipeline.support.errors import ImageError
from pipeline.support.files import open_input

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as PillowImage

MAX_PIXELS = 64_000_000
MAX_BYTES = 64 << 20
EXTENSIONS = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif",
    "MPO": ".jpg",
}  # fmt: skip
"""The formats that are read, and the ending each is stored under. MPO is a JPEG with more JPEGs behind it."""

_ORIENTATION = 0x0112
_SIDEWAYS = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Upright size in pixels, and format, of a picture that was decoded whole."""

    width: int
    height: int
    format: str

    @property
    def extension(self) -> str:
        """The ending its format is stored under, such as ``.jpg``."""
        return EXTENSIONS[self.format]


def is_image_name(path: Path) -> bool:
    """Tell by its ending whether a file is taken for a picture."""
    return path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


def read_image_bytes(path: Path, *, source: str | None = None, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a picture's file.

    Args:
        path: the file.
        source: the file in words, for errors, where it was named by a row; None for its path.
        max_bytes: the most that is read.

    Raises:
        InputError: it is missing or may not be read.
        ImageError: it is empty or larger than ``max_bytes``.
    """
    with open_input(path) as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ImageError(f"{source or path}: larger than {max_bytes} bytes")
    if not data:
        raise ImageError(f"{source or path}: the file is empty")
    return data


def inspect_image(data: bytes, *, source: str, max_pixels: int = MAX_PIXELS) -> ImageInfo:
    """Decode a picture whole and return what it is.

    Args:
        data: the file's bytes.
        source: its path or url, for errors.
        max_pixels: width times height that is still decoded.

    Raises:
        ImageError: no picture, of a format that is not read, truncated, or over the limit.
    """
    with _opened(data, source, max_pixels) as image:
        _load(image, source)
        width, height = image.size
        if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
            width, height = height, width
        return ImageInfo(width, height, str(image.format))


def decode_rgb(
    data: bytes, *, source: str, max_pixels: int = MAX_PIXELS, min_side: int | None = None
) -> NDArray[np.uint8]:
    """Decode a picture to upright RGB, uint8 ``[height, width, 3]``, contiguous.

    Args:
        data: the file's bytes.
        source: its path or url, for errors.
        max_pixels: width times height that is still decoded.
        min_side: where given, a JPEG may be decoded at a half, quarter or eighth of its size as long as both
            sides stay at least this long (faster, and other pixels than a full decode gives).

    Raises:
        ImageError: no picture, of a format that is not read, truncated, or over the limit.
    """
    import numpy as np
    from PIL import ImageOps

    with _opened(data, source, max_pixels) as image:
        orientation = image.getexif().get(_ORIENTATION, 1)
        simplejpeg = _simplejpeg()
        if simplejpeg is not None and image.format in {"JPEG", "MPO"} and image.mode in {"RGB", "L"}:
            pixels = _decode_jpeg(simplejpeg, data, source, min_side)
            return np.ascontiguousarray(_upright(pixels, orientation))
        if min_side is not None:
            image.draft("RGB", (min_side, min_side))
        _load(image, source)
        upright = ImageOps.exif_transpose(image)
        return np.ascontiguousarray(np.asarray(_flat(upright)))


def decode_small(
    data: bytes, *, source: str, side: int, mode: Literal["L", "RGB"], max_pixels: int = MAX_PIXELS
) -> PillowImage:
    """Decode a picture, upright, at the smallest size whose sides are both still at least ``side``.

    Only a JPEG is decoded smaller than it is (a half, quarter or eighth). Pillow alone does it, so that the
    pixels do not depend on which other decoders are installed.

    Args:
        data: the file's bytes.
        source: its path or url, for errors.
        side: pixels that width and height keep, where the picture has them.
        mode: grey or colour; grey skips the colour channels of a JPEG.
        max_pixels: width times height of the whole picture that is still decoded.

    Raises:
        ImageError: no picture, of a format that is not read, truncated, or over the limit.
    """
    from PIL import ImageOps

    with _opened(data, source, max_pixels) as image:
        image.draft(mode, (side, side))
        _load(image, source)
        if image.mode != mode or "transparency" in image.info:
            image = _flat(image).convert(mode)  # noqa: PLW2901
        return ImageOps.exif_transpose(image)


def _flat(image: PillowImage) -> PillowImage:
    """Convert to RGB; what is transparent is shown on white, as a browser's page would."""
    from PIL import Image

    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        flat = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(flat, rgba).convert("RGB")
    if image.mode.startswith("I;16"):  # sixteen bits would be clipped to white, not scaled
        return image.point(lambda value: value / 256, mode="L").convert("RGB")
    return image.convert("RGB")


def _opened(data: bytes, source: str, max_pixels: int) -> PillowImage:
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise ImageError(f"{source}: the file is empty")
    try:
        with warnings.catch_warnings():
            # Pillow warns and refuses at limits of its own; ours is checked below, on the header alone.
            warnings.simplefilter("ignore")
            image = _pillow_open()(io.BytesIO(data), formats=[name for name in EXTENSIONS if name != "MPO"])
    except UnidentifiedImageError:
        raise ImageError(f"{source}: not a picture ({', '.join(sorted(set(EXTENSIONS)))} are read)") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{source}: more than {max_pixels} pixels") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise ImageError(f"{source}: not a readable picture: {error}") from None
    width, height = image.size
    if width * height > max_pixels:
        image.close()
        raise ImageError(f"{source}: {width}x{height} is more than {max_pixels} pixels")
    return image


def _pillow_open() -> Callable[..., PillowImage]:
    """Return Pillow's own ``Image.open``.

    Importing ultralytics replaces it by one that, for what is no picture, tries to install a HEIF plugin and
    then fails with an ImportError.
    """
    from PIL import Image

    patches = sys.modules.get("ultralytics.utils.patches")
    own: Callable[..., PillowImage] = getattr(patches, "_image_open", Image.open)
    return own


def _load(image: PillowImage, source: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise ImageError(f"{source}: truncated or damaged: {error}") from None


def _decode_jpeg(simplejpeg: ModuleType, data: bytes, source: str, min_side: int | None) -> NDArray[np.uint8]:
    sides = {"min_height": min_side, "min_width": min_side} if min_side is not None else {}
    try:
        # strict: a truncated file is an error, not a picture with a grey lower half.
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", fastdct=False, strict=True, **sides)
    except ValueError as error:
        raise ImageError(f"{source}: truncated or damaged: {error}") from None
    return pixels


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation, 1..8. Source: TIFF 6.0 / EXIF 2.32, tag 0x0112."""
    if orientation in _SIDEWAYS:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return pixels


@cache
def _simplejpeg() -> ModuleType | None:
    try:
        import simplejpeg
    except ImportError:
        return None
    module: ModuleType = simplejpeg
    return module
