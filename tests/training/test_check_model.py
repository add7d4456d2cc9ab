"""check-model: whether the app can use a file, for files as people have them and for damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert")

FOUND = "weights/tflite_found"
COCO, PHOTOS = 80, 7


def labels(folder: Path, count: int) -> Path:
    path = folder / "labels.json"
    path.write_text(json.dumps([f"label {index}" for index in range(count)]))
    return path


@pytest.mark.parametrize(
    ("name", "classes", "reasons"),
    [
        (f"{FOUND}/yolo26n_dynint8_640_e2e_1x300x6.tflite", COCO, []),
        (f"{FOUND}/yolov8n_dynint8_640_1x84x8400.tflite", COCO, ["raw head"]),
        (f"{FOUND}/yolo11n_dynint8_640_1x84x8400.tflite", COCO, ["raw head"]),
        (f"{FOUND}/yolov8n_int8_320_1x84x2100.tflite", COCO, ["raw head"]),
        (f"{FOUND}/yolo11n_intquant_640_1x84x8400_f32io.tflite", COCO, ["raw head"]),
        (
            f"{FOUND}/yolo11n_fullint8_640_1x84x8400.tflite",
            COCO,
            ["raw head", "input is int8", "output is int8"],
        ),
        ("weights/dev-finetuned-yolo26n-320_litert_e2e.tflite", PHOTOS, ["channel-first (NCHW)"]),
        (
            "weights/dev-finetuned-yolo26n-320_litert_default.tflite",
            PHOTOS,
            ["channel-first (NCHW)", "raw head"],
        ),
    ],
)
def test_real_files_are_judged_rightly(
    real: Path, tmp_path: Path, repath, name: str, classes: int, reasons: list[str]
) -> None:
    done = repath("training", "check-model", "--model", real / name, "--labels", labels(tmp_path, classes))
    assert done.code == (3 if reasons else 0), done.err
    assert done.json["usable_by_app"] is not bool(reasons)
    for reason in reasons:
        assert any(reason in given for given in done.json["reasons"])
    assert done.json["classes"] == classes


def test_the_digest_of_the_flatbuffer_does_not_count_an_appended_zip(real: Path, tmp_path: Path) -> None:
    import hashlib
    import zipfile

    from pipeline.training.contract_check import flatbuffer_digest

    plain = tmp_path / "plain.tflite"
    plain.write_bytes((real / FOUND / "yolov8n_int8_320_1x84x2100.tflite").read_bytes())
    before = flatbuffer_digest(plain)
    bare = tmp_path / "bare.bin"
    bare.write_bytes(b"\0" * 4096)
    assert flatbuffer_digest(bare) == hashlib.sha256(b"\0" * 4096).hexdigest()
    with zipfile.ZipFile(bare, "a") as archive:
        archive.writestr("metadata.json", "{}")
    assert flatbuffer_digest(bare) == hashlib.sha256(b"\0" * 4096).hexdigest()
    assert len(before) == 64


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a TFLite file"),
        (b"{}", "not a TFLite file"),
        (b"\x1c\0\0\0TFL3" + b"\xff" * 64, "damaged"),
        (b"\x1c\0\0\0TFL3", "damaged"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_words(
    tmp_path: Path, repath, content: bytes, reason: str
) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(content)
    done = repath("training", "check-model", "--model", model, "--labels", labels(tmp_path, 3))
    assert done.code == 1
    assert reason in done.err
    assert done.out == ""


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_a_truncated_model_is_refused_and_never_crashes_the_command(
    real: Path, tmp_path: Path, repath, kept: float
) -> None:
    whole = (real / FOUND / "yolov8n_int8_320_1x84x2100.tflite").read_bytes()
    model = tmp_path / "model.tflite"
    model.write_bytes(whole[: int(len(whole) * kept)])
    done = repath("training", "check-model", "--model", model, "--labels", labels(tmp_path, COCO))
    assert done.code == 1
    assert "Traceback" not in done.err


def test_a_labels_file_of_another_length_is_refused(real: Path, tmp_path: Path, repath) -> None:
    model = real / FOUND / "yolov8n_int8_320_1x84x2100.tflite"
    done = repath("training", "check-model", "--model", model, "--labels", labels(tmp_path, 79))
    assert done.code == 1
    assert "80 classes apart" in done.err
