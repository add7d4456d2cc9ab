"""`repath github`: the artefact of a run, and what event a workflow runs for."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline.cli.common import DIRECTORY
from pipeline.cli.github_common import emit_outputs, github_client, output_option, repo_option
from pipeline.support.files import display_path


@click.command("fetch-artifact")
@repo_option
@click.option("--run-id", type=click.IntRange(1), required=True, help="Number of the run.")
@click.option("--name", required=True, help="Name of the artefact.")
@click.option("--out-dir", type=DIRECTORY, required=True, help="A new or empty folder.")
@click.option(
    "--max-mb", type=click.IntRange(1), default=64, show_default=True, help="Packed or not, more is refused."
)
@output_option
def fetch_artifact(
    repository: str, run_id: int, name: str, out_dir: Path, max_mb: int, github_output: bool
) -> None:
    """Download an artefact of a workflow's run and take it out as data of others: plain files within limits,
    none outside the folder, all or none. Nothing of it is run."""
    from pipeline.github import artifacts

    with github_client() as client:
        found = artifacts.fetch_artifact(
            client, repository, run_id=run_id, name=name, out_dir=out_dir, max_bytes=max_mb << 20
        )
    summary = {
        "run_id": run_id,
        "name": name,
        "artifact_id": found.artifact_id,
        "out_dir": display_path(found.directory),
        "zip_sha256": found.zip_sha256,
        "zip_bytes": found.zip_bytes,
        "bytes": found.extracted.bytes,
        "files": list(found.extracted.files),
    }
    rows = [("folder", summary["out_dir"]), ("files", len(found.extracted.files))]
    emit_outputs(summary, github_output=github_output, title="Artefact fetched", rows=rows)


@click.command("context")
@output_option
def context(github_output: bool) -> None:
    """Tell what event this workflow runs for, as JSON: pull request, head and base, fork, trusted or not."""
    from pipeline.github.context import event_context

    found = event_context(os.environ)
    rows = [("event", found.event), ("trusted", found.trusted), ("because", found.reason)]
    emit_outputs(found.to_data(), github_output=github_output, title="Event", rows=rows)
