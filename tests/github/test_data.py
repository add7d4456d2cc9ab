from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from github_server import REPO, FakeGitHub
from github_server.servers import served, storage_handler

from pipeline.contracts.dataset import DataRecord
from pipeline.github.client import GitHubClient
from pipeline.github.data import RECORD, FetchedData, fetch_data
from pipeline.github.host import GitHubReleases
from pipeline.github.references import parse_reference
from pipeline.release.host import ReleaseFile
from pipeline.support.documents import read_json
from pipeline.support.errors import (
    DigestMismatchError,
    DownloadError,
    InputError,
    OutputError,
    RemoteMissingError,
    RepathError,
)
from pipeline.support.http import HttpClient, Limits

DATA = {
    "sets/pack.json": b"{}",
    "sets/annotations/a.txt": b"0 0.5 0.5 1 1\n",
    "code/run.py": b"print('no')",
}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, data in files.items():
            out.writestr(name, data)
    return buffer.getvalue()


CANS = zipped({"cans/default/1.png": b"picture", "bottles/2.png": b"another"})


@pytest.fixture
def commit(api: FakeGitHub) -> str:
    return api.commit_files(DATA, parents=(api.head(),), branch="data/v1")


@pytest.fixture
def web(api: FakeGitHub) -> Iterator[Callable[[str, bytes], str]]:
    """Put a file on a server of the web, and return its reference."""
    with served(storage_handler(api)) as url:

        def put(name: str, data: bytes) -> str:
            api.storage_for[f"/{name}"] = data
            return f"{url}/{name}#sha256={hashlib.sha256(data).hexdigest()}"

        yield put


@pytest.fixture
def fetch(client: GitHubClient, tmp_path: Path) -> Callable[..., FetchedData]:
    def call(*references: str, into: Path = tmp_path / "data", max_bytes: int = 1 << 20) -> FetchedData:
        with HttpClient(Limits(allow_private_addresses=True, retries=1)) as http:
            wanted = [parse_reference(text) for text in references]
            return fetch_data(wanted, client=client, http=http, into=into, max_bytes=max_bytes)

    return call


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECORD
    }


def test_a_folder_of_a_repository_is_fetched_at_a_commit_that_is_recorded(
    fetch: Callable[..., FetchedData], commit: str, tmp_path: Path
) -> None:
    found = fetch(f"{REPO}@data/v1:sets")
    assert files(tmp_path / "data") == {
        "pack.json": b"{}",
        "annotations/a.txt": DATA["sets/annotations/a.txt"],
    }
    record = read_json(tmp_path / "data" / RECORD, DataRecord)
    [source] = record.sources
    assert (source.commit, source.ref, source.path, source.files) == (commit, "data/v1", "sets", 2)
    assert record == found.record


def test_without_a_ref_or_path_it_is_all_of_the_default_branch(
    fetch: Callable[..., FetchedData], api: FakeGitHub, tmp_path: Path
) -> None:
    assert fetch(REPO).record.sources[0].commit == api.head()
    assert files(tmp_path / "data") == {"README.md": b"# A model\n"}


