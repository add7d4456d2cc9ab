"""`repath github`: publish and fetch releases, keep a comment, tell the event."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common import DIRECTORY, FILE, emit, note, setting, workspace
from pipeline.support.files import display_path

if TYPE_CHECKING:
    from pipeline.github.client import GitHubClient

_REPO = click.option(
    "--repo", "repository", required=True, envvar="GITHUB_REPOSITORY", help="owner/name  [GITHUB_REPOSITORY]"
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")


@click.group()
def github() -> None:
    """Publish and fetch releases, comment on pull requests. Token: GITHUB_TOKEN or GH_TOKEN."""


@github.command("publish-release")
@click.option("--manifest", type=FILE, required=True, help="The bundle's release-manifest-vX.Y.Z.json.")
@_REPO
@setting("--title", to="release.name", help="What the release's name begins with, before its tag.")
@click.option("--attach", type=FILE, multiple=True, help="One more file, such as an SBOM; may be repeated.")
@click.option("--commit", default=None, help="Commit for the tag, where there is no such tag yet.")
@_DRY_RUN
def publish_release(
    manifest: Path, repository: str, title: str, attach: tuple[Path, ...], commit: str | None, dry_run: bool
) -> None:
    """Publish a verified bundle: draft, files, every digest read back, and only then public. Run it again
    where it stops; a version that is published already is compared and never changed."""
    from pipeline.github.host import GitHubReleases
    from pipeline.release import publish
    from pipeline.release.publication import publication_of

    wanted = publication_of(manifest, title=title, attachments=attach, commit=commit)
    with _client() as client:
        client.need_token()
        act = publish.plan_release if dry_run else publish.publish_release
        done = act(GitHubReleases(client, repository), wanted, patience=client.patience)
    summary = {
        "tag": done.tag,
        "url": done.url,
        "dry_run": dry_run,
        "unchanged": done.unchanged,
        "prerelease": done.prerelease,
        "latest": done.latest,
        "files": [{"filename": f.name, "sha256": f.sha256, "bytes": f.bytes} for f in wanted.files],
        "steps": list(done.steps),
    }
    title = "Would be done" if dry_run else "Published already, unchanged" if done.unchanged else "Published"
    rows: list[tuple[str, object]] = [("tag", done.tag), ("release", done.url)]
    emit(summary, title=title, rows=[*rows, *((str(n), step) for n, step in enumerate(done.steps, start=1))])


@github.command("fetch-release")
@click.option("--tag", default="latest", show_default=True, help="vX.Y.Z or latest.")
@_REPO
@click.option(
    "--assets-dir", type=DIRECTORY, required=True, help="Folder that gets model, labels and manifest."
)
@click.option("--out", type=FILE, default=None, help="The record  [<assets-dir>/active-model.release.json]")
@click.option(
    "--max-model-mb",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="A larger model is refused.",
)
def fetch_release(tag: str, repository: str, assets_dir: Path, out: Path | None, max_model_mb: int) -> None:
    """Download a release as the app does, verify it, and place its files, all or none."""
    from pipeline.github import fetch
    from pipeline.github.host import GitHubReleases

    with _client() as client:
        found = fetch.fetch_release(
            GitHubReleases(client, repository),
            repository=repository,
            tag=tag,
            assets_dir=assets_dir,
            out=out,
            max_model_bytes=max_model_mb << 20,
            root=workspace().root,
        )
    if not found.manifest_sealed:
        note("SHA256SUMS does not cover the manifest (a release of the earlier system)")
    summary = {"record": display_path(found.record_path), **found.record.to_data()}
    rows = [
        ("tag", found.record.release_tag),
        ("model", found.record.model_path),
        ("record", summary["record"]),
    ]
    emit(summary, title="Release fetched and verified", rows=rows)


@github.command("comment")
@_REPO
@click.option("--pr", "number", type=click.IntRange(1), required=True, help="Number of the pull request.")
@click.option("--label", required=True, help="Which comment: the same label finds it again.")
@click.option(
    "--workflow", default="", envvar="GITHUB_WORKFLOW", help="Part of the marker  [GITHUB_WORKFLOW]"
)
@click.option("--body-file", type=FILE, required=True, help="Markdown.")
@click.option("--login", default=None, help="Who comments, for an App's token: its-name[bot].")
@_DRY_RUN
def comment(
    repository: str, number: int, label: str, workflow: str, body_file: Path, login: str | None, dry_run: bool
) -> None:
    """Write one comment on a pull request, or bring it up to date; never a second one."""
    from pipeline.github.comment import Place, keep_comment
    from pipeline.support.documents import read_text

    text = read_text(body_file)
    with _client() as client:
        client.need_token()
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
    emit(summary, title=f"Comment {kept.action}", rows=[("comment", kept.url or None)])


@github.command("context")
def context() -> None:
    """Tell what event this workflow runs for, as JSON: pull request, head and base, fork, trusted or not."""
    from pipeline.github.context import event_context

    found = event_context(os.environ)
    rows = [("event", found.event), ("trusted", found.trusted), ("because", found.reason)]
    emit(found.to_data(), title="Event", rows=rows)


def _client() -> GitHubClient:
    from pipeline.github.client import GitHubClient

    return GitHubClient.from_environment()
