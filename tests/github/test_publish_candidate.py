from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from candidate_files import RUN_ID, CandidateFiles, write_candidate
from github_server import FAULTS, REPO, STOPS, FakeGitHub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contracts.pointer import CandidatePointer
from pipeline.github.candidates import StoredCandidate, candidate_to_store
from pipeline.github.client import GitHubClient
from pipeline.github.host import GitHubReleases
from pipeline.release.publish import Published, publish_release
from pipeline.support.documents import read_json
from pipeline.support.errors import DigestMismatchError, InputError, ReleaseError, RepathError

TAG = f"candidate-{RUN_ID}"
Files = CandidateFiles


def stored(files: Files, **more: Any) -> StoredCandidate:
    return candidate_to_store(files.directory, results=files.results, comparison=files.comparison, **more)


def publish(client: GitHubClient, files: Files) -> Published:
    return publish_release(GitHubReleases(client, REPO), stored(files).publication, patience=client.patience)


def assert_whole(api: FakeGitHub, files: Files) -> None:
    [release] = api.of_tag(TAG)
    assert (release["draft"], release["prerelease"], release["latest"]) == (False, True, False)
    assert api.files(release) == files.all_bytes()


def test_a_candidate_is_stored_as_a_pre_release_that_is_never_the_latest(
    api: FakeGitHub, client: GitHubClient, candidate: Files
) -> None:
    done = publish(client, candidate)
    assert_whole(api, candidate)
    assert (done.prerelease, done.latest, done.unchanged) == (True, False, False)
    assert GitHubReleases(client, REPO).latest() is None
    assert publish(client, candidate).unchanged


def test_the_pointer_names_every_file_by_digest_and_the_verdict_in_its_own_words(candidate: Files) -> None:
    pointer = stored(candidate).pointer
    named = {item.filename: (item.sha256, item.bytes) for item in pointer.all_files()}
    assert named.keys() == candidate.all_bytes().keys()
    assert pointer.verdict is not None
    assert (pointer.tag, pointer.verdict.verdict, pointer.verdict.gate_passed) == (TAG, "improved", True)
    assert pointer.verdict.sentence.startswith("The candidate is better: recall 0.50 → 0.70")


def test_the_same_candidate_gives_the_same_pointer(candidate: Files) -> None:
    assert stored(candidate).pointer.to_json() == stored(candidate).pointer.to_json()


def test_a_first_candidate_needs_no_comparison(candidate: Files) -> None:
    pointer = candidate_to_store(candidate.directory, results=candidate.results).pointer
    assert (pointer.comparison, pointer.verdict) == (None, None)


def test_other_bytes_under_the_same_run_id_are_an_error(
    api: FakeGitHub, client: GitHubClient, candidate: Files, tmp_path: Path
) -> None:
    publish(client, candidate)
    api.expected = None
    other = write_candidate(tmp_path / "other", model=b"another model")
    with pytest.raises(ReleaseError, match="published already, with other files"):
        publish(client, other)
    assert_whole(api, candidate)


@pytest.mark.parametrize("what", ["results", "comparison"])
def test_what_was_measured_of_another_model_is_refused(candidate: Files, tmp_path: Path, what: str) -> None:
    other = write_candidate(tmp_path / "other", model=b"another model")
    mixed = Files(
        candidate.directory,
        other.results if what == "results" else candidate.results,
        other.comparison if what == "comparison" else candidate.comparison,
    )
    with pytest.raises(DigestMismatchError, match="another model"):
        stored(mixed)


def test_results_without_digests_are_refused(candidate: Files) -> None:
    data = json.loads(candidate.results.read_text())
    del data["summary"]["model_sha256"]
    candidate.results.write_text(json.dumps(data))
    with pytest.raises(DigestMismatchError, match="does not say which model"):
        stored(candidate)


def test_a_model_that_its_metadata_does_not_name_is_refused(candidate: Files) -> None:
    (candidate.directory / "yolo-repath.tflite").write_bytes(b"changed")
    with pytest.raises(DigestMismatchError):
        stored(candidate)


