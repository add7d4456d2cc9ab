"""Layout and head are told from shapes; what is none of the known ones is refused with the reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.heads import Head, InputForm, head_of, input_form
from pipeline.support.errors import ModelError
from pipeline.support.tflite_file import TensorSpec


def spec(*shape: int, dtype: str = "float32", scale: float | None = None) -> TensorSpec:
    return TensorSpec("t", shape, dtype, scale, 0 if scale else None)


FORM = InputForm("NHWC", 320, 320)


@pytest.mark.parametrize(
    ("shape", "classes", "head"),
    [
        ((1, 300, 6), 7, Head("end_to_end", 300)),
        ((300, 6), None, Head("end_to_end", 300)),
        ((1800,), None, Head("end_to_end", 300)),
        ((1, 1800), None, Head("end_to_end", 300)),
        ((1, 84, 2100), None, Head("raw", 2100, 80)),
        ((1, 2100, 84), 80, Head("raw", 2100, 80, transposed=True)),
        ((1, 6, 2100), 2, Head("raw", 2100, 2)),
        ((1, 2100, 6), 2, Head("raw", 2100, 2, transposed=True)),
        ((1, 2100, 6), 5, Head("end_to_end", 2100)),
        ((1, 11, 8500), None, Head("raw", 8500, 7)),
        ((1, 11, 1234), 7, Head("raw", 1234, 7)),
    ],
)
def test_every_known_head_is_told_from_its_shape(
    shape: tuple[int, ...], classes: int | None, head: Head
) -> None:
    assert head_of((spec(*shape),), FORM, classes=classes, source="m") == head


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((1, 6300, 85), "YOLOv5 head with objectness"),
        ((1, 10, 4), "unknown head"),
        ((1, 1000), "unknown head"),
        ((2, 300, 6), "unknown head"),
        ((1, 4, 2100), "unknown head"),
        ((1, 40, 40, 255), "unknown head"),
        ((1, -1, 6), "not fixed"),
        ((), "unknown head"),
    ],
)
def test_an_unknown_head_is_refused_with_the_reason(shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        head_of((spec(*shape),), FORM, source="m")


@given(st.lists(st.integers(-2, 9000), max_size=5), st.none() | st.integers(0, 100))
def test_any_shape_is_a_head_or_a_clear_error(shape: list[int], classes: int | None) -> None:
    try:
        head = head_of((spec(*shape),), FORM, classes=classes, source="m")
    except ModelError:
        return
    assert head.rows >= 1
    assert head.classes is None or head.classes >= 1


def test_the_layout_is_told_from_where_the_channels_stand() -> None:
    assert input_form((spec(1, 320, 640, 3),), source="m") == InputForm("NHWC", 320, 640)
    assert input_form((spec(1, 3, 320, 640),), source="m") == InputForm("NCHW", 320, 640)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ((spec(1, 32, 32, 3), spec(1)), "has 2 inputs"),
        ((), "has 0 inputs"),
        ((spec(1, 32, 32, 1),), "not one RGB picture"),
        ((spec(4, 32, 32, 3),), "not one RGB picture"),
        ((spec(1, 32, 32, 3, dtype="int64"),), "int64"),
        ((spec(1, 32, 32, 3, dtype="int8"),), "scale is missing"),
        ((spec(1, 0, 32, 3),), "within 1 to"),
        ((spec(1, 100_000, 100_000, 3),), "within 1 to"),
    ],
)
def test_an_input_that_is_no_picture_is_refused(inputs: tuple[TensorSpec, ...], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        input_form(inputs, source="m")
