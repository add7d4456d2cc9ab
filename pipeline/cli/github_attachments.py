"""`repath github fetch-attachments`: what an earlier run attached to a release."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.common import DIRECTORY, FILE, note
from pipeline.cli.github_common import emit_outputs, github_client, output_option, repo_option
from pipeline.support.files import display_path


@click.command("fetch-attachments")
@click.option("--manifest", type=FILE, required=True, help="The bundle's release-manifest-vX.Y.Z.json.")
@click.option("--out-dir", type=DIRECTORY, required=True, help="Gets them, in the place of those made anew.")
@repo_option
@output_option
def fetch_attachments(manifest: Path, out_dir: Path, repository: str, github_output: bool) -> None:
    """Take up the provenance (*.sigstore.json) and SBOM (*.cdx.json) that an earlier run attached to this
    release, published or still a draft: made anew they would be other bytes. What is cut or speaks of other
    files is left."""
    from pipeline.contracts.release import ReleaseManifest
    from pipeline.github import attachments
    from pipeline.github.host import GitHubReleases
    from pipeline.support.documents import read_json

    wanted = read_json(manifest, ReleaseManifest)
    with github_client() as client:
        found = attachments.fetch_attachments(GitHubReleases(client, repository), wanted, out_dir=out_dir)
    for name, why in found.left.items():
        note(f"{name} of {wanted.tag} is left: {why}")
    summary = {
        "tag": wanted.tag,
        "kept": [display_path(path) for path in found.kept],
        "left": found.left,
    }
    rows: list[tuple[str, object]] = [("kept", ", ".join(path.name for path in found.kept) or "nothing")]
    emit_outputs(summary, github_output=github_output, title=f"Attached to {wanted.tag}", rows=rows)
