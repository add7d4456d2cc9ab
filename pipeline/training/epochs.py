"""Epochs of a training, read from the ``results.csv`` that Ultralytics adds a line to after each one."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.support.documents import read_text
from pipeline.support.errors import TrainingError

FIGURES = {
    "precision": "metrics/precision(B)",
    "recall": "metrics/recall(B)",
    "mAP50": "metrics/mAP50(B)",
    "mAP50_95": "metrics/mAP50-95(B)",
}
"""Our names of the figures, and those in Ultralytics' results.csv."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch that is over."""

    number: int
    """Counted from 1."""
    total: int
    """How many there will be, unless training stops early."""
    losses: dict[str, float]
    """On the training pictures, such as ``box``, ``cls`` and ``dfl``."""
    val_losses: dict[str, float]
    """On the validation pictures; empty where they were not looked at after this epoch."""
    figures: dict[str, float | None]
    """``precision``, ``recall``, ``mAP50``, ``mAP50_95`` on the validation pictures; empty likewise."""
    rates: dict[str, float]
    """Learning rates by group of parameters."""


@dataclass(frozen=True, slots=True)
class TrainedEpochs:
    """How far training went and how well it did on the validation pictures."""

    done: int
    best_epoch: int
    metrics: dict[str, float | None]
    """Figures of the best epoch; null where Ultralytics had none."""
    asked: int
    history: tuple[Epoch, ...] = ()

    @property
    def stopped_early(self) -> bool:
        """Whether training ended before the number of epochs that was asked for."""
        return self.done < self.asked

    def stop_in_words(self) -> str | None:
        """Return why training stopped early, or None where it did not."""
        if not self.stopped_early:
            return None
        value = self.metrics.get("mAP50_95")
        best = "" if value is None else f" (mAP50-95 {value:.3f})"
        since = self.done - self.best_epoch
        line = f"stopped early after epoch {self.done} of {self.asked}"
        line += f"; the best is epoch {self.best_epoch}{best}"
        return f"{line}, and none of the {since} since was better" if since else line


def read_epochs(results: Path, *, asked: int | None = None, validated: bool = True) -> TrainedEpochs:
    """Read ``results.csv`` of a run: the best epoch is that of the highest mAP50-95, as in Ultralytics.

    Args:
        results: the file.
        asked: how many epochs training was to take; None for as many as it took.
        validated: whether it looked at the validation pictures after each epoch, or only after the last.

    Raises:
        InputError: it is missing.
        TrainingError: it holds no epoch.
    """
    rows = _rows(results)
    if not rows:
        raise TrainingError(f"{results} holds no epoch: training ended before the first one did")
    key = FIGURES["mAP50_95"]
    # Of equal epochs the last: Ultralytics writes best.pt anew on a tie.
    best = max(reversed(rows), key=lambda row: _number(row.get(key)) or 0.0)
    done = _epoch_of(rows[-1])
    total = asked or done
    last = len(rows) - 1
    return TrainedEpochs(
        done=done,
        best_epoch=_epoch_of(best),
        metrics={name: _number(best.get(column)) for name, column in FIGURES.items()},
        asked=total,
        history=tuple(
            _epoch(row, total, measured=validated or index == last) for index, row in enumerate(rows)
        ),
    )


def seconds_of(results: Path) -> float:
    """Return how long the process that wrote the last line of ``results.csv`` had trained by then."""
    rows = _rows(results) if results.is_file() else []
    return (_number(rows[-1].get("time")) or 0.0) if rows else 0.0


class EpochFeed:
    """Hands each new epoch of a ``results.csv`` to its listeners, once.

    Ultralytics may write the file from a process of its own (one for each GPU), so the file is what is
    watched.
    """

    def __init__(
        self, results: Path, total: int, listeners: Sequence[Callable[[Epoch], None]], *, validated: bool
    ) -> None:
        """Begin behind the epochs that stand in the file already."""
        self._results = results
        self._total = total
        self._listeners = listeners
        self._validated = validated
        self._seen = len(self._complete())

    def look(self) -> None:
        """Tell of the epochs since the last look."""
        rows = self._complete()
        for row in rows[self._seen :]:
            self._seen += 1
            measured = self._validated or _number(row.get("epoch")) == self._total
            epoch = _epoch(row, self._total, measured=measured)
            for listener in self._listeners:
                listener(epoch)

    def _complete(self) -> list[dict[str, str]]:
        return _rows(self._results) if self._results.is_file() else []


def _rows(results: Path) -> list[dict[str, str]]:
    text = read_text(results)
    # A line without an end is being written.
    whole = text[: text.rfind("\n") + 1]
    rows = [
        {name.strip(): (cell or "").strip() for name, cell in row.items() if name}
        for row in csv.DictReader(whole.splitlines())
    ]
    return [row for row in rows if _number(row.get("epoch")) is not None]


def _epoch(row: Mapping[str, str], total: int, *, measured: bool) -> Epoch:
    return Epoch(
        number=_epoch_of(row),
        total=total,
        losses=_group(row, "train/"),
        val_losses=_group(row, "val/") if measured else {},
        figures={name: _number(row.get(column)) for name, column in FIGURES.items()} if measured else {},
        rates=_group(row, "lr/"),
    )


def _epoch_of(row: Mapping[str, str]) -> int:
    return int(_number(row.get("epoch")) or 0)


def _group(row: Mapping[str, str], prefix: str) -> dict[str, float]:
    return {
        name.removeprefix(prefix).removesuffix("_loss"): value
        for name, cell in row.items()
        if name.startswith(prefix) and (value := _number(cell)) is not None
    }


def _number(cell: str | None) -> float | None:
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
