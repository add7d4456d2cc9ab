from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.support.errors import OutputError
from pipeline.support.together import Placement, place_together

flatbuffers = pytest.importorskip("flatbuffers")


def tflite(output: tuple[int, ...], given: tuple[int, ...] = (1, 64, 64, 3), note: str = "") -> bytes:
    """A .tflite with one input and one output and no operation, by the order of fields in schema.fbs."""
    builder = flatbuffers.Builder(256)

    def vector(numbers: tuple[int, ...]) -> int:
        builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            builder.PrependInt32(number)
        return builder.EndVector()

    def table(fields: int, offsets: dict[int, int], version: int | None = None) -> int:
        builder.StartObject(fields)
        for slot, offset in offsets.items():
            builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        if version is not None:
            builder.PrependUint32Slot(0, version, 0)
        return builder.EndObject()

    def tables(offsets: list[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    tensors = []
    for name, shape in (("in", given), (f"out{note}", output)):
        parts = {3: builder.CreateString(name), 0: vector(shape)}
        tensors.append(table(4, parts))
    inside = {0: tables(tensors), 1: vector((0,)), 2: vector((1,))}
    graph = table(3, inside)
    model = table(3, {2: tables([graph])}, version=3)
    builder.Finish(model, file_identifier=b"TFL3")
    return bytes(builder.Output())


APP_MODEL = tflite((1, 300, 6))


def candidate(
    root: Path,
    run_id: str,
    *,
    model: bytes = APP_MODEL,
    labels: list[str] | None = None,
    export: dict[str, Any] | None = None,
    stem: str = "yolo-repath",
    artifacts: dict[str, Any] | None = None,
) -> Path:
    folder = root / run_id
    folder.mkdir(parents=True)
    text = json.dumps(labels or ["Foil", "Tin Can"]).encode()
    (folder / f"{stem}.tflite").write_bytes(model)
    (folder / f"{stem}.labels.json").write_bytes(text)
    named = artifacts or {
        role: {"filename": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for role, name, data in (
            ("model", f"{stem}.tflite", model),
            ("labels", f"{stem}.labels.json", text),
        )
    }
    metadata = {
        "run_id": run_id, "bundle": {}, "training": {}, "export": export or {"nms": True, "head": "nms"},
        "artifacts": named,
    }  # fmt: skip
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "candidates"
    candidate(root, "20260101-000000", model=tflite((1, 300, 6), note="old"))
    candidate(root, "20260201-000000")
    return root


@pytest.fixture
def promote(repath: Callable[..., Any], root: Path, tmp_path: Path) -> Callable[..., Any]:
    def call(*flags: object) -> Any:
        where = ("--candidates-root", root, "--assets-dir", tmp_path / "assets", "--prefix", "yolo-repath")
        return repath("training", "promote-candidate-model", *where, *flags)

    return call


def standing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_the_newest_candidate_is_copied_with_its_labels(
    promote: Callable[..., Any], root: Path, tmp_path: Path
) -> None:
    ran = promote()
    assert ran.code == 0, ran.err
    assert ran.json["run_id"] == "20260201-000000"
    new = root / "20260201-000000"
    assert standing(tmp_path / "assets") == {
        "yolo-repath.tflite": (new / "yolo-repath.tflite").read_bytes(),
        "yolo-repath.labels.json": (new / "yolo-repath.labels.json").read_bytes(),
    }


def test_the_record_names_run_paths_and_digests(promote: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "meta" / "active-model.json"
    assert promote("--write-metadata", "--metadata-path", path, "--candidate-id", "20260101-000000").code == 0
    active = json.loads(path.read_text())
    assert active["run_id"] == "20260101-000000"
    assert active["model"]["filename"] == "yolo-repath.tflite"
    model = (tmp_path / "assets/yolo-repath.tflite").read_bytes()
    assert active["model"]["sha256"] == hashlib.sha256(model).hexdigest()
    assert active["model"]["bytes"] == len(model)


def test_the_record_lies_in_the_assets_folder_unless_told_otherwise(
    promote: Callable[..., Any], tmp_path: Path
) -> None:
    assert promote("--write-metadata").code == 0
    assert (tmp_path / "assets/active-model.json").is_file()


def test_a_dry_run_checks_all_and_writes_nothing(promote: Callable[..., Any], tmp_path: Path) -> None:
    ran = promote("--dry-run", "--write-metadata")
    assert ran.code == 0
    assert ran.json["dry_run"] is True
    assert not (tmp_path / "assets").exists()


def test_an_older_candidate_with_paths_alone_is_read(
    promote: Callable[..., Any], root: Path, tmp_path: Path
) -> None:
    named = {"tflite": "training/x/yolov8.tflite", "labels": "training/x/yolov8.labels.json"}
    candidate(root, "20260301-000000", stem="yolov8", artifacts=named)
    assert promote().code == 0
    assert "yolo-repath.tflite" in standing(tmp_path / "assets")


@pytest.mark.parametrize("name", ["yolo-repath.tflite", "yolo-repath.labels.json"])
def test_a_file_that_is_not_the_one_its_metadata_names_is_refused(
    promote: Callable[..., Any], root: Path, tmp_path: Path, name: str
) -> None:
    path = root / "20260201-000000" / name
    path.write_bytes(tflite((1, 100, 6)) if name.endswith(".tflite") else b'["Other", "Labels"]')
    ran = promote()
    assert ran.code == 1
    assert f"{name} is not the file that metadata.json names" in ran.err
    assert not (tmp_path / "assets").exists()


def test_metadata_that_names_other_files_is_refused(promote: Callable[..., Any], root: Path) -> None:
    candidate(root, "20260301-000000", artifacts={"model": "other.tflite"})
    assert "does not name yolo-repath.tflite among its artifacts" in promote().err


@pytest.mark.parametrize(
    ("model", "export", "message"),
    [
        (APP_MODEL, {"nms": False, "head": "raw"}, "exported without NMS"),
        (APP_MODEL, {"nms": False}, "exported without NMS"),
        (tflite((1, 6, 84)), None, "the app cannot use this model"),
        (tflite((1, 300, 6), given=(1, 3, 64, 64)), None, "the app cannot use this model"),
        (b"<html>not found</html>", None, "not a TFLite file"),
    ],
)
def test_a_model_that_the_app_would_see_nonsense_with_is_refused(
    promote: Callable[..., Any], root: Path, tmp_path: Path, model: bytes, export: Any, message: str
) -> None:
    candidate(root, "20260301-000000", model=model, export=export)
    ran = promote()
    assert ran.code == 1
    assert message in ran.err
    assert not (tmp_path / "assets").exists()


def test_a_raw_head_is_promoted_when_it_is_allowed(promote: Callable[..., Any], root: Path) -> None:
    candidate(root, "20260301-000000", model=tflite((1, 6, 84)), export={"nms": False, "head": "raw"})
    assert promote("--allow-raw-head").code == 0


def test_labels_of_another_number_than_the_classes_are_refused(
    promote: Callable[..., Any], root: Path
) -> None:
    candidate(root, "20260301-000000", model=tflite((1, 9, 84)), labels=["Only one"])
    ran = promote("--allow-raw-head")
    assert ran.code == 1
    assert "has 1 labels, and the model tells 5 classes apart" in ran.err


def results(path: Path, **summary: Any) -> Path:
    figures = {
        "model": "m", "labels": "l", "manifest": "x", "threshold": 0.35, "topk": 5, "images_evaluated": 0,
        "micro_precision": None, "micro_recall": None, "any_hit_rate": None, "negative_clean_rate": None,
        "tp": 0, "fp": 0, "fn": 0, "supported_only": False, "skipped_unsupported_entries": 0,
    }  # fmt: skip
    path.write_text(json.dumps({"summary": figures | summary, "results": []}))
    return path


def test_results_of_other_files_are_refused(promote: Callable[..., Any], root: Path, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    own = hashlib.sha256((root / "20260201-000000/yolo-repath.tflite").read_bytes()).hexdigest()
    assert promote("--results", results(path, model_sha256=own)).code == 0
    other = promote("--results", results(path, model_sha256="0" * 64))
    assert other.code == 1
    assert "measured on other model" in other.err
    labels = promote("--results", results(path, model_sha256=own, labels_sha256="0" * 64))
    assert "measured on other labels" in labels.err
    assert "does not say by its digest" in promote("--results", results(path)).err


def test_the_results_of_the_workspace_are_held_to_where_they_name_the_candidate(
    promote: Callable[..., Any], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repath.toml").touch()
    (tmp_path / "benchmarks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert promote().code == 0  # nothing was measured yet
    path = tmp_path / "benchmarks" / "latest-results.candidate.json"
    model = "candidates/20260201-000000/yolo-repath.tflite"
    results(path, model=model, model_sha256="0" * 64)
    refused = promote()
    assert refused.code == 1
    assert "measured on other model" in refused.err
    results(path, model="candidates/20260101-000000/yolo-repath.tflite", model_sha256="0" * 64)
    assert "was measured on another model" in promote().err
    results(path, model=model, model_sha256=hashlib.sha256((tmp_path / model).read_bytes()).hexdigest())
    assert "another model" not in promote().err


def test_the_candidate_of_an_analysis_is_found_by_its_digest_or_its_path(
    promote: Callable[..., Any], root: Path, tmp_path: Path
) -> None:
    old = root / "20260101-000000"
    digest = hashlib.sha256((old / "yolo-repath.tflite").read_bytes()).hexdigest()
    path = tmp_path / "x.analysis.json"
    for document in (
        {"summary": {"model": "elsewhere/yolo-repath.tflite", "model_sha256": digest}},
        {"model": "candidates/20260101-000000/yolo-repath.tflite"},
    ):
        path.write_text(json.dumps(document))
        assert promote("--from-analysis", path).json["run_id"] == "20260101-000000"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"summary": {}}, "does not name the model it analyses"),
        ([], "does not name the model it analyses"),
        ({"model": "candidates/20990101-000000/yolo-repath.tflite"}, "has the model that was measured"),
        (
            {"model": "candidates/20260101-000000/yolo-repath.tflite", "model_sha256": "0" * 64},
            "is not the one that was measured",
        ),
    ],
)
def test_an_analysis_of_no_candidate_here_is_explained(
    promote: Callable[..., Any], tmp_path: Path, document: Any, message: str
) -> None:
    path = tmp_path / "x.analysis.json"
    path.write_text(json.dumps(document))
    ran = promote("--from-analysis", path)
    assert ran.code == 1
    assert message in ran.err


def test_wrong_flags_are_explained(promote: Callable[..., Any], root: Path) -> None:
    both = promote("--candidate-id", "20260101-000000", "--candidate-dir", root / "20260101-000000")
    assert both.code == 2
    assert "--candidate-dir and --candidate-id" in both.err
    for name in ("../candidates/20260101-000000", "/etc", "..", ""):
        ran = promote("--candidate-id", name)
        assert ran.code == 1
        assert "is not a plain name" in ran.err
    assert promote("--prefix", "../x").code == 2
    alone = promote("--metadata-path", root / "active.json")
    assert alone.code == 2
    assert "--write-metadata" in alone.err
    assert "is not a candidate" in promote("--candidate-dir", root).err


def test_an_assets_folder_that_cannot_be_written_is_explained(
    repath: Callable[..., Any], root: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ran = repath(
        "training", "promote-candidate-model", "--candidates-root", root, "--prefix", "p",
        "--assets-dir", tmp_path / "file" / "assets",
    )  # fmt: skip
    assert ran.code == 1
    assert "p.tflite cannot be written" in ran.err
    assert ".new" not in ran.err


def test_where_the_labels_cannot_take_their_place_neither_does_the_model(
    promote: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "assets" / "yolo-repath.labels.json").mkdir(parents=True)
    ran = promote()
    assert ran.code == 1
    assert "yolo-repath.labels.json cannot be written: it is a folder" in ran.err
    assert [path.name for path in (tmp_path / "assets").iterdir()] == ["yolo-repath.labels.json"]


def test_a_full_disk_leaves_model_and_labels_as_they_were(
    promote: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    assert promote("--candidate-id", "20260101-000000", "--write-metadata").code == 0
    before = standing(assets)
    real_fsync = os.fsync
    for full_at in (1, 2, 3):
        calls = 0

        def fsync(handle: int) -> None:
            nonlocal calls
            calls += 1
            if calls == full_at:  # noqa: B023
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real_fsync(handle)

        monkeypatch.setattr(os, "fsync", fsync)
        ran = promote("--write-metadata")
        assert ran.code == 1
        assert "the disk is full" in ran.err
        assert standing(assets) == before


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("failure", [OSError(errno.EIO, "input/output error"), KeyboardInterrupt()])
def test_a_rename_that_fails_or_is_interrupted_puts_the_others_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, failure: BaseException
) -> None:
    targets = [tmp_path / "out" / name for name in ("a", "b", "c")]
    if there:
        place_together([Placement(target, b"before") for target in targets])
    before = standing(tmp_path / "out")
    real_replace = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target == targets[2] and self.name.endswith(".new"):
            raise failure
        return real_replace(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    expected = OutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        place_together([Placement(target, b"after") for target in targets])
    assert standing(tmp_path / "out") == before


def test_promotion_imports_no_framework(promote: Callable[..., Any]) -> None:
    import subprocess
    import sys

    code = (
        "import sys; import pipeline.cli.training_promote, pipeline.cli.training_bundle; "
        "print(sorted({'torch', 'ultralytics', 'tensorflow', 'ai_edge_litert', 'cv2', 'pandas', 'numpy'}"
        " & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
