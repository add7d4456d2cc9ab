"""The token is sent to GitHub alone, and told to nobody: not in a log, an error, an output or a file."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import pytest
from candidate_files import CandidateFiles
from github_server import REPO, FakeGitHub

SHA = "a" * 40


@pytest.fixture
def calls(
    on_api: FakeGitHub, candidate: CandidateFiles, tmp_path: Path, bundle: Path
) -> list[tuple[object, ...]]:
    """Return every command that speaks to GitHub, in an order in which each has what it needs."""
    on_api.expected = None
    pointer, event, body = tmp_path / "candidate.json", tmp_path / "event.json", tmp_path / "body.md"
    run = {
        "id": 5, "event": "pull_request", "head_branch": "x", "head_sha": SHA,
        "head_repository": {"full_name": REPO},
    }  # fmt: skip
    event.write_text(json.dumps({"repository": {"full_name": REPO}, "workflow_run": run}))
    body.write_text("# Report\n")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("comparison.json", "{}")
    on_api.add_artifact(5, "comparison", packed.getvalue())
    commands: list[tuple[object, ...]] = [
        (
            "publish-candidate", "--candidate-dir", candidate.directory, "--results", candidate.results,
            "--comparison", candidate.comparison, "--pointer-out", pointer,
        ),
        ("fetch-candidate", "--pointer", pointer, "--candidates-root", tmp_path / "c"),
        ("open-candidate-pr", "--pointer", pointer),
        ("publish-release", "--manifest", bundle),
        ("fetch-release", "--tag", "v1.0.0", "--assets-dir", tmp_path / "a"),
        ("comment", "--pr", 7, "--label", "x", "--body-file", body),
        ("status", "--sha", SHA, "--state", "success", "--context", "x"),
        ("find-pull-request", "--event-path", event),
        ("fetch-artifact", "--run-id", 5, "--name", "comparison", "--out-dir", tmp_path / "z"),
    ]  # fmt: skip
    made: list[tuple[object, ...]] = [("github", name, "--repo", REPO, *rest) for name, *rest in commands]
    return [*made, ("data", "fetch", "--reference", REPO, "--into", tmp_path / "d")]


def test_no_command_tells_the_token_however_much_is_logged(
    on_api: FakeGitHub,
    repath: Any,
    calls: list[tuple[object, ...]],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    for call in calls:
        ran = repath(*call)
        assert ran.code == 0, (call, ran.err)
        assert on_api.token not in ran.out + ran.err, call
        assert "storage-secret" not in ran.out + ran.err, call
    assert caplog.text
    assert on_api.token not in caplog.text
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or on_api.token.encode() not in path.read_bytes(), path


def test_storage_never_sees_it(on_api: FakeGitHub, repath: Any, calls: list[tuple[object, ...]]) -> None:
    for call in calls:
        repath(*call)
    assert len(on_api.storage_headers) > 10
    assert all("authorization" not in headers for headers in on_api.storage_headers)


def test_a_refused_token_is_told_in_words_without_it(
    on_api: FakeGitHub,
    repath: Any,
    calls: list[tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    assert repath(*calls[0]).code == 0  # the others need its pointer
    monkeypatch.setenv("GITHUB_TOKEN", "a-token-that-is-refused")
    for call in calls:
        ran = repath(*call)
        assert (ran.code, ran.out) == (1, ""), call
        assert "GitHub refuses the token" in ran.err, call
        assert "a-token-that-is-refused" not in ran.err, call


def test_a_redirect_of_the_api_itself_is_not_followed_with_it(
    on_api: FakeGitHub, repath: Any, calls: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert repath(*calls[0]).code == 0
    monkeypatch.setattr(
        on_api, "handle", lambda request: (302, {"Location": f"{on_api.storage_url}/elsewhere"}, None)
    )
    for call in calls[1:]:
        ran = repath(*call)
        assert ran.code == 1, call
        assert on_api.token not in ran.err
    assert all("authorization" not in headers for headers in on_api.storage_headers)
