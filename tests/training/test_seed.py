"""Boxes that a detector proposes: marked as such, never over a person's, and the same when run twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import annotated_bundles as bundles
import numpy as np
import pytest
from annotated_bundles import Sample
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import tiny_model

from pipeline.runtime.detector import Detection
from pipeline.support.errors import InputError, OutputError
from pipeline.support.yolo_labels import labels_text, parse_labels
from pipeline.training import seed
from pipeline.training.bundle_rows import read_bundle
from pipeline.training.proposals import match_labels, propose

Repath = Callable[..., Any]

pytest.importorskip("ai_edge_litert")

SIDE = 64
OPEN = (
    Sample("can-1", "Aluminum Can"),
    Sample("can-2", "Aluminum Can", "0 0.500000 0.500000 0.250000 0.400000\n", status="annotated"),
    Sample("can-3", "Aluminum Can", status="done", annotator="Ana"),
    Sample("bottle-1", "Glass Bottle", notes="folder=a; b"),
    Sample("gone", "Glass Bottle", image=False, status="missing_image"),
    Sample("street", status="negative"),
)


def model(path: Path, rows: Sequence[Sequence[float]], labels: Sequence[str]) -> Path:
    """Write a detector that finds the same boxes, in pixels of its 64×64 input, on every picture."""
    output = np.zeros((1, 8, 6), np.float32)
    for index, row in enumerate(rows):
        output[0, index] = row
    tiny_model(path, output, input_shape=(1, SIDE, SIDE, 3))
    path.with_name(f"{path.stem}.labels.json").write_text(json.dumps(list(labels)))
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return bundles.write_bundle(tmp_path / "bundles" / "20260101-000000", OPEN)


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """Its classes stand in another order than the bundle's, and one of them the bundle lacks."""
    rows = [
        [8, 8, 24, 40, 0.9, 2],  # a can
        [9, 8, 24, 40, 0.95, 0],  # the same thing, surer, as a bottle
        [40, 40, 60, 60, 0.6, 1],  # a cup
        [30, 10, 50, 30, 0.15, 2],  # a can below the threshold, above half of it
    ]
    return model(tmp_path / "other.tflite", rows, ["glass bottle", "cup", "Aluminum Can"])


def seeded(repath: Repath, bundle: Path, detector: Path, *more: object) -> Any:
    flags = ("--resize", "stretch", "--bundle-dir", bundle, "--model", detector, *more)
    return repath("training", "seed-annotation-boxes", *flags)


def test_open_positives_get_boxes_under_the_bundles_names_and_are_marked(
    bundle: Path, detector: Path, repath: Repath
) -> None:
    ran = seeded(repath, bundle, detector)
    assert ran.code == 0, ran.err
    # Class 0 of the bundle is the can, which is class 2 of the detector: names decide, not numbers.
    assert (bundle / "labels/can-1.txt").read_text() == (
        "0 0.250000 0.375000 0.250000 0.500000\n0 0.625000 0.312500 0.312500 0.312500\n"
    )
    assert (bundle / "labels/bottle-1.txt").read_text() == "1 0.257812 0.375000 0.234375 0.500000\n"
    rows = bundles.template(bundle)
    assert rows["can-1"]["status"] == rows["bottle-1"]["status"] == "proposed"
    assert rows["can-1"]["annotator"] == "detector other.tflite"
    assert rows["bottle-1"]["notes"].startswith("folder=a; b; boxes proposed by a detector")
    assert ran.json["labels"] == {"Aluminum Can": "Aluminum Can", "glass bottle": "Glass Bottle"}
    # The cup on both, and on the negative.
    assert ran.json["unmapped"] == {"cup": 3}
    assert "cup 3" in ran.err


