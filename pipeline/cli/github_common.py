"""What the `repath github` commands share: repository, token, dry run, outputs of a workflow's step."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.common import emit

if TYPE_CHECKING:
    from pipeline.github.client import GitHubClient

repo_option = click.option(
    "--repo", "repository", required=True, envvar="GITHUB_REPOSITORY", help="owner/name  [GITHUB_REPOSITORY]"
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")
output_option = click.option(
    "--github-output",
    is_flag=True,
    help="Add the summary to the step's outputs, too: kebab-case keys, those of nested tables joined by '-'.",
)


def github_client(*, token: bool = True) -> GitHubClient:
    """Return a client by the environment.

    Raises:
        UsageError: there is no token, and one is needed.
    """
    from pipeline.github.client import GitHubClient

    client = GitHubClient.from_environment()
    if token:
        client.need_token()
    return client


def emit_outputs(
    summary: Mapping[str, Any], *, github_output: bool, title: str, rows: Sequence[tuple[str, object]]
) -> None:
    """Print a summary and, where it is asked for, give its values to the later steps of a workflow."""
    if github_output:
        from pipeline.github.outputs import append_outputs

        append_outputs(summary, os.environ)
    emit(summary, title=title, rows=rows)
