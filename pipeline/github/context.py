"""What event a workflow runs for, and whether its code is trusted; the payload is data, and is never run.

Anybody may open a pull request from a fork, and name its branch as they like. So a payload is held to a
contract, and what is no commit, repository or one-line branch name is refused instead of passed on.
Source: https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from pipeline.contracts.base import Contract, Line, parse, shown
from pipeline.github.repository import is_commit, is_repository
from pipeline.support.documents import load_json
from pipeline.support.errors import InputError, UsageError

MAX_PAYLOAD = 25 << 20
"""GitHub sends no larger payload."""
_OWN_EVENTS = frozenset(
    {"push", "workflow_dispatch", "schedule", "repository_dispatch", "release", "merge_group"}
)
"""Events that only those who may write to the repository can cause."""


def _repository(text: str) -> str:
    if not is_repository(text):
        raise ValueError("is not owner/name")
    return text


def _sha(text: str) -> str:
    if not is_commit(text):
        raise ValueError("is not a commit")
    return text


def _short(text: str) -> str:
    if len(text.encode("utf-8")) > 255:  # git's own limit for a name of a branch
        raise ValueError("is longer than 255 bytes")
    return text


Repository = Annotated[str, AfterValidator(_repository)]
Sha = Annotated[str, AfterValidator(_sha)]
Ref = Annotated[Line, AfterValidator(_short)]
Number = Annotated[int, Field(ge=1, le=2**53)]


class EventRepository(Contract):
    """A repository in a payload."""

    full_name: Repository


class EventSide(Contract):
    """Head or base of a pull request; ``repo`` is null where the fork was deleted."""

    ref: Ref
    sha: Sha
    repo: EventRepository | None


class EventPullRequest(Contract):
    """The pull request of a payload."""

    number: Number
    head: EventSide
    base: EventSide


class EventWorkflowRun(Contract):
    """The run that a ``workflow_run`` event is about."""

    id: Number
    event: Line
    head_branch: Ref | None
    head_sha: Sha
    head_repository: EventRepository | None


class EventPayload(Contract):
    """A payload, as far as it is used."""

    action: Line | None = None
    repository: EventRepository
    pull_request: EventPullRequest | None = None
    workflow_run: EventWorkflowRun | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One end of a change."""

    repository: str | None
    sha: str | None
    ref: str | None


@dataclass(frozen=True, slots=True)
class EventContext:
    """What event this is."""

    event: str
    action: str | None
    repository: str
    pull_request: int | None
    """Its number; null for a ``workflow_run``, whose event lists none for forks: ask the API by its head."""
    fork: bool | None
    """Whether the head is of another repository; null where there is no head to tell it by."""
    head: Side
    base: Side | None
    tag: str | None
    workflow_run_id: int | None
    run_event: str | None
    """Of a ``workflow_run``: the event that caused the run."""
    trusted: bool
    """Whether only those who may write to the repository can have written the code of this event."""
    reason: str
    """Why it is trusted, or is not."""

    def to_data(self) -> dict[str, Any]:
        """Return what is printed."""
        return asdict(self)


def event_context(environ: Mapping[str, str]) -> EventContext:
    """Read the event of this workflow run.

    Args:
        environ: ``GITHUB_EVENT_NAME``, ``GITHUB_EVENT_PATH`` and, for events without a head of their own,
            ``GITHUB_SHA`` and ``GITHUB_REF``.

    Raises:
        UsageError: this is no workflow run.
        InputError: the payload is missing, too large, or not JSON.
        ContractError: it says something else than GitHub would.
    """
    event = environ.get("GITHUB_EVENT_NAME", "")
    path = environ.get("GITHUB_EVENT_PATH", "")
    if not path or not re.fullmatch(r"[a-z_]{1,64}", event, re.ASCII):
        raise UsageError(
            f"this is no run of a workflow: GITHUB_EVENT_NAME is {shown(event)}",
            hint="GitHub Actions sets GITHUB_EVENT_NAME and GITHUB_EVENT_PATH.",
        )
    payload = _read(Path(path))
    if event in {"pull_request", "pull_request_target"}:
        return _of_pull_request(event, payload)
    if event == "workflow_run":
        return _of_workflow_run(payload)
    return _of_own(event, payload, environ)


def _read(path: Path) -> EventPayload:
    if path.is_file() and path.stat().st_size > MAX_PAYLOAD:
        raise InputError(f"{path} is larger than any payload of GitHub ({MAX_PAYLOAD >> 20} MB)")
    return parse(EventPayload, load_json(path), source=str(path))


def _of_pull_request(event: str, payload: EventPayload) -> EventContext:
    pull = payload.pull_request
    if pull is None:
        raise InputError(f"the payload of a {event} event has no pull request")
    head, base = _side(pull.head), _side(pull.base)
    fork = _is_fork(head, payload)
    return EventContext(
        event=event,
        action=payload.action,
        repository=payload.repository.full_name,
        pull_request=pull.number,
        fork=fork,
        head=head,
        base=base,
        tag=None,
        workflow_run_id=None,
        run_event=None,
        trusted=not fork,
        reason=_reason(fork),
    )


def _of_workflow_run(payload: EventPayload) -> EventContext:
    run = payload.workflow_run
    if run is None:
        raise InputError("the payload of a workflow_run event has no run")
    head = Side(run.head_repository.full_name if run.head_repository else None, run.head_sha, run.head_branch)
    fork = _is_fork(head, payload)
    return EventContext(
        event="workflow_run",
        action=payload.action,
        repository=payload.repository.full_name,
        pull_request=None,
        fork=fork,
        head=head,
        base=None,
        tag=None,
        workflow_run_id=run.id,
        run_event=run.event,
        trusted=not fork,
        reason=_reason(fork),
    )


def _of_own(event: str, payload: EventPayload, environ: Mapping[str, str]) -> EventContext:
    """Describe an event without a head of its own: it runs on what ``GITHUB_SHA`` and ``GITHUB_REF`` name."""
    names = {"ref": environ.get("GITHUB_REF", ""), "sha": environ.get("GITHUB_SHA", "")}
    own = payload.repository.full_name
    side = parse(EventSide, {**names, "repo": {"full_name": own}}, source="GITHUB_REF and GITHUB_SHA")
    trusted = event in _OWN_EVENTS
    return EventContext(
        event=event,
        action=payload.action,
        repository=own,
        pull_request=None,
        fork=False if trusted else None,
        head=_side(side),
        base=None,
        tag=side.ref.removeprefix("refs/tags/") if side.ref.startswith("refs/tags/") else None,
        workflow_run_id=None,
        run_event=None,
        trusted=trusted,
        reason=_reason(False) if trusted else f"anybody may cause a {event} event",
    )


def _side(side: EventSide) -> Side:
    return Side(side.repo.full_name if side.repo else None, side.sha, side.ref)


def _is_fork(head: Side, payload: EventPayload) -> bool:
    """Compare without regard to case, as GitHub does; a deleted fork is one."""
    return head.repository is None or head.repository.lower() != payload.repository.full_name.lower()


def _reason(fork: bool) -> str:
    return "the head is of another repository" if fork else "only those who may write can have caused it"
