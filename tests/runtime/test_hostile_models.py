"""Files that are no usable model: one clear error each, before any work, and this process lives on."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tiny_model

from pipeline.runtime.detector import load_model, open_detector
from pipeline.runtime.inspect import inspect_model
from pipeline.support.errors import InputError, ModelError

pytest.importorskip("ai_edge_litert")

OUTPUT = np.zeros((1, 10, 6), np.float32)
OUTPUT[0, 0] = [4, 8, 16, 24, 0.9, 1]
PICTURE = np.zeros((32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a TFLite file"),
        (b"PK\x03\x04 a zip, as a .pt is one", "not a TFLite file"),
        (b"\x1c\0\0\0TFL3", "damaged"),
        (b"\xff\xff\xff\xffTFL3" + b"\xff" * 64, "damaged"),
    ],
)
def test_what_is_no_flatbuffer_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=reason):
        inspect_model(path)


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_model(tmp_path / "none.tflite", ["a"])


def test_a_model_cut_anywhere_is_refused_and_nothing_aborts(tmp_path: Path) -> None:
    whole = tiny_model(tmp_path / "whole.tflite", OUTPUT).read_bytes()
    path = tmp_path / "cut.tflite"
    lengths = sorted(random.Random(0).sample(range(1, len(whole) - 8), 12))
    for length in lengths:
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            open_detector(path, ["a", "b"])


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.99])
def test_a_real_model_cut_anywhere_is_refused(real: Path, tmp_path: Path, share: float) -> None:
    data = (real / "weights/tflite_found/yolov8n_int8_320_1x84x2100.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ModelError):
        open_detector(path, ["a"] * 80)


@pytest.mark.slow
def test_damaged_bytes_are_refused_or_run_and_never_end_this_process(tmp_path: Path) -> None:
    whole = tiny_model(tmp_path / "whole.tflite", OUTPUT).read_bytes()
    path = tmp_path / "damaged.tflite"
    source = random.Random(1)
    for _ in range(40):
        data = bytearray(whole)
        for _ in range(source.randint(1, 6)):
            data[source.randrange(8, len(data))] = source.randrange(256)
        path.write_bytes(bytes(data))
        with contextlib.suppress(ModelError):
            open_detector(path, ["a", "b"]).detect(PICTURE)


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.tflite", OUTPUT, extra_input=True)
    with pytest.raises(ModelError, match="has 2 inputs"):
        load_model(path, ["a", "b"])


def test_an_unknown_head_is_refused(tmp_path: Path) -> None:
    path = tiny_model(tmp_path / "m.tflite", np.zeros((1, 10, 4), np.float32))
    with pytest.raises(ModelError, match=r"unknown head: the first output is float32 \[1,10,4\]"):
        load_model(path, ["a", "b"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_no_numbers_name_the_picture(tmp_path: Path, value: float) -> None:
    output = OUTPUT.copy()
    output[0, 0, 4] = value
    detector = open_detector(tiny_model(tmp_path / "m.tflite", output), ["a", "b"])
    with pytest.raises(ModelError, match=r"shelf\.jpg: the model gave NaN or infinite"):
        detector.detect(PICTURE, picture="shelf.jpg")


def test_a_class_beyond_the_labels_names_the_picture(tmp_path: Path) -> None:
    detector = open_detector(tiny_model(tmp_path / "m.tflite", OUTPUT), ["only one"])
    with pytest.raises(
        ModelError, match=r"shelf\.jpg: the model gave the class id 1, and there are 1 labels"
    ):
        detector.detect(PICTURE, picture="shelf.jpg")


@pytest.mark.parametrize("data", [b"", b"no pickle at all", b"\x80\x02]q\x00."])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, data: bytes) -> None:
    pytest.importorskip("ultralytics")
    path = tmp_path / "m.pt"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="no checkpoint"):
        load_model(path, ["a"], runtime="pytorch")
