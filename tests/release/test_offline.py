"""A plan of a publication without a host: the same steps, nobody asked, nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from release_files import write_bundle

from pipeline.release.offline import NoReleases, plan_offline
from pipeline.release.publication import publication_of
from pipeline.release.publish import publish_release
from pipeline.support.errors import RemoteError
from pipeline.support.patience import Patience


def test_the_plan_makes_a_draft_uploads_every_file_and_publishes(tmp_path: Path) -> None:
    wanted = publication_of(write_bundle(tmp_path / "dist", "1.2.3"), title="RePath Model")
    plan = plan_offline(wanted)
    assert plan.steps[0] == "make a draft"
    assert [step.split()[1] for step in plan.steps[1:-1]] == [file.name for file in wanted.files]
    assert plan.steps[-1] == "publish it"
    assert (plan.tag, plan.url, plan.latest, plan.prerelease) == ("v1.2.3", None, True, False)


def test_a_pre_release_is_planned_as_one(tmp_path: Path) -> None:
    plan = plan_offline(publication_of(write_bundle(tmp_path, "1.0.0-rc.1"), title="x"))
    assert plan.steps[-1] == "publish it as pre-release"
    assert not plan.latest


def test_nothing_can_be_published_where_there_is_no_host(tmp_path: Path) -> None:
    wanted = publication_of(write_bundle(tmp_path), title="x")
    with pytest.raises(RemoteError, match="there is no host, only a plan"):
        publish_release(NoReleases(), wanted, patience=Patience(tries=1))
