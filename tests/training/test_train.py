"""Training: a real run in seconds, and everything that must stop it before it begins."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

pytest.importorskip("ultralytics")
pytest.importorskip("litert_torch")

from pipeline.support.errors import OutputError, TrainingError, UsageError
from pipeline.training.dataset import open_dataset, write_view
from pipeline.training.run_record import RECORD
from pipeline.training.train import train_detector
from pipeline.training.train_plan import TrainOptions, device_for

pytestmark = pytest.mark.train

COMMAND = ("training", "train-detector-from-annotation")


def train(repath, bundle: Path, tmp_path: Path, *flags: object):
    return repath(
        *COMMAND, "--bundle-dir", bundle, "--candidate-root", tmp_path / "candidates",
        "--project", tmp_path / "runs", "--run-id", "r1", "--device", "cpu", *flags,
    )  # fmt: skip


@pytest.mark.slow
def test_a_training_leaves_a_proven_candidate_an_early_checkpoint_and_nothing_else(
    repath, bundle: Path, definition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    done = train(
        repath, bundle, tmp_path, "--model", definition(False), "--epochs", 2, "--imgsz", 64, "--batch", 4,
        "--save-period", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["export"]["parity"]["passed"]  # stdout is one JSON document
    assert "epoch 2/2" in done.err
    assert "mAP50" in done.err
    candidate = tmp_path / "candidates" / "r1"
    metadata = json.loads((candidate / "metadata.json").read_text())
    assert metadata["bundle"]["split_digest"] == "ab" * 32
    assert metadata["training"]["seed"] == 0
    assert metadata["training"]["pictures"] == {"train": 8, "val": 2, "test": 2}
    assert metadata["training"]["epochs_done"] == 2
    run = tmp_path / "runs" / "r1"
    assert (run / "weights" / "epoch0.pt").is_file()
    assert (candidate / "model.best.pt").read_bytes() == (run / "weights" / "best.pt").read_bytes()
    assert json.loads((run / RECORD).read_text())["finished"]
    drawn = {path.name for path in run.glob("*.png")}
    assert {"curves.png", "predictions.png", "confusion_matrix.png", "results.png"} <= drawn
    assert list(run.glob("events.out.tfevents.*"))
    assert {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()} == before
    again = train(repath, bundle, tmp_path, "--model", definition(False), "--run-id", "r1")
    assert again.code == 2
    assert "exists already" in again.err


@pytest.mark.slow
def test_labels_of_any_letters_are_trained_on_and_drawn(bundle: Path, definition, tmp_path: Path) -> None:
    labels = ["罐头 <b>", "Flaschen äöü", "$\\bad{"]
    classes = {"classes": [{"id": index, "label": label} for index, label in enumerate(labels)]}
    (bundle / "classes.json").write_text(json.dumps(classes))
    options = TrainOptions(model=str(definition(False)), epochs=1, imgsz=64, batch=4, device="cpu", workers=0)
    run = train_detector(
        open_dataset(bundle), options, run_dir=tmp_path / "a", base=tmp_path, tell=lambda line: None
    )
    assert (run.run_dir / "predictions.png").is_file()
    assert not (run.run_dir / "confusion_matrix.png").exists()  # Ultralytics would take it for mathematics
    classes["classes"][2]["label"] = "Tin Can"
    (bundle / "classes.json").write_text(json.dumps(classes))
    again = train_detector(
        open_dataset(bundle), options, run_dir=tmp_path / "b", base=tmp_path, tell=lambda line: None
    )
    assert (again.run_dir / "confusion_matrix.png").is_file()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(bundle: Path, definition, tmp_path: Path) -> None:
    from pipeline.training.weights import open_weights

    options = TrainOptions(
        model=str(definition(False)),
        epochs=1,
        imgsz=64,
        batch=4,
        device="cpu",
        workers=0,
        seed=5,
        overrides={"plots": False},
    )
    digests = set()
    for name in ("a", "b"):
        run = train_detector(
            open_dataset(bundle), options, run_dir=tmp_path / name, base=tmp_path, tell=lambda line: None
        )
        digests.add(open_weights(run.last).tensors_sha256)
    assert len(digests) == 1
    with pytest.raises(TrainingError, match=r"epoch1\.pt was not kept"):
        run.checkpoint_after(1)


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    repath, bundle: Path, definition, tmp_path: Path
) -> None:
    done = train(repath, bundle, tmp_path, "--model", definition(False), "--imgsz", 64, "--dry-run")
    assert done.code == 0, done.err
    assert done.json["pictures"] == {"train": 8, "val": 2, "test": 2}
    assert done.json["device"] == "cpu"
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "candidates").exists()


def test_base_weights_that_are_not_here_are_not_downloaded_and_the_error_says_how_to_get_them(
    repath, bundle: Path, tmp_path: Path
) -> None:
    done = train(repath, bundle, tmp_path, "--model", "yolo26n.pt")
    assert done.code == 1
    assert "'yolo26n.pt' is not here" in done.err
    assert "github.com/ultralytics/assets" in done.err
    assert "yolo26n.yaml" in done.err


@pytest.mark.parametrize("name", ["nosuch.yaml", "weights.onnx", "../x.yaml"])
def test_a_base_model_that_is_none_is_refused(repath, bundle: Path, tmp_path: Path, name: str) -> None:
    assert train(repath, bundle, tmp_path, "--model", name).code == 1


def test_issues_of_the_bundle_stop_the_training_unless_asked_not_to_look(
    repath, bundle: Path, definition, tmp_path: Path
) -> None:
    (bundle / "labels" / "row_0.txt").write_text("0 0.5 0.5 nan 0.2\n")
    flags = ("--model", definition(False), "--imgsz", 64, "--dry-run")
    done = train(repath, bundle, tmp_path, *flags)
    assert done.code == 1
    assert "row_0" in done.err
    assert train(repath, bundle, tmp_path, *flags, "--skip-validate").code == 0


def test_a_gpu_that_is_not_there_is_an_error_before_any_work(
    repath, bundle: Path, definition, tmp_path: Path
) -> None:
    done = train(repath, bundle, tmp_path, "--model", definition(False), "--device", "97")
    assert done.code == 2
    assert "PyTorch finds" in done.err
    for name in ("gpu", "0,zero", ""):
        with pytest.raises(UsageError, match="no such device"):
            device_for(name)


def test_settings_with_a_flag_of_their_own_may_not_stand_among_the_overrides(
    bundle: Path, definition, tmp_path: Path
) -> None:
    options = TrainOptions(model=str(definition(False)), device="cpu", overrides={"epochs": 3, "data": "x"})
    with pytest.raises(UsageError, match="sets data, epochs"):
        train_detector(open_dataset(bundle), options, run_dir=tmp_path / "r", base=tmp_path)
    assert not (tmp_path / "r").exists()


def test_an_override_that_ultralytics_does_not_know_is_one_error_that_names_the_log(
    bundle: Path, definition, tmp_path: Path
) -> None:
    options = TrainOptions(
        model=str(definition(False)), device="cpu", imgsz=64, epochs=1, overrides={"mosiac": 0.0}
    )
    with pytest.raises(TrainingError, match="mosiac") as caught:
        train_detector(open_dataset(bundle), options, run_dir=tmp_path / "r", base=tmp_path)
    assert "training.log" in str(caught.value.hint)


def test_a_run_that_was_interrupted_makes_room_and_a_finished_one_stays(
    bundle: Path, definition, tmp_path: Path
) -> None:
    run = tmp_path / "r"
    run.mkdir()
    (run / RECORD).write_text('{"finished": true}')
    options = TrainOptions(model=str(definition(False)), device="cpu", imgsz=64, overrides={"mosiac": 0.0})
    with pytest.raises(OutputError, match="exists already"):
        train_detector(open_dataset(bundle), options, run_dir=run, base=tmp_path)
    (run / RECORD).write_text('{"finished": false}')
    (run / "left.txt").write_text("half")
    with pytest.raises(TrainingError):  # it began, and stumbles over the override
        train_detector(open_dataset(bundle), options, run_dir=run, base=tmp_path)
    assert not (run / "left.txt").exists()


def test_oversized_pictures_are_trained_on_as_smaller_copies_and_stay_as_they_are(
    bundle: Path, tmp_path: Path
) -> None:
    large = bundle / "images" / "row_0.jpg"
    Image.fromarray(np.full((400, 900, 3), 90, np.uint8)).save(large)
    before = large.read_bytes()
    view = write_view(open_dataset(bundle), tmp_path / "view", max_pixels=90_000, max_side=600)
    assert view.shrunk == 1
    with Image.open(tmp_path / "view" / "images" / "train" / "row_0.png") as copy:
        assert copy.width * copy.height <= 90_000
        assert copy.width / copy.height == pytest.approx(900 / 400, rel=0.02)
    assert large.read_bytes() == before
    assert (tmp_path / "view" / "images" / "train" / "row_1.jpg").is_symlink()


def test_any_label_and_folder_are_read_back_from_the_view(bundle: Path, tmp_path: Path) -> None:
    labels = ["Dose 🥫", 'a "b": #c\\', "no"]
    classes = {"classes": [{"id": index, "label": label} for index, label in enumerate(labels)]}
    (bundle / "classes.json").write_text(json.dumps(classes), "utf-8")
    view = write_view(open_dataset(bundle), tmp_path / "Küche 🥫")
    read = yaml.safe_load(view.yaml.read_text("utf-8"))
    assert read["names"] == dict(enumerate(labels))
    assert read["path"] == str((tmp_path / "Küche 🥫").resolve())


def test_two_pictures_that_would_share_a_label_file_are_named(bundle: Path, tmp_path: Path) -> None:
    template = bundle / "annotations-template.csv"
    Image.open(bundle / "images" / "row_1.jpg").save(bundle / "images" / "row_0.png")
    template.write_text(template.read_text().replace("images/row_1.jpg", "images/row_0.png"))
    with pytest.raises(TrainingError, match=r"two rows of the bundle name a picture row_0"):
        write_view(open_dataset(bundle), tmp_path / "view")


def test_a_jpeg_that_ultralytics_would_write_into_is_a_copy(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "images" / "row_1.jpg"
    path.write_bytes(path.read_bytes() + b"\0\0")  # behind the end: Ultralytics rewrites it
    write_view(open_dataset(bundle), tmp_path / "view")
    assert not (tmp_path / "view" / "images" / "train" / "row_1.jpg").is_symlink()


def test_a_label_of_any_characters_is_read_again_from_the_views_yaml(bundle: Path, tmp_path: Path) -> None:
    import yaml

    labels = ["Can \N{WASTEBASKET}", "Jar: 'a', \"b\" # &c", "Cardboard"]
    classes = {"classes": [{"id": index, "label": label} for index, label in enumerate(labels)]}
    (bundle / "classes.json").write_text(json.dumps(classes))
    view = write_view(open_dataset(bundle), tmp_path / "view")
    assert list(yaml.safe_load(view.yaml.read_text("utf-8"))["names"].values()) == labels


def test_a_bundle_without_validation_pictures_validates_on_its_training_pictures(
    bundle: Path, tmp_path: Path
) -> None:
    split = json.loads((bundle / "split.json").read_text())
    split["entries"] = [{**entry, "subset": "train"} for entry in split["entries"]]
    (bundle / "split.json").write_text(json.dumps(split))
    dataset = open_dataset(bundle)
    assert dataset.val_is_train
    view = write_view(dataset, tmp_path / "view")
    assert 'val: "images/train"' in view.yaml.read_text()
