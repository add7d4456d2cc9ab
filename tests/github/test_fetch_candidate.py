from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from candidate_files import RUN_ID, CandidateFiles, write_candidate
from github_server import REPO, FakeGitHub

from pipeline.contracts.pointer import CandidatePointer
from pipeline.github.candidates import candidate_to_store, read_pointer
from pipeline.github.client import GitHubClient
from pipeline.github.fetch_candidate import FetchedCandidate, fetch_candidate
from pipeline.github.host import GitHubReleases
from pipeline.release.publish import publish_release
from pipeline.support.documents import write_json
from pipeline.support.errors import (
    ContractError,
    DigestMismatchError,
    OutputError,
    ReleaseError,
    RemoteMissingError,
)

TAG = f"candidate-{RUN_ID}"


@pytest.fixture
def pointer(client: GitHubClient, candidate: CandidateFiles, api: FakeGitHub) -> CandidatePointer:
    """The pointer to a candidate that is stored."""
    made = candidate_to_store(candidate.directory, results=candidate.results, comparison=candidate.comparison)
    publish_release(GitHubReleases(client, REPO), made.publication, patience=client.patience)
    api.new_round()
    return made.pointer


def fetch(client: GitHubClient, pointer: CandidatePointer, root: Path, **more: Any) -> FetchedCandidate:
    return fetch_candidate(
        GitHubReleases(client, REPO), pointer, repository=REPO, candidates_root=root, **more
    )


def changed(pointer: CandidatePointer, **fields: Any) -> dict[str, Any]:
    return {**pointer.to_data(), **fields}


def read(tmp_path: Path, data: Any, repository: str = REPO) -> CandidatePointer:
    path = tmp_path / "candidate.json"
    path.write_text(json.dumps(data))
    return read_pointer(path, repository=repository)


def test_a_candidate_comes_back_byte_for_byte_with_what_was_measured_of_it(
    client: GitHubClient, pointer: CandidatePointer, candidate: CandidateFiles, tmp_path: Path
) -> None:
    results, comparison = tmp_path / "r" / "results.json", tmp_path / "r" / "compare.json"
    found = fetch(client, pointer, tmp_path / "c", results_out=results, comparison_out=comparison)
    assert found.directory == tmp_path / "c" / RUN_ID
    there = {path.name: path.read_bytes() for path in found.directory.iterdir()}
    assert there == {path.name: path.read_bytes() for path in candidate.directory.iterdir()}
    assert results.read_bytes() == candidate.results.read_bytes()
    assert comparison.read_bytes() == candidate.comparison.read_bytes()


def test_a_candidate_that_is_there_is_held_to_the_pointer_and_not_fetched_again(
    client: GitHubClient, api: FakeGitHub, pointer: CandidatePointer, tmp_path: Path
) -> None:
    fetch(client, pointer, tmp_path / "c")
    before = len(api.storage_headers)
    assert fetch(client, pointer, tmp_path / "c").unchanged
    assert len(api.storage_headers) == before + 2  # results and comparison alone
    (tmp_path / "c" / RUN_ID / "yolo-repath.tflite").write_bytes(b"changed")
    with pytest.raises(OutputError, match="other bytes"):
        fetch(client, pointer, tmp_path / "c")


@pytest.mark.parametrize(
    "name", ["yolo-repath.tflite", "metadata.json", "model.best.pt", "benchmark-results.json"]
)
@pytest.mark.parametrize("change", [lambda data: data[:-1] + b"~", lambda data: data[:-1]])
def test_a_file_that_is_not_the_one_of_the_pointer_places_nothing(
    client: GitHubClient,
    api: FakeGitHub,
    pointer: CandidatePointer,
    tmp_path: Path,
    name: str,
    change: Callable[[bytes], bytes],
) -> None:
    [release] = api.of_tag(TAG)
    [asset] = [asset for asset in release["assets"] if asset["name"] == name]
    api.blobs[asset["id"]] = change(api.blobs[asset["id"]])
    out = tmp_path / "results.json"
    with pytest.raises(DigestMismatchError, match=name):
        fetch(client, pointer, tmp_path / "c", results_out=out)
    assert not out.exists()
    assert not (tmp_path / "c" / RUN_ID).exists()
    assert not [*(tmp_path / "c").glob("*")] if (tmp_path / "c").exists() else True


