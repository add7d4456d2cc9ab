"""The test server in a process of its own, as the tests of workflows use it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

TESTS = Path(__file__).parents[1]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Start it, let commands find it, and return what asks it for its state or to do something."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    command = [sys.executable, "-m", "github_server", "--repo", "someone/another-model"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = json.loads(child.stdout.readline())
        monkeypatch.setenv("GITHUB_API_URL", told["api_url"])
        monkeypatch.setenv("GITHUB_TOKEN", told["token"])

        def ask(call: str = "", **given: Any) -> Any:
            if not call:
                return requests.get(told["state_url"], timeout=10).json()
            where = urljoin(told["state_url"], "/_do")
            answer = requests.post(where, json={"call": call, "with": given}, timeout=10)
            return answer.json()["returned"]

        yield ask
        child.terminate()


def test_it_is_set_up_and_looked_at_from_outside(
    server: Callable[..., Any], repath: Any, tmp_path: Path
) -> None:
    head = server("head")
    number = server("add_pull", branch="x", head_repo="mallory/fork", sha="a" * 40)
    server("add_commit", branch="main", changes={"a.txt": "b"}, message="More")
    body = tmp_path / "body.md"
    body.write_text("# Report\n")
    repo = ("--repo", "someone/another-model")
    ran = repath("github", "comment", *repo, "--pr", number, "--label", "x", "--body-file", body)
    assert ran.code == 0, ran.err
    zipped = base64.b64encode(b"no zip").decode()
    server("add_artifact", run_id=5, name="it", data={"base64": zipped})
    refused = repath(
        "github", "fetch-artifact", *repo, "--run-id", 5, "--name", "it", "--out-dir", tmp_path / "o"
    )
    assert (refused.code, "no usable archive" in refused.err) == (1, True)
    state = server()
    assert [item["number"] for item in state["comments"]] == [number]
    assert [pull["head_sha"] for pull in state["pulls"]] == ["a" * 40]
    assert state["branches"]["main"]["files"]["a.txt"] == "b"
    assert state["branches"]["main"]["sha"] != head
    assert state["violations"] == []
