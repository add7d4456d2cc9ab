from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from github_server import API, REPO, FakeGitHub
from release_files import write_bundle

from pipeline.github.client import GitHubClient
from pipeline.github.host import GitHubReleases
from pipeline.release.publication import Publication
from pipeline.release.publish import publish_release
from pipeline.support.errors import UsageError


@pytest.mark.parametrize(
    "url",
    [
        "http://github.example.org",
        "ftp://127.0.0.1",
        "https://user:pass@github.example.org",
        "github",
        "https://[::1",
        "https://x:y",
    ],
)
def test_an_address_that_would_show_the_token_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="GITHUB_API_URL") as caught:
        GitHubClient("a-token", url)
    assert "pass" not in str(caught.value).replace("password", "")


def test_the_token_is_taken_from_either_variable_and_shown_nowhere() -> None:
    client = GitHubClient.from_environment(
        {"GH_TOKEN": " gh-token\n", "GITHUB_API_URL": "https://ghe.example.org/api/v3/"}
    )
    assert client.token == "gh-token"
    assert client.api_url == "https://ghe.example.org/api/v3"
    assert "gh-token" not in repr(client)
    assert GitHubClient.from_environment({"GITHUB_TOKEN": "one", "GH_TOKEN": "two"}).token == "one"
    with pytest.raises(UsageError, match="needs a token"):
        GitHubClient.from_environment({}).need_token()
    with pytest.raises(UsageError) as caught:
        GitHubClient("cut\noff")
    assert "cut" not in caught.value.message


def test_the_token_is_in_no_log_line_however_much_is_logged(
    client: GitHubClient, api: FakeGitHub, wanted: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    publish_release(GitHubReleases(client, REPO), wanted, patience=client.patience)
    assert caplog.text
    assert api.token not in caplog.text


def test_a_netrc_is_never_asked(
    client: GitHubClient,
    api: FakeGitHub,
    wanted: Publication,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    publish_release(GitHubReleases(client, REPO), wanted, patience=client.patience)
    assert all("authorization" not in headers for headers in api.storage_headers)


@pytest.mark.parametrize("data", [{"message": "x"}, [{"id": "1"}], [{}], [[]], "text"])
def test_answers_of_another_shape_are_refused_in_words(
    client: GitHubClient, api: FakeGitHub, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "handle", lambda request: (200, {}, data if data != "text" else '"text"'))
    with pytest.raises(Exception, match=r"GitHub") as caught:
        GitHubReleases(client, REPO).releases()
    assert "RepathError" in [base.__name__ for base in type(caught.value).__mro__]


def test_a_refused_publication_says_why(
    on_api: FakeGitHub, repath: Any, bundle: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "wrong-token")
    ran = repath("github", "publish-release", "--manifest", bundle, "--repo", REPO)
    assert ran.code == 1
    assert "refuses the token" in ran.err
    assert "wrong-token" not in ran.err + ran.out


def test_a_bundle_that_does_not_verify_never_reaches_github(
    on_api: FakeGitHub, repath: Any, bundle: Path
) -> None:
    (bundle.parent / "yolo-repath-v1.0.0.tflite").write_bytes(b"changed")
    ran = repath("github", "publish-release", "--manifest", bundle, "--repo", REPO)
    assert ran.code == 1
    assert on_api.requests == []


def test_the_command_publishes_and_a_rerun_changes_nothing(
    on_api: FakeGitHub, repath: Any, bundle: Path, tmp_path: Path
) -> None:
    sbom = tmp_path / "image.sbom.json"
    sbom.write_text("{}\n")
    call = ("github", "publish-release", "--manifest", bundle, "--repo", REPO, "--attach", sbom)
    assert repath(*call, "--dry-run").json["steps"][0] == "make a draft"
    assert on_api.releases == {}
    first, second = repath(*call), repath(*call)
    assert (first.json["unchanged"], second.json["unchanged"]) == (False, True)
    assert len(first.json["files"]) == 5


@pytest.mark.slow
def test_a_process_killed_by_the_system_at_any_request_goes_on_where_it_was(
    api: FakeGitHub, tmp_path: Path
) -> None:
    manifest = write_bundle(tmp_path / "dist")
    files = {path.name: path.read_bytes() for path in manifest.parent.iterdir()}
    api.expected = files
    environ = {**os.environ, "GITHUB_API_URL": f"{api.url}{API}", "GITHUB_TOKEN": api.token}
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "github",
        "publish-release",
        "--manifest",
        str(manifest),
        "--repo",
        REPO,
    ]
    for kill_at in range(0, 60, 3):
        api.releases.clear()
        api.new_round()
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:

            def kill(number: int) -> None:
                if number == kill_at:  # noqa: B023
                    os.kill(child.pid, signal.SIGKILL)

            api.after_request = kill
            child.communicate()
        finished = child.returncode == 0
        api.new_round()
        subprocess.run(command, env=environ, check=True, capture_output=True)
        [release] = api.of_tag("v1.0.0")
        assert not release["draft"]
        assert api.files(release) == files
        if finished:
            assert kill_at > 10
            return
    pytest.fail("the publication never ended by itself")
