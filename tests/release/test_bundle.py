from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from candidate_files import comparison_data

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.results import BenchmarkResults
from pipeline.release.bundle import build_release
from pipeline.release.versions import semantic_version
from pipeline.support.documents import write_json
from pipeline.support.errors import (
    DigestMismatchError,
    GateError,
    ModelError,
    OutputError,
    ReleaseError,
    RepathError,
    UsageError,
)

ModelFile = Callable[..., Path]


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def results_of(model: Path, labels: Path, **changed: Any) -> BenchmarkResults:
    summary = {
        "model": str(model), "labels": str(labels), "manifest": "m.json", "threshold": 0.35, "topk": 5,
        "images_evaluated": 0, "micro_precision": None, "micro_recall": None, "any_hit_rate": None,
        "negative_clean_rate": None, "tp": 0, "fp": 0, "fn": 0, "supported_only": False,
        "skipped_unsupported_entries": 0, "model_sha256": digest(model), "labels_sha256": digest(labels),
    }  # fmt: skip
    return BenchmarkResults.model_validate({"summary": summary | changed, "results": []})


def test_a_bundle_holds_the_four_files_that_the_app_looks_for(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    model = model_file()
    built = build_release(
        version="1.2.3", model=model, labels=labels_file, out_root=tmp_path / "dist", run_id="r1", notes="Hi"
    )
    assert built.directory == tmp_path / "dist/v1.2.3"
    assert sorted(path.name for path in built.directory.iterdir()) == [
        "SHA256SUMS",
        "release-manifest-v1.2.3.json",
        "yolo-repath-v1.2.3.labels.json",
        "yolo-repath-v1.2.3.tflite",
    ]
    manifest = json.loads(built.manifest_path.read_text())
    assert manifest["name"] == "yolo-repath"
    assert (manifest["version"], manifest["tag"], manifest["notes"]) == ("1.2.3", "v1.2.3", "Hi")
    assert manifest["generated_at"] == "2023-11-14T22:13:20.000Z"
    assert manifest["source"]["run_id"] == "r1"
    assert manifest["artifacts"] == [
        {
            "filename": "yolo-repath-v1.2.3.tflite",
            "sha256": digest(model),
            "bytes": model.stat().st_size,
            "content_type": "application/octet-stream",
        },
        {
            "filename": "yolo-repath-v1.2.3.labels.json",
            "sha256": digest(labels_file),
            "bytes": labels_file.stat().st_size,
            "content_type": "application/json",
        },
    ]


def test_sha256sum_accepts_the_checksums(model_file: ModelFile, labels_file: Path, tmp_path: Path) -> None:
    built = build_release(version="v0.1.0", model=model_file(), labels=labels_file, out_root=tmp_path / "d")
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"],
        cwd=built.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": OK") == 3


