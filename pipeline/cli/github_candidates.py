"""`repath github`: store, fetch and take over a candidate."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.common import DIRECTORY, FILE, setting
from pipeline.cli.github_common import (
    dry_run_option,
    emit_outputs,
    github_client,
    output_option,
    repo_option,
)
from pipeline.cli.github_releases import published_rows, published_summary, published_title
from pipeline.support.files import display_path


@click.command("publish-candidate")
@click.option("--candidate-dir", type=DIRECTORY, required=True, help="The candidate: <candidates>/<run-id>.")
@click.option("--results", type=FILE, required=True, help="What was measured of this very model.")
@click.option("--comparison", type=FILE, default=None, help="The comparison with the release in use.")
@click.option("--report", type=FILE, default=None, help="The report, stored beside it.")
@click.option("--attach", type=FILE, multiple=True, help="One more file; may be repeated.")
@click.option("--commit", default=None, help="Commit for the tag; else the default branch's.")
@click.option("--pointer-out", type=FILE, required=True, help="The pointer to write, such as candidate.json.")
@repo_option
@dry_run_option
@output_option
def publish_candidate(
    candidate_dir: Path,
    results: Path,
    comparison: Path | None,
    report: Path | None,
    attach: tuple[Path, ...],
    commit: str | None,
    pointer_out: Path,
    repository: str,
    dry_run: bool,
    github_output: bool,
) -> None:
    """Store a candidate as the pre-release candidate-<run-id>, published whole as a release is, and write
    candidate.json, which points to it by digest. Run it again where it stops."""
    from pipeline.github.candidates import candidate_to_store
    from pipeline.github.host import GitHubReleases
    from pipeline.release import publish
    from pipeline.support.documents import write_json

    stored = candidate_to_store(
        candidate_dir,
        results=results,
        comparison=comparison,
        attachments=[*([report] if report else []), *attach],
        commit=commit,
    )
    with github_client() as client:
        act = publish.plan_release if dry_run else publish.publish_release
        done = act(GitHubReleases(client, repository), stored.publication, patience=client.patience)
    if not dry_run:
        write_json(pointer_out, stored.pointer)
    summary = {
        "run_id": stored.pointer.run_id,
        **published_summary(stored.publication, done, dry_run=dry_run),
        "pointer": display_path(pointer_out),
        "verdict": stored.pointer.verdict.verdict if stored.pointer.verdict else None,
        "gate_passed": stored.pointer.verdict.gate_passed if stored.pointer.verdict else None,
    }
    emit_outputs(
        summary,
        github_output=github_output,
        title=published_title(done, dry_run=dry_run),
        rows=[*published_rows(done), ("pointer", summary["pointer"])],
    )


@click.command("fetch-candidate")
@click.option("--pointer", type=FILE, required=True, help="The candidate.json that names it.")
@setting("--candidates-root", to="paths.candidates", type=DIRECTORY, help="Gets the folder <run-id>.")
@click.option("--results-out", type=FILE, default=None, help="Gets the results that were measured of it.")
@click.option("--comparison-out", type=FILE, default=None, help="Gets the comparison, where there is one.")
@click.option(
    "--max-mb", type=click.IntRange(1), default=4096, show_default=True, help="A larger one is refused."
)
@repo_option
@output_option
def fetch_candidate(
    pointer: Path,
    candidates_root: Path,
    results_out: Path | None,
    comparison_out: Path | None,
    max_mb: int,
    repository: str,
    github_output: bool,
) -> None:
    """Download the candidate that candidate.json points to, hold every file to its digest, and place the
    folder <candidates-root>/<run-id>, whole or not at all."""
    from pipeline.github import fetch_candidate as fetch
    from pipeline.github.candidates import read_pointer
    from pipeline.github.host import GitHubReleases

    wanted = read_pointer(pointer, repository=repository)
    with github_client(token=False) as client:
        found = fetch.fetch_candidate(
            GitHubReleases(client, repository),
            wanted,
            repository=repository,
            candidates_root=candidates_root,
            results_out=results_out,
            comparison_out=comparison_out,
            max_bytes=max_mb << 20,
        )
    folder = found.directory
    summary = {
        "run_id": wanted.run_id,
        "tag": wanted.tag,
        "url": found.url,
        "unchanged": found.unchanged,
        "candidate_dir": display_path(folder),
        "model": display_path(folder / wanted.model.filename),
        "labels": display_path(folder / wanted.labels.filename),
        "model_sha256": wanted.model.sha256,
        "labels_sha256": wanted.labels.sha256,
        "results": display_path(results_out) if results_out else None,
        "comparison": display_path(comparison_out) if comparison_out and wanted.comparison else None,
    }
    title = "Candidate is there already, verified" if found.unchanged else "Candidate fetched and verified"
    rows = [("tag", wanted.tag), ("folder", summary["candidate_dir"]), ("release", found.url)]
    emit_outputs(summary, github_output=github_output, title=title, rows=rows)


@click.command("open-candidate-pr")
@click.option("--pointer", type=FILE, required=True, help="The candidate.json to take over.")
@click.option("--path", default="candidate.json", show_default=True, help="Where it lies in the repository.")
@click.option("--base", default=None, help="Branch to merge into  [the repository's default branch]")
@click.option("--branch", default="repath/candidate", show_default=True, help="Branch of the pull request.")
@click.option("--comparison", type=FILE, default=None, help="Shown in the pull request's text.")
@repo_option
@dry_run_option
@output_option
def open_candidate_pr(
    pointer: Path,
    path: str,
    base: str | None,
    branch: str,
    comparison: Path | None,
    repository: str,
    dry_run: bool,
    github_output: bool,
) -> None:
    """Have one open pull request that changes candidate.json and nothing else; run again, it is brought up
    to date, and never a second one is opened."""
    from pipeline.contracts.comparison import Comparison
    from pipeline.github.candidate_pull import open_candidate_pull
    from pipeline.github.candidates import read_pointer
    from pipeline.support.documents import read_json

    wanted = read_pointer(pointer, repository=repository)
    compared = read_json(comparison, Comparison) if comparison else None
    with github_client() as client:
        done = open_candidate_pull(
            client,
            repository,
            wanted,
            path=path,
            base=base,
            branch=branch,
            comparison=compared,
            dry_run=dry_run,
        )
    summary = {
        "action": done.action,
        "number": done.number,
        "url": done.url,
        "head_sha": done.head_sha,
        "branch": done.branch,
        "base": done.base,
        "run_id": wanted.run_id,
        "tag": wanted.tag,
        "dry_run": dry_run,
    }
    rows = [("pull request", done.url), ("branch", done.branch), ("commit", done.head_sha)]
    emit_outputs(summary, github_output=github_output, title=f"Pull request {done.action}", rows=rows)
