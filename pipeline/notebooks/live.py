"""Curves that grow under a cell while a training runs."""

from __future__ import annotations

import time
from typing import Any

from pipeline.support.figures import png_bytes
from pipeline.training.curves import draw_curves
from pipeline.training.epochs import Epoch


class LiveCurves:
    """Shows losses and figures, redrawn at most every ``every_s`` seconds, and the line of progress below.

    Use its methods as ``on_epoch`` and ``tell`` of `Space.run_until`, and `close` when training is over.
    """

    def __init__(self, *, every_s: float = 2.0) -> None:
        self._every_s = every_s
        self._drawn = float("-inf")
        self._history: list[Epoch] = []
        self._picture: Any = None
        self._line: Any = None

    def epoch(self, epoch: Epoch) -> None:
        """Take an epoch up into the curves."""
        self._history.append(epoch)
        if self._picture is None or time.monotonic() - self._drawn >= self._every_s:
            self._draw()

    def tell(self, line: str) -> None:
        """Show a line of progress in place of the one before."""
        from IPython.display import display

        shown = {"text/plain": line}
        if self._line is None:
            self._line = display(shown, raw=True, display_id=True)
        else:
            self._line.update(shown, raw=True)

    def close(self) -> None:
        """Draw the curves once more, with every epoch."""
        if self._history:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import Image, display

        measured = [epoch for epoch in self._history if epoch.figures.get("mAP50_95") is not None]
        best = max(measured, key=lambda epoch: (epoch.figures["mAP50_95"] or 0.0, epoch.number), default=None)
        figure = draw_curves(self._history, best_epoch=best.number if best else None)
        image = Image(data=png_bytes(figure), format="png", alt="Curves of the training")
        if self._picture is None:
            self._picture = display(image, display_id=True)
        else:
            self._picture.update(image)
        self._drawn = time.monotonic()
