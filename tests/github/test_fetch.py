from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from github_server import REPO, FakeGitHub

from pipeline.contracts.candidate import ActiveModelRelease
from pipeline.github.client import GitHubClient
from pipeline.github.fetch import FetchedRelease, fetch_release
from pipeline.github.host import GitHubReleases
from pipeline.release.publication import Publication, publication_of
from pipeline.release.publish import publish_release
from pipeline.support.documents import read_json
from pipeline.support.errors import OutputError, ReleaseError, RemoteError, RemoteMissingError, RepathError

FILES = [
    "active-model.release.json",
    "yolo-repath.labels.json",
    "yolo-repath.release-manifest.json",
    "yolo-repath.tflite",
]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def published(client: GitHubClient, wanted: Publication, api: FakeGitHub) -> Publication:
    publish_release(GitHubReleases(client, REPO), wanted, patience=client.patience)
    api.new_round()
    return wanted


def fetch(client: GitHubClient, folder: Path, tag: str = "v1.0.0", **more: Any) -> FetchedRelease:
    return fetch_release(
        GitHubReleases(client, REPO), repository=REPO, tag=tag, assets_dir=folder, root=folder.parent, **more
    )


def spoil(api: FakeGitHub, ending: str, change: Callable[[bytes], bytes]) -> None:
    [release] = api.of_tag("v1.0.0")
    for asset in release["assets"]:
        if asset["name"].endswith(ending):
            api.blobs[asset["id"]] = change(api.blobs[asset["id"]])


def test_a_release_is_fetched_and_recorded_as_the_app_records_it(
    client: GitHubClient, published: Publication, tmp_path: Path, real: Path
) -> None:
    folder = tmp_path / "assets"
    found = fetch(client, folder)
    assert names(folder) == FILES
    assert (folder / "yolo-repath.tflite").read_bytes() == published.files[0].path.read_bytes()
    written = json.loads(found.record_path.read_text())
    example = json.loads((real / "repath-mobile" / "active-model.release.json").read_text())

    def shape(value: Any) -> Any:
        return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else type(value)

    assert shape(written) == shape(example)
    assert list(written) == list(example)
    assert written["release_name"] == "RePath Model v1.0.0"
    assert written["model_path"] == "assets/yolo-repath.tflite"
    assert written["verification"]["model"]["sha256"] == published.files[0].sha256
    assert read_json(found.record_path, ActiveModelRelease).to_json() == found.record_path.read_bytes()


