"""A picture fitted into the model's input, and boxes brought back into the picture.

The rule is part of what was measured: `stretch` is what the app does; `letterbox` keeps the aspect ratio and
fills with grey 114, as Ultralytics' ``LetterBox`` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from pipeline.support.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ResizeRule = Literal["stretch", "letterbox"]
Filter = Literal["opencv-linear", "pillow-bilinear", "pillow-bicubic", "pillow-lanczos"]

_GREY = 114


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a picture of ``width`` by ``height`` pixels lies in the canvas."""

    width: int
    height: int
    scale_x: float
    """Canvas pixels for one picture pixel."""
    scale_y: float
    pad_x: int = 0
    pad_y: int = 0

    def to_picture(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring ``[N,4]`` corners from canvas pixels to picture pixels, clipped to the picture."""
        import numpy as np

        offset = np.array([self.pad_x, self.pad_y] * 2, np.float64)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float64)
        limit = np.array([self.width, self.height] * 2, np.float64)
        return np.clip((boxes - offset) / scale, 0.0, limit).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Fitting:
    """A resize rule with its filter and the size it fits pictures to."""

    height: int
    width: int
    rule: ResizeRule = "stretch"
    filter: Filter = "opencv-linear"

    def __post_init__(self) -> None:
        if self.rule not in get_args(ResizeRule):
            raise UsageError(f"there is no resize rule {self.rule!r}: {', '.join(get_args(ResizeRule))}")
        if self.filter not in get_args(Filter):
            raise UsageError(f"there is no filter {self.filter!r}: {', '.join(get_args(Filter))}")

    def geometry(self, width: int, height: int) -> Geometry:
        """Return where a picture of this size will lie in the canvas."""
        if self.rule == "stretch":
            return Geometry(width, height, self.width / width, self.height / height)
        scale = min(self.height / height, self.width / width)
        inner_w, inner_h = self._inner(width, height)
        # Ultralytics puts the odd pixel of the border to the right and below.
        left = round((self.width - inner_w) / 2 - 0.1)
        top = round((self.height - inner_h) / 2 - 0.1)
        return Geometry(width, height, scale, scale, left, top)

    def fit(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Geometry]:
        """Fit a picture, uint8 ``[h,w,3]``, into a canvas, uint8 ``[height,width,3]``.

        Raises:
            MissingExtraError: the filter needs OpenCV, which is not installed.
        """
        import numpy as np

        height, width = rgb.shape[:2]
        geometry = self.geometry(width, height)
        if self.rule == "stretch":
            return _resized(rgb, self.width, self.height, self.filter), geometry
        inner_w, inner_h = self._inner(width, height)
        canvas = np.full((self.height, self.width, 3), _GREY, np.uint8)
        inner = _resized(rgb, inner_w, inner_h, self.filter)
        canvas[geometry.pad_y : geometry.pad_y + inner_h, geometry.pad_x : geometry.pad_x + inner_w] = inner
        return canvas, geometry

    def _inner(self, width: int, height: int) -> tuple[int, int]:
        scale = min(self.height / height, self.width / width)
        return max(1, round(width * scale)), max(1, round(height * scale))


def _resized(rgb: NDArray[np.uint8], width: int, height: int, how: Filter) -> NDArray[np.uint8]:
    import numpy as np

    if rgb.shape[:2] == (height, width):
        return rgb
    if how == "opencv-linear":
        try:
            import cv2
        except ImportError:
            raise MissingExtraError("OpenCV", "bench", why="The resize filter opencv-linear") from None
        resized: NDArray[np.uint8] = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)
        return resized
    from PIL import Image

    filters = {
        "pillow-bilinear": Image.Resampling.BILINEAR,
        "pillow-bicubic": Image.Resampling.BICUBIC,
        "pillow-lanczos": Image.Resampling.LANCZOS,
    }
    return np.asarray(Image.fromarray(rgb).resize((width, height), filters[how]))
