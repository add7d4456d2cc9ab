"""Pull requests: found by their head, opened once, kept up to date.

Source: https://docs.github.com/en/rest/pulls/pulls
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.contracts.base import Contract, Line, parse
from pipeline.github.client import GitHubClient
from pipeline.github.context import EventSide, Number
from pipeline.github.repository import repository_path
from pipeline.support.errors import RemoteError, RemoteInvalidError, RemoteMissingError, RemoteUnsureError


class ApiPullRequest(Contract):
    """What the API tells of a pull request, as far as it is used."""

    number: Number
    html_url: Line
    state: Line
    title: str
    body: str | None = None
    head: EventSide
    base: EventSide


@dataclass(frozen=True, slots=True)
class WantedPull:
    """A pull request as it should be."""

    branch: str
    base: str
    title: str
    body: str


class PullRequests:
    """The pull requests of one repository."""

    def __init__(self, client: GitHubClient, repository: str) -> None:
        """Take a client and ``owner/name``.

        Raises:
            UsageError: it is no repository's name.
        """
        self._client = client
        self._repository = repository
        self._path = f"{repository_path(repository)}/pulls"

    def of_head(self, head_repository: str, branch: str) -> list[ApiPullRequest]:
        """Return the open pull requests whose head is this branch, the oldest first, each read for itself.

        The list is asked for the owner and branch; the head's repository is looked at here, since an owner
        may have several forks, and each is read anew, since a list may lag behind.
        """
        owner = head_repository.partition("/")[0]
        query = {"state": "open", "head": f"{owner}:{branch}"}
        rows = self._client.pages(self._path, what="listing the pull requests", query=query)
        numbers = sorted({pull.number for pull in map(_pull, rows) if _is_of(pull, head_repository, branch)})
        return [
            pull
            for pull in self._each(numbers)
            if pull.state == "open" and _is_of(pull, head_repository, branch)
        ]

    def keep_one(self, wanted: WantedPull) -> tuple[ApiPullRequest, str]:
        """Have exactly one open pull request of the branch, and say whether it was created or updated.

        Raises:
            RemoteError: GitHub refuses or does not answer; the same call goes on later.
        """
        last: RemoteInvalidError | None = None
        for _ in self._client.patience.attempts():
            found = self.of_head(self._repository, wanted.branch)
            if found:
                return self._update(found[0], wanted)
            try:
                return self._create(wanted), "created"
            except RemoteUnsureError:
                continue  # it may be there: the list will tell
            except RemoteInvalidError as error:
                # GitHub keeps to one of a branch itself: then the list lags behind.
                last = error
                if "already exists" not in error.message:
                    raise
        raise last or RemoteError(
            "the pull request was not taken", hint="Run the command again: it looks first."
        )

    def _create(self, wanted: WantedPull) -> ApiPullRequest:
        body = {"title": wanted.title, "body": wanted.body, "head": wanted.branch, "base": wanted.base}
        what = "opening the pull request"
        return _pull(self._client.change("POST", self._path, body, what=what, repeat=False).data)

    def _update(self, found: ApiPullRequest, wanted: WantedPull) -> tuple[ApiPullRequest, str]:
        if says(found, wanted):
            return found, "unchanged"
        body = {"title": wanted.title, "body": wanted.body, "base": wanted.base}
        path, what = f"{self._path}/{found.number}", f"updating pull request {found.number}"
        return _pull(self._client.change("PATCH", path, body, what=what, repeat=True).data), "updated"

    def _each(self, numbers: list[int]) -> Iterator[ApiPullRequest]:
        for number in numbers:
            try:
                what = f"reading pull request {number}"
                yield _pull(self._client.get(f"{self._path}/{number}", what=what).data)
            except RemoteMissingError:
                continue


def says(pull: ApiPullRequest, wanted: WantedPull) -> bool:
    """Tell whether a pull request has this title, text and base."""
    said = (pull.title, (pull.body or "").replace("\r\n", "\n"), pull.base.ref)
    return said == (wanted.title, wanted.body, wanted.base)


def _is_of(pull: ApiPullRequest, repository: str, branch: str) -> bool:
    repo = pull.head.repo
    return repo is not None and repo.full_name.lower() == repository.lower() and pull.head.ref == branch


def _pull(data: Any) -> ApiPullRequest:
    return parse(ApiPullRequest, data, source="GitHub's answer about a pull request")