@pytest.mark.parametrize("place", ["http://[", "https://user:pass@x", "file:///etc", "https://x:y"])
def test_a_redirect_to_what_is_no_address_is_told(
    client: GitHubClient, published: Publication, api: FakeGitHub, tmp_path: Path, place: str
) -> None:
    api.storage_url = place
    with pytest.raises(RemoteError, match="a redirect: "):
        fetch(client, tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


def test_latest_is_the_newest_version_that_is_no_pre_release(
    client: GitHubClient,
    published: Publication,
    make_bundle: Callable[..., Path],
    tmp_path: Path,
    api: FakeGitHub,
) -> None:
    api.expected = None
    rc = publication_of(make_bundle("2.0.0-rc.1"), title="RePath Model")
    publish_release(GitHubReleases(client, REPO), rc, patience=client.patience)
    record = fetch(client, tmp_path / "assets", "latest").record
    assert (record.requested_version, record.release_tag) == ("latest", "v1.0.0")


@pytest.mark.parametrize("ending", [".tflite", ".labels.json", "SHA256SUMS", "v1.0.0.json"])
@pytest.mark.parametrize(
    "change", [lambda data: data[:-1] + b"~", lambda data: data[:-1], lambda data: data + b"x"]
)
def test_a_file_that_is_not_the_one_listed_places_nothing(
    client: GitHubClient,
    api: FakeGitHub,
    published: Publication,
    tmp_path: Path,
    ending: str,
    change: Callable[[bytes], bytes],
) -> None:
    spoil(api, ending, change)
    with pytest.raises(RepathError):
        fetch(client, tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


def test_what_stood_there_stands_where_one_file_cannot_be_placed(
    client: GitHubClient, published: Publication, tmp_path: Path
) -> None:
    folder = tmp_path / "assets"
    folder.mkdir()
    (folder / "yolo-repath.tflite").write_bytes(b"the old model")
    (folder / "active-model.release.json").mkdir()
    with pytest.raises(OutputError):
        fetch(client, folder)
    assert (folder / "yolo-repath.tflite").read_bytes() == b"the old model"
    assert names(folder) == ["active-model.release.json", "yolo-repath.tflite"]


def test_a_release_without_a_file_of_its_manifest_is_refused(
    client: GitHubClient, api: FakeGitHub, published: Publication, tmp_path: Path
) -> None:
    [release] = api.of_tag("v1.0.0")
    release["assets"] = [asset for asset in release["assets"] if asset["name"] != "SHA256SUMS"]
    with pytest.raises(ReleaseError, match="has no file SHA256SUMS"):
        fetch(client, tmp_path / "assets")


def test_a_model_larger_than_allowed_is_not_downloaded(
    client: GitHubClient, api: FakeGitHub, published: Publication, tmp_path: Path
) -> None:
    before = len(api.storage_headers)
    with pytest.raises(ReleaseError, match="no more than 10 are fetched"):
        fetch(client, tmp_path / "assets", max_model_bytes=10)
    assert len(api.storage_headers) == before + 2  # manifest and sums alone


def test_storage_that_sends_more_than_was_announced_is_cut_off(
    client: GitHubClient, api: FakeGitHub, published: Publication
) -> None:
    host = GitHubReleases(client, REPO)
    release = host.published("v1.0.0")
    assert release is not None
    with pytest.raises(RemoteError, match="larger than 5 bytes") as caught:
        host.download(release.assets[0], max_bytes=5)
    assert "storage-secret" not in str(caught.value)


@pytest.mark.parametrize("fault", ["500", "429", "secondary", "drop", "lost", "garbage", "502-after"])
@pytest.mark.parametrize("at", range(4))
def test_a_fault_while_fetching_is_tried_again(
    client: GitHubClient, api: FakeGitHub, published: Publication, tmp_path: Path, fault: str, at: int
) -> None:
    api.faults = [None] * at + [fault]
    fetch(client, tmp_path / "assets")
    assert names(tmp_path / "assets") == FILES


def test_a_draft_or_a_version_that_is_not_there_is_not_fetched(
    client: GitHubClient, api: FakeGitHub, tmp_path: Path
) -> None:
    GitHubReleases(client, REPO).create_draft(tag="v1.0.0", name="x", notes="", prerelease=False, commit=None)
    for tag in ("v1.0.0", "v9.9.9", "latest"):
        with pytest.raises(RemoteMissingError, match="no published release"):
            fetch(client, tmp_path / "assets", tag)


def test_no_release_yet_is_no_error_where_that_is_allowed_and_the_repository_can_be_seen(
    on_api: FakeGitHub, repath: Any, tmp_path: Path
) -> None:
    call = ("github", "fetch-release", "--assets-dir", tmp_path / "a", "--allow-none")
    ran = repath(*call, "--repo", REPO)
    assert (ran.code, ran.json["found"], (tmp_path / "a").exists()) == (0, False, False)
    hidden = repath(*call, "--repo", "someone/hidden")
    assert (hidden.code, "reading the repository: not found" in hidden.err) == (1, True)
    assert repath(*call, "--repo", REPO, "--tag", "v1.0.0").code == 2


def test_a_release_that_is_there_is_fetched_also_where_none_is_allowed(
    on_api: FakeGitHub, published: Publication, repath: Any, tmp_path: Path
) -> None:
    ran = repath("github", "fetch-release", "--repo", REPO, "--assets-dir", tmp_path / "a", "--allow-none")
    assert (ran.code, ran.json["found"], ran.json["release_tag"]) == (0, True, "v1.0.0")


def test_a_public_release_is_fetched_without_a_token(
    on_api: FakeGitHub, published: Publication, repath: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.delenv("GH_TOKEN", raising=False)
    ran = repath("github", "fetch-release", "--tag", "v1.0.0", "--repo", REPO, "--assets-dir", tmp_path / "a")
    assert (ran.code, ran.json["release_tag"]) == (0, "v1.0.0")
    assert all("authorization" not in request.headers for request in on_api.requests)
