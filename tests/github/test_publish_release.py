from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from github_server import API, FAULTS, REPO, STOPS, FakeGitHub, Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from release_files import write_bundle

from pipeline.github.client import GitHubClient
from pipeline.github.host import GitHubReleases
from pipeline.release.publication import Publication, publication_of
from pipeline.release.publish import Published, plan_release, publish_release
from pipeline.support.errors import ReleaseError, RemoteError, RepathError
from pipeline.support.patience import Patience


def publish(client: GitHubClient, wanted: Publication) -> Published:
    return publish_release(GitHubReleases(client, REPO), wanted, patience=client.patience)


def only_release(api: FakeGitHub, tag: str = "v1.0.0") -> dict[str, Any]:
    [release] = api.of_tag(tag)
    return release


def assert_whole(api: FakeGitHub, wanted: Publication) -> None:
    release = only_release(api, wanted.tag)
    assert not release["draft"]
    assert api.files(release) == {file.name: file.path.read_bytes() for file in wanted.files}


def test_a_bundle_is_published_with_every_file_and_as_the_latest(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    done = publish(client, wanted)
    assert_whole(api, wanted)
    assert only_release(api)["latest"]
    assert (done.unchanged, done.latest, done.prerelease) == (False, True, False)
    assert only_release(api)["name"] == "RePath Model v1.0.0"


def test_every_request_and_answer_is_as_github_describes_them(
    api: FakeGitHub, client: GitHubClient, wanted: Publication, description: object
) -> None:
    if isinstance(description, str):
        pytest.skip(description)
    publish(client, wanted)
    assert api.description is not None
    assert api.description.checked >= 10
    assert api.violations == []


def test_files_are_read_back_before_the_draft_becomes_public(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    publish(client, wanted)
    changes = [request.method for request in api.requests if request.method != "GET"]
    assert changes == ["POST"] * (1 + len(wanted.files)) + ["PATCH"]
    assert len(api.storage_headers) == len(wanted.files)


def test_a_finished_version_is_a_no_op_with_the_same_bytes(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    publish(client, wanted)
    api.new_round()
    assert publish(client, wanted).unchanged
    assert {request.method for request in api.requests} == {"GET"}


def test_a_finished_version_with_other_bytes_is_an_error_and_stays_as_it_is(
    api: FakeGitHub, client: GitHubClient, wanted: Publication, tmp_path: Path
) -> None:
    publish(client, wanted)
    other = publication_of(write_bundle(tmp_path / "other", "1.0.0", b"another model"), title="RePath Model")
    with pytest.raises(
        ReleaseError, match=r"published already, with other files(.|\n)*tflite has other bytes"
    ):
        publish(client, other)
    assert_whole(api, wanted)


def test_a_pre_release_is_published_as_one_and_never_becomes_the_latest(
    api: FakeGitHub, client: GitHubClient, make_bundle: Callable[..., Path]
) -> None:
    wanted = publication_of(make_bundle("1.2.0-rc.1"), title="RePath Model")
    done = publish(client, wanted)
    release = only_release(api, "v1.2.0-rc.1")
    assert (release["prerelease"], release["latest"], done.latest) == (True, False, False)


def test_a_later_fix_of_an_older_version_does_not_become_the_latest(
    api: FakeGitHub, client: GitHubClient, make_bundle: Callable[..., Path]
) -> None:
    for version in ("2.0.0", "1.0.1"):
        publish(client, publication_of(make_bundle(version), title="RePath Model"))
    assert only_release(api, "v2.0.0")["latest"]
    assert not only_release(api, "v1.0.1")["latest"]


def test_a_draft_on_a_later_page_is_found_and_its_text_kept(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    host = GitHubReleases(client, REPO)
    texts = {"name": "By hand", "notes": "Written by hand.", "prerelease": False, "commit": None}
    host.create_draft(tag="v1.0.0", **texts)
    for number in range(5):
        host.create_draft(tag=f"v0.0.{number}", **texts)
    api.per_page = 2
    publish(client, wanted)
    assert_whole(api, wanted)
    assert only_release(api)["body"] == "Written by hand."


def test_a_draft_that_holds_foreign_files_is_not_published(
    api: FakeGitHub, client: GitHubClient, wanted: Publication, tmp_path: Path
) -> None:
    host = GitHubReleases(client, REPO)
    draft = host.create_draft(tag="v1.0.0", name="x", notes="", prerelease=False, commit=None)
    foreign = publication_of(write_bundle(tmp_path / "foreign", "3.0.0"), title="x").files[0]
    host.upload(draft, foreign)
    with pytest.raises(ReleaseError, match=r"not of v1\.0\.0: yolo-repath-v3\.0\.0\.tflite"):
        publish(client, wanted)
    assert only_release(api)["draft"]


def test_two_drafts_that_people_wrote_are_left_to_people(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    host = GitHubReleases(client, REPO)
    for name in ("One", "Two"):
        host.create_draft(tag="v1.0.0", name=name, notes="", prerelease=False, commit=None)
    with pytest.raises(ReleaseError, match="two drafts"):
        publish(client, wanted)
    assert len(api.of_tag("v1.0.0")) == 2


def test_a_second_draft_of_our_own_is_removed(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    host = GitHubReleases(client, REPO)
    drafts = [
        host.create_draft(tag="v1.0.0", name=wanted.name, notes=wanted.notes, prerelease=False, commit=None)
        for _ in range(2)
    ]
    host.upload(drafts[1], wanted.files[0])
    publish(client, wanted)
    assert_whole(api, wanted)
    assert only_release(api)["id"] == drafts[0].id


def test_a_run_that_another_one_overtakes_compares_and_tidies_up(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    raced: list[bool] = []

    def other_run(request: Request) -> None:
        # Just before this run publishes, another run's draft of the same tag becomes public.
        if request.method == "PATCH" and not raced:
            raced.append(True)
            release = only_release(api)
            twin = {**release, "id": api.new_id(), "draft": False, "assets": []}
            for asset in release["assets"]:
                copy = {**asset, "id": api.new_id()}
                api.blobs[copy["id"]] = api.blobs[asset["id"]]
                twin["assets"].append(copy)
            api.releases[twin["id"]] = twin

    api.fault_for = other_run
    assert publish(client, wanted).unchanged
    assert_whole(api, wanted)


@pytest.mark.parametrize("fault", [*FAULTS, *STOPS])
@pytest.mark.parametrize("at", range(12))
def test_a_fault_at_any_request_never_makes_half_a_release(
    api: FakeGitHub, client: GitHubClient, wanted: Publication, fault: str, at: int
) -> None:
    api.faults = [None] * at + [fault]
    try:
        publish(client, wanted)
    except RepathError:
        api.new_round()
        publish(client, wanted)
    assert_whole(api, wanted)


@pytest.mark.parametrize("fault", ["429", "secondary"])
def test_a_rate_limit_is_waited_out_for_as_long_as_github_asks(
    api: FakeGitHub, client: GitHubClient, wanted: Publication, waits: list[float], fault: str
) -> None:
    api.faults = [fault, None, None, fault]
    publish(client, wanted)
    assert waits == [{"429": 3.0, "secondary": 2.0}[fault]] * 2
    assert_whole(api, wanted)


def test_a_spent_rate_limit_stops_with_the_time_to_come_back(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    api.faults = [None] * 5 + ["rate-out"]
    with pytest.raises(RemoteError, match="rate limit is spent") as caught:
        publish(client, wanted)
    assert "minutes" in str(caught.value)
    assert only_release(api)["draft"]
    api.new_round()
    publish(client, wanted)
    assert_whole(api, wanted)


class Killed(BaseException):
    """What SIGKILL is to the code that runs: no handler of ours is to see it."""


def test_a_client_killed_after_any_request_goes_on_where_it_was(
    wanted: Publication, client: GitHubClient, api: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = requests.Session.send
    kills = 0
    for number in range(200):
        api.releases.clear()
        api.new_round()
        send, seen = original, []

        def counted(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
            answer = send(self, request, **kwargs)  # noqa: B023
            seen.append(request)  # noqa: B023
            if len(seen) == number + 1:  # noqa: B023
                raise Killed
            return answer

        monkeypatch.setattr(requests.Session, "send", counted)
        try:
            publish(client, wanted)
        except Killed:
            kills += 1
        else:
            break
        finally:
            monkeypatch.setattr(requests.Session, "send", original)
        publish(client, wanted)
        assert_whole(api, wanted)
    assert kills > 20  # five files: each looked for, sent, and read back from two hosts


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    faults=st.lists(st.sampled_from([None, None, None, *FAULTS, *STOPS]), max_size=60),
    rounds=st.integers(1, 3),
)
def test_no_sequence_of_faults_makes_half_a_release_and_a_rerun_completes(
    api: FakeGitHub, client: GitHubClient, wanted: Publication, faults: list[str | None], rounds: int
) -> None:
    api.releases.clear()
    api.new_round()
    api.faults = list(faults)
    for _ in range(rounds):
        with contextlib.suppress(RepathError):
            publish(client, wanted)
        assert api.violations == []
    api.new_round()
    publish(client, wanted)
    assert_whole(api, wanted)
    assert api.violations == []


def test_a_dry_run_changes_nothing_and_says_what_it_would_do(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    plan = plan_release(GitHubReleases(client, REPO), wanted, patience=client.patience)
    assert plan.steps[0] == "make a draft"
    assert plan.steps[-1] == "publish it"
    assert len(plan.steps) == 2 + len(wanted.files)
    assert {request.method for request in api.requests} == {"GET"}


def test_a_model_of_megabytes_is_sent_in_a_stream(
    api: FakeGitHub, client: GitHubClient, make_bundle: Callable[..., Path]
) -> None:
    wanted = publication_of(make_bundle("1.0.0", bytes(range(256)) * 12_345), title="RePath Model")
    publish(client, wanted)
    assert_whole(api, wanted)


@pytest.mark.parametrize("times", [1, 3])
def test_a_connection_cut_in_the_middle_of_an_upload_is_tried_again(
    api: FakeGitHub, client: GitHubClient, make_bundle: Callable[..., Path], times: int
) -> None:
    wanted = publication_of(make_bundle("1.0.0", bytes(range(256)) * 40_000), title="RePath Model")
    api.expected = {file.name: file.path.read_bytes() for file in wanted.files}
    api.break_uploads = times
    publish(client, wanted)
    assert api.break_uploads == 0
    assert_whole(api, wanted)


def test_the_token_goes_to_no_upload_host_but_githubs(
    api: FakeGitHub, client: GitHubClient, wanted: Publication
) -> None:
    host = GitHubReleases(client, REPO)
    draft = host.create_draft(tag="v1.0.0", name="x", notes="", prerelease=False, commit=None)
    elsewhere = type(draft)(
        **{**{f: getattr(draft, f) for f in draft.__slots__}, "upload_url": f"{api.storage_url}/x"}
    )
    with pytest.raises(RemoteError, match="gets no token"):
        host.upload(elsewhere, wanted.files[0])


def test_patience_is_counted_so_a_server_that_never_answers_ends_in_words(
    api: FakeGitHub, wanted: Publication
) -> None:
    api.fault_for = lambda request: "500"
    made = GitHubClient(api.token, f"{api.url}{API}", Patience(tries=3, sleep=lambda s: None))
    with made as client, pytest.raises(RemoteError, match="3 times"):
        publish(client, wanted)
    assert len(api.requests) == 3
