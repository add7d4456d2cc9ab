"""Export: the file's contract, its proof against PyTorch, and what the candidate says of itself."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("litert_torch")

from pipeline.runtime.interpreters import TfliteBackend
from pipeline.support import ultralytics_library as library
from pipeline.support.candidates import open_candidate
from pipeline.support.errors import ExportError, ModelError
from pipeline.support.files import sha256_file
from pipeline.support.tflite_file import read_tflite
from pipeline.training import graph
from pipeline.training.candidate_metadata import ExportOptions
from pipeline.training.dataset import pictures_in
from pipeline.training.export import Source, canvas_of, export_candidate
from pipeline.training.heads import HeadFigures, better_head
from pipeline.training.weights import open_weights

pytestmark = [pytest.mark.train, pytest.mark.slow]

SIZE = 96


def export(weights: Path, pictures: Path, root: Path, run_id: str = "one", **options):
    source = Source(best=weights, last=weights, pictures=tuple(pictures_in(pictures)))
    return export_candidate(source, ExportOptions(imgsz=SIZE, **options), candidates_root=root, run_id=run_id)


def rows_of(model: Path, picture: Path) -> np.ndarray:
    run = TfliteBackend(model.read_bytes(), runtime="litert", threads=1, source=str(model))
    return run(canvas_of(picture, SIZE)[None].astype(np.float32) / np.float32(255))


@pytest.fixture(scope="module")
def exported(checkpoint, pictures: Path, tmp_path_factory: pytest.TempPathFactory):
    weights = checkpoint()
    return weights, export(weights, pictures, tmp_path_factory.mktemp("candidates"))


def test_the_file_takes_interleaved_rgb_and_gives_rows_of_six_best_first(exported, pictures: Path) -> None:
    _, done = exported
    model = done.directory / "yolo-repath.tflite"
    file = read_tflite(model)
    assert [(spec.shape, spec.dtype) for spec in file.inputs] == [((1, SIZE, SIZE, 3), "float32")]
    assert [(spec.shape, spec.dtype) for spec in file.outputs] == [((1, 300, 6), "float32")]
    assert file.class_count == 3
    assert file.app_faults == []
    rows = rows_of(model, pictures / "p0.jpg")[0]
    found = rows[rows[:, 4] > 0]
    assert len(found) > 0
    assert np.all(np.diff(rows[:, 4]) <= 0)
    assert not rows[len(found) :].any()
    assert found[:, :4].max() > 2  # pixels, not shares


def test_the_candidate_is_whole_and_names_its_files_by_digest(exported) -> None:
    weights, done = exported
    candidate = open_candidate(done.directory)
    assert candidate.class_labels == ("Tin Can", "Glass Jar", "Cardboard")
    names = {path.name for path in done.directory.iterdir()}
    assert names == {
        "yolo-repath.tflite", "yolo-repath.labels.json", "model.best.pt", "model.last.pt", "metadata.json",
    }  # fmt: skip
    metadata = json.loads((done.directory / "metadata.json").read_text())
    for artifact in metadata["artifacts"].values():
        path = done.directory / artifact["filename"]
        assert (artifact["sha256"], artifact["bytes"]) == (sha256_file(path), path.stat().st_size)
    export_ = metadata["export"]
    assert export_["weights"]["sha256"] == sha256_file(weights)
    assert export_["parity"]["passed"]
    assert export_["parity"]["on"] == "the file"
    assert export_["parity"]["compared"] > 10
    assert export_["parity"]["max_score_delta"] < 0.001
    assert export_["io"]["input"] == {
        "layout": "NHWC", "shape": [1, SIZE, SIZE, 3], "dtype": "float32", "channels": "RGB",
        "range": [0.0, 1.0], "resize": "stretch",
    }  # fmt: skip
    assert export_["io"]["nms"] == {"class_aware": True, "iou": 0.7, "conf": 0.05, "max_det": 300}


def test_the_same_weights_give_the_same_bytes_and_nothing_is_appended(
    exported, pictures: Path, tmp_path: Path
) -> None:
    weights, done = exported
    again = export(weights, pictures, tmp_path)
    model = done.directory / "yolo-repath.tflite"
    assert (again.directory / "yolo-repath.tflite").read_bytes() == model.read_bytes()
    assert not zipfile.is_zipfile(model)
    assert done.metadata.export["sha256"] == done.metadata.export["flatbuffer_sha256"]


def test_weights_that_are_not_contiguous_would_come_out_wrong_and_the_gate_catches_it(
    checkpoint, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def as_after_training_on_a_gpu(model) -> None:
        model.to(memory_format=torch.channels_last)

    # litert-torch makes a dense copy of such a tensor, remembers what it wrote by the copy's address, and
    # frees it: whether the next copy gets the same address, and so the wrong numbers, is the allocator's
    # choice. Here the copies always share one.
    dense, shared = torch.Tensor.contiguous, torch.empty(1 << 20)

    def at_one_address(tensor, *args, **kwargs):
        real = type(tensor) in {torch.Tensor, torch.nn.Parameter} and tensor.dtype == torch.float32
        if not real or args or kwargs or tensor.is_contiguous():
            return dense(tensor, *args, **kwargs)
        return shared[: tensor.numel()].view(tensor.shape).copy_(tensor)

    monkeypatch.setattr(torch.Tensor, "contiguous", at_one_address)
    monkeypatch.setattr(graph, "make_contiguous", as_after_training_on_a_gpu)
    with pytest.raises(ExportError, match=r"does not agree with the PyTorch model|collapsed"):
        export(checkpoint(), pictures, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_weights_in_another_memory_layout_are_laid_out_densely_first(
    exported, pictures: Path, tmp_path: Path
) -> None:
    import torch

    weights, done = exported
    opened = open_weights(weights)
    opened.model.to(memory_format=torch.channels_last)
    with library.output_to(None):
        from pipeline.training.convert import convert

        made = graph.shipped_graph(opened.model, head="nms", imgsz=SIZE, conf=0.05, iou=0.7, max_det=300)
        content = convert(made, imgsz=SIZE)
    assert content == (done.directory / "yolo-repath.tflite").read_bytes()


def test_an_end_to_end_head_ships_as_it_is(checkpoint, pictures: Path, tmp_path: Path) -> None:
    weights = checkpoint(end2end=True)
    done = export(weights, pictures, tmp_path, head="end2end")
    assert done.metadata.export["head"] == "end2end"
    assert done.metadata.export["nms"] is False
    assert read_tflite(done.directory / "yolo-repath.tflite").outputs[0].shape == (1, 300, 6)
    assert done.parity.passed


def test_without_nms_the_raw_head_ships_and_the_metadata_says_so(
    checkpoint, pictures: Path, tmp_path: Path
) -> None:
    done = export(checkpoint(), pictures, tmp_path, nms=False)
    assert done.metadata.export["head"] == "raw"
    assert done.metadata.export["io"]["nms"] is None
    assert read_tflite(done.directory / "yolo-repath.tflite").outputs[0].shape == (1, 7, 189)
    assert read_tflite(done.directory / "yolo-repath.tflite").app_faults


def test_a_model_that_scores_nothing_is_proven_without_the_score_floor(
    checkpoint, pictures: Path, tmp_path: Path
) -> None:
    done = export(checkpoint(spread=False), pictures, tmp_path)
    parity = done.metadata.export["parity"]
    assert parity["on"] == "the same graph without its score floor"
    assert parity["threshold_lowered"]
    assert parity["compared"] > 0


@pytest.mark.parametrize("precision", ["float16", "dynamic-int8", "int8"])
def test_a_smaller_file_keeps_float_input_and_output(
    exported, pictures: Path, tmp_path: Path, precision: str
) -> None:
    from pipeline.contracts.settings import PARITY_LIMITS, ParityLimits

    weights, done = exported
    # Random weights are no measure of what eight bits cost: the limits are wide here, the collapse is not.
    wide = ParityLimits(min_iou=0, max_score_delta=1, max_unmatched=1)
    less = export(weights, pictures, tmp_path, precision=precision, parity={**PARITY_LIMITS, precision: wide})
    model = less.directory / "yolo-repath.tflite"
    file = read_tflite(model)
    assert file.inputs[0].dtype == file.outputs[0].dtype == "float32"
    assert model.stat().st_size < (done.directory / "yolo-repath.tflite").stat().st_size
    assert less.metadata.export["precision"] == precision
    assert less.metadata.export["bytes"] == model.stat().st_size
    assert less.parity.matched > 0


def test_int8_without_a_picture_to_calibrate_on_says_so() -> None:
    from pipeline.training.quantize import quantize

    with pytest.raises(ExportError, match="needs pictures to be calibrated on"):
        quantize(b"", "int8")


def test_labels_of_another_number_stop_the_export(exported, pictures: Path, tmp_path: Path) -> None:
    weights, _ = exported
    source = Source(weights, weights, labels=("one",), pictures=tuple(pictures_in(pictures)))
    with pytest.raises(ModelError, match="3 classes apart, and there are 1 labels"):
        export_candidate(source, ExportOptions(imgsz=SIZE), candidates_root=tmp_path, run_id="x")


def test_labels_in_another_order_than_the_checkpoints_stop_the_export(
    exported, pictures: Path, tmp_path: Path
) -> None:
    weights, _ = exported
    turned = ("Glass Jar", "Tin Can", "Cardboard")
    source = Source(weights, weights, labels=turned, pictures=tuple(pictures_in(pictures)))
    with pytest.raises(ModelError, match="in another order"):
        export_candidate(source, ExportOptions(imgsz=SIZE), candidates_root=tmp_path, run_id="x")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_of_other_classes_proves_the_file_and_neither_names_its_classes_nor_chooses_its_head(
    checkpoint, bundle: Path, tmp_path: Path, repath
) -> None:
    classes = json.loads((bundle / "classes.json").read_text())
    for entry, label in zip(classes["classes"], ("Cardboard", "Glass Jar", "Tin Can"), strict=True):
        entry["label"] = label
    (bundle / "classes.json").write_text(json.dumps(classes))
    done = repath(
        "training", "export-candidate", "--weights", checkpoint(end2end=True), "--bundle-dir", bundle,
        "--candidate-root", tmp_path / "candidates", "--run-id", "other",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["export"]["heads"]["figures"] == {}
    assert "of its classes" in done.json["export"]["heads"]["reason"]
    labels = json.loads((tmp_path / "candidates" / "other" / "yolo-repath.labels.json").read_text())
    assert labels == ["Tin Can", "Glass Jar", "Cardboard"]


def test_the_head_with_the_higher_map50_ships_and_of_equals_the_one_without_nms() -> None:
    good, poor = HeadFigures(0.74, 0.5), HeadFigures(0.32, 0.2)
    assert better_head({"nms": good, "end2end": poor}).head == "nms"
    assert better_head({"nms": poor, "end2end": good}).head == "end2end"
    assert better_head({"nms": good, "end2end": good}).head == "end2end"


def test_both_heads_are_measured_on_the_validation_pictures(
    checkpoint, bundle: Path, tmp_path: Path, repath
) -> None:
    done = repath(
        "training", "export-candidate", "--weights", checkpoint(end2end=True), "--bundle-dir", bundle,
        "--candidate-root", tmp_path / "candidates", "--run-id", "auto",
    )  # fmt: skip
    assert done.code == 0, done.err
    heads = done.json["export"]["heads"]
    assert set(heads["figures"]) == {"nms", "end2end"}
    assert heads["shipped"] in {"nms", "end2end"}
    metadata = json.loads((tmp_path / "candidates" / "auto" / "metadata.json").read_text())
    assert metadata["bundle"]["split_digest"] == "ab" * 32
    assert not list(bundle.rglob("*.cache"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "no checkpoint"), (b"not a pickle", "no checkpoint"), (b"PK\x03\x04 half a zip", "no checkpoint")],
)
def test_a_file_that_is_no_checkpoint_is_refused_in_words(
    tmp_path: Path, pictures: Path, repath, content: bytes, reason: str
) -> None:
    bad = tmp_path / "bad.pt"
    bad.write_bytes(content)
    done = repath(
        "training",
        "export-candidate",
        "--weights",
        bad,
        "--pictures",
        pictures,
        "--candidate-root",
        tmp_path / "c",
    )
    assert done.code == 1
    assert reason in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "c").exists()


def test_the_input_size_must_be_a_multiple_of_the_stride(exported, pictures, tmp_path: Path, repath) -> None:
    weights, _ = exported
    done = repath(
        "training", "export-candidate", "--weights", weights, "--pictures", pictures,
        "--candidate-root", tmp_path / "c", "--imgsz", 100,
    )  # fmt: skip
    assert done.code == 2
    assert "not a multiple" in done.err


def test_two_precisions_at_once_are_wrong_usage(exported, pictures, tmp_path: Path, repath) -> None:
    weights, _ = exported
    done = repath(
        "training", "export-candidate", "--weights", weights, "--pictures", pictures,
        "--candidate-root", tmp_path / "c", "--half", "--int8",
    )  # fmt: skip
    assert done.code == 2
    assert "exclude each other" in done.err