def test_archives_have_folders_of_their_own_beside_the_repository(
    fetch: Callable[..., FetchedData], commit: str, web: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    found = fetch(web("sets/cans.zip", CANS), f"{REPO}@{commit}:sets")
    assert [source.kind for source in found.record.sources] == ["repository", "archive"]
    assert files(tmp_path / "data")["cans/cans/default/1.png"] == b"picture"
    assert found.record.sources[1].sha256 == hashlib.sha256(CANS).hexdigest()
    assert found.record.files == 4


def test_a_file_of_a_release_is_an_archive_too(
    fetch: Callable[..., FetchedData], client: GitHubClient, api: FakeGitHub, tmp_path: Path
) -> None:
    path = tmp_path / "cans.zip"
    path.write_bytes(CANS)
    digest = hashlib.sha256(CANS).hexdigest()
    host = GitHubReleases(client, REPO)
    draft = host.create_draft(tag="data-v1", name="x", notes="", prerelease=True, commit=None)
    host.upload(draft, ReleaseFile("cans.zip", path, len(CANS), digest, "application/zip"))
    host.publish(draft, prerelease=True, latest=False)
    found = fetch(f"{REPO}@data-v1/cans.zip#sha256={digest}")
    assert (found.record.sources[0].kind, found.record.files) == ("asset", 2)
    for missing in ("data-v2/cans.zip", "data-v1/other.zip"):
        with pytest.raises(RemoteMissingError, match="there is no"):
            fetch(f"{REPO}@{missing}#sha256={digest}", into=tmp_path / "other")


def test_what_is_there_already_is_not_fetched_again(
    fetch: Callable[..., FetchedData],
    api: FakeGitHub,
    commit: str,
    web: Callable[[str, bytes], str],
) -> None:
    wanted = (f"{REPO}@data/v1:sets", web("cans.zip", CANS))
    first = fetch(*wanted)
    before = len(api.storage_headers)
    again = fetch(*wanted)
    assert (again.unchanged, again.record) == (True, first.record)
    assert len(api.storage_headers) == before


def test_a_ref_that_moved_on_replaces_the_folder_as_a_whole(
    fetch: Callable[..., FetchedData], api: FakeGitHub, commit: str, tmp_path: Path
) -> None:
    fetch(f"{REPO}@data/v1:sets")
    newer = api.commit_files({"sets/other.json": b"[]"}, parents=(commit,), branch="data/v1")
    found = fetch(f"{REPO}@data/v1:sets")
    assert (found.unchanged, found.record.sources[0].commit) == (False, newer)
    assert files(tmp_path / "data") == {"other.json": b"[]"}
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_a_person_changed_or_put_there_is_not_replaced(
    fetch: Callable[..., FetchedData], api: FakeGitHub, commit: str, tmp_path: Path
) -> None:
    fetch(f"{REPO}@data/v1:sets")
    (tmp_path / "data" / "pack.json").write_text('{"mine": true}')
    api.commit_files({"sets/other.json": b"[]"}, parents=(commit,), branch="data/v1")
    with pytest.raises(OutputError, match="was changed since it was fetched"):
        fetch(f"{REPO}@data/v1:sets")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "pack.json").write_text("{}")
    with pytest.raises(OutputError, match="holds what was not fetched"):
        fetch(f"{REPO}@data/v1:sets", into=tmp_path / "mine")
    assert files(tmp_path / "mine") == {"pack.json": b"{}"}


