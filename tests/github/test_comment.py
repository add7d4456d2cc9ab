from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from github_server import API, FAULTS, REPO, STOPS, FakeGitHub, Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.github.client import GitHubClient
from pipeline.github.comment import ACTIONS_BOT, MAX_BODY, Kept, Place, comment_body, keep_comment
from pipeline.support.errors import InputError, RemoteError, RepathError, UsageError
from pipeline.support.patience import Patience

PLACE = Place(REPO, 7, "benchmark", "Compare")


def keep(client: GitHubClient, text: str = "All is well.", place: Place = PLACE) -> Kept:
    return keep_comment(client, place, text)


def bodies(api: FakeGitHub) -> list[str]:
    return [item["body"].partition("\n")[2] for item in api.comments.values()]


def test_a_comment_is_made_once_and_then_kept_up_to_date(api: FakeGitHub, client: GitHubClient) -> None:
    assert keep(client, "First.").action == "created"
    assert keep(client, "Second.").action == "updated"
    assert keep(client, "Second.").action == "unchanged"
    assert bodies(api) == ["Second."]


def test_the_comment_is_found_on_whichever_page_it_is(api: FakeGitHub, client: GitHubClient) -> None:
    for number in range(40):
        api.add_comment(7, f"talk {number}", "somebody")
    keep(client, "First.")
    for number in range(250):
        api.add_comment(7, f"more talk {number}", "somebody")
    assert keep(client, "Second.").action == "updated"
    assert len(api.comments) == 291


def test_labels_workflows_and_pull_requests_have_comments_of_their_own(
    api: FakeGitHub, client: GitHubClient
) -> None:
    others = (
        Place(REPO, 7, "training", "Compare"),
        Place(REPO, 7, "benchmark", "Other"),
        Place(REPO, 8, "benchmark", "Compare"),
    )
    for place in (PLACE, *others, PLACE):
        keep(client, place=place)
    assert len(api.comments) == 4


@pytest.mark.parametrize("login", ["mallory", "github-actions", "github-actions[bot]x"])
def test_a_marker_in_somebody_elses_comment_is_not_believed(
    api: FakeGitHub, client: GitHubClient, login: str
) -> None:
    forged = api.add_comment(7, comment_body(PLACE, "I am the report."), login)
    assert keep(client).action == "created"
    assert "I am the report." in api.comments[forged]["body"]


def test_a_marker_inside_the_body_neither_stands_nor_is_found(api: FakeGitHub, client: GitHubClient) -> None:
    other = Place(REPO, 7, "training", "Compare")
    keep(client, f"| label |\n{other.marker}\n<!--   REPATH-MODEL:comment x -->")
    assert bodies(api)[0].count("<!--") == 0
    assert keep(client, "Mine.", other).action == "created"
    assert len(api.comments) == 2


def test_a_marker_that_ends_the_hidden_comment_is_encoded() -> None:
    marker = Place(REPO, 7, "--> <script>\n@everyone", "a b").marker
    assert marker.count("-->") == 1
    assert marker.endswith(" -->")
    assert not {"\n", "@"} & set(marker)


def test_who_we_are_is_asked_and_is_the_actions_bot_where_that_is_not_allowed(
    api: FakeGitHub, client: GitHubClient
) -> None:
    api.login, api.may_ask_user = "a-person", True
    keep(client, "First.")
    assert keep(client, "Second.").action == "updated"
    api.login, api.may_ask_user = ACTIONS_BOT, False
    assert keep(client, "Third.").action == "created"  # a person's comment is not the bot's


def test_an_app_that_is_not_told_its_name_still_has_one_comment(
    api: FakeGitHub, client: GitHubClient
) -> None:
    api.login = "our-app[bot]"
    for text in ("First.", "Second.", "Third."):
        keep(client, text)
    assert bodies(api) == ["Third."]