def test_a_pointer_whose_digest_does_not_match_is_refused(
    client: GitHubClient, pointer: CandidatePointer, tmp_path: Path
) -> None:
    model = {**pointer.model.to_data(), "sha256": "0" * 64}
    forged = read(tmp_path, changed(pointer, model=model))
    with pytest.raises(DigestMismatchError, match=r"yolo-repath\.tflite .*the pointer says 000000000000"):
        fetch(client, forged, tmp_path / "c")
    assert not (tmp_path / "c" / RUN_ID).exists()


def test_a_pointer_that_calls_the_weights_the_model_is_refused(
    client: GitHubClient, pointer: CandidatePointer, tmp_path: Path
) -> None:
    [best] = [item for item in pointer.files if item.filename == "model.best.pt"]
    files = [item.to_data() for item in (*pointer.files, pointer.model) if item is not best]
    forged = read(tmp_path, changed(pointer, model=best.to_data(), files=files))
    with pytest.raises(DigestMismatchError, match="other files for model"):
        fetch(client, forged, tmp_path / "c")


def test_results_of_another_model_are_refused_however_well_their_bytes_are_kept(
    client: GitHubClient, api: FakeGitHub, pointer: CandidatePointer, tmp_path: Path
) -> None:
    other = write_candidate(tmp_path / "other", model=b"another model").results.read_bytes()
    [release] = api.of_tag(TAG)
    [asset] = [asset for asset in release["assets"] if asset["name"] == pointer.results.filename]
    api.blobs[asset["id"]] = other
    results = {**pointer.results.to_data(), "sha256": hashlib.sha256(other).hexdigest(), "bytes": len(other)}
    forged = read(tmp_path, changed(pointer, results=results))
    with pytest.raises(DigestMismatchError, match="another model file"):
        fetch(client, forged, tmp_path / "c")
    assert not (tmp_path / "c" / RUN_ID).exists()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tag": "v1.0.0"}, "that of this run is"),
        ({"tag": "candidate-20260102-030406"}, "that of this run is"),
        ({"tag": "mallory/some-model@candidate-20260102-030405"}, "that of this run is"),
        ({"run_id": "../../etc", "tag": "candidate-../../etc"}, "is not a run id"),
        ({"run_id": "a/b", "tag": "candidate-a/b"}, "is not a run id"),
        ({"run_id": "", "tag": "candidate-"}, "is not a run id"),
        ({"run_id": "x..y", "tag": "candidate-x..y"}, "is not a run id"),
        ({"run_id": "x.lock", "tag": "candidate-x.lock"}, "is not a run id"),
        ({"run_id": "$(id)", "tag": "candidate-$(id)"}, "is not a run id"),
        ({"tag": None}, "tag"),
        ({"model": None}, "model"),
        ({"model": {"filename": "../x.tflite", "sha256": "0" * 64, "bytes": 1}}, "is not the name"),
        ({"model": {"filename": ".x", "sha256": "0" * 64, "bytes": 1}}, "is not the name"),
        ({"model": {"filename": "x.tflite", "sha256": "0" * 63, "bytes": 1}}, "SHA-256"),
        ({"model": {"filename": "x.tflite", "sha256": "0" * 64, "bytes": 0}}, "bytes"),
        ({"model": {"filename": "x.tflite", "sha256": "0" * 64, "bytes": 1 << 40}}, "bytes"),
        ({"model": {"filename": "metadata.json", "sha256": "0" * 64, "bytes": 1}}, "stand twice"),
        ({"files": [{"filename": "a", "sha256": "0" * 64, "bytes": 1}] * 100}, "files"),
    ],
)
def test_a_pointer_that_breaks_its_contract_is_refused(
    pointer: CandidatePointer, tmp_path: Path, fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(ContractError, match=why):
        read(tmp_path, changed(pointer, **fields))


def test_a_pointer_to_another_repository_is_refused(pointer: CandidatePointer, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="'mallory/some-model'"):
        read(tmp_path, changed(pointer, repository="mallory/some-model"))
    assert read(tmp_path, changed(pointer, repository=REPO.upper())).repository == REPO.upper()


def test_a_pointer_to_nothing_or_to_what_is_no_pre_release_is_refused(
    client: GitHubClient, api: FakeGitHub, pointer: CandidatePointer, tmp_path: Path
) -> None:
    [release] = api.of_tag(TAG)
    release["prerelease"] = False
    with pytest.raises(ReleaseError, match="is no pre-release"):
        fetch(client, pointer, tmp_path / "c")
    release.update(prerelease=True, draft=True)
    with pytest.raises(RemoteMissingError, match="has no pre-release"):
        fetch(client, pointer, tmp_path / "c")


def test_a_pre_release_that_lacks_a_file_or_is_too_large_is_refused_before_any_download(
    client: GitHubClient, api: FakeGitHub, pointer: CandidatePointer, tmp_path: Path
) -> None:
    before = len(api.storage_headers)
    with pytest.raises(ReleaseError, match="no more than 10 are fetched"):
        fetch(client, pointer, tmp_path / "c", max_bytes=10)
    [release] = api.of_tag(TAG)
    release["assets"] = [asset for asset in release["assets"] if asset["name"] != "model.best.pt"]
    with pytest.raises(ReleaseError, match=r"has no file model\.best\.pt"):
        fetch(client, pointer, tmp_path / "c")
    assert len(api.storage_headers) == before


def test_nothing_stands_where_the_results_cannot_be_placed(
    client: GitHubClient, pointer: CandidatePointer, tmp_path: Path
) -> None:
    (tmp_path / "results.json").mkdir()
    with pytest.raises(OutputError):
        fetch(client, pointer, tmp_path / "c", results_out=tmp_path / "results.json")
    assert not (tmp_path / "c" / RUN_ID).exists()


@pytest.mark.parametrize("fault", ["500", "429", "secondary", "drop", "lost", "garbage", "502-after"])
@pytest.mark.parametrize("at", range(0, 8, 2))
def test_a_fault_while_fetching_is_tried_again(
    client: GitHubClient, api: FakeGitHub, pointer: CandidatePointer, tmp_path: Path, fault: str, at: int
) -> None:
    api.faults = [None] * at + [fault]
    assert not fetch(client, pointer, tmp_path / "c").unchanged


def test_a_client_killed_after_any_request_leaves_a_whole_candidate_or_none(
    client: GitHubClient, pointer: CandidatePointer, tmp_path: Path, killed_after: Callable[..., bool]
) -> None:
    number = 0
    while True:
        root = tmp_path / f"c{number}"
        if not killed_after(number, lambda: fetch(client, pointer, root)):  # noqa: B023
            break
        assert not (root / RUN_ID).exists()
        assert not fetch(client, pointer, root).unchanged
        number += 1
    assert number > 10


def test_the_command_fetches_without_a_token(
    on_api: FakeGitHub,
    pointer: CandidatePointer,
    repath: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.delenv("GH_TOKEN", raising=False)
    path = tmp_path / "candidate.json"
    write_json(path, pointer)
    outputs = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    ran = repath(
        "github", "fetch-candidate", "--repo", REPO, "--pointer", path, "--candidates-root", tmp_path / "c",
        "--results-out", tmp_path / "r.json", "--github-output",
    )  # fmt: skip
    assert (ran.code, ran.json["run_id"], ran.json["unchanged"]) == (0, RUN_ID, False)
    assert Path(ran.json["model"]).is_file()
    assert f"candidate-dir={ran.json['candidate_dir']}\n" in outputs.read_text()
    assert all("authorization" not in request.headers for request in on_api.requests)


def test_the_command_says_why_it_refuses(
    on_api: FakeGitHub, pointer: CandidatePointer, repath: Any, tmp_path: Path
) -> None:
    path = tmp_path / "candidate.json"
    path.write_text(json.dumps(changed(pointer, tag="mallory/x@candidate-1")))
    ran = repath(
        "github", "fetch-candidate", "--repo", REPO, "--pointer", path, "--candidates-root", tmp_path / "c"
    )
    assert ran.code == 1
    assert "that of this run is 'candidate-20260102-030405'" in ran.err
    assert not (tmp_path / "c").exists()
