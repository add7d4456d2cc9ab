from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from candidate_files import write_candidate
from release_files import write_bundle

from pipeline.contracts.dataset import DataRecord
from pipeline.support.documents import write_json

SHA = "a" * 40
ENVIRONMENT = {
    "GITHUB_SERVER_URL": "https://github.example.org",
    "GITHUB_REPOSITORY": "someone/some-model",
    "GITHUB_REPOSITORY_ID": "11",
    "GITHUB_REPOSITORY_OWNER_ID": "22",
    "GITHUB_REF": "refs/tags/v1.0.0",
    "GITHUB_SHA": SHA,
    "GITHUB_WORKFLOW_REF": "someone/some-model/.github/workflows/release.yml@refs/tags/v1.0.0",
    "GITHUB_RUN_ID": "5",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_EVENT_NAME": "push",
    "RUNNER_ENVIRONMENT": "github-hosted",
}


@pytest.fixture
def write(repath: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def call(*arguments: object, **environ: str) -> Any:
        for name, value in {**ENVIRONMENT, **environ}.items():
            monkeypatch.setenv(name, value)
        manifest = write_bundle(tmp_path / "dist")
        call = ("github", "write-provenance", "--manifest", manifest, "--out", tmp_path / "p.json")
        return repath(*call, *arguments)

    return call


def test_it_names_every_file_of_the_bundle_and_the_run(write: Callable[..., Any], tmp_path: Path) -> None:
    assert write("--predicate-out", tmp_path / "predicate.json").code == 0
    statement = json.loads((tmp_path / "p.json").read_text())
    folder = tmp_path / "dist" / "v1.0.0"
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert {item["name"]: item["digest"]["sha256"] for item in statement["subject"]} == digests
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    predicate = statement["predicate"]
    assert json.loads((tmp_path / "predicate.json").read_text()) == predicate
    definition, details = predicate["buildDefinition"], predicate["runDetails"]
    assert definition["externalParameters"]["workflow"] == {
        "ref": "refs/tags/v1.0.0",
        "repository": "https://github.example.org/someone/some-model",
        "path": ".github/workflows/release.yml",
    }
    assert definition["resolvedDependencies"] == [
        {
            "uri": "git+https://github.example.org/someone/some-model@refs/tags/v1.0.0",
            "digest": {"gitCommit": SHA},
        }
    ]
    assert details["builder"]["id"] == "https://github.com/actions/runner/github-hosted"
    assert details["metadata"]["invocationId"].endswith("/someone/some-model/actions/runs/5/attempts/2")


def test_it_names_candidate_results_comparison_and_data(write: Callable[..., Any], tmp_path: Path) -> None:
    files = write_candidate(tmp_path)
    record = tmp_path / "record.json"
    sources = [
        {
            "kind": "repository", "reference": "o/data@v1", "folder": ".", "files": 1, "bytes": 1,
            "repository": "o/data", "ref": "v1", "commit": "b" * 40,
        },
        {
            "kind": "archive", "reference": "https://example.org/a.zip", "folder": "a", "files": 1,
            "bytes": 1, "sha256": "c" * 64,
        },
    ]  # fmt: skip
    data = {"fetched_at": "2026", "sources": sources, "files": 2, "bytes": 2, "tree_sha256": "d" * 64}
    write_json(record, DataRecord.model_validate(data))
    ran = write(
        "--candidate-dir", files.directory, "--results", files.results, "--comparison", files.comparison,
        "--data-record", record,
    )  # fmt: skip
    assert ran.json["dependencies"] == 8
    named = json.loads((tmp_path / "p.json").read_text())["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    by_name = {item.get("name"): item["digest"] for item in named}
    assert by_name["yolo-repath.tflite"] == {
        "sha256": hashlib.sha256((files.directory / "yolo-repath.tflite").read_bytes()).hexdigest()
    }
    assert by_name["o/data@v1"] == {"gitCommit": "b" * 40}
    assert by_name["https://example.org/a.zip"] == {"sha256": "c" * 64}


def test_outside_a_workflow_there_is_no_provenance(write: Callable[..., Any], tmp_path: Path) -> None:
    ran = write(GITHUB_RUN_ID="")
    assert (ran.code, "no run of a workflow" in ran.err) == (2, True)
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(
    "environ",
    [
        {"GITHUB_SHA": "main"},
        {"GITHUB_REPOSITORY": "a/b/c"},
        {"GITHUB_RUN_ID": "5; id"},
        {"GITHUB_SERVER_URL": "javascript:x"},
        {"GITHUB_REF": "a\nb"},
    ],
)
def test_an_environment_that_github_would_not_set_is_refused(
    write: Callable[..., Any], tmp_path: Path, environ: dict[str, str]
) -> None:
    assert write(**environ).code == 1
    assert not (tmp_path / "p.json").exists()


def test_a_bundle_that_does_not_verify_has_no_provenance(write: Callable[..., Any], tmp_path: Path) -> None:
    manifest = write_bundle(tmp_path / "other")
    (manifest.parent / "yolo-repath-v1.0.0.tflite").write_bytes(b"changed")
    ran = write("--manifest", manifest)
    assert (ran.code, (tmp_path / "p.json").exists()) == (1, False)
