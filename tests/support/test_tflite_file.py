from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.support.errors import InputError, ModelError, RepathError
from pipeline.support.tflite_file import read_tflite


@pytest.mark.parametrize(
    ("name", "given_input", "output", "classes", "usable"),
    [
        (
            "tflite_found/yolo26n_dynint8_640_e2e_1x300x6",
            "float32 [1,640,640,3]",
            "float32 [1,300,6]",
            80,
            True,
        ),
        (
            "tflite_found/yolov8n_int8_320_1x84x2100",
            "float32 [1,320,320,3]",
            "float32 [1,84,2100]",
            80,
            False,
        ),
        (
            "tflite_found/yolo11n_fullint8_640_1x84x8400",
            "int8 [1,640,640,3]",
            "int8 [1,84,8400]",
            80,
            False,
        ),
        ("dev-finetuned-yolo26n-320_litert_e2e", "float32 [1,3,320,320]", "float32 [1,300,6]", 7, False),
    ],
)
def test_a_real_model_tells_its_shapes_classes_and_whether_the_app_can_use_it(
    real: Path, name: str, given_input: str, output: str, classes: int, usable: bool
) -> None:
    model = read_tflite(real / "weights" / f"{name}.tflite")
    assert [str(spec) for spec in model.inputs] == [given_input]
    assert str(model.outputs[0]) == output
    assert model.class_count == classes
    assert len(model.names or ()) == classes
    assert (model.app_faults == []) is usable


def test_the_classes_of_an_end_to_end_head_are_known_without_its_metadata(real: Path, tmp_path: Path) -> None:
    data = (real / "weights/tflite_found/yolo26n_dynint8_640_e2e_1x300x6.tflite").read_bytes()
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(data[: data.rindex(b"PK\x03\x04")])
    model = read_tflite(bare)
    assert model.names is None
    assert model.class_count == 80


def test_the_quantisation_of_an_integer_output_is_read(real: Path) -> None:
    spec = read_tflite(real / "weights/tflite_found/yolo11n_fullint8_640_1x84x8400.tflite").outputs[0]
    assert spec.scale == pytest.approx(0.003987359)
    assert spec.zero_point == -124


def test_what_is_no_tflite_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    with pytest.raises(InputError, match="does not exist"):
        read_tflite(path)
    for data in (b"", b"TFL3", b"a text file that is long enough"):
        path.write_bytes(data)
        with pytest.raises(ModelError, match="not a TFLite file"):
            read_tflite(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_no_bytes_behind_the_identifier_give_anything_but_an_explained_error(
    tmp_path: Path, body: bytes
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(body[:4].ljust(4, b"\0") + b"TFL3" + body[4:])
    with pytest.raises(RepathError):
        read_tflite(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_real_model_with_words_overwritten_is_read_or_refused_in_words(
    real: Path, tmp_path: Path, data: st.DataObject
) -> None:
    whole = bytearray(
        (real / "weights/tflite_found/yolov8n_int8_320_1x84x2100.tflite").read_bytes()[:200_000]
    )
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(8, len(whole) - 4) | st.integers(8, 4000))
        whole[at : at + 4] = data.draw(
            st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"])
        )
    path = tmp_path / "model.tflite"
    path.write_bytes(whole)
    try:
        read = read_tflite(path)
    except ModelError:
        return
    assert isinstance(read.app_faults, list)
    assert read.class_count is None or read.class_count > 0
