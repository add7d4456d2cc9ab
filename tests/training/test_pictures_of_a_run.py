"""What a person looks at: curves, mosaics, and event files as TensorBoard reads them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib")

from pipeline.support.figures import DrawnBox, Tile, mosaic, png_bytes, shortened
from pipeline.training.curves import draw_curves
from pipeline.training.epochs import Epoch

pytestmark = pytest.mark.train

HOSTILE = ["$\\frac{1$", "<script>alert(1)</script>", "罐头 🥫", "a\nb\x1b[31m" + "c" * 300]


def epoch(number: int, *, figures: bool = True) -> Epoch:
    measured = {"precision": 0.1, "recall": 0.2, "mAP50": 0.3 * number / 4, "mAP50_95": None}
    losses = {"box": 4.0 / number, "cls": 3.0}
    return Epoch(number, 4, losses, losses if figures else {}, measured if figures else {}, {"pg0": 0.1})


def test_curves_show_losses_figures_and_the_best_epoch() -> None:
    figure = draw_curves([epoch(1), epoch(2), epoch(3)], best_epoch=2, remark="stopped early")
    losses, figures = figure.axes
    labels = [text.get_text() for axes in (losses, figures) for text in axes.get_legend().get_texts()]
    assert {"box", "box (val)", "cls", "mAP50", "precision", "best: epoch 2"} <= set(labels)
    assert "mAP50-95" not in labels  # there was no number
    drawn = {line.get_label(): list(line.get_ydata()) for line in losses.get_lines()}
    assert drawn["box"] == pytest.approx([4.0, 2.0, 4 / 3])
    with Image.open(io.BytesIO(png_bytes(figure))) as picture:
        assert picture.format == "PNG"
        assert picture.width > 800


@pytest.mark.parametrize("history", [[], [epoch(1)], [epoch(1, figures=False), epoch(2, figures=False)]])
def test_curves_are_drawn_from_the_first_epoch_on_and_without_validation(history: list[Epoch]) -> None:
    assert png_bytes(draw_curves(history)).startswith(b"\x89PNG")


def test_the_same_curves_are_the_same_bytes() -> None:
    history = [epoch(1), epoch(2)]
    assert png_bytes(draw_curves(history)) == png_bytes(draw_curves(history))


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_files_is_drawn_as_text(text: str) -> None:
    tile = Tile(
        np.zeros((40, 60, 3), np.uint8), text, text, [DrawnBox((5, 5, 30, 30), text, drawn_by_person=True)]
    )
    assert png_bytes(mosaic([tile], title=text)).startswith(b"\x89PNG")
    assert png_bytes(draw_curves([epoch(1)], remark=text)).startswith(b"\x89PNG")
    assert shortened(text).isprintable()
    assert len(shortened(text)) <= 36


def test_a_mosaic_shows_both_kinds_of_boxes_apart() -> None:
    boxes = [
        DrawnBox((5, 5, 30, 30), "Tin Can", drawn_by_person=True),
        DrawnBox((8, 8, 33, 33), "Tin Can 0.91", drawn_by_person=False),
    ]
    figure = mosaic([Tile(np.zeros((40, 60, 3), np.uint8), "row_0", boxes=boxes)] * 5, columns=4)
    assert len(figure.axes) == 5
    styles = [patch.get_linestyle() for patch in figure.axes[0].patches]
    assert styles == ["-", "--"]


def test_event_files_are_read_by_tensorboard_and_a_resumed_run_overrides_what_was_lost(
    tmp_path: Path,
) -> None:
    pytest.importorskip("tensorboardX")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from pipeline.training.event_files import EventFile

    with EventFile(tmp_path) as events:
        for number in (1, 2, 3):
            events.epoch_ended(epoch(number))
    with EventFile(tmp_path, first_epoch=3) as events:  # the third was lost with an interruption
        events.epoch_ended(epoch(3))
        events.epoch_ended(epoch(4, figures=False))
        picture = mosaic([Tile(np.zeros((40, 60, 3), np.uint8), "row_0")])
        events.picture("predictions", png_bytes(picture), 4)
    read = accumulator.EventAccumulator(str(tmp_path))
    read.Reload()
    assert {"train/box_loss", "val/cls_loss", "metrics/mAP50", "lr/pg0"} <= set(read.Tags()["scalars"])
    assert [event.step for event in read.Scalars("train/box_loss")] == [1, 2, 3, 4]
    assert [event.step for event in read.Scalars("metrics/mAP50")] == [1, 2, 3]
    assert read.Scalars("train/box_loss")[1].value == pytest.approx(2.0)
    (image,) = read.Images("predictions")
    assert image.encoded_image_string.startswith(b"\x89PNG")
