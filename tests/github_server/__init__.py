"""A GitHub of our own on loopback, with state and with faults.

It has releases, comments, pull requests, branches, statuses and artefacts. What GitHub does and this project
relies on, it does: a draft is not found by its tag, a tag has one published release, an asset's name is taken
once, an upload that breaks off leaves one that is not whole, a branch has one open pull request into a base,
a download is redirected to another host. It remembers what must never happen in `violations`.
``python -m github_server --port 8000`` starts it by itself; see `github_server.__main__`.
"""

from __future__ import annotations

from github_server.actions import Actions
from github_server.comments import Comments
from github_server.core import API, FAULTS, REPO, STOPS, UPLOADS, Core, DroppedError, Request
from github_server.git import Git
from github_server.pulls import Pulls
from github_server.releases import Releases

__all__ = ["API", "FAULTS", "REPO", "STOPS", "UPLOADS", "DroppedError", "FakeGitHub", "Request"]


class FakeGitHub(Releases, Comments, Pulls, Git, Actions, Core):
    """The state, and the two servers: the API with its uploads, and object storage at another address."""
