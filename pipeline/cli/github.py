"""`repath github`: releases, candidates, pull requests, and what a workflow runs for."""

from __future__ import annotations

import click

from pipeline.cli.lazy import LazyGroup

_RELEASES = "pipeline.cli.github_releases"
_CANDIDATES = "pipeline.cli.github_candidates"
_PULLS = "pipeline.cli.github_pulls"
_RUNS = "pipeline.cli.github_runs"

COMMANDS = {
    "publish-release": (f"{_RELEASES}:publish_release", "Publish a verified bundle, whole or not at all."),
    "fetch-release": (f"{_RELEASES}:fetch_release", "Download a release as the app does, and verify it."),
    "fetch-attachments": (
        "pipeline.cli.github_attachments:fetch_attachments",
        "Take up what an earlier run attached to a release.",
    ),
    "publish-candidate": (
        f"{_CANDIDATES}:publish_candidate",
        "Store a candidate as a pre-release, and point to it by digest.",
    ),
    "fetch-candidate": (f"{_CANDIDATES}:fetch_candidate", "Bring the candidate that a pointer names."),
    "open-candidate-pr": (
        f"{_CANDIDATES}:open_candidate_pr",
        "Have one pull request that takes a candidate over.",
    ),
    "write-provenance": (
        f"{_RELEASES}:write_provenance",
        "Say what a bundle was built of, and by which run.",
    ),
    "comment": (f"{_PULLS}:comment", "Keep one comment on a pull request up to date."),
    "status": (f"{_PULLS}:status", "Set the status of a commit."),
    "find-pull-request": (f"{_PULLS}:find_pull_request", "Find the pull request that a finished run was of."),
    "fetch-artifact": (f"{_RUNS}:fetch_artifact", "Take the artefact of a run out, as data of others."),
    "context": (f"{_RUNS}:context", "Tell what event this workflow runs for."),
}


@click.command(cls=LazyGroup, lazy=COMMANDS)
def github() -> None:
    """Releases, candidates and pull requests on GitHub. Token: GITHUB_TOKEN or GH_TOKEN."""
