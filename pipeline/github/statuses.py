"""A commit's status. Source: https://docs.github.com/en/rest/commits/statuses"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.contracts.base import Contract, Line, parse
from pipeline.github.addresses import web_address_fault
from pipeline.github.client import GitHubClient
from pipeline.github.repository import repository_path, require_commit
from pipeline.support.errors import UsageError

STATES = ("error", "failure", "pending", "success")
MAX_DESCRIPTION = 140
"""Characters that GitHub takes."""


class ApiStatus(Contract):
    """What the API tells of a status, as far as it is used."""

    id: int
    state: Line
    context: Line
    url: Line


def set_status(client: GitHubClient, repository: str, sha: str, body: Mapping[str, str]) -> ApiStatus:
    """Set the status of a commit to what `status_body` made; the newest of a context is the one that counts.

    Raises:
        UsageError: the repository or commit is none.
        RemoteError: GitHub refuses or does not answer.
    """
    path = f"{repository_path(repository)}/statuses/{require_commit(sha)}"
    # Two of the same are as good as one.
    answer = client.change("POST", path, body, what="setting the commit's status", repeat=True)
    return parse(ApiStatus, answer.data, source="GitHub's answer about a status")


def status_body(*, state: str, context: str, description: str, target_url: str | None) -> dict[str, str]:
    """Return what is sent: the description on one line and cut, the address left out where there is none.

    Raises:
        UsageError: the context is empty or has a line break, or the address is no http(s) url.
    """
    if state not in STATES:
        raise UsageError(
            f"{state[:20]!r} is no state of a commit", hint=f"It is one of: {', '.join(STATES)}."
        )
    if not context.strip() or not context.isprintable() or len(context) > 255:
        raise UsageError(f"{context[:60]!r} is no name of a status", hint="Give one line of text.")
    body = {"state": state, "context": context, "description": _one_line(description)}
    if target_url:
        fault = web_address_fault(target_url)
        if fault:
            raise UsageError(f"--target-url: {fault}")
        body["target_url"] = target_url
    return body


def _one_line(text: str) -> str:
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return words if len(words) <= MAX_DESCRIPTION else f"{words[: MAX_DESCRIPTION - 1]}…"