def test_an_archive_of_another_digest_places_nothing_and_leaves_what_stands(
    fetch: Callable[..., FetchedData], commit: str, web: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    fetch(f"{REPO}@data/v1:sets")
    before = files(tmp_path / "data")
    reference = web("cans.zip", CANS)
    web("cans.zip", CANS + b"~")
    with pytest.raises(DigestMismatchError, match="what came has SHA-256"):
        fetch(f"{REPO}@data/v1:sets", reference)
    assert files(tmp_path / "data") == before
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png"])
def test_a_hostile_archive_places_nothing(
    fetch: Callable[..., FetchedData], web: Callable[[str, bytes], str], tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match="leads out"):
        fetch(web("cans.zip", zipped({"fine.png": b"x", name: b"x"})))
    assert [*tmp_path.iterdir()] == []


def test_a_repository_with_links_in_the_folder_is_refused_and_elsewhere_is_not(
    fetch: Callable[..., FetchedData],
    api: FakeGitHub,
    commit: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def linked(where: str) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as out:
            info = tarfile.TarInfo("top/sets/a.txt")
            info.size = 1
            out.addfile(info, io.BytesIO(b"x"))
            link = tarfile.TarInfo(f"top/{where}/link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            out.addfile(link)
        return buffer.getvalue()

    monkeypatch.setattr(api, "_tarball", lambda ref: api.stored("t", linked("code")))
    assert fetch(f"{REPO}@data/v1:sets").record.files == 1
    monkeypatch.setattr(api, "_tarball", lambda ref: api.stored("t", linked("sets")))
    with pytest.raises(InputError, match="is a link"):
        fetch(f"{REPO}@data/v1:sets", into=tmp_path / "other")


def test_pointers_of_git_lfs_are_not_taken_for_pictures(
    fetch: Callable[..., FetchedData], api: FakeGitHub, tmp_path: Path
) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
    api.commit_files({"sets/a.jpg": pointer.encode()}, parents=(api.head(),), branch="data/v1")
    with pytest.raises(InputError, match=r"a\.jpg is a pointer of Git LFS"):
        fetch(f"{REPO}@data/v1:sets")
    assert [*tmp_path.iterdir()] == []


def test_more_than_is_allowed_is_not_fetched(
    fetch: Callable[..., FetchedData], commit: str, web: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="larger than 20 bytes"):
        fetch(web("cans.zip", CANS), max_bytes=20)
    with pytest.raises(RepathError, match="larger than 20 bytes"):
        fetch(f"{REPO}@data/v1:sets", max_bytes=20)
    assert [*tmp_path.iterdir()] == []


def test_a_ref_path_or_repository_that_is_not_there_says_so(
    fetch: Callable[..., FetchedData], commit: str
) -> None:
    with pytest.raises(RemoteMissingError, match="looking for nothing-such of"):
        fetch(f"{REPO}@nothing-such")
    with pytest.raises(RemoteMissingError):
        fetch("somebody/else")
    with pytest.raises(InputError, match="holds no files"):
        fetch(f"{REPO}@data/v1:nothing")


@pytest.mark.parametrize("fault", ["500", "429", "drop", "lost", "garbage", "502-after"])
@pytest.mark.parametrize("at", range(2))
def test_a_fault_is_tried_again(
    fetch: Callable[..., FetchedData], api: FakeGitHub, commit: str, fault: str, at: int
) -> None:
    api.faults = [None] * at + [fault]
    assert fetch(f"{REPO}@data/v1:sets").record.files == 2


def test_every_request_and_answer_is_as_github_describes_them(
    fetch: Callable[..., FetchedData], api: FakeGitHub, commit: str, description: object
) -> None:
    if isinstance(description, str):
        pytest.skip(description)
    fetch(f"{REPO}@data/v1:sets")
    assert api.description is not None
    assert api.description.checked >= 1


def test_the_command_takes_settings_or_a_reference(
    on_api: FakeGitHub,
    commit: str,
    web: Callable[[str, bytes], str],
    repath: Any,
    tmp_path: Path,
    monkeypatch: Any,
) -> None:
    reference = web("cans.zip", CANS)
    settings = f'[data]\nrepository = "{REPO}"\nref = "data/v1"\npath = "sets"\narchives = ["{reference}"]\n'
    (tmp_path / "repath.toml").write_text(f"{settings}[download]\nallow_private_addresses = true\n")
    monkeypatch.chdir(tmp_path)
    ran = repath("data", "fetch")
    assert (ran.code, ran.json["into"], ran.json["files"]) == (0, "data/fetched", 4)
    assert repath("data", "fetch", "--reference", "").json["unchanged"]
    ran = repath("data", "fetch", "--reference", f"{REPO}@{commit}:code", "--into", "other")
    assert (ran.code, files(tmp_path / "other")) == (0, {"run.py": DATA["code/run.py"]})
    ran = repath("data", "fetch", "--reference", REPO, "--ref", "x")
    assert (ran.code, "--reference stands alone" in ran.err) == (2, True)
    assert on_api.token not in ran.err


def test_the_command_has_nothing_to_do_where_nothing_is_named(repath: Any) -> None:
    ran = repath("data", "fetch", "--reference", "")
    assert (ran.code, ran.json["fetched"], ran.json["sources"]) == (0, False, [])


def test_downloads_that_are_off_stay_off(repath: Any, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "repath.toml").write_text("[download]\nenabled = false\n")
    monkeypatch.chdir(tmp_path)
    ran = repath("data", "fetch", "--reference", "o/n")
    assert (ran.code, "download.enabled" in ran.err) == (2, True)


def test_the_record_is_json_that_says_where_everything_stands(
    fetch: Callable[..., FetchedData], commit: str, web: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    fetch(f"{REPO}@data/v1:sets", web("cans.zip", CANS))
    data = json.loads((tmp_path / "data" / RECORD).read_text())
    assert [source["folder"] for source in data["sources"]] == [".", "cans"]
