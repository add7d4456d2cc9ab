"""`repath run`: the lifecycle on a workspace, told stage by stage, with a table at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.common import DIRECTORY, emit
from pipeline.lifecycle.engine import Run, Stage, run_stages
from pipeline.support.workspace import open_workspace


class Terminal:
    """Tells what a run does, one line a stage, on stderr."""

    def started(self, stage: Stage, number: int, total: int) -> None:
        """Print what begins, where it takes long."""
        if stage.slow:
            name = click.style(f"{stage.name:<12}", bold=True)
            click.echo(f"{_place(number, total)} {name} {stage.title} …", err=True)

    def skipped(self, stage: Stage, number: int, total: int, line: str) -> None:
        """Print that nothing needed to be done, and what stands."""
        click.echo(
            f"{_place(number, total)} {stage.name:<12} {click.style('up to date', dim=True)}  {line}",
            err=True,
        )

    def finished(self, stage: Stage, number: int, total: int, line: str, seconds: float) -> None:
        """Print what came out, and how long it took."""
        done = click.style("done", fg="green")
        click.echo(f"{_place(number, total)} {stage.name:<12} {done} in {seconds:.1f} s  {line}", err=True)


@click.command()
@click.option("--workspace", "directory", type=DIRECTORY, help="The workspace; else the nearest repath.toml.")
@click.option("--from", "first", metavar="STAGE", help="Run this stage and all after it again.")
@click.option("--until", "last", metavar="STAGE", help="Stop after this stage.")
def run(directory: Path | None, first: str | None, last: str | None) -> None:
    """Run the whole lifecycle on a workspace, from its pack to a verified release bundle.

    A stage whose inputs, settings and outputs are unchanged is skipped; an interrupted run goes on where it
    stopped.
    """
    from pipeline.lifecycle.stages import STAGES

    state = Run(open_workspace(directory))
    run_stages(state, STAGES, Terminal(), first=first, last=last)
    emit(
        {"workspace": str(state.workspace.root), "facts": state.facts, "stages": state.summaries},
        title="What came out",
        rows=_rows(state.summaries),
    )


def _rows(summaries: dict[str, dict[str, Any]]) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for stage, label in (
        ("coverage", "Coverage"),
        ("bundle", "Training data"),
        ("train", "Training"),
        ("export", "Export"),
        ("baseline", "Baseline"),
        ("benchmark", "Candidate"),
        ("compare", "Verdict"),
        ("report", "Report"),
        ("promote", "Promoted"),
        ("release", "Release"),
    ):
        if stage in summaries:
            rows.append((label, summaries[stage].get("table", summaries[stage]["line"])))
    return rows


def _place(number: int, total: int) -> str:
    return click.style(f"[{number:>2}/{total}]", dim=True)
