"""Epochs out of results.csv: the best, the history, those that come while it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.support.errors import InputError, RepathError, TrainingError
from pipeline.training.epochs import Epoch, EpochFeed, read_epochs, seconds_of

COLUMNS = (
    "epoch,time,train/box_loss,train/cls_loss,metrics/precision(B),metrics/recall(B),metrics/mAP50(B),"
    "metrics/mAP50-95(B),val/box_loss,lr/pg0"
)


def line(epoch: int, map50_95: object = 0.1, *, time: float = 1.0) -> str:
    return f"{epoch},{time},1.5,2.5,0.5,0.6,0.7,{map50_95},1.7,0.001"


def results(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "results.csv"
    path.write_text("\n".join([COLUMNS, *lines]) + "\n")
    return path


def test_the_best_epoch_is_that_of_the_highest_map50_95_and_the_last_of_equals(tmp_path: Path) -> None:
    read = read_epochs(results(tmp_path, line(1, 0.2), line(2, 0.4), line(3, 0.4), line(4, "nan")))
    assert (read.done, read.best_epoch) == (4, 3)
    assert read.metrics == {"precision": 0.5, "recall": 0.6, "mAP50": 0.7, "mAP50_95": 0.4}


def test_a_run_without_an_epoch_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no epoch"):
        read_epochs(results(tmp_path))
    with pytest.raises(InputError):
        read_epochs(tmp_path / "none.csv")


def test_an_early_stop_is_told_with_its_best_epoch(tmp_path: Path) -> None:
    path = results(tmp_path, line(1, 0.1), line(2, 0.5), line(3, 0.2), line(4, 0.3))
    assert read_epochs(path, asked=4).stop_in_words() is None
    early = read_epochs(path, asked=60)
    assert early.stopped_early
    assert early.stop_in_words() == (
        "stopped early after epoch 4 of 60; the best is epoch 2 (mAP50-95 0.500), and none of the 2 since "
        "was better"
    )


def test_the_history_holds_losses_figures_and_rates(tmp_path: Path) -> None:
    (first, last) = read_epochs(results(tmp_path, line(1), line(2)), asked=9).history
    assert (first.number, last.number, last.total) == (1, 2, 9)
    assert last.losses == {"box": 1.5, "cls": 2.5}
    assert last.val_losses == {"box": 1.7}
    assert last.figures["mAP50"] == 0.7
    assert last.rates == {"pg0": 0.001}


def test_figures_that_were_not_measured_are_not_shown_as_zero(tmp_path: Path) -> None:
    read = read_epochs(results(tmp_path, line(1), line(2)), validated=False)
    assert [bool(epoch.figures) for epoch in read.history] == [False, True]
    assert read.history[0].val_losses == {}


def test_a_feed_tells_each_epoch_once_and_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = results(tmp_path, line(1), line(2))
    told: list[Epoch] = []
    feed = EpochFeed(path, 5, [told.append], validated=True)
    feed.look()
    assert told == []  # what stands there already belongs to the process before
    with path.open("a") as stream:
        stream.write(line(3)[:10])
        stream.flush()
        feed.look()
        assert told == []
        stream.write(line(3)[10:] + "\n" + line(4) + "\n")
        stream.flush()
    feed.look()
    feed.look()
    assert [epoch.number for epoch in told] == [3, 4]


def test_a_feed_begins_before_there_is_a_file(tmp_path: Path) -> None:
    told: list[Epoch] = []
    feed = EpochFeed(tmp_path / "results.csv", 2, [told.append], validated=True)
    feed.look()
    results(tmp_path, line(1))
    feed.look()
    assert [epoch.number for epoch in told] == [1]


def test_the_time_is_that_of_the_last_line(tmp_path: Path) -> None:
    assert seconds_of(results(tmp_path, line(1, time=3.0), line(2, time=7.5))) == 7.5
    assert seconds_of(tmp_path / "none.csv") == 0.0


@given(st.text(alphabet='0123456789.,\n"eninfa-(B)/', max_size=120))
def test_whatever_stands_in_the_file_it_is_read_or_refused(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.csv"
        path.write_text(f"{COLUMNS}\n{text}\n", encoding="utf-8")
        try:
            read = read_epochs(path)
        except RepathError:
            return
        assert len(read.history) >= 1
