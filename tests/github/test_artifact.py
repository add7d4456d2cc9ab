from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from github_server import REPO, FakeGitHub

from pipeline.github.artifacts import FetchedArtifact, fetch_artifact
from pipeline.github.client import GitHubClient
from pipeline.support.errors import (
    DigestMismatchError,
    InputError,
    OutputError,
    RemoteError,
    RemoteMissingError,
    RepathError,
)


def zipped(files: dict[str, bytes], *, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            out.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        if link:
            info = zipfile.ZipInfo("link")
            info.create_system, info.external_attr = 3, 0o120777 << 16
            out.writestr(info, link)
    return buffer.getvalue()


WHOLE = zipped({"comparison.json": b"{}", "more/number.txt": b"7"})


def fetch(client: GitHubClient, folder: Path, name: str = "comparison", **more: Any) -> FetchedArtifact:
    given = {"run_id": 5, "name": name, "out_dir": folder, "max_bytes": 1 << 20, **more}
    return fetch_artifact(client, REPO, **given)


def test_the_artefact_of_a_run_is_taken_out(api: FakeGitHub, client: GitHubClient, tmp_path: Path) -> None:
    api.add_artifact(5, "comparison", zipped({"old.txt": b"of the first attempt"}))
    api.add_artifact(5, "another", zipped({"x": b"y"}))
    api.add_artifact(6, "comparison", zipped({"x": b"of another run"}))
    newest = api.add_artifact(5, "comparison", WHOLE)
    found = fetch(client, tmp_path / "out")
    assert (found.artifact_id, found.extracted.files) == (newest, ("comparison.json", "more/number.txt"))
    assert (tmp_path / "out" / "more" / "number.txt").read_bytes() == b"7"
    assert all("authorization" not in headers for headers in api.storage_headers)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (zipped({"fine": b"x", "../evil": b"x"}), "leads out of the folder"),
        (zipped({"fine": b"x", "/evil": b"x"}), "leads out of the folder"),
        (zipped({"fine": b"x"}, link="/etc/passwd"), "is a link"),
        (zipped({"fine": b"x", "bomb": bytes(64 << 20)}), "holds more than"),
        (zipped({f"{number}": b"" for number in range(2100)}), "more than 2,000 files"),
        (zipped({"a": b"x", "A": b"y"}), "stands twice"),
        (b"no zip at all", "no usable archive"),
    ],
    ids=["parent", "absolute", "link", "bomb", "many", "twice", "none"],
)
def test_a_hostile_zip_leaves_nothing(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path, data: bytes, why: str
) -> None:
    api.add_artifact(5, "comparison", data)
    with pytest.raises(InputError, match=why):
        fetch(client, tmp_path / "place" / "out")
    assert not (tmp_path / "place").exists() or not any((tmp_path / "place").iterdir())
    assert not (tmp_path / "evil").exists()


def test_one_that_is_too_large_is_not_downloaded(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    api.add_artifact(5, "comparison", WHOLE)
    with pytest.raises(InputError, match="no more than 10 are fetched"):
        fetch(client, tmp_path / "out", max_bytes=10)
    assert api.storage_headers == []


def test_storage_that_sends_more_or_something_else_is_not_believed(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = api.add_artifact(5, "comparison", WHOLE)
    monkeypatch.setattr(api, "stored", lambda name, data: type(api).stored(api, name, data + bytes(2 << 20)))
    with pytest.raises(RemoteError, match="larger than"):
        fetch(client, tmp_path / "out")
    monkeypatch.undo()
    api.artifacts[number]["digest"] = "sha256:" + "0" * 64
    with pytest.raises(DigestMismatchError):
        fetch(client, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_that_is_not_there_or_has_expired_says_so(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    with pytest.raises(RemoteMissingError, match="has none of this name"):
        fetch(client, tmp_path / "out")
    api.add_artifact(5, "comparison", WHOLE, expired=True)
    with pytest.raises(RemoteMissingError, match="has expired"):
        fetch(client, tmp_path / "out")


def test_a_folder_with_something_in_it_is_not_touched(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path
) -> None:
    api.add_artifact(5, "comparison", WHOLE)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        fetch(client, tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "mine"


@pytest.mark.parametrize("fault", ["500", "429", "drop", "lost", "garbage", "502-after"])
@pytest.mark.parametrize("at", range(2))
def test_a_fault_is_tried_again(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path, fault: str, at: int
) -> None:
    api.add_artifact(5, "comparison", WHOLE)
    api.faults = [None] * at + [fault]
    assert fetch(client, tmp_path / "out").extracted.files


def test_every_request_and_answer_is_as_github_describes_them(
    api: FakeGitHub, client: GitHubClient, tmp_path: Path, description: object
) -> None:
    if isinstance(description, str):
        pytest.skip(description)
    api.add_artifact(5, "comparison", WHOLE)
    fetch(client, tmp_path / "out")
    assert api.description is not None
    assert api.description.checked >= 1


def test_the_command_takes_it_out(on_api: FakeGitHub, repath: Any, tmp_path: Path) -> None:
    on_api.add_artifact(5, "comparison", WHOLE)
    call = ("github", "fetch-artifact", "--repo", REPO, "--run-id", 5, "--name", "comparison")
    ran = repath(*call, "--out-dir", tmp_path / "out")
    assert (ran.code, ran.json["files"]) == (0, ["comparison.json", "more/number.txt"])
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == {}
    again = repath(*call, "--out-dir", tmp_path / "out")
    assert (again.code, again.out) == (1, "")
    assert on_api.token not in ran.out + ran.err + again.err


def test_a_name_with_anything_in_it_is_a_name(api: FakeGitHub, client: GitHubClient, tmp_path: Path) -> None:
    api.add_artifact(5, "a&b=c ../d", WHOLE)
    assert fetch(client, tmp_path / "out", name="a&b=c ../d").extracted.files
    with pytest.raises(RepathError):
        fetch(client, tmp_path / "out2", name="$(id)")
