"""The plan of a publication in a notebook: asked of GitHub where a token is set, else made without it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pipeline.release.publication import Publication
from pipeline.release.publish import Published, plan_release


def planned(publication: Publication, *, environ: Mapping[str, str] | None = None) -> tuple[Published, str]:
    """Return what publishing would do, and what the plan rests on, in words. Nothing is changed anywhere.

    Args:
        publication: what is to be published.
        environ: the environment. With ``GITHUB_REPOSITORY`` and ``GITHUB_TOKEN`` or ``GH_TOKEN`` the plan is
            made against that repository, as `repath github publish-release --dry-run` does.

    Raises:
        ReleaseError: the tag is published with other files.
        RemoteError: GitHub refuses or does not answer.
    """
    environ = os.environ if environ is None else environ
    token = (environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or "").strip()
    repository = environ.get("GITHUB_REPOSITORY", "").strip()
    if not token or not repository:
        from pipeline.release.offline import plan_offline

        lacking = " and ".join(
            name for name, value in (("GITHUB_REPOSITORY", repository), ("GITHUB_TOKEN", token)) if not value
        )
        return plan_offline(publication), (
            f"{lacking} not set, so GitHub was not asked: this is the plan for a repository that holds no "
            f"release {publication.tag} yet"
        )
    from pipeline.github.client import GitHubClient
    from pipeline.github.host import GitHubReleases

    with GitHubClient.from_environment(environ) as client:
        plan = plan_release(GitHubReleases(client, repository), publication, patience=client.patience)
    return plan, f"asked of {repository}; nothing was changed there"
