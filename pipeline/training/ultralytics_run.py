"""One run of Ultralytics' training in a run's folder, watched epoch by epoch; its own words go to a log."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.support import ultralytics_library as library
from pipeline.support.errors import TrainingError
from pipeline.training.checkpoints import BEST, LAST, keep_resumable
from pipeline.training.dataset import View
from pipeline.training.epochs import Epoch, EpochFeed, read_epochs
from pipeline.training.progress_line import ProgressLine
from pipeline.training.train_plan import Plan, TrainOptions

LOG = "training.log"
_LOOK_EVERY_S = 1.0
_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""What Ultralytics raises for settings, pictures and machines that it cannot work with."""


@dataclass(frozen=True, slots=True)
class Watchers:
    """Who is told while training goes on."""

    tell: Callable[[str], None] | None = None
    """Takes lines of progress; None writes them to the user's stderr."""
    listeners: tuple[Callable[[Epoch], None], ...] = ()

    def with_listener(self, listener: Callable[[Epoch], None]) -> Watchers:
        """Return these and one more, which is told first."""
        return replace(self, listeners=(listener, *self.listeners))


def run_training(
    plan: Plan, options: TrainOptions, view: View, run_dir: Path, watchers: Watchers, *, epochs_over: int
) -> None:
    """Train until the last epoch, or until patience ends.

    Args:
        plan: the base model and the device.
        options: how.
        view: the pictures.
        run_dir: the run's folder.
        watchers: who is told.
        epochs_over: epochs that an earlier process ended; where there are some, ``last.pt`` is gone on from.

    Raises:
        TrainingError: Ultralytics fails; its log is named.
    """
    log = run_dir / LOG
    last = run_dir / "weights" / LAST
    with library.output_to(log) as user, _told(log):
        from ultralytics import YOLO

        from pipeline.training.trainer import RepathTrainer

        line = ProgressLine(options.epochs, user, tell=watchers.tell)
        feed = EpochFeed(
            run_dir / "results.csv",
            options.epochs,
            (*watchers.listeners, line.epoch_ended),
            validated=options.validated,
        )
        line.begin(epochs_over)
        if epochs_over:
            line.remark(f"going on after epoch {epochs_over} of {options.epochs}")
        model = YOLO(str(last if epochs_over else plan.model), task="detect")
        settings = _settings(plan, options, view, run_dir)
        if epochs_over:
            settings["resume"] = str(last)
        if "," in plan.device:
            # The processes of the GPUs are given every callback, and none of ours can be sent to them.
            watching: contextlib.AbstractContextManager[None] = _looking(feed)
        else:
            _attach(model, line, feed)
            watching = contextlib.nullcontext()
        with watching:
            model.train(trainer=RepathTrainer, **settings)
        ended = read_epochs(run_dir / "results.csv", asked=options.epochs)
        line.end()
        stopped = ended.stop_in_words()
        if stopped is not None:
            line.remark(stopped)


def complete_training(options: TrainOptions, view: View, run_dir: Path, device: str) -> None:
    """Do what is left where all epochs are over: take the optimizer out of the checkpoints, and draw plots.

    Raises:
        TrainingError: Ultralytics fails; its log is named.
    """
    log = run_dir / LOG
    with library.output_to(log), _told(log):
        from ultralytics import YOLO
        from ultralytics.utils.torch_utils import strip_optimizer

        weights = run_dir / "weights"
        keep_resumable(weights)
        results = strip_optimizer(weights / LAST).get("train_results")
        strip_optimizer(weights / BEST, updates={"train_results": results})
        if options.overrides.get("plots", True):
            YOLO(str(weights / BEST), task="detect").val(
                data=str(view.yaml),
                imgsz=options.imgsz,
                batch=max(options.batch, 1),
                device=device,
                workers=options.workers,
                plots=True,
                project=str(run_dir.resolve().parent),
                name=run_dir.name,
                exist_ok=True,
                verbose=False,
            )


def _settings(plan: Plan, options: TrainOptions, view: View, run_dir: Path) -> dict[str, Any]:
    return {
        "plots": True,
        "deterministic": True,
        **options.overrides,
        "data": str(view.yaml),
        "epochs": options.epochs,
        "imgsz": options.imgsz,
        "batch": options.batch,
        "device": plan.device,
        "workers": options.workers,
        "patience": options.patience,
        "seed": options.seed,
        "project": str(run_dir.resolve().parent),
        "name": run_dir.name,
        "exist_ok": True,
        "verbose": False,
    }


def _attach(model: Any, line: ProgressLine, feed: EpochFeed) -> None:
    model.add_callback("on_train_start", lambda trainer: line.begin(int(trainer.start_epoch)))
    model.add_callback("on_train_epoch_start", line.epoch_begins)
    model.add_callback("on_train_batch_end", line.batch_ended)
    model.add_callback("on_fit_epoch_end", lambda _: feed.look())


@contextlib.contextmanager
def _looking(feed: EpochFeed) -> Iterator[None]:
    """Look for new epochs every second, from a thread."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY_S):
            feed.look()

    thread = threading.Thread(target=look, name="epochs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        feed.look()


@contextlib.contextmanager
def _told(log: Path) -> Iterator[None]:
    """Turn what Ultralytics raises into one error that names its log."""
    try:
        yield
    except _FAILURES as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise TrainingError(f"training failed: {reason}", hint=f"Its log: {log}") from error
