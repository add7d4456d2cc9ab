"""Training on several GPUs: what is sent to the processes, what they find, and how they are watched."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("ultralytics")
pytest.importorskip("cloudpickle")

from pipeline.support import ultralytics_library as library
from pipeline.training.dataset import open_dataset, write_view
from pipeline.training.epochs import Epoch, EpochFeed
from pipeline.training.ultralytics_run import _looking

pytestmark = pytest.mark.train

_LOADS = """
import sys
from ultralytics.utils.patches import torch_load
state = torch_load(sys.argv[1], map_location="cpu")
print(state["trainer"].__module__, state["trainer"].__name__, state["args"]["epochs"])
"""


def test_the_runs_folder_is_left_and_epochs_are_watched_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.models.yolo.detect import DetectionTrainer

    from pipeline.training.trainer import RepathTrainer

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


@pytest.mark.slow
def test_the_trainer_can_be_sent_to_the_processes_of_the_gpus(
    bundle: Path, definition: Callable[[bool], Path], tmp_path: Path
) -> None:
    library.prepare(why="This test")
    view = write_view(open_dataset(bundle), tmp_path / "run" / "dataset")
    with library.output_to(None):
        from ultralytics.utils.dist import ddp_cleanup, generate_ddp_file

        from pipeline.training.trainer import RepathTrainer

        trainer = RepathTrainer(
            overrides={
                "model": str(definition(False)), "data": str(view.yaml), "epochs": 7, "imgsz": 64,
                "device": "cpu", "project": str(tmp_path), "name": "run", "exist_ok": True,
            }
        )  # fmt: skip
        script = generate_ddp_file(trainer)
    try:
        state = Path(script).with_suffix(".pt")
        done = subprocess.run(
            [sys.executable, "-c", _LOADS, str(state)], capture_output=True, text=True, check=True
        )
    finally:
        trainer.save_dir = tmp_path / "nothing"
        ddp_cleanup(trainer, script)
    assert done.stdout.splitlines()[-1] == "pipeline.training.trainer RepathTrainer 7"
    assert view.yaml.is_file()