def test_links_and_folders_in_a_candidate_are_refused(candidate: Files, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (candidate.directory / "notes.txt").symlink_to(secret)
    with pytest.raises(InputError, match="plain files"):
        stored(candidate)
    (candidate.directory / "notes.txt").unlink()
    (candidate.directory / "more").mkdir()
    with pytest.raises(InputError, match="plain files"):
        stored(candidate)


def test_an_attachment_that_would_take_the_name_of_a_file_is_refused(
    candidate: Files, tmp_path: Path
) -> None:
    path = tmp_path / "METADATA.json"
    path.write_text("{}")
    with pytest.raises(ReleaseError, match="two files"):
        stored(candidate, attachments=[path])


@pytest.mark.parametrize("fault", [*FAULTS, *STOPS])
@pytest.mark.parametrize("at", range(0, 16, 3))
def test_a_fault_at_any_request_never_makes_half_a_candidate(
    api: FakeGitHub, client: GitHubClient, candidate: Files, fault: str, at: int
) -> None:
    api.faults = [None] * at + [fault]
    try:
        publish(client, candidate)
    except RepathError:
        api.new_round()
        publish(client, candidate)
    assert_whole(api, candidate)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(faults=st.lists(st.sampled_from([None, None, *FAULTS, *STOPS]), max_size=60))
def test_no_sequence_of_faults_makes_half_a_candidate_and_a_rerun_completes(
    api: FakeGitHub, client: GitHubClient, candidate: Files, faults: list[str | None]
) -> None:
    api.clear()
    api.faults = list(faults)
    for _ in range(2):
        with contextlib.suppress(RepathError):
            publish(client, candidate)
        assert api.violations == []
    api.new_round()
    publish(client, candidate)
    assert_whole(api, candidate)


def test_a_client_killed_after_any_request_goes_on_where_it_was(
    api: FakeGitHub, client: GitHubClient, candidate: Files, killed_after: Callable[..., bool]
) -> None:
    number = 0
    while killed_after(number, lambda: publish(client, candidate)):
        publish(client, candidate)
        assert_whole(api, candidate)
        api.clear()
        number += 1
    assert number > 20


def test_the_command_stores_and_points_and_a_dry_run_does_neither(
    on_api: FakeGitHub, repath: Any, candidate: Files, tmp_path: Path
) -> None:
    out, report = tmp_path / "candidate.json", tmp_path / "report.html"
    report.write_text("<p>A report</p>")
    on_api.expected = None
    call = (
        "github", "publish-candidate", "--repo", REPO, "--candidate-dir", candidate.directory,
        "--results", candidate.results, "--comparison", candidate.comparison, "--report", report,
        "--pointer-out", out,
    )  # fmt: skip
    assert repath(*call, "--dry-run").json["steps"][0] == "make a draft"
    assert not out.exists()
    assert on_api.releases == {}
    first, second = repath(*call), repath(*call)
    assert (first.json["unchanged"], second.json["unchanged"]) == (False, True)
    assert first.json["verdict"] == "improved"
    pointer = read_json(out, CandidatePointer)
    assert pointer.run_id == RUN_ID
    assert on_api.token not in first.out + first.err + out.read_text()
    [release] = on_api.of_tag(TAG)
    assert on_api.files(release) == {**candidate.all_bytes(), "report.html": report.read_bytes()}


def test_a_killed_command_leaves_no_pointer_to_what_is_not_there(
    on_api: FakeGitHub, repath: Any, candidate: Files, tmp_path: Path
) -> None:
    out = tmp_path / "candidate.json"
    on_api.fault_for = lambda request: "rate-out" if request.method == "PATCH" else None
    ran = repath(
        "github", "publish-candidate", "--repo", REPO, "--candidate-dir", candidate.directory,
        "--results", candidate.results, "--pointer-out", out,
    )  # fmt: skip
    assert ran.code == 1
    assert not out.exists()


def test_markup_in_a_label_stays_text_in_the_notes(tmp_path: Path) -> None:
    files = write_candidate(tmp_path, label="<img src=x> @everyone")
    assert "@everyone" not in stored(files).publication.notes