def test_the_same_files_at_the_same_time_give_the_same_bytes(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    bundles = [
        build_release(version="1.0.0", model=model_file(), labels=labels_file, out_root=tmp_path / root)
        for root in ("a", "b")
    ]
    first, second = ({p.name: p.read_bytes() for p in built.directory.iterdir()} for built in bundles)
    assert first == second


def test_building_a_version_again_changes_nothing_and_refuses_other_files(
    model_file: ModelFile, labels_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "dist"
    built = build_release(version="1.0.0", model=model_file(), labels=labels_file, out_root=out)
    before = {path: path.read_bytes() for path in built.directory.iterdir()}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    again = build_release(version="1.0.0", model=model_file(), labels=labels_file, out_root=out)
    assert again.unchanged
    assert again.manifest == built.manifest
    with pytest.raises(ReleaseError, match="was built before, of other files"):
        build_release(version="1.0.0", model=model_file(filler=b"more"), labels=labels_file, out_root=out)
    with pytest.raises(ReleaseError, match="other notes"):
        build_release(version="1.0.0", model=model_file(), labels=labels_file, out_root=out, notes="new")
    assert {path: path.read_bytes() for path in built.directory.iterdir()} == before
    (built.directory / "SHA256SUMS").unlink()
    with pytest.raises(ReleaseError, match="does not verify"):
        build_release(version="1.0.0", model=model_file(), labels=labels_file, out_root=out)


@pytest.mark.parametrize(("text", "version"), [("0.1.0", "0.1.0"), ("v1.2.3-rc.1+b.5", "1.2.3-rc.1+b.5")])
def test_a_semantic_version_may_have_a_leading_v(text: str, version: str) -> None:
    assert semantic_version(text) == version


@pytest.mark.parametrize(
    "text", ["", "1", "1.0", "01.0.0", "1.0.0-", "vv1.0.0", "1.0.0/../x", "1.0.0\n1", "latest"]
)
def test_what_is_no_semantic_version_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a semantic version"):
        semantic_version(text)


@pytest.mark.parametrize("digits", [200, 5000])
def test_a_version_that_is_no_file_name_for_its_length_is_refused(digits: int) -> None:
    with pytest.raises(UsageError, match="128 are allowed"):
        semantic_version(f"1.0.{'9' * digits}")


def test_labels_that_are_not_the_models_classes_are_refused(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "dist"
    for made, reason in [
        ({"names": ["a", "b"]}, "3 labels, and .* has 2 classes"),
        ({"output": (1, 12, 84), "names": None}, "3 labels, and .* has 8 classes"),
        ({"names": None}, "does not tell how many classes"),
    ]:
        with pytest.raises(ReleaseError, match=reason):
            build_release(version="1.0.0", model=model_file(**made), labels=labels_file, out_root=out)
    with pytest.raises(ModelError, match="in another order"):
        build_release(
            version="1.0.0",
            model=model_file(names=["Tin Can", "Cardboard", "Aluminum Can"]),
            labels=labels_file,
            out_root=out,
        )
    assert not out.exists()


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({"given": (1, 3, 64, 64)}, "channel-first"),
        ({"output": (1, 7, 8400)}, "a raw head"),
        ({"given": (2, 64, 64, 3)}, r"is not \[1,S,S,3\]"),
    ],
)
def test_a_model_that_the_app_cannot_use_is_refused_unless_allowed(
    model_file: ModelFile, labels_file: Path, tmp_path: Path, shapes: dict[str, Any], reason: str
) -> None:
    model = model_file(**shapes)
    with pytest.raises(ModelError, match=reason):
        build_release(version="1.0.0", model=model, labels=labels_file, out_root=tmp_path / "d")
    built = build_release(
        version="1.0.0", model=model, labels=labels_file, out_root=tmp_path / "d", allow_unusable=True
    )
    assert len(built.warnings) == 1


def test_results_of_other_files_are_refused(model_file: ModelFile, labels_file: Path, tmp_path: Path) -> None:
    model = model_file()

    def build(**changed: Any) -> None:
        results = results_of(model, labels_file, **changed)
        build_release(
            version="1.0.0", model=model, labels=labels_file, out_root=tmp_path / "d", results=results
        )

    with pytest.raises(DigestMismatchError, match="another model file"):
        build(model_sha256="0" * 64)
    with pytest.raises(DigestMismatchError, match="another labels file"):
        build(labels_sha256="0" * 64)
    with pytest.raises(DigestMismatchError, match="does not say which model file"):
        build(model_sha256=None)
    assert not (tmp_path / "d").exists() or not any((tmp_path / "d").iterdir())
    build()


def test_a_model_that_its_own_record_does_not_name_is_refused(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    model = model_file()
    record = {
        "run_id": "20260101-000000", "bundle": {}, "training": {}, "export": {},
        "artifacts": {"model": {"filename": model.name, "sha256": digest(model), "bytes": 1}, "best": "x.pt"},
    }  # fmt: skip
    (tmp_path / "metadata.json").write_text(json.dumps(record))
    built = build_release(version="1.0.0", model=model, labels=labels_file, out_root=tmp_path / "d")
    assert built.manifest.source.run_id == "20260101-000000"
    model_file(filler=b"edited later")
    with pytest.raises(DigestMismatchError, match=r"is not the file that .*metadata.json names"):
        build_release(version="1.0.1", model=model, labels=labels_file, out_root=tmp_path / "d")
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["v1.0.0"]


def test_a_record_that_pairs_model_and_labels_stands_in_for_an_unknown_number_of_classes(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    model = model_file(names=None)
    entries = {
        role: {"filename": path.name, "sha256": digest(path), "bytes": path.stat().st_size}
        for role, path in (("model", model), ("labels", labels_file))
    }
    record = {"run_id": "r", "bundle": {}, "training": {}, "export": {}, "artifacts": entries}
    (tmp_path / "metadata.json").write_text(json.dumps(record))
    build_release(version="1.0.0", model=model, labels=labels_file, out_root=tmp_path / "d")
    labels_file.write_text('["other"]')
    with pytest.raises(DigestMismatchError):
        build_release(version="1.0.1", model=model, labels=labels_file, out_root=tmp_path / "d")


def test_a_place_that_cannot_be_written_is_one_error(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "dist").write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        build_release(version="1.0.0", model=model_file(), labels=labels_file, out_root=tmp_path / "dist")


def test_a_prefix_that_is_no_file_name_is_refused(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="prefix"):
        build_release(
            version="1.0.0", model=model_file(), labels=labels_file, out_root=tmp_path, prefix="../up"
        )


def test_a_path_with_a_newline_cannot_forge_a_line_of_the_manifest(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    model = model_file("model\nforged.tflite")
    with pytest.raises(RepathError, match=r"source\.model"):
        build_release(version="1.0.0", model=model, labels=labels_file, out_root=tmp_path / "d")


def test_the_commands_build_and_verify(
    repath: Callable[..., Any], model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n")
    arguments = (
        "release",
        "build-release",
        "--version",
        "v0.1.0",
        "--model",
        model_file(),
        "--labels",
        labels_file,
    )
    done = repath(
        *arguments,
        "--out-root",
        tmp_path / "d",
        "--notes-file",
        tmp_path / "notes.md",
        "--source-run-id",
        "r",
    )
    assert done.code == 0, done.err
    assert done.json["tag"] == "v0.1.0"
    checked = repath("release", "verify-release", "--manifest", done.json["manifest"])
    assert checked.code == 0, checked.err
    assert checked.json["verified"]
    assert checked.json["manifest_sealed"]
    missing = repath(*arguments, "--out-root", tmp_path / "d", "--notes-file", tmp_path / "none.md")
    assert missing.code == 1
    assert "none.md does not exist" in missing.err


def test_no_release_command_imports_a_heavy_library(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "d/v1.0.0/release-manifest-v1.0.0.json"
    code = f"""
import sys
from pipeline.cli.main import run
assert run(["release", "build-release", "--version", "1.0.0", "--model", {str(model_file())!r},
            "--labels", {str(labels_file)!r}, "--out-root", {str(tmp_path / "d")!r}]) == 0
assert run(["release", "verify-release", "--manifest", {str(manifest)!r}]) == 0
heavy = {{"torch", "ultralytics", "tensorflow", "ai_edge_litert", "cv2", "pandas", "numpy", "requests"}}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
assert not heavy & set(sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr


def comparison_of(model: Path, labels: Path, *, passed: bool | None = True) -> Comparison:
    data = comparison_data({"model": digest(model), "labels": digest(labels), "manifest": "0" * 64})
    reason = {"condition": "recall >= 0.9", "outcome": "not met", "words": "recall is 0.70, below 0.90"}
    gate = None if passed is None else {"passed": passed, "reasons": [] if passed else [reason]}
    return Comparison.model_validate({**data, "gate": gate})


@pytest.mark.parametrize(
    ("passed", "error", "why"),
    [(False, GateError, "recall is 0.70, below 0.90"), (None, ReleaseError, "nothing of the gate")],
)
def test_nothing_is_built_where_the_gate_says_no_or_nothing(
    model_file: ModelFile,
    labels_file: Path,
    tmp_path: Path,
    passed: bool | None,
    error: type[RepathError],
    why: str,
) -> None:
    model = model_file()
    judged = comparison_of(model, labels_file, passed=passed)
    with pytest.raises(error, match=why) as caught:
        build_release(
            version="1.0.0", model=model, labels=labels_file, out_root=tmp_path / "dist", comparison=judged
        )
    assert caught.value.exit_code == (3 if passed is False else 1)
    assert not (tmp_path / "dist" / "v1.0.0").exists()


def test_a_gate_that_passed_for_another_model_does_not_count(
    model_file: ModelFile, labels_file: Path, tmp_path: Path
) -> None:
    judged = comparison_of(model_file("other.tflite", filler=b"x"), labels_file)
    with pytest.raises(DigestMismatchError, match="compares another model"):
        build_release(
            version="1.0.0",
            model=model_file(),
            labels=labels_file,
            out_root=tmp_path / "dist",
            comparison=judged,
        )


def test_a_candidate_is_released_by_its_folder(
    model_file: ModelFile, labels_file: Path, tmp_path: Path, repath: Any
) -> None:
    folder = tmp_path / "candidates" / "20260102-030405"
    folder.mkdir(parents=True)
    files = {"yolo-repath.tflite": model_file(), "yolo-repath.labels.json": labels_file}
    for name, source in files.items():
        (folder / name).write_bytes(source.read_bytes())
    artifacts = {name: {"filename": name, "sha256": digest(folder / name)} for name in files}
    metadata = {"run_id": "r7", "bundle": {}, "training": {}, "export": {}, "artifacts": artifacts}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    judged = tmp_path / "compare.json"
    write_json(judged, comparison_of(files["yolo-repath.tflite"], labels_file))
    call = ("release", "build-release", "--version", "1.0.0", "--out-root", tmp_path / "dist")
    built = repath(*call, "--candidate-dir", folder, "--comparison", judged)
    assert (built.code, built.json["run_id"]) == (0, "r7")
    assert repath(*call).code == 2
    assert repath(*call, "--candidate-dir", folder, "--model", folder / "yolo-repath.tflite").code == 2
    (folder / "yolo-repath.tflite").write_bytes(b"changed")
    assert repath(*call, "--candidate-dir", folder).code == 1
