"""The curves of a training: losses, and how well it did on the validation pictures, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.support.figures import new_figure
from pipeline.training.epochs import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = {"mAP50": "mAP50", "mAP50_95": "mAP50-95", "precision": "precision", "recall": "recall"}


def draw_curves(
    history: Sequence[Epoch], *, best_epoch: int | None = None, remark: str | None = None
) -> Figure:
    """Draw losses on the left (training solid, validation dashed) and figures on the right.

    Args:
        history: the epochs so far.
        best_epoch: is marked.
        remark: stands above, such as that training stopped early.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = new_figure(10, 3.8)
    if remark:
        figure.suptitle(remark, fontsize=9, x=0.01, ha="left", parse_math=False)
    losses, figures = figure.subplots(1, 2)
    total = history[-1].total if history else 1
    for axes, title in ((losses, "Losses"), (figures, "On the validation pictures")):
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, max(total, 2) + 0.5)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    for index, name in enumerate(history[0].losses if history else ()):
        colour = f"C{index}"
        _line(losses, [(epoch.number, epoch.losses.get(name)) for epoch in history], name, colour, "-")
        points = [(epoch.number, epoch.val_losses.get(name)) for epoch in history]
        _line(losses, points, f"{name} (val)", colour, "--")
    for index, (name, label) in enumerate(_SHOWN.items()):
        points = [(epoch.number, epoch.figures.get(name)) for epoch in history]
        _line(figures, points, label, f"C{index}", "-" if name.startswith("mAP") else ":")
    losses.set_ylim(bottom=0)
    figures.set_ylim(0, 1.02)
    if best_epoch is not None:
        figures.axvline(best_epoch, color="0.4", lw=1, ls="-.", label=f"best: epoch {best_epoch}")
    for axes in (losses, figures):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, frameon=False)
    if not any(epoch.figures for epoch in history):
        figures.text(
            0.5, 0.5, "measured after the last epoch", transform=figures.transAxes, ha="center", color="0.4"
        )
    return figure


def _line(
    axes: Axes, points: Sequence[tuple[int, float | None]], label: str, colour: str, style: str
) -> None:
    known = [(x, y) for x, y in points if y is not None]
    if known:
        mark = "o" if len(known) == 1 else None
        axes.plot(*zip(*known, strict=True), label=label, color=colour, ls=style, marker=mark, ms=4, lw=1.6)
