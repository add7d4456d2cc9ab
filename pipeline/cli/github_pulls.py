"""`repath github`: one comment, a commit's status, and which pull request a run was of."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline.cli.common import FILE
from pipeline.cli.github_common import (
    dry_run_option,
    emit_outputs,
    github_client,
    output_option,
    repo_option,
)


@click.command("comment")
@repo_option
@click.option("--pr", "number", type=click.IntRange(1), required=True, help="Number of the pull request.")
@click.option("--label", required=True, help="Which comment: the same label finds it again.")
@click.option(
    "--workflow", default="", envvar="GITHUB_WORKFLOW", help="Part of the marker  [GITHUB_WORKFLOW]"
)
@click.option("--body-file", type=FILE, required=True, help="Markdown.")
@click.option("--login", default=None, help="Who comments, for an App's token: its-name[bot].")
@dry_run_option
@output_option
def comment(
    repository: str,
    number: int,
    label: str,
    workflow: str,
    body_file: Path,
    login: str | None,
    dry_run: bool,
    github_output: bool,
) -> None:
    """Write one comment on a pull request, or bring it up to date; never a second one."""
    from pipeline.github.comment import Place, keep_comment
    from pipeline.support.documents import read_text

    text = read_text(body_file)
    with github_client() as client:
        kept = keep_comment(
            client, Place(repository, number, label, workflow), text, login=login, dry_run=dry_run
        )
    summary = {
        "repository": repository,
        "pull_request": number,
        "label": label,
        "action": kept.action,
        "comment_id": kept.comment_id or None,
        "url": kept.url or None,
        "duplicates_removed": kept.removed,
    }
    rows: list[tuple[str, object]] = [("comment", kept.url or None)]
    emit_outputs(summary, github_output=github_output, title=f"Comment {kept.action}", rows=rows)


@click.command("status")
@repo_option
@click.option("--sha", required=True, help="The commit, all of its digits.")
@click.option(
    "--state",
    required=True,
    type=click.Choice(["error", "failure", "pending", "success"]),
    help="How it is.",
)
@click.option("--context", required=True, help="Name of the status; the newest of a name counts.")
@click.option("--description", default="", help="One line; cut at 140 characters.")
@click.option("--target-url", default=None, help="Where a reader finds more.")
@dry_run_option
@output_option
def status(
    repository: str,
    sha: str,
    state: str,
    context: str,
    description: str,
    target_url: str | None,
    dry_run: bool,
    github_output: bool,
) -> None:
    """Set the status of a commit, such as that of a candidate's pull request."""
    from pipeline.github import statuses
    from pipeline.github.repository import repository_path, require_commit

    repository_path(repository)
    body = statuses.status_body(state=state, context=context, description=description, target_url=target_url)
    require_commit(sha)
    with github_client() as client:
        if not dry_run:
            statuses.set_status(client, repository, sha, body)
    summary = {"repository": repository, "sha": sha, **body, "dry_run": dry_run}
    rows: list[tuple[str, object]] = [("commit", sha), ("status", f"{context}: {state}")]
    title = "Status would be set" if dry_run else "Status set"
    emit_outputs(summary, github_output=github_output, title=title, rows=rows)


@click.command("find-pull-request")
@repo_option
@click.option(
    "--event-path",
    type=FILE,
    required=True,
    envvar="GITHUB_EVENT_PATH",
    help="Payload of the workflow_run event  [GITHUB_EVENT_PATH]",
)
@output_option
def find_pull_request(repository: str, event_path: Path, github_output: bool) -> None:
    """Find the open pull request that a finished run was of, by the run's head repository, branch and commit.

    Where there is none any more, or its head has moved on, found is false; that is no error.
    """
    from pipeline.github import find_pull
    from pipeline.github.context import event_context

    event = event_context(
        {**os.environ, "GITHUB_EVENT_NAME": "workflow_run", "GITHUB_EVENT_PATH": str(event_path)}
    )
    with github_client(token=False) as client:
        done = find_pull.find_pull_request(client, repository, event)
    summary = {**done.to_data(), "run_id": event.workflow_run_id}
    rows = [("pull request", done.url), ("because", done.reason)]
    title = "Pull request found" if done.found else "No pull request"
    emit_outputs(summary, github_output=github_output, title=title, rows=rows)
