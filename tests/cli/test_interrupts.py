"""Ctrl-C: one word and exit code 130, also where it first shows as the failure of something else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import click
import pytest

from pipeline.cli import main
from pipeline.support.errors import TrainingError


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], int]:
    """Run a function as a command of the program, and return the exit code."""

    def run(function: Callable[[], None]) -> int:
        monkeypatch.setattr(main, "probe", click.command("probe")(function), raising=False)
        monkeypatch.setitem(main.GROUPS, "probe", ("pipeline.cli.main:probe", ""))
        return main.run(["probe"])

    return run


def interrupted() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupted_and_told_as_a_failure() -> None:
    try:
        interrupted()
    except KeyboardInterrupt:
        failed()


def failed() -> None:
    raise TrainingError("training failed: a worker exited unexpectedly")


@pytest.mark.parametrize("command", [interrupted, interrupted_and_told_as_a_failure])
def test_an_interrupt_is_told_as_one(program, command, capsys: pytest.CaptureFixture[str]) -> None:
    assert program(command) == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "Stopped.")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_failure_without_an_interrupt_stays_one(program, capsys: pytest.CaptureFixture[str]) -> None:
    assert program(failed) == 1
    assert capsys.readouterr().err == "error: training failed: a worker exited unexpectedly\n"
