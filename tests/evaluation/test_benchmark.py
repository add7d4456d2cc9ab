"""The benchmark on real interpreters: same bytes for any number of workers, shards and resumptions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny_models import tiny_model

from pipeline.contracts.results import BenchmarkResults, Shard
from pipeline.evaluation.benchmark import BenchmarkOptions, run_benchmark
from pipeline.evaluation.measure import Item, Judging, Measurer, judged_row
from pipeline.evaluation.shards import merge_results, parse_shard
from pipeline.support.documents import read_json
from pipeline.support.errors import ContractError, InputError, ModelError, UsageError
from pipeline.support.files import sha256_file
from pipeline.support.yolo_labels import YoloBox

pytest.importorskip("ai_edge_litert")

OUTPUT = np.zeros((1, 10, 6), np.float32)
OUTPUT[0, :3] = [[4, 8, 16, 24, 0.9, 1], [4, 8, 16, 24, 0.4, 1], [0, 0, 8, 8, 0.2, 0]]


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A model that finds 'b' on every picture, and a manifest of nine pictures."""
    tiny_model(tmp_path / "m.tflite", OUTPUT)
    (tmp_path / "labels.json").write_text('["a", "b"]')
    rng = np.random.default_rng(0)
    images = []
    for index in range(9):
        name = f"p{index}.jpg"
        Image.fromarray(rng.integers(0, 256, (48 + index, 64, 3), np.uint8)).save(tmp_path / name)
        expected = [["b"], ["a"], [], ["c", "b"], ["c"]][index % 5]
        images.append({"name": f"n{index}", "url": name, "expected_any": expected, "status": "ready"})
    images.append({"name": "later", "url": "", "expected_any": ["a"], "status": "todo"})
    write_manifest(tmp_path, images)
    return tmp_path


def write_manifest(folder: Path, images: list[dict[str, Any]]) -> None:
    (folder / "manifest.json").write_text(json.dumps({"name": "t", "images": images}))


def images_of(folder: Path) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text())["images"]
    return images


def options(folder: Path, **changes: Any) -> BenchmarkOptions:
    settings: dict[str, Any] = {
        "model": folder / "m.tflite",
        "labels": folder / "labels.json",
        "manifest": folder / "manifest.json",
        "base": folder,
        **changes,
    }
    return BenchmarkOptions(**settings)


def untimed(results: BenchmarkResults) -> dict[str, Any]:
    data = results.to_data()
    for row in [*data["results"], *data["box_pictures"]]:
        del row["latency_ms"], row["inference_ms"]
    return {key: value for key, value in data.items() if key not in {"timing", "generated_at", "shard"}}


def test_the_figures_are_those_of_the_pictures(space: Path) -> None:
    results = run_benchmark(options(space))
    summary = results.summary
    assert (summary.images_evaluated, summary.tp, summary.fp, summary.fn) == (9, 4, 5, 5)
    assert (summary.any_hit_count, summary.any_hit_images, summary.any_hit_rate) == (4, 7, 0.5714)
    assert (summary.negative_clean_count, summary.negative_images) == (0, 2)
    assert (summary.todo_entries, summary.unreadable_entries) == (1, 0)
    assert summary.model_sha256 == sha256_file(space / "m.tflite")
    assert (summary.resize, summary.filter, summary.input_size) == ("stretch", "opencv-linear", [32, 32])
    first = results.results[0]
    assert [d.score for d in first.detections] == [0.9, 0.4]
    assert first.detections[0].box == [8.0, 12.0, 32.0, 36.0]
    assert [(d.label, d.score) for d in first.below_threshold or []] == [("a", 0.2)]
    assert first.picture_sha256 == sha256_file(space / "p0.jpg")
    assert results.timing is not None
    assert first.inference_ms is not None
    assert results.sources == {".": 9}
    assert results.boxes is None


def test_supported_only_drops_unknown_labels_and_counts_pictures_left_with_none(space: Path) -> None:
    results = run_benchmark(options(space, supported_only=True))
    assert results.summary.skipped_unsupported_entries == 1
    assert results.summary.images_evaluated == 8
    assert results.results[3].expected_any == ["b"]
    assert (results.summary.tp, results.summary.fn) == (4, 2)


