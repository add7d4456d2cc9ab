"""A training that is killed goes on from its last whole checkpoint, and only where nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workspaces import PROGRAM, environment

pytest.importorskip("ultralytics")
pytest.importorskip("litert_torch")

from pipeline.contracts.training_run import TrainingRun
from pipeline.support.documents import read_json
from pipeline.support.errors import OutputError, TrainingError
from pipeline.training.checkpoints import DIGESTS, LAST, WholeFile, keep_resumable
from pipeline.training.dataset import open_dataset
from pipeline.training.run_record import RECORD, held, interrupted_runs
from pipeline.training.train import TrainedRun, interrupted_training, train_detector
from pipeline.training.train_plan import TrainOptions

pytestmark = pytest.mark.train

Train = Callable[..., TrainedRun]
EPOCHS = 12


@pytest.fixture(scope="module")
def options(definition: Callable[[bool], Path]) -> TrainOptions:
    overrides: dict[str, Any] = {"plots": False, "optimizer": "AdamW"}
    return TrainOptions(
        model=str(definition(False)),
        epochs=EPOCHS,
        imgsz=64,
        batch=4,
        device="cpu",
        workers=0,
        overrides=overrides,
    )


def flags(bundle: Path, options: TrainOptions, tmp_path: Path) -> list[object]:
    return [
        "training", "train-detector-from-annotation", "--bundle-dir", bundle, "--candidate-root",
        tmp_path / "candidates", "--project", tmp_path / "runs", "--device", "cpu", "--model", options.model,
        "--epochs", EPOCHS, "--imgsz", 64, "--batch", 4, "--workers", 0,
    ]  # fmt: skip


def settings(folder: Path) -> None:
    (folder / "repath.toml").write_text('[training.overrides]\nplots = false\noptimizer = "AdamW"\n')


def kill_after(epochs: int, command: list[object], run: Path, cwd: Path) -> None:
    """Start a training and kill it, without a warning, once so many epochs are over."""
    with (cwd / "log").open("wb") as log:
        running = subprocess.Popen(
            [*PROGRAM, *map(str, command)],
            cwd=cwd,
            env=environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 180
        while not (run / "results.csv").is_file() or _lines(run) < epochs:
            assert running.poll() is None, (cwd / "log").read_text()
            assert time.monotonic() < end, (cwd / "log").read_text()
            time.sleep(0.005)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _lines(run: Path) -> int:
    return (run / "results.csv").read_text().count("\n") - 1


@pytest.fixture(scope="module")
def killed_once(
    bundle_writer: Callable[[Path], Path], options: TrainOptions, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A workspace whose training was killed in the middle of an epoch."""
    space = tmp_path_factory.mktemp("killed")
    bundle = bundle_writer(space / "bundles" / "20260101-000000")
    settings(space)
    run = space / "runs" / "r1"
    kill_after(3, [*flags(bundle, options, space), "--run-id", "r1"], run, space)
    assert not read_json(run / RECORD, TrainingRun).finished
    return space


