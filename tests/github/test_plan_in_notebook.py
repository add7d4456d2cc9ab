"""The plan that the release notebook shows, asked of a GitHub that it leaves as it is."""

from __future__ import annotations

from github_server import API, REPO, FakeGitHub

from pipeline.notebooks.publication import planned
from pipeline.release.publication import Publication


def test_with_a_token_and_a_repository_github_is_asked_and_nothing_changed(
    api: FakeGitHub, wanted: Publication
) -> None:
    environ = {"GITHUB_API_URL": f"{api.url}{API}", "GH_TOKEN": api.token, "GITHUB_REPOSITORY": REPO}
    plan, rests_on = planned(wanted, environ=environ)
    assert rests_on == f"asked of {REPO}; nothing was changed there"
    assert plan.steps[0] == "make a draft"
    assert api.releases == {}
