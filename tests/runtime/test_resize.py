"""Boxes go to the canvas and back; letterbox is Ultralytics' own; filters are chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.resize import Fitting
from pipeline.support.errors import UsageError

pytest.importorskip("cv2")


@given(st.integers(2, 400), st.integers(2, 400), st.sampled_from(["stretch", "letterbox"]), st.data())
def test_a_box_comes_back_from_the_canvas_to_where_it_was(
    width: int, height: int, rule: str, data: st.DataObject
) -> None:
    geometry = Fitting(96, 128, rule).geometry(width, height)  # type: ignore[arg-type]
    xs = sorted(data.draw(st.lists(st.floats(0, width, width=32), min_size=2, max_size=2)))
    ys = sorted(data.draw(st.lists(st.floats(0, height, width=32), min_size=2, max_size=2)))
    box = np.array([[xs[0], ys[0], xs[1], ys[1]]])
    scale = np.array([geometry.scale_x, geometry.scale_y] * 2)
    on_canvas = box * scale + np.array([geometry.pad_x, geometry.pad_y] * 2)
    np.testing.assert_allclose(geometry.to_picture(on_canvas), box, atol=1e-2, rtol=1e-4)


@pytest.mark.parametrize("size", [(640, 480), (333, 500), (100, 100), (37, 211), (1, 900)])
def test_letterbox_gives_the_pixels_that_ultralytics_gives(size: tuple[int, int]) -> None:
    augment = pytest.importorskip("ultralytics.data.augment")
    picture = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    canvas, _ = Fitting(320, 320, "letterbox").fit(picture)
    theirs = augment.LetterBox((320, 320), auto=False)(image=picture)
    np.testing.assert_array_equal(canvas, theirs)


@pytest.mark.parametrize("how", ["opencv-linear", "pillow-bilinear", "pillow-bicubic", "pillow-lanczos"])
def test_every_filter_fills_the_canvas(how: str) -> None:
    picture = np.full((30, 50, 3), 200, np.uint8)
    canvas, geometry = Fitting(64, 32, filter=how).fit(picture)  # type: ignore[arg-type]
    assert canvas.shape == (64, 32, 3)
    assert np.all(canvas == 200)
    assert (geometry.scale_x, geometry.scale_y) == (32 / 50, 64 / 30)


def test_a_filter_or_rule_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no filter 'nearest'"):
        Fitting(32, 32, filter="nearest")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no resize rule 'crop'"):
        Fitting(32, 32, "crop")  # type: ignore[arg-type]
