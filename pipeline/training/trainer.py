"""Ultralytics' trainer, with checkpoints that are whole whenever the training is cut off.

It writes each checkpoint in place, and takes the optimizer out of them in place when training is over. Here
every checkpoint is written beside its place and renamed, its digest is noted, and what is needed to go on is
kept until the training is over. Imported only where Ultralytics is: it is a base class.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import RANK

from pipeline.training.checkpoints import WholeFile, keep_resumable


class RepathTrainer(DetectionTrainer):  # type: ignore[misc]  # Ultralytics ships no types
    """Trains as `DetectionTrainer` does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wdir: Any = WholeFile(self.wdir)
        self.last, self.best = self.wdir / "last.pt", self.wdir / "best.pt"

    def check_resume(self, overrides: dict[str, Any]) -> None:
        """Read the settings out of the checkpoint; the run's folder may have moved since it was written."""
        super().check_resume(overrides)
        if self.resume:
            self.args.save_dir = str(Path(overrides["project"]) / overrides["name"])

    def train(self) -> None:
        """Train; before it starts a process for each GPU, Ultralytics would empty the run's folder."""
        if self.ddp:
            # It leaves the folder of a training that goes on, and ours holds the view and the record. The
            # processes are given the settings, in which nothing is changed by this.
            self.resume = True
        super().train()

    def final_eval(self) -> None:
        """Take the optimizer out of the checkpoints and validate the best, over an interruption as well."""
        if RANK in {-1, 0}:
            keep_resumable(Path(self.wdir))
        super().final_eval()
