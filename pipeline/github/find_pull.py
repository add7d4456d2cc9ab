"""Which pull request a finished run was of: asked of the API by the run's head, never of what the run says.

The event of a finished run lists no pull request where its head is of a fork.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.github.client import GitHubClient
from pipeline.github.context import EventContext
from pipeline.github.pulls import ApiPullRequest, PullRequests


@dataclass(frozen=True, slots=True)
class FoundPull:
    """The pull request of a run, or why there is none to write to."""

    found: bool
    reason: str
    number: int | None = None
    url: str | None = None
    fork: bool | None = None
    head_repository: str | None = None
    head_ref: str | None = None
    head_sha: str | None = None
    base_ref: str | None = None
    base_sha: str | None = None

    def to_data(self) -> dict[str, Any]:
        """Return what is printed."""
        return asdict(self)


def find_pull_request(client: GitHubClient, repository: str, event: EventContext) -> FoundPull:
    """Return the open pull request whose head is still the commit that the run was of.

    Args:
        client: may be without a token where the repository is public.
        repository: ``owner/name`` of the repository that the pull request is in.
        event: the ``workflow_run`` event.

    Raises:
        RemoteError: GitHub refuses or does not answer.
    """
    head = event.head
    why = _no_pull_request(event)
    if why or head.repository is None or head.ref is None:
        return FoundPull(False, why)
    pulls = PullRequests(client, repository).of_head(head.repository, head.ref)
    current = [pull for pull in pulls if pull.head.sha == head.sha]
    if len(current) != 1:
        return FoundPull(False, _not_one(pulls, current))
    [pull] = current
    return FoundPull(
        found=True,
        reason="its head is the commit that the run was of",
        number=pull.number,
        url=pull.html_url,
        fork=head.repository.lower() != repository.lower(),
        head_repository=head.repository,
        head_ref=head.ref,
        head_sha=pull.head.sha,
        base_ref=pull.base.ref,
        base_sha=pull.base.sha,
    )


def _no_pull_request(event: EventContext) -> str:
    """Say why a run is of no pull request that could be asked for, or nothing."""
    if event.run_event not in {"pull_request", "pull_request_target"}:
        return f"the run was caused by a {event.run_event} event"
    if event.head.repository is None:
        return "the repository of the run's head is gone"
    return "" if event.head.ref else "the run has no branch"


def _not_one(pulls: Sequence[ApiPullRequest], current: Sequence[ApiPullRequest]) -> str:
    if current:
        return f"several pull requests have this head: {', '.join(str(pull.number) for pull in current)}"
    if pulls:
        return "the pull request has moved on to another commit"
    return "no open pull request has the run's branch as its head"