def test_drawn_boxes_done_rows_and_negatives_stay_as_they_are(
    bundle: Path, detector: Path, repath: Repath
) -> None:
    before = bundles.contents(bundle)
    ran = seeded(repath, bundle, detector)
    after = bundles.contents(bundle)
    for name in ("can-2", "can-3", "gone", "street"):
        assert after[f"labels/{name}.txt"] == before[f"labels/{name}.txt"]
    rows = bundles.template(bundle)
    assert [rows[name]["status"] for name in ("can-2", "can-3", "gone", "street")] == [
        "annotated", "done", "missing_image", "negative",
    ]  # fmt: skip
    assert (ran.json["drawn"], ran.json["done"], ran.json["no_picture"]) == (1, 1, 1)
    assert {each["id"] for each in ran.json["on_negatives"]} == {"street"}
    assert [each["label"] for each in ran.json["on_negatives"]] == ["Glass Bottle"]
    assert "street is a negative, and the detector sees Glass Bottle (0.95): no box written" in ran.err


def test_run_twice_gives_the_same_bytes(bundle: Path, detector: Path, repath: Repath) -> None:
    seeded(repath, bundle, detector)
    first = bundles.contents(bundle)
    again = seeded(repath, bundle, detector)
    assert bundles.contents(bundle) == first
    assert again.json["label_files_changed"] == 0
    assert again.json["proposed_pictures"] == 2


def test_a_dry_run_writes_nothing(bundle: Path, detector: Path, repath: Repath) -> None:
    before = bundles.contents(bundle)
    ran = seeded(repath, bundle, detector, "--dry-run")
    assert bundles.contents(bundle) == before
    assert ran.json["proposed_boxes"] == 3


def test_a_better_detector_replaces_proposals_that_nobody_touched_and_no_others(
    bundle: Path, detector: Path, repath: Repath, tmp_path: Path
) -> None:
    seeded(repath, bundle, detector)
    corrected = "0 0.300000 0.300000 0.200000 0.200000\n"
    (bundle / "labels/can-1.txt").write_text(corrected)
    better = model(tmp_path / "better.tflite", [[0, 0, 32, 32, 0.8, 0]], ["Glass Bottle"])
    seeded(repath, bundle, better)
    assert (bundle / "labels/can-1.txt").read_text() == corrected
    assert (bundle / "labels/bottle-1.txt").read_text() == "1 0.250000 0.250000 0.500000 0.500000\n"
    bundles.set_status(bundle, "bottle-1", "done", "Ana")
    seeded(repath, bundle, detector)
    assert (bundle / "labels/bottle-1.txt").read_text() == "1 0.250000 0.250000 0.500000 0.500000\n"


def test_proposals_that_a_later_detector_does_not_find_are_taken_back(
    bundle: Path, detector: Path, repath: Repath, tmp_path: Path
) -> None:
    before = bundles.template(bundle)
    seeded(repath, bundle, detector)
    blind = model(tmp_path / "blind.tflite", [], ["Glass Bottle"])
    ran = seeded(repath, bundle, blind)
    assert ran.json["nothing_found"] == 2
    assert bundles.template(bundle) == before
    assert (bundle / "labels/can-1.txt").read_text() == ""


