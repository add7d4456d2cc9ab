"""`repath data fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common import DIRECTORY, emit, http_client, workspace
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path

if TYPE_CHECKING:
    from pipeline.contracts.settings import Data
    from pipeline.github.references import Reference


@click.command("fetch")
@click.option(
    "--reference",
    "references",
    multiple=True,
    help="owner/name@ref:path, https://host/a.zip#sha256=<hex>, or owner/name@tag/a.zip#sha256=<hex> for a "
    "file of a release; may be repeated, and stands in the place of [data]. Empty ones are passed over.",
)
@click.option("--repository", default=None, help="owner/name  [repath.toml: data.repository]")
@click.option("--ref", default=None, help="Branch, tag or commit  [repath.toml: data.ref]")
@click.option("--path", default=None, help="Folder of that repository  [repath.toml: data.path]")
@click.option("--archive", "archives", multiple=True, help="An archive by url or of a release, with digest.")
@click.option("--into", type=DIRECTORY, default=None, help="Folder to fill  [repath.toml: data.into]")
def fetch(
    references: tuple[str, ...],
    repository: str | None,
    ref: str | None,
    path: str | None,
    archives: tuple[str, ...],
    into: Path | None,
) -> None:
    """Bring the data that [data] of repath.toml or a flag names: a folder of a repository at a commit, and
    archives of class folders by digest. All of it comes to stand in one folder, whole or not at all, with a
    record of commit and digests. Pictures by url are no part of it: manifests name them."""
    from pipeline.github.client import GitHubClient
    from pipeline.github.data import fetch_data

    space = workspace()
    settings = space.settings.data
    wanted = _wanted(settings, references, repository, ref, path, archives)
    folder = into or space.root / settings.into
    if not wanted:
        none: dict[str, object] = {"fetched": False, "into": display_path(folder), "sources": []}
        emit(none, title="[data] names nothing to fetch", rows=[("folder", none["into"])])
        return
    if not space.settings.download.enabled:
        raise UsageError("nothing is fetched: download.enabled is false in repath.toml")
    with GitHubClient.from_environment() as client, http_client() as http:
        done = fetch_data(wanted, client=client, http=http, into=folder, max_bytes=settings.max_bytes)
    record = done.record.to_data()
    summary = {"fetched": True, "unchanged": done.unchanged, "into": display_path(folder), **record}
    title = "Data is there already, unchanged" if done.unchanged else "Data fetched"
    rows = [(source.reference, f"{source.files:,} files") for source in done.record.sources]
    emit(summary, title=title, rows=[*rows, ("folder", summary["into"])])


def _wanted(
    settings: Data,
    references: tuple[str, ...],
    repository: str | None,
    ref: str | None,
    path: str | None,
    archives: tuple[str, ...],
) -> list[Reference]:
    from pipeline.github.references import checked_references, parse_reference, references_of

    named = [text for text in references if text.strip()]
    single = repository is not None or ref is not None or path is not None or bool(archives)
    if named and single:
        raise UsageError("--reference stands alone, or --repository, --ref, --path and --archive do")
    if named:
        return checked_references([parse_reference(text) for text in named])
    if repository is not None and repository != settings.repository:
        # Another repository has refs and folders of its own.
        settings = settings.model_copy(update={"ref": None, "path": ""})
    given = {"repository": repository, "ref": ref, "path": path, "archives": list(archives) or None}
    return references_of(settings.model_copy(update={k: v for k, v in given.items() if v is not None}))
