"""`repath github`: publish and fetch releases."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.common import DIRECTORY, FILE, note, setting, workspace
from pipeline.cli.github_common import (
    dry_run_option,
    emit_outputs,
    github_client,
    output_option,
    repo_option,
)
from pipeline.support.files import display_path, write_text

if TYPE_CHECKING:
    from pipeline.release.publication import Publication
    from pipeline.release.publish import Published


@click.command("publish-release")
@click.option("--manifest", type=FILE, required=True, help="The bundle's release-manifest-vX.Y.Z.json.")
@repo_option
@setting("--title", to="release.name", help="What the release's name begins with, before its tag.")
@click.option("--attach", type=FILE, multiple=True, help="One more file, such as an SBOM; may be repeated.")
@click.option("--commit", default=None, help="Commit for the tag, where there is no such tag yet.")
@dry_run_option
@output_option
def publish_release(
    manifest: Path,
    repository: str,
    title: str,
    attach: tuple[Path, ...],
    commit: str | None,
    dry_run: bool,
    github_output: bool,
) -> None:
    """Publish a verified bundle: draft, files, every digest read back, and only then public. Run it again
    where it stops; a version that is published already is compared and never changed."""
    from pipeline.github.host import GitHubReleases
    from pipeline.release import publish
    from pipeline.release.publication import publication_of

    wanted = publication_of(manifest, title=title, attachments=attach, commit=commit)
    with github_client() as client:
        act = publish.plan_release if dry_run else publish.publish_release
        done = act(GitHubReleases(client, repository), wanted, patience=client.patience)
    emit_outputs(
        published_summary(wanted, done, dry_run=dry_run),
        github_output=github_output,
        title=published_title(done, dry_run=dry_run),
        rows=published_rows(done),
    )


def published_summary(wanted: Publication, done: Published, *, dry_run: bool) -> dict[str, object]:
    """Return what is printed of a publication."""
    return {
        "tag": done.tag,
        "url": done.url,
        "dry_run": dry_run,
        "unchanged": done.unchanged,
        "prerelease": done.prerelease,
        "latest": done.latest,
        "files": [{"filename": f.name, "sha256": f.sha256, "bytes": f.bytes} for f in wanted.files],
        "steps": list(done.steps),
    }


def published_title(done: Published, *, dry_run: bool) -> str:
    """Return how a publication ended, in a word or two."""
    if done.unchanged:
        return "Published already, unchanged"
    return "Would be done" if dry_run else "Published"


def published_rows(done: Published) -> list[tuple[str, object]]:
    """Return the table of a publication."""
    rows: list[tuple[str, object]] = [("tag", done.tag), ("release", done.url)]
    return rows + [(str(number), step) for number, step in enumerate(done.steps, start=1)]


@click.command("fetch-release")
@click.option("--tag", default="latest", show_default=True, help="vX.Y.Z or latest.")
@repo_option
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
@click.option(
    "--allow-none", is_flag=True, help="With --tag latest: no release yet is no error, and found is false."
)
@output_option
def fetch_release(
    tag: str,
    repository: str,
    assets_dir: Path,
    out: Path | None,
    max_model_mb: int,
    allow_none: bool,
    github_output: bool,
) -> None:
    """Download a release as the app does, verify it, and place its files, all or none."""
    from pipeline.github import fetch
    from pipeline.github.host import GitHubReleases
    from pipeline.support.errors import UsageError

    if allow_none and tag != fetch.LATEST:
        raise UsageError("--allow-none goes with --tag latest: a version that is named must be there")
    with github_client(token=False) as client:
        host = GitHubReleases(client, repository)
        if allow_none and host.none_yet():
            none = {"found": False, "requested_version": tag, "repo": repository}
            rows: list[tuple[str, object]] = [("repository", repository)]
            emit_outputs(none, github_output=github_output, title="There is no release yet", rows=rows)
            return
        found = fetch.fetch_release(
            host,
            repository=repository,
            tag=tag,
            assets_dir=assets_dir,
            out=out,
            max_model_bytes=max_model_mb << 20,
            root=workspace().root,
        )
    if not found.manifest_sealed:
        note("SHA256SUMS does not cover the manifest (a release of the earlier system)")
    summary = {"found": True, "record": display_path(found.record_path), **found.record.to_data()}
    rows = [
        ("tag", found.record.release_tag),
        ("model", found.record.model_path),
        ("record", summary["record"]),
    ]
    emit_outputs(summary, github_output=github_output, title="Release fetched and verified", rows=rows)


@click.command("write-provenance")
@click.option("--manifest", type=FILE, required=True, help="The bundle's release-manifest-vX.Y.Z.json.")
@click.option("--out", type=FILE, required=True, help="The in-toto statement to write.")
@click.option("--predicate-out", type=FILE, default=None, help="Its predicate alone, for a tool that signs.")
@click.option("--candidate-dir", type=DIRECTORY, default=None, help="The candidate that is released.")
@click.option("--results", type=FILE, default=None, help="What was measured of it.")
@click.option("--comparison", type=FILE, default=None, help="The comparison that the gate was applied to.")
@click.option("--data-record", type=FILE, default=None, help="The .repath-data.json of `data fetch`.")
@click.option("--material", "materials", type=FILE, multiple=True, help="One more file; may be repeated.")
@output_option
def write_provenance(
    manifest: Path,
    out: Path,
    predicate_out: Path | None,
    candidate_dir: Path | None,
    results: Path | None,
    comparison: Path | None,
    data_record: Path | None,
    materials: tuple[Path, ...],
    github_output: bool,
) -> None:
    """Say what a verified bundle was built of, and by which run of which workflow: an in-toto statement with
    SLSA provenance, to be attached to the release, or its predicate to be signed."""
    from pipeline.contracts.dataset import DataRecord
    from pipeline.github import provenance
    from pipeline.release.verify import verify_release
    from pipeline.support.candidates import METADATA, open_candidate
    from pipeline.support.documents import read_json

    run = provenance.workflow_run(os.environ)
    own: list[Path] = []
    if candidate_dir is not None:
        candidate = open_candidate(candidate_dir)
        own = [candidate.model, candidate.labels, candidate_dir / METADATA]
    statement = provenance.provenance_statement(
        verify_release(manifest),
        run,
        materials=[*own, *(path for path in (results, comparison) if path is not None), *materials],
        data=read_json(data_record, DataRecord) if data_record else None,
    )
    write_text(out, _json_text(statement))
    if predicate_out is not None:
        write_text(predicate_out, _json_text(statement["predicate"]))
    definition = statement["predicate"]["buildDefinition"]
    summary = {
        "provenance": display_path(out),
        "predicate": display_path(predicate_out) if predicate_out else None,
        "predicate_type": statement["predicateType"],
        "subjects": [item["name"] for item in statement["subject"]],
        "dependencies": len(definition["resolvedDependencies"]),
    }
    rows = [("written", summary["provenance"]), ("files", len(statement["subject"])), ("commit", run.sha)]
    emit_outputs(summary, github_output=github_output, title="Provenance", rows=rows)


def _json_text(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
