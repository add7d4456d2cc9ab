"""A GitHub on loopback, a client that waits in no time, and a bundle to publish."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from candidate_files import CandidateFiles, write_candidate
from github_api import Description, fetch_description
from github_server import API, FakeGitHub

from pipeline.github.client import GitHubClient
from pipeline.release.publication import Publication, publication_of
from pipeline.support.patience import Patience


@pytest.fixture(scope="session")
def description(tmp_path_factory: pytest.TempPathFactory) -> Description | str:
    """GitHub's official description of its API, or why there is none."""
    if importlib.util.find_spec("openapi_schema_validator") is None:
        return "openapi-schema-validator is not installed"
    document, why = fetch_description(tmp_path_factory.mktemp("openapi"))
    return Description(document) if document else why


@pytest.fixture
def api(description: Description | str) -> Iterator[FakeGitHub]:
    """A GitHub with state; every test ends without a violation of what must never happen."""
    github = FakeGitHub(description=description if isinstance(description, Description) else None)
    with github.running():
        yield github
    assert github.violations == []


@pytest.fixture
def waits() -> list[float]:
    """The seconds that were waited, had they been."""
    return []


@pytest.fixture
def client(api: FakeGitHub, waits: list[float]) -> Iterator[GitHubClient]:
    with GitHubClient(api.token, f"{api.url}{API}", Patience(sleep=waits.append)) as made:
        yield made


@pytest.fixture
def on_api(api: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> FakeGitHub:
    """The GitHub that commands find by their environment."""
    monkeypatch.setenv("GITHUB_API_URL", f"{api.url}{API}")
    monkeypatch.setenv("GITHUB_TOKEN", api.token)
    return api


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a bundle that verifies, and return its manifest."""
    from release_files import write_bundle

    def write(version: str = "1.0.0", model: bytes = b"a model, byte for byte" * 50) -> Path:
        return write_bundle(tmp_path / "dist", version, model)

    return write


@pytest.fixture
def bundle(make_bundle: Callable[..., Path]) -> Path:
    return make_bundle()


@pytest.fixture
def wanted(bundle: Path, api: FakeGitHub) -> Publication:
    made = publication_of(bundle, title="RePath Model")
    api.expected = {file.name: file.path.read_bytes() for file in made.files}
    return made


@pytest.fixture
def candidate(tmp_path: Path, api: FakeGitHub) -> CandidateFiles:
    """A candidate with results and comparison; its pre-release is to hold exactly its files."""
    made = write_candidate(tmp_path)
    api.expected = made.all_bytes()
    return made


class Killed(BaseException):
    """What SIGKILL is to the code that runs: no handler of ours is to see it."""


@pytest.fixture
def killed_after(monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Call something and kill it behind request ``number``; tell whether it came that far."""
    original = requests.Session.send

    def call(number: int, work: Callable[[], object]) -> bool:
        seen: list[object] = []

        def counted(self: requests.Session, request: Any, **kwargs: Any) -> requests.Response:
            answer = original(self, request, **kwargs)
            seen.append(request)
            if len(seen) == number + 1:
                raise Killed
            return answer

        monkeypatch.setattr(requests.Session, "send", counted)
        try:
            work()
        except Killed:
            return True
        finally:
            monkeypatch.setattr(requests.Session, "send", original)
        return False

    return call


def as_json(path: Path) -> object:
    return json.loads(path.read_text())