@pytest.mark.parametrize("workers", [2, 5])
def test_the_bytes_are_the_same_for_any_number_of_workers(space: Path, workers: int) -> None:
    assert untimed(run_benchmark(options(space, workers=workers))) == untimed(
        run_benchmark(options(space, workers=1))
    )


@pytest.mark.parametrize("count", [2, 4, 12])
def test_merged_shards_are_the_unsharded_file(space: Path, count: int) -> None:
    images = images_of(space)
    images[4]["url"] = "gone.jpg"
    write_manifest(space, images)
    parts = [
        (f"s{i}", run_benchmark(options(space, shard=Shard(index=i, count=count))))
        for i in range(1, count + 1)
    ]
    merged = merge_results(parts[::-1], max_unreadable=1, generated_at="now")
    assert untimed(merged) == untimed(run_benchmark(options(space, max_unreadable=1)))


def test_shards_that_do_not_belong_together_are_refused(space: Path) -> None:
    one, two = (run_benchmark(options(space, shard=Shard(index=i, count=2))) for i in (1, 2))
    other = run_benchmark(options(space, shard=Shard(index=2, count=2), threshold=0.5))
    with pytest.raises(InputError, match="missing: 2"):
        merge_results([("a", one)], max_unreadable=1, generated_at="now")
    with pytest.raises(InputError, match="shard 1 stands twice: a and b"):
        merge_results([("a", one), ("b", one)], max_unreadable=1, generated_at="now")
    with pytest.raises(InputError, match=r"a and b are of different runs: threshold is 0\.35 and 0\.5"):
        merge_results([("a", one), ("b", other)], max_unreadable=1, generated_at="now")
    with pytest.raises(InputError, match="b is no shard"):
        merge_results([("a", two), ("b", run_benchmark(options(space)))], max_unreadable=1, generated_at="")


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "１/２"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no shard"):
        parse_shard(text)