def test_two_runs_at_once_leave_one_comment(api: FakeGitHub) -> None:
    gate = threading.Barrier(2, timeout=60)

    def together(request: Request) -> None:
        if request.method == "POST":
            api._lock.release()
            try:
                gate.wait()
            finally:
                api._lock.acquire()

    api.fault_for = together
    done: list[Kept] = []

    def one_run() -> None:
        with GitHubClient(api.token, f"{api.url}{API}", Patience(sleep=lambda s: None)) as client:
            done.append(keep(client))

    runs = [threading.Thread(target=one_run) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(done) == 2
    assert len(api.comments) == 1
    assert {kept.comment_id for kept in done} == set(api.comments)


@pytest.mark.parametrize("fault", [*FAULTS, *STOPS])
@pytest.mark.parametrize("at", range(4))
def test_a_fault_at_any_request_leaves_one_comment_in_the_end(
    api: FakeGitHub, client: GitHubClient, fault: str, at: int
) -> None:
    api.faults = [None] * at + [fault]
    try:
        keep(client)
    except RepathError:
        keep(client)
    assert bodies(api) == ["All is well."]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.sampled_from([None, None, *FAULTS]), max_size=30))
def test_no_sequence_of_faults_leaves_two_comments(
    api: FakeGitHub, client: GitHubClient, faults: list[str | None]
) -> None:
    api.comments.clear()
    api.new_round()
    api.faults = list(faults)
    with contextlib.suppress(RepathError):
        keep(client, "First.")
    api.new_round()
    keep(client, "Second.")
    assert bodies(api) == ["Second."]


def test_a_client_killed_after_any_request_leaves_one_comment(
    api: FakeGitHub, client: GitHubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    original = requests.Session.send
    for number in range(4):
        api.comments.clear()
        seen: list[Any] = []

        def counted(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
            answer = original(self, request, **kwargs)
            seen.append(request)  # noqa: B023
            if len(seen) == number + 1:  # noqa: B023
                raise Killed
            return answer

        monkeypatch.setattr(requests.Session, "send", counted)
        with pytest.raises(Killed):
            keep(client)
        monkeypatch.setattr(requests.Session, "send", original)
        keep(client)
        assert len(api.comments) == 1


@given(st.text(max_size=300), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_long_body_is_cut_to_what_github_takes(text: str, fences: int) -> None:
    body = comment_body(PLACE, ("line 😀\n" + text + "\n```\n" * fences + "<details>\n") * 9_000)
    assert len(body.encode("utf-16-le", errors="surrogatepass")) // 2 <= MAX_BODY
    assert body.startswith(PLACE.marker + "\n")
    assert "Cut here" in body


def test_an_empty_body_and_a_number_that_is_none_are_refused(client: GitHubClient) -> None:
    with pytest.raises(InputError, match="empty"):
        comment_body(PLACE, " \r\n\0")
    with pytest.raises(UsageError, match="not the number"):
        keep(client, place=Place(REPO, 0, "x"))
    with pytest.raises(UsageError, match="not a repository"):
        keep_comment(client, Place("../../user", 7, "x"), "text", login="x")


def test_a_refused_token_is_told_without_the_token(api: FakeGitHub) -> None:
    made = GitHubClient("another-token", f"{api.url}{API}", Patience(sleep=lambda s: None))
    with made as client, pytest.raises(RemoteError, match="refuses the token") as caught:
        keep(client)
    assert "another-token" not in str(caught.value)


def test_the_command_writes_the_comment(on_api: FakeGitHub, repath: Any, tmp_path: Path) -> None:
    body = tmp_path / "body.md"
    body.write_text("# Report\n")
    call = ("github", "comment", "--repo", REPO, "--pr", 7, "--label", "benchmark", "--body-file", body)
    assert repath(*call, "--dry-run").json["action"] == "would be created"
    assert on_api.comments == {}
    assert repath(*call).json["action"] == "created"
    again = repath(*call)
    assert (again.code, again.json["action"]) == (0, "unchanged")
    assert on_api.token not in again.out + again.err
