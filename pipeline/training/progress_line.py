"""Where a training stands, in one line: on a terminal kept up to date, in a log told every few seconds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from pipeline.support.progress import LOG_EVERY_S
from pipeline.training.epochs import Epoch

_LIVE_EVERY_S = 0.1
_ERASE = "\r\x1b[2K"


class ProgressLine:
    """Tells epoch, losses, mAP and time left, while an epoch runs and after it.

    Args:
        epochs: how many there will be.
        stream: the user's stderr; on a terminal each line takes the place of the one before.
        tell: takes the lines instead, one an epoch.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        epochs: int,
        stream: TextIO,
        *,
        tell: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._epochs = epochs
        self._stream = stream
        self._tell = tell
        self._clock = clock
        self._live = tell is None and stream.isatty()
        self._first = 0
        """Epochs that were over when this process began."""
        self._over = 0
        self._batch = self._batches = 0
        self._said = self._said_of_epoch = self._started = clock()
        self._best: float | None = None
        self._figure: float | None = None

    def begin(self, over: int) -> None:
        """Note that training begins; so many epochs were over before."""
        self._first = self._over = over
        self._started = self._said = self._said_of_epoch = self._clock()

    def epoch_begins(self, trainer: Any) -> None:
        """Note how many steps the epoch has."""
        self._batch, self._batches = 0, len(trainer.train_loader)

    def batch_ended(self, trainer: Any) -> None:
        """Tell how far the epoch is, unless a line was told a moment ago."""
        self._batch += 1
        every = _LIVE_EVERY_S if self._live else LOG_EVERY_S
        if self._tell is None and trainer.tloss is not None and self._clock() - self._said >= every:
            losses = {name.removesuffix("_loss"): float(value) for name, value in trainer.tloss.items()}
            self._say(self._line(self._over + 1, losses, step=f"batch {self._batch}/{self._batches}"))

    def epoch_ended(self, epoch: Epoch) -> None:
        """Tell the figures of an epoch; in a log not of each where they follow fast."""
        self._over, self._batch = epoch.number, 0
        self._figure = epoch.figures.get("mAP50")
        if self._figure is not None:
            self._best = max(self._figure, self._best or 0.0)
        due = self._live or self._tell is not None or self._clock() - self._said_of_epoch >= LOG_EVERY_S
        if due or epoch.number in {1, self._epochs}:
            self._say(self._line(epoch.number, epoch.losses))
            self._said_of_epoch = self._said

    def remark(self, text: str) -> None:
        """Say what is worth to stay, on a line of its own."""
        if self._tell is not None:
            self._tell(text)
            return
        self._stream.write(f"{_ERASE if self._live else ''}{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Take the live line away."""
        if self._live:
            self._stream.write(_ERASE)
            self._stream.flush()

    def _line(self, number: int, losses: Mapping[str, float], *, step: str = "") -> str:
        parts = [f"epoch {number}/{self._epochs}", step]
        parts.append("  ".join(f"{name} {value:.3f}" for name, value in losses.items()))
        if self._figure is not None:
            parts.append(f"mAP50 {self._figure:.3f} (best {self._best:.3f})")
        left = self._left()
        parts.append("" if left is None else f"{clock_text(left)} left")
        return "  ".join(part for part in parts if part)

    def _left(self) -> float | None:
        share = self._batch / self._batches if self._batches else 0.0
        done = self._over - self._first + share
        if done <= 0:
            return None
        return (self._clock() - self._started) / done * (self._epochs - self._first - done)

    def _say(self, line: str) -> None:
        self._said = self._clock()
        if self._tell is not None:
            self._tell(line)
            return
        if self._live:
            # A line that is wider than the terminal could not be taken back.
            line = _ERASE + line[: shutil.get_terminal_size().columns - 1]
        self._stream.write(line if self._live else f"{line}\n")
        self._stream.flush()


def clock_text(seconds: float) -> str:
    """Return seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
