"""The engine skips what is up to date, goes on after an interruption, and keeps to --from and --until."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline.lifecycle.engine import Done, Run, Stage, digest_path, run_stages
from pipeline.support.errors import ContractError, GateError, UsageError, WorkspaceError
from pipeline.support.workspace import Workspace


class Watcher:
    def __init__(self) -> None:
        self.ran: list[str] = []
        self.skipped_names: list[str] = []

    def started(self, stage: Stage, number: int, total: int) -> None:
        assert 1 <= number <= total

    def skipped(self, stage: Stage, number: int, total: int, line: str) -> None:
        self.skipped_names.append(stage.name)

    def finished(self, stage: Stage, number: int, total: int, line: str, seconds: float) -> None:
        self.ran.append(stage.name)


def copying(name: str, source: str, target: str, *, settings: object = None) -> Stage:
    """A stage that writes its input, in capitals, to its output."""

    def work(run: Run) -> Done:
        (run.at(target)).write_text(run.at(source).read_text().upper() + name)
        return Done(f"{name} done", [run.at(target)], facts={name: target}, summary={"n": 1})

    return Stage(name, name, lambda run: [run.at(source)], lambda run: settings, work)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a").write_text("start")
    return tmp_path


@pytest.fixture
def go(root: Path) -> Callable[..., Watcher]:
    def call(
        stages: Sequence[Stage] | None = None, first: str | None = None, last: str | None = None
    ) -> Watcher:
        watcher = Watcher()
        chain = stages or [copying("one", "a", "b"), copying("two", "b", "c"), copying("three", "c", "d")]
        run_stages(Run(Workspace(root)), chain, watcher, first=first, last=last)
        return watcher

    return call


def test_a_second_run_does_nothing(go: Callable[..., Watcher], root: Path) -> None:
    assert go().ran == ["one", "two", "three"]
    before = (root / ".repath" / "journal.json").read_bytes()
    assert go().ran == []
    assert (root / ".repath" / "journal.json").read_bytes() == before


def test_a_changed_input_runs_what_depends_on_it(go: Callable[..., Watcher], root: Path) -> None:
    go()
    (root / "a").write_text("other")
    assert go().ran == ["one", "two", "three"]


def test_a_changed_or_missing_output_is_made_again_and_goes_no_further_than_needed(
    go: Callable[..., Watcher], root: Path
) -> None:
    go()
    (root / "b").write_text("tampered")
    again = go()
    assert again.ran == ["one"]
    assert again.skipped_names == ["two", "three"]
    (root / "d").unlink()
    assert go().ran == ["three"]


def test_a_changed_setting_runs_its_stage(go: Callable[..., Watcher]) -> None:
    go([copying("one", "a", "b", settings={"epochs": 1})])
    assert go([copying("one", "a", "b", settings={"epochs": 1})]).ran == []
    assert go([copying("one", "a", "b", settings={"epochs": 2})]).ran == ["one"]


def test_an_interrupted_run_goes_on_where_it_stopped(go: Callable[..., Watcher]) -> None:
    def interrupted(run: Run) -> Done:
        assert run.facts == {"one": "b"}
        raise KeyboardInterrupt

    broken = Stage("two", "two", lambda run: [run.at("b")], lambda run: None, interrupted)
    with pytest.raises(KeyboardInterrupt):
        go([copying("one", "a", "b"), broken])
    resumed = go()
    assert resumed.skipped_names == ["one"]
    assert resumed.ran == ["two", "three"]


def test_a_gate_that_says_no_says_it_again(go: Callable[..., Watcher]) -> None:
    def closed(run: Run) -> Done:
        raise GateError("no")

    stages = [copying("one", "a", "b"), Stage("gate", "gate", lambda run: [], lambda run: None, closed)]
    for _ in range(2):
        with pytest.raises(GateError):
            go(stages)


def test_from_runs_a_stage_again_and_until_stops(go: Callable[..., Watcher]) -> None:
    go()
    assert go(first="two").ran == ["two", "three"]
    assert go(first="two", last="two").ran == ["two"]


def test_from_needs_the_stages_before_it(go: Callable[..., Watcher]) -> None:
    with pytest.raises(WorkspaceError, match="'one' has not run yet"):
        go(first="two")


@pytest.mark.parametrize(("first", "last"), [("nine", None), (None, "nine"), ("two", "one")])
def test_bounds_that_make_no_sense_are_told(
    go: Callable[..., Watcher], first: str | None, last: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        go(first=first, last=last)
    assert "one, two, three" in str(caught.value)


def test_a_damaged_journal_is_named(go: Callable[..., Watcher], root: Path) -> None:
    (root / ".repath").mkdir()
    (root / ".repath" / "journal.json").write_text('{"entries": [{"stage": "one"}]}')
    with pytest.raises(ContractError, match=r"journal\.json"):
        go()


def test_a_folders_digest_tells_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    assert digest_path(folder) == "absent"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "x").write_text("1")
    first = digest_path(folder)
    (folder / "sub" / "x").rename(folder / "sub" / "y")
    second = digest_path(folder)
    (folder / "sub" / "y").write_text("2")
    assert len({first, second, digest_path(folder)}) == 3