@pytest.fixture
def killed(killed_once: Path, bundle: Path, tmp_path: Path) -> Path:
    """The run's folder in a copy of it, beside the same bundle."""
    settings(tmp_path)
    shutil.copytree(killed_once / "runs", tmp_path / "runs", symlinks=True)
    return tmp_path / "runs" / "r1"


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_from_its_last_epoch_with_the_same_settings_and_split(
    killed: Path,
    bundle: Path,
    options: TrainOptions,
    tmp_path: Path,
    repath: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = read_json(killed / RECORD, TrainingRun)
    # Without a name: the newest training that was interrupted.
    done = repath(*flags(bundle, options, tmp_path), "--resume")
    assert done.code == 0, done.err
    training = done.json["training"]
    assert training["epochs_done"] == EPOCHS
    (over,) = training["resumed_after"]
    assert over >= 2
    assert f"going on after epoch {over} of {EPOCHS}" in done.err
    assert [
        int(line.split(",")[0]) for line in (killed / "results.csv").read_text().splitlines()[1:]
    ] == list(range(1, EPOCHS + 1))
    ended = read_json(killed / RECORD, TrainingRun)
    assert ended.finished
    assert (ended.settings, ended.pictures, ended.classes) == (begun.settings, begun.pictures, begun.classes)
    assert (tmp_path / "candidates" / "r1" / "yolo-repath.tflite").is_file()
    left = {path.name for path in (killed / "weights").iterdir()}
    assert left == {"best.pt", "last.pt"}
    for name in ("curves.png", "predictions.png"):
        assert (killed / name).read_bytes().startswith(b"\x89PNG")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    read = accumulator.EventAccumulator(str(killed))
    read.Reload()
    assert [event.step for event in read.Scalars("train/box_loss")] == list(range(1, EPOCHS + 1))


@pytest.mark.slow
def test_it_does_not_go_on_where_pictures_boxes_or_settings_changed(
    killed: Path,
    bundle: Path,
    options: TrainOptions,
    tmp_path: Path,
    repath: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()}
    command = [*flags(bundle, options, tmp_path), "--run-id", "r1", "--resume"]
    changed = repath(*command, "--epochs", EPOCHS + 1, "--seed", 9)
    assert changed.code == 1
    assert "epochs is 13 and was 12" in changed.err
    assert "seed is 9 and was 0" in changed.err
    label = bundle / "labels" / "row_0.txt"
    drawn = label.read_text()
    label.write_text(drawn.replace(drawn.split()[-1], "0.05"))
    moved = repath(*command)
    assert moved.code == 1
    assert "1 picture or boxes changed: row_0" in moved.err
    label.write_text(drawn)
    split = json.loads((bundle / "split.json").read_text())
    split["entries"][0]["subset"] = "val"
    (bundle / "split.json").write_text(json.dumps(split))
    assert "1 picture or boxes in another subset: row_0" in repath(*command).err
    assert {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()} == before
    # The lifecycle looks for one that learns the same, and passes this one over.
    dataset = open_dataset(bundle)
    assert interrupted_training(dataset, options, runs=killed.parent, base=tmp_path) is None


@pytest.mark.slow
def test_a_checkpoint_that_is_not_the_trainings_own_is_not_opened(
    killed: Path, bundle: Path, options: TrainOptions, tmp_path: Path
) -> None:
    last = killed / "weights" / LAST
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(TrainingError, match=r"last\.pt is not the checkpoint that this training wrote"):
        train_detector(open_dataset(bundle), options, run_dir=killed, base=tmp_path, resume=True)
    # The lifecycle begins another run instead.
    assert interrupted_training(open_dataset(bundle), options, runs=killed.parent, base=tmp_path) is None


@pytest.mark.slow
def test_a_training_that_is_cut_off_after_its_last_epoch_is_brought_to_its_end(
    bundle: Path, options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pipeline.training.trainer as trainer

    def cut_off(weights: Path) -> None:
        keep_resumable(weights)
        (weights / "best.pt").write_bytes(b"half")  # as the optimizer is taken out of it
        raise KeyboardInterrupt

    short = TrainOptions(
        **{name: getattr(options, name) for name in options.__dataclass_fields__} | {"epochs": 2}
    )
    monkeypatch.setattr(trainer, "keep_resumable", cut_off)
    run, told = tmp_path / "run", []
    dataset = open_dataset(bundle)
    with pytest.raises(KeyboardInterrupt):
        train_detector(dataset, short, run_dir=run, base=tmp_path, tell=told.append)
    monkeypatch.undo()
    assert interrupted_training(dataset, short, runs=tmp_path, base=tmp_path) == run
    with held(run), pytest.raises(TrainingError, match="another process trains"):
        train_detector(dataset, short, run_dir=run, base=tmp_path, resume=True)
    moved = run.rename(tmp_path / "moved")
    ended = train_detector(dataset, short, run_dir=moved, base=tmp_path, tell=told.append, resume=True)
    assert ended.epochs.done == 2
    assert ended.best.stat().st_size < 2_000_000
    assert interrupted_runs(tmp_path) == []
    # A training that is over is given as it is.
    again = train_detector(dataset, short, run_dir=moved, base=tmp_path, resume=True)
    assert again.to_data() == ended.to_data()
    with pytest.raises(OutputError, match="exists already"):
        train_detector(dataset, short, run_dir=moved, base=tmp_path)


@pytest.mark.slow
def test_patience_that_ends_is_told_and_recorded(
    bundle: Path, checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    overrides: dict[str, Any] = {
        "lr0": 0.01, "optimizer": "AdamW", "warmup_epochs": 0, "nbs": 4, "mosaic": 0.0, "plots": False,
    }  # fmt: skip
    options = TrainOptions(
        model=str(checkpoint()),
        epochs=80,
        imgsz=96,
        batch=4,
        device="cpu",
        workers=0,
        patience=1,
        overrides=overrides,
    )
    told: list[str] = []
    heard: list[int] = []
    run = train_detector(
        open_dataset(bundle), options, run_dir=tmp_path / "run", base=tmp_path, tell=told.append,
        listeners=[lambda epoch: heard.append(epoch.number)],
    )  # fmt: skip
    data = run.to_data()
    assert data["stopped_early"]
    assert data["best_epoch"] <= data["epochs_done"] < 80
    assert told[-1].startswith(f"stopped early after epoch {run.epochs.done} of 80; the best is epoch ")
    assert f"(stopped early of 80; best: epoch {run.epochs.best_epoch})" in run.in_words()
    assert heard == list(range(1, run.epochs.done + 1))


def test_there_must_be_a_training_to_resume(
    bundle: Path, options: TrainOptions, tmp_path: Path, repath: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [*flags(bundle, options, tmp_path), "--resume"]
    none = repath(*command)
    assert none.code == 2
    assert "holds no training that was interrupted" in none.err
    assert "there is no training to resume" in repath(*command, "--name", "r7").err
    old = tmp_path / "runs" / "old"
    old.mkdir(parents=True)
    (old / RECORD).write_text('{"finished": false}')
    assert "by a version that did not record its settings" in repath(*command).err


def test_on_several_gpus_the_runs_folder_is_left_and_epochs_are_watched_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.models.yolo.detect import DetectionTrainer

    from pipeline.training.epochs import Epoch, EpochFeed
    from pipeline.training.trainer import RepathTrainer
    from pipeline.training.ultralytics_run import _looking

    told: list[Epoch] = []
    results = tmp_path / "results.csv"

    def in_other_processes(trainer: RepathTrainer) -> None:
        assert trainer.resume  # else Ultralytics empties the folder before it starts them
        results.write_text("epoch,time,train/box_loss\n1,1.0,0.5\n")

    monkeypatch.setattr(DetectionTrainer, "train", in_other_processes)
    trainer = RepathTrainer.__new__(RepathTrainer)
    trainer.ddp, trainer.resume = True, False
    with _looking(EpochFeed(results, 2, [told.append], validated=False)):
        trainer.train()
    assert [epoch.number for epoch in told] == [1]


def test_a_checkpoint_is_the_old_one_or_the_new_one_and_both_are_known(tmp_path: Path) -> None:
    import hashlib

    path = WholeFile(tmp_path) / LAST
    assert path.write_bytes(b"one") == 3
    path.write_bytes(b"two")
    known = json.loads((tmp_path / DIGESTS).read_text())["digests"][LAST]
    assert known == [hashlib.sha256(data).hexdigest() for data in (b"one", b"two")]
    assert path.read_bytes() == b"two"
    assert {file.name for file in tmp_path.iterdir()} == {LAST, DIGESTS}
    shutil.rmtree(tmp_path)
    with pytest.raises(OutputError):
        path.write_bytes(b"three")
