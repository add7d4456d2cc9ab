"""Event files for TensorBoard: losses, figures and learning rates epoch by epoch, and the mosaic at the end.

Format: https://github.com/tensorflow/tensorboard (`Event` records), written by tensorboardX.
"""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.support.errors import MissingExtraError
from pipeline.training.epochs import Epoch


def require_event_files() -> None:
    """Check that event files can be written.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """
    if importlib.util.find_spec("tensorboardX") is None:
        raise MissingExtraError("tensorboardX", "train", why="Training")


class EventFile:
    """Writes one event file into a run's folder; open `training-runs` with ``tensorboard --logdir``.

    Args:
        folder: the run's folder.
        first_epoch: the first epoch that is written; where a training goes on, what an earlier file says of
            this epoch and later ones counts no longer.
        suffix: stands at the end of the file's name.
    """

    def __init__(self, folder: Path, *, first_epoch: int = 1, suffix: str = "epochs") -> None:
        from tensorboardX import SummaryWriter

        purge = first_epoch if first_epoch > 1 else None
        # Its file names hold whole seconds: two files of one second must not be one.
        ending = f".{suffix}-{first_epoch}"
        self._writer: Any = SummaryWriter(str(folder), purge_step=purge, filename_suffix=ending)

    def __enter__(self) -> EventFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def epoch_ended(self, epoch: Epoch) -> None:
        """Write what is known of an epoch, at once: somebody may be watching."""
        groups: dict[str, dict[str, Any]] = {
            "train": {f"{name}_loss": value for name, value in epoch.losses.items()},
            "val": {f"{name}_loss": value for name, value in epoch.val_losses.items()},
            "metrics": epoch.figures,
            "lr": epoch.rates,
        }
        for group, values in groups.items():
            for name, value in values.items():
                if value is not None:
                    self._writer.add_scalar(f"{group}/{name}", value, epoch.number)
        self._writer.flush()

    def picture(self, name: str, png: bytes, step: int) -> None:
        """Write a picture."""
        import numpy as np
        from PIL import Image

        with Image.open(io.BytesIO(png)) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        self._writer.add_image(name, pixels, step, dataformats="HWC")
        self._writer.flush()
