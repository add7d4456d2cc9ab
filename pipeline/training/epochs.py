"""Epochs: told one line each while they run, and read back from what Ultralytics wrote."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.support.documents import read_text
from pipeline.support.errors import TrainingError

_FIGURES = {
    "precision": "metrics/precision(B)",
    "recall": "metrics/recall(B)",
    "mAP50": "metrics/mAP50(B)",
    "mAP50_95": "metrics/mAP50-95(B)",
}
"""Our names of the figures, and those in Ultralytics' results.csv."""


@dataclass(frozen=True, slots=True)
class TrainedEpochs:
    """How far training went and how well it did on the validation pictures."""

    done: int
    best_epoch: int
    metrics: dict[str, float | None]
    """Figures of the best epoch; null where Ultralytics had none."""


class EpochTeller:
    """Says where training stands: losses, mAP50, time left; after an epoch, at most each ``every_s``."""

    def __init__(self, epochs: int, tell: Callable[[str], None], *, every_s: float = 0.0) -> None:
        self.epochs = epochs
        self.tell = tell
        self.every_s = every_s
        self.told = 0
        self.started = self.said = time.monotonic()

    def attach(self, model: Any) -> None:
        """Register with a `YOLO` model."""
        model.add_callback("on_train_start", self.start)
        model.add_callback("on_fit_epoch_end", self.epoch_ended)

    def start(self, trainer: Any) -> None:
        """Note when the first epoch begins."""
        self.started = time.monotonic()

    def epoch_ended(self, trainer: Any) -> None:
        """Tell one line; the final validation, which comes as one epoch more, is not told."""
        epoch = int(trainer.epoch) + 1
        if epoch <= self.told or epoch > self.epochs or trainer.tloss is None:
            return
        self.told = epoch
        now = time.monotonic()
        if now - self.said < self.every_s and epoch not in {1, self.epochs}:
            return
        self.said = now
        left = (now - self.started) / epoch * (self.epochs - epoch)
        losses = "  ".join(
            f"{name.removeprefix('train/').removesuffix('_loss')} {value:.3f}"
            for name, value in trainer.label_loss_items(trainer.tloss).items()
        )
        # Without validation after each epoch the figures stand at zero until the last one.
        measured = trainer.args.val or epoch == self.epochs
        figure = trainer.metrics.get(_FIGURES["mAP50"]) if measured else None
        shown = "" if figure is None else f"  mAP50 {figure:.3f}"
        self.tell(f"epoch {epoch}/{self.epochs}  {losses}{shown}  {_clock(left)} left")


def read_epochs(results: Path) -> TrainedEpochs:
    """Read ``results.csv`` of a run: the best epoch is that of the highest mAP50-95, as in Ultralytics.

    Raises:
        InputError: it is missing.
        TrainingError: it holds no epoch.
    """
    lines = [[cell.strip() for cell in line.split(",")] for line in read_text(results).splitlines() if line]
    rows = [dict(zip(lines[0], cells, strict=False)) for cells in lines[1:]]
    if not rows:
        raise TrainingError(f"{results} holds no epoch: training ended before the first one did")
    key = _FIGURES["mAP50_95"]
    # Of equal epochs the last: Ultralytics writes best.pt anew on a tie.
    best = max(reversed(rows), key=lambda row: _number(row.get(key)) or 0.0)
    return TrainedEpochs(
        done=len(rows),
        best_epoch=int(float(best["epoch"])),
        metrics={name: _number(best.get(column)) for name, column in _FIGURES.items()},
    )


def _number(cell: str | None) -> float | None:
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