def test_a_picture_whose_own_label_is_not_found_is_named(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    only_cans = model(tmp_path / "cans.tflite", [[8, 8, 24, 40, 0.9, 0]], ["Aluminum Can"])
    ran = seeded(repath, bundle, only_cans)
    assert ran.json["own_label_missing"] == ["bottle-1"]
    assert "own label was not found" in bundles.template(bundle)["bottle-1"]["notes"]


def test_labels_that_are_no_class_are_mapped_where_the_user_says_so(
    bundle: Path, repath: Repath, tmp_path: Path
) -> None:
    coco = model(tmp_path / "coco.tflite", [[8, 8, 24, 40, 0.9, 1]], ["person", "bottle"])
    refused = seeded(repath, bundle, coco)
    assert refused.code == 1
    assert "none of the detector's labels is a class of the bundle" in refused.err
    assert "--map" in refused.err
    ran = seeded(repath, bundle, coco, "--map", "bottle=Glass Bottle")
    assert ran.code == 0
    assert ran.json["labels"] == {"bottle": "Glass Bottle"}
    for wrong in ("bottle", "tree=Glass Bottle", "bottle=Tree"):
        assert seeded(repath, bundle, coco, "--map", wrong).code in {1, 2}


def test_a_picture_that_cannot_be_read_is_named_and_the_others_go_on(
    bundle: Path, detector: Path, repath: Repath
) -> None:
    (bundle / "images/can-1.png").write_bytes(b"no picture")
    ran = seeded(repath, bundle, detector)
    assert ran.code == 0
    assert list(ran.json["problems"]) == ["can-1"]
    assert ran.json["proposed_pictures"] == 1


@pytest.mark.parametrize("stops_at", [0, 1, 2, 3, 4])
def test_interrupted_anywhere_no_proposal_passes_for_a_persons_box(
    bundle: Path,
    detector: Path,
    repath: Repath,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stops_at: int,
) -> None:
    seeded(repath, bundle, detector)
    (bundle / "labels/can-3.txt").unlink()
    bundles.set_status(bundle, "can-3", "todo")
    other = model(tmp_path / "next.tflite", [[0, 0, 32, 32, 0.8, 0]], ["Aluminum Can"])
    written = 0

    def stopping(write: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            nonlocal written
            if written == stops_at:
                raise OutputError("the disk is full")
            written += 1
            write(*arguments)

        return call

    with monkeypatch.context() as patched:
        for name in ("write_json", "write_csv", "write_text"):
            patched.setattr(seed, name, stopping(getattr(seed, name)))
        assert seeded(repath, bundle, other).code == 1
    states = {row.id: row.state for row in read_bundle(bundle).rows}
    assert {states[name] for name in ("can-1", "can-3", "bottle-1")} <= {"open", "proposed"}
    seeded(repath, bundle, other)
    clean = bundles.contents(bundle)
    seeded(repath, bundle, other)
    assert bundles.contents(bundle) == clean
    assert (bundle / "labels/can-3.txt").read_text() == (bundle / "labels/can-1.txt").read_text() != ""


def test_validation_counts_proposals_and_training_stops_at_them(
    bundle: Path, detector: Path, repath: Repath, tmp_path: Path
) -> None:
    bundles.set_status(bundle, "can-3", "todo")
    seeded(repath, bundle, detector)
    ran = repath("training", "validate-annotation-bundle", "--bundle-dir", bundle)
    assert ran.json["unconfirmed_proposals"] == 3
    assert "3 pictures hold proposed boxes that nobody confirmed" in ran.err
    places = ("--candidate-root", tmp_path / "c", "--project", tmp_path / "r", "--model", "x.yaml")
    Path("x.yaml").write_text("nc: 3\n")
    train = ("training", "train-detector-from-annotation", "--bundle-dir", bundle, *places, "--dry-run")
    pytest.importorskip("ultralytics")
    stopped = repath(*train, "--skip-validate", "--device", "cpu")
    assert stopped.code == 1
    assert "the boxes of 3 pictures are a detector's proposals" in stopped.err
    assert repath(*train, "--skip-validate", "--device", "cpu", "--accept-proposals").code == 0
    bundles.set_status(bundle, "can-1", "done", "Ana")
    bundles.set_status(bundle, "can-3", "checked", "Ana")
    with (bundle / "labels/bottle-1.txt").open("a") as stream:
        stream.write("1 0.8 0.8 0.1 0.1\n")  # a person has drawn one more
    assert repath(*train, "--skip-validate", "--device", "cpu").code == 0
    confirmed = repath("training", "validate-annotation-bundle", "--bundle-dir", bundle)
    assert "unconfirmed_proposals" not in confirmed.json


def test_a_template_that_names_another_file_as_label_file_is_refused(
    bundle: Path, detector: Path, repath: Repath
) -> None:
    path = bundle / "annotations-template.csv"
    for wrong in ("classes.json", "labels/can-2.txt", "images/can-1.png", "labels/x.csv"):
        before = path.read_text()
        path.write_text(before.replace("labels/can-1.txt", wrong))
        kept = bundles.contents(bundle)
        ran = seeded(repath, bundle, detector)
        assert ran.code == 1, wrong
        assert "column label_file" in ran.err
        assert bundles.contents(bundle) == kept
        path.write_text(before)


def test_a_checkpoint_proposes_under_the_names_that_it_holds(
    bundle: Path, checkpoint: Callable[..., Path], repath: Repath
) -> None:
    weights = checkpoint(end2end=True)
    ran = seeded(repath, bundle, weights, "--threshold", "0.01", "--map", "Tin Can=Aluminum Can", "--dry-run")
    assert ran.code == 0, ran.err
    assert ran.json["labels"] == {"Tin Can": "Aluminum Can"}
    assert ran.json["proposed_boxes"] > 0


def test_a_model_of_another_kind_and_one_without_labels_are_explained(
    bundle: Path, detector: Path, repath: Repath, tmp_path: Path
) -> None:
    (tmp_path / "x.onnx").write_bytes(b"")
    assert "neither a .tflite nor a .pt" in seeded(repath, bundle, tmp_path / "x.onnx").err
    detector.with_name("other.labels.json").unlink()
    ran = seeded(repath, bundle, detector)
    assert ran.code == 2
    assert "--labels" in ran.err


def test_a_real_detector_proposes_what_people_drew_on_real_photos(
    real: Path, tmp_path: Path, repath: Repath
) -> None:
    bundle = bundles.photo_bundle(real, tmp_path / "photos", count=8)
    drawn = {row.id: row for row in read_bundle(bundle).rows}
    for row in drawn.values():
        row.row.labels.write_text("")
        if not row.row.is_negative:
            bundles.set_status(bundle, row.id, "todo")
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(bundles.PHOTO_CLASSES))
    ran = repath(
        "training", "seed-annotation-boxes", "--bundle-dir", bundle, "--labels", labels,
        "--model", real / "weights/dev-finetuned-yolo26n-320_litert_default.tflite",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    found = 0
    for row in read_bundle(bundle).rows:
        if row.row.is_negative:
            assert row.boxes == ()
            continue
        assert row.state in {"proposed", "open"}
        found += any(
            abs(mine.x - theirs.x) < 0.1 and abs(mine.width - theirs.width) < 0.2
            for mine in row.boxes
            for theirs in drawn[row.id].boxes
        )
    assert found >= 5


NAMES = st.sampled_from(["Can", "can", "CAN!", "Glass Jar", "glass-jar", "cup", "", "!"])


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, unique=True), st.lists(NAMES.filter(str.strip), min_size=1, unique=True))
def test_labels_match_by_name_and_never_by_number(labels: list[str], classes: list[str]) -> None:
    try:
        matched = match_labels(labels, classes)
    except InputError:
        assert not set(labels) & set(classes)
        return
    for label, name in matched.items():
        assert name in classes
        assert "".join(filter(str.isalnum, label.lower())) == "".join(filter(str.isalnum, name.lower()))
        assert label == name or label not in classes
    # The order of either side changes nothing.
    assert match_labels(labels[::-1], classes[::-1]) == matched


CORNER = st.floats(-50, 250)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0, 1), CORNER, CORNER, CORNER, CORNER)),
    st.sampled_from([None, "a", "b"]),
    st.floats(0.01, 1),
)
def test_proposals_lie_in_the_picture_reach_the_threshold_and_are_apart(
    found: list[tuple[str, float, float, float, float, float]], own: str | None, threshold: float
) -> None:
    detections = [
        Detection(label, 0, score, (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
        for label, score, x1, y1, x2, y2 in found
    ]
    proposed = propose(
        detections,
        size=(200, 100),
        own=own,
        matched={"a": "a", "b": "b"},
        classes=["b", "a"],
        threshold=threshold,
    )
    boxes = [each.box for each in proposed.proposals]
    assert parse_labels(labels_text(boxes).encode(), class_count=2) == (boxes, [])
    for each in proposed.proposals:
        assert each.score >= round(threshold / (2 if each.label == own else 1), 4) - 1e-4
        assert each.box.class_id == ["b", "a"].index(each.label)
    assert proposed.unmapped.total() == sum(d.label == "c" and d.score >= threshold for d in detections)
