"""The line that tells where a training stands: on a terminal in place, in a log every few seconds."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from pipeline.training.epochs import Epoch
from pipeline.training.progress_line import ProgressLine, clock_text

TRAINER = SimpleNamespace(tloss={"box_loss": 1.25, "cls_loss": 0.5}, train_loader=range(4))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Clock:
    now: float = 100.0
    steps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now


def epoch(number: int, *, map50: float | None = None) -> Epoch:
    figures = {} if map50 is None else {"mAP50": map50}
    return Epoch(number, 4, {"box": 1.0, "cls": 2.0}, {}, figures, {})


def test_on_a_terminal_each_line_takes_the_place_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    stream, clock = Terminal(), Clock()
    line = ProgressLine(4, stream, clock=clock)
    line.begin(0)
    line.epoch_begins(TRAINER)
    clock.now += 10
    line.batch_ended(TRAINER)
    assert stream.getvalue().endswith("epoch 1/4  batch 1/4  box 1.250  cls 0.500  2:30 left")
    clock.now += 10
    line.epoch_ended(epoch(1, map50=0.25))
    shown = stream.getvalue().split("\r\x1b[2K")[-1]
    assert shown == "epoch 1/4  box 1.000  cls 2.000  mAP50 0.250 (best 0.250)  1:00 left"
    assert "\n" not in stream.getvalue()
    line.end()
    line.remark("stopped early")
    assert stream.getvalue().endswith("\x1b[2Kstopped early\n")


def test_a_line_is_never_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    line = ProgressLine(4, stream)
    line.begin(0)
    line.epoch_ended(epoch(1, map50=0.25))
    assert len(stream.getvalue().split("\x1b[2K")[-1]) == 29


def test_in_a_log_a_long_epoch_is_told_every_few_seconds_and_short_ones_not_each() -> None:
    stream, clock = io.StringIO(), Clock()
    line = ProgressLine(4, stream, clock=clock)
    line.begin(0)
    line.epoch_begins(TRAINER)
    for _ in range(4):
        clock.now += 3
        line.batch_ended(TRAINER)
    told = stream.getvalue().splitlines()
    assert [text[:21] for text in told] == ["epoch 1/4  batch 2/4 ", "epoch 1/4  batch 4/4 "]
    line.epoch_ended(epoch(1))
    for number in (2, 3, 4):
        clock.now += 1
        line.epoch_ended(epoch(number))
    told = stream.getvalue().splitlines()[2:]
    assert [text.split()[1] for text in told] == ["1/4", "4/4"]  # the first and the last always
    assert "\x1b" not in stream.getvalue()


def test_the_best_figure_stays_and_the_time_counts_only_this_process() -> None:
    told: list[str] = []
    clock = Clock()
    line = ProgressLine(4, io.StringIO(), tell=told.append, clock=clock)
    line.begin(2)  # two epochs were over before an interruption
    clock.now += 6
    line.epoch_ended(epoch(3, map50=0.5))
    assert told[-1].endswith("mAP50 0.500 (best 0.500)  0:06 left")
    clock.now += 6
    line.epoch_ended(epoch(4, map50=0.25))
    assert told[-1].endswith("mAP50 0.250 (best 0.500)  0:00 left")


def test_figures_that_are_not_measured_are_not_told() -> None:
    told: list[str] = []
    line = ProgressLine(4, io.StringIO(), tell=told.append)
    line.begin(0)
    line.epoch_ended(epoch(1))
    assert "mAP" not in told[0]


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0:00"), (59.6, "1:00"), (3599.6, "1:00:00"), (0, "0:00")]
)
def test_seconds_are_told_as_a_clock_does(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text