def test_an_interrupted_run_goes_on_behind_its_last_row(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = space / "journal.jsonl"
    whole = run_benchmark(options(space, journal=journal))
    lines = journal.read_text().splitlines()
    assert len(lines) == 10
    journal.write_text("\n".join([*lines[:5], lines[5][:40]]))
    done = [json.loads(line)["item"] for line in lines[1:5]]
    measured: list[int] = []

    def watched(self: Measurer, item: Item) -> Any:
        measured.append(item.position)
        return call(self, item)

    call = Measurer.__call__
    monkeypatch.setattr(Measurer, "__call__", watched)
    assert untimed(run_benchmark(options(space, journal=journal, resume=True))) == untimed(whole)
    assert sorted(measured) == sorted(set(range(9)) - set(done))


def test_a_picture_that_was_exchanged_meanwhile_is_measured_anew(space: Path) -> None:
    journal = space / "journal.jsonl"
    run_benchmark(options(space, journal=journal))
    shutil.copy(space / "p1.jpg", space / "p0.jpg")
    (space / "p2.jpg").unlink()
    kept = journal.read_bytes()
    fresh = untimed(run_benchmark(options(space, max_unreadable=0.5)))
    journal.write_bytes(kept)
    again = run_benchmark(options(space, journal=journal, resume=True, max_unreadable=0.5))
    assert untimed(again) == fresh
    assert [picture.name for picture in again.unreadable or []] == ["n2"]


def test_a_journal_of_another_run_is_not_taken(space: Path) -> None:
    journal = space / "journal.jsonl"
    run_benchmark(options(space, journal=journal))
    results = run_benchmark(options(space, journal=journal, resume=True, threshold=0.95))
    assert results.summary.threshold == 0.95
    assert results.summary.tp == 0


def test_cached_pictures_give_the_same_results_and_damaged_ones_are_made_again(space: Path) -> None:
    plain = untimed(run_benchmark(options(space)))
    cache = space / "cache"
    assert untimed(run_benchmark(options(space, cache=cache))) == plain
    kept = sorted(cache.rglob("*.canvas"))
    assert len(kept) == 9
    kept[0].write_bytes(kept[0].read_bytes()[:-1] + b"\0")
    kept[1].write_bytes(b"")
    assert untimed(run_benchmark(options(space, cache=cache))) == plain


def test_pictures_that_cannot_be_read_are_listed_and_take_no_part(space: Path) -> None:
    (space / "p0.jpg").write_bytes((space / "p0.jpg").read_bytes()[:-100])
    (space / "p1.jpg").write_text("text")
    images = images_of(space)
    images[2]["url"] = "nowhere.jpg"
    images[3]["url"] = "https://example.org/a.jpg"
    write_manifest(space, images)
    results = run_benchmark(options(space, max_unreadable=0.5))
    assert [(entry.name, entry.manifest_row) for entry in results.unreadable or []] == [
        ("n0", 0), ("n1", 1), ("n2", 2), ("n3", 3),
    ]  # fmt: skip
    reasons = [entry.reason for entry in results.unreadable or []]
    assert "truncated" in reasons[0]
    assert "not a picture" in reasons[1]
    assert reasons[2] == "not found"
    assert "build-resolved-benchmark-manifest" in reasons[3]
    assert results.summary.images_evaluated == 5
    with pytest.raises(InputError, match=r"4 of 9 pictures could not be read(.|\n)*n0: truncated"):
        run_benchmark(options(space, max_unreadable=0.4))


def test_under_ci_no_picture_may_be_unreadable(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = images_of(space)
    write_manifest(space, [dict(images[1], name=f"x{i}") for i in range(40)] + [dict(images[0], url="gone")])
    monkeypatch.setenv("CI", "true")
    with pytest.raises(InputError, match="1 of 41"):
        run_benchmark(options(space))
    monkeypatch.setenv("CI", "")
    assert run_benchmark(options(space)).summary.unreadable_entries == 1


def test_a_manifest_without_ready_rows_is_told_before_any_work(space: Path) -> None:
    write_manifest(space, [{"name": "later", "url": "", "expected_any": ["a"], "status": "todo"}])
    with pytest.raises(InputError, match="no ready row to measure: 1 todo"):
        run_benchmark(options(space, model=space / "not_even_there.tflite"))


def test_labels_of_another_length_and_impossible_scores_are_told(space: Path) -> None:
    broken = OUTPUT.copy()
    broken[0, 0, 4] = np.nan
    tiny_model(space / "nan.tflite", broken)
    with pytest.raises(ModelError, match=r"p\d\.jpg: the model gave NaN"):
        run_benchmark(options(space, model=space / "nan.tflite"))
    (space / "one.json").write_text('["a"]')
    with pytest.raises(ModelError, match="class id 1, and there are 1 labels"):
        run_benchmark(options(space, labels=space / "one.json"))
    (space / "twice.json").write_text('["a", "a"]')
    with pytest.raises(ContractError, match="stand twice"):
        run_benchmark(options(space, labels=space / "twice.json"))


def test_boxes_of_the_manifest_give_map(space: Path) -> None:
    images = images_of(space)[:2]
    images[0]["boxes"] = [{"label": "b", "box": [8.0, 12.0, 32.0, 36.0]}]
    images[1]["boxes"] = []
    write_manifest(space, images)
    boxes = run_benchmark(options(space)).boxes
    assert boxes is not None
    assert (boxes.pictures, boxes.boxes, boxes.tp, boxes.fp) == (2, 1, 1, 3)
    assert boxes.map50 == 1.0


def bundle(folder: Path, source: Path) -> Path:
    """A bundle that trains on p0 and on a source of p1, and holds p2 back for the test."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(folder / "images/s1.jpg")
    shutil.copy(source / "p0.jpg", folder / "images/s0.jpg")
    shutil.copy(source / "p2.jpg", folder / "images/s2.jpg")
    (folder / "labels/s2.txt").write_text("1 0.3125 0.5 0.375 0.5\n")
    (folder / "classes.json").write_text('{"classes": [{"id": 0, "label": "a"}, {"id": 1, "label": "b"}]}')
    header = "id,image_file,label_file,is_negative,class_label,class_id,status,annotator,notes\n"
    rows = "".join(
        f"s{i},images/s{i}.jpg,labels/s{i}.txt,false,b,1,annotated,,{note}\n"
        for i, note in enumerate(["", "source_url=https://commons.wikimedia.org/wiki/File:Tin_can.jpg", ""])
    )
    (folder / "annotations-template.csv").write_text(header + rows)
    entries = [{"id": f"s{i}", "subset": "test" if i == 2 else "train", "group": f"s{i}"} for i in range(3)]
    split = {"seed": 0, "method": "m", "digest": "0" * 64, "counts": {}, "warnings": [], "entries": entries}
    (folder / "split.json").write_text(json.dumps(split))
    return folder


def test_training_pictures_in_the_benchmark_are_told_and_held_back_ones_give_boxes(
    space: Path, repath: Callable[..., Any]
) -> None:
    images = images_of(space)
    images[1]["source_url"] = "https://upload.wikimedia.org/wikipedia/commons/a/ab/Tin_can.jpg"
    write_manifest(space, images)
    folder = bundle(space / "bundle", space)
    ran = repath(
        "evaluation", "benchmark-candidate-model", "--model", space / "m.tflite", "--labels",
        space / "labels.json", "--manifest", space / "manifest.json", "--out", space / "r.json",
        "--bundle-dir", folder,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    results = read_json(space / "r.json", BenchmarkResults)
    overlap = [(entry.name, entry.kind, entry.sample) for entry in results.training_overlap or []]
    assert overlap == [("n0", "bytes", "s0"), ("n1", "source", "s1")]
    assert "n0 has the same bytes as the training picture s0" in ran.err
    assert [row.name for row in results.box_pictures or []] == ["s2"]
    assert results.boxes is not None
    assert (results.boxes.pictures, results.boxes.boxes, results.boxes.tp) == (1, 1, 1)
    assert results.summary.images_evaluated == 9
    assert ran.json["training_overlap"] == 2


@given(middle=st.floats(0, 1), share=st.floats(0, 1, exclude_min=True), side=st.integers(1, 10_000))
def test_a_drawn_box_keeps_an_area_however_small(middle: float, share: float, side: int) -> None:
    item = Item(0, 0, "p", "p.jpg", Path("p.jpg"), shares=(("b", YoloBox(0, middle, 0.5, share, 1.0)),))
    row = judged_row(item, "0" * 64, (side, side), [], Judging(0.35, 5))
    [known] = row.expected_boxes or []
    left, _, right, _ = known.box
    assert 0 < right - left <= max(share * side, 0.01) + 0.02
    assert abs((left + right) / 2 - middle * side) <= 0.02


def candidate(folder: Path, space: Path) -> Path:
    folder.mkdir(parents=True)
    artifacts = {}
    for role, source, name in (
        ("model", "m.tflite", "yolo-repath.tflite"),
        ("labels", "labels.json", "yolo-repath.labels.json"),
    ):
        shutil.copy(space / source, folder / name)
        artifacts[role] = {
            "filename": name,
            "sha256": sha256_file(folder / name),
            "bytes": (folder / name).stat().st_size,
        }
    metadata = {
        "run_id": folder.name, "bundle": {}, "training": {}, "export": {}, "artifacts": artifacts,
    }  # fmt: skip
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


def test_a_candidate_is_measured_only_with_the_files_its_metadata_names(
    space: Path, repath: Callable[..., Any]
) -> None:
    folder = candidate(space / "candidates/20260101-000000", space)
    common = ("--manifest", space / "manifest.json", "--out", space / "r.json")
    command = ("evaluation", "benchmark-candidate-model")
    assert repath(*command, "--candidate-dir", folder, *common).code == 0
    before = (space / "r.json").read_bytes()
    newest = repath(*command, "--candidates-root", folder.parent, *common)
    assert newest.json["summary"]["model"].endswith("20260101-000000/yolo-repath.tflite")
    assert not list(space.glob("*.journal.jsonl"))
    before = (space / "r.json").read_bytes()
    (folder / "yolo-repath.labels.json").write_text('["b", "a"]')
    ran = repath(*command, "--candidate-dir", folder, *common)
    assert ran.code == 1
    assert "is not the file that metadata.json names" in ran.err
    assert (space / "r.json").read_bytes() == before


def test_the_bundle_that_a_candidate_names_is_compared_without_asking(
    space: Path, repath: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = candidate(space / "candidates/20260101-000000", space)
    bundle(space / "bundle", space)
    monkeypatch.chdir(space)
    command = (
        "evaluation", "benchmark-candidate-model", "--candidate-dir", folder,
        "--manifest", space / "manifest.json", "--out", space / "r.json",
    )  # fmt: skip
    assert repath(*command).json["training_overlap"] is None
    metadata = json.loads((folder / "metadata.json").read_text())
    for named, overlap in [("bundle", 1), ("gone", None), ("../elsewhere", None)]:
        metadata["bundle"] = {"bundle_dir": named}
        (folder / "metadata.json").write_text(json.dumps(metadata))
        assert repath(*command).json["training_overlap"] == overlap


def test_flags_that_contradict_each_other_are_wrong_usage(space: Path, repath: Callable[..., Any]) -> None:
    common = ("--manifest", space / "manifest.json", "--out", space / "r.json")
    command = ("evaluation", "benchmark-candidate-model")
    model = ("--model", space / "m.tflite")
    for flags in [
        (),
        model,
        (*model, "--labels", space / "labels.json", "--candidate-dir", space),
        ("--candidate-dir", space, "--candidates-root", space),
        (*model, "--labels", space / "labels.json", "--shard", "3/2"),
        (*model, "--labels", space / "labels.json", "--filter", "nearest"),
    ]:
        ran = repath(*command, *flags, *common)
        assert ran.code == 2, flags
        assert not (space / "r.json").exists()


def test_shards_are_merged_on_the_command_line(space: Path, repath: Callable[..., Any]) -> None:
    files = []
    for index in (1, 2):
        files.append(space / f"s{index}.json")
        ran = repath(
            "evaluation", "benchmark-candidate-model", "--model", space / "m.tflite", "--labels",
            space / "labels.json", "--manifest", space / "manifest.json", "--out", files[-1],
            "--shard", f"{index}/2",
        )  # fmt: skip
        assert ran.code == 0, ran.err
    ran = repath("evaluation", "merge-benchmark-results", *files, "--out", space / "all.json")
    assert ran.code == 0, ran.err
    merged = untimed(read_json(space / "all.json", BenchmarkResults))
    whole = untimed(run_benchmark(options(space)))
    paths = {"model", "labels", "manifest"}
    assert {k: v for k, v in merged["summary"].items() if k not in paths} == {
        k: v for k, v in whole["summary"].items() if k not in paths
    }
    assert merged["results"] == whole["results"]


def test_real_photos_with_a_real_model_give_the_known_map(real: Path, tmp_path: Path) -> None:
    classes = [
        "Aluminum Can", "Tin Can", "Aluminum Foil", "Cardboard", "Glass Bottle or Jar", "Plastic Bottle",
        "Plastic Container",
    ]  # fmt: skip
    (tmp_path / "labels.json").write_text(json.dumps(classes))
    images = []
    for path in sorted((real / "photos/images/val").iterdir()):
        with Image.open(path) as picture:
            width, height = picture.size
        boxes = []
        for line in (real / "photos/labels/val" / f"{path.stem}.txt").read_text().splitlines():
            index, x, y, w, h = (float(part) for part in line.split())
            corners = [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]
            boxes.append({"label": classes[int(index)], "box": corners})
        expected = sorted({box["label"] for box in boxes})
        images.append({"name": path.stem, "url": path.name, "expected_any": expected, "boxes": boxes})
    write_manifest(tmp_path, images)
    results = run_benchmark(
        options(
            tmp_path,
            model=real / "weights/dev-finetuned-yolo26n-320_litert_default.tflite",
            root=real / "photos/images/val",
            resize="letterbox",
        )
    )
    assert results.summary.images_evaluated == 37
    assert results.summary.map50 == pytest.approx(0.74, abs=0.04)
    assert (results.summary.any_hit_rate or 0) > 0.7
