"""``PYTHONPATH=tests python -m github_server --port 8000 --repo owner/name``: the server by itself.

It prints one line of JSON (``api_url``, ``token``, ``state_url``) and runs until it is stopped. What it holds
is told by ``GET /_state``; ``POST /_do`` calls a method of `FakeGitHub`, such as
``{"call": "add_pull", "with": {"branch": "x", "sha": "…"}}``. With ``--description FOLDER`` every request and
answer is held to GitHub's official description, which npm brings into that folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from pathlib import Path

from github_server import API, REPO, FakeGitHub


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--repo", default=REPO)
    parser.add_argument("--token", default="secret-token-of-the-tests")
    parser.add_argument("--description", type=Path)
    given = parser.parse_args()
    github = FakeGitHub(repo=given.repo, token=given.token)
    if given.description is not None:
        from github_api import Description, fetch_description

        document, why = fetch_description(given.description)
        if document is None:
            sys.exit(why)
        github.description = Description(document)
    with github.running(given.port):
        told = {"api_url": f"{github.url}{API}", "token": github.token, "state_url": f"{github.url}/_state"}
        print(json.dumps(told), flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
