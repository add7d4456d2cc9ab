"""One comment on a pull request, found again by a hidden marker and kept up to date; never a second one.

A comment is ours when its author is who we are and its first line is the marker: text that others write, or
that a label carries into the body, is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pipeline.contracts.base import Contract, Line, Name, parse
from pipeline.github.client import GitHubClient
from pipeline.github.repository import repository_path
from pipeline.support.errors import (
    InputError,
    RemoteError,
    RemoteForbiddenError,
    RemoteMissingError,
    RemoteUnsureError,
    UsageError,
)

MAX_BODY = 65_536
"""Characters that GitHub takes; counted here in UTF-16 units, of which there are never fewer."""
ACTIONS_BOT = "github-actions[bot]"
"""Who comments with a workflow's own GITHUB_TOKEN, which may not ask who it is."""

_MARK = "repath-model:comment"
_IN_BODY = re.compile(rf"<!--(?=\s*{re.escape(_MARK)})", re.IGNORECASE)
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)


class ApiUser(Contract):
    """Who wrote a comment."""

    login: Name


class ApiComment(Contract):
    """What the API tells of a comment, as far as it is used."""

    id: int
    body: str | None = None
    user: ApiUser | None
    html_url: Line


@dataclass(frozen=True, slots=True)
class Kept:
    """The one comment, and what was done."""

    url: str
    comment_id: int
    action: str
    """``created``, ``updated`` or ``unchanged``."""
    removed: int
    """Duplicates of ours that were removed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the comment is and what makes it the one."""

    repository: str
    number: int
    label: str
    workflow: str = ""

    @property
    def marker(self) -> str:
        """The first line of the comment; percent-encoded, so that nothing in it can end the HTML comment."""
        parts = (self.repository.lower(), self.workflow, self.label)
        repository, workflow, label = (quote(part, safe="/") for part in parts)
        return f"<!-- {_MARK} repository={repository} workflow={workflow} label={label} -->"


def comment_body(place: Place, text: str, *, more: str = "The report of the run is whole.") -> str:
    """Return the comment: marker, and the text cut at a line where it is too long.

    Raises:
        InputError: the text is empty.
    """
    text = _IN_BODY.sub("&lt;!--", text.replace("\r\n", "\n").replace("\0", "")).strip()
    if not text:
        raise InputError("the comment's body is empty")
    head = f"{place.marker}\n"
    room = MAX_BODY - _units(head)
    return head + (text if _units(text) <= room else _cut(text, room, f"\n\n*Cut here: too long. {more}*"))


def keep_comment(
    client: GitHubClient, place: Place, text: str, *, login: str | None = None, dry_run: bool = False
) -> Kept:
    """Have exactly one comment of ours say ``text``.

    Args:
        client: with a token that may write comments.
        place: the pull request and what the marker is made of.
        text: Markdown.
        login: who we are; asked for where it is not given.
        dry_run: look only.

    Raises:
        UsageError: the repository or number is none.
        RemoteError: GitHub refuses or does not answer; the same call goes on later.
    """
    if place.number < 1:
        raise UsageError(f"{place.number} is not the number of a pull request")
    return _Keeper(client, place, comment_body(place, text), login or own_login(client)).keep(dry_run)


def own_login(client: GitHubClient) -> str:
    """Return who the token is; a workflow's own token may not ask, and is the Actions bot.

    Raises:
        RemoteError: the token is refused, or GitHub does not answer.
    """
    try:
        return parse(
            ApiUser, client.get("/user", what="asking who we are").data, source="GitHub's answer"
        ).login
    except RemoteForbiddenError:
        return ACTIONS_BOT


class _Keeper:
    def __init__(self, client: GitHubClient, place: Place, body: str, login: str) -> None:
        self._client = client
        self._base = repository_path(place.repository)
        self._path = f"{self._base}/issues/{place.number}/comments"
        self._marker = place.marker
        self._body = body
        self._login = login

    def keep(self, dry_run: bool) -> Kept:
        found = self._ours()
        if dry_run:
            first = found[0] if found else None
            action = "would be updated" if first else "would be created"
            return Kept(first.html_url if first else "", first.id if first else 0, action, 0)
        if found:
            return self._settle(found, created=None)
        made: ApiComment | None = None
        for _ in self._client.patience.attempts():
            if made is None:
                made = self._create()
            found = self._ours()
            # A list that shows our comment also shows those that another run made before it.
            if any(made is None or item.id == made.id for item in found):
                return self._settle(found, created=made)
        raise RemoteError("the comment was not taken", hint="Run the command again: it looks first.")

    def _create(self) -> ApiComment | None:
        try:
            answer = self._client.change(
                "POST", self._path, {"body": self._body}, what="writing the comment", repeat=False
            )
        except RemoteUnsureError:
            return None  # it may be there: the list will tell
        made = _comment(answer.data)
        if made.user is not None:
            # An App's token is neither a user's nor the Actions bot: now we know who we are.
            self._login = made.user.login
        return made

    def _ours(self) -> list[ApiComment]:
        rows = self._client.pages(self._path, what="listing the comments")
        found = [item for item in map(_comment, rows) if self._is_ours(item)]
        return sorted(found, key=lambda item: item.id)

    def _is_ours(self, item: ApiComment) -> bool:
        if item.user is None or item.user.login.lower() != self._login.lower():
            return False
        return (item.body or "").partition("\n")[0].rstrip("\r") == self._marker

    def _settle(self, found: Sequence[ApiComment], *, created: ApiComment | None) -> Kept:
        """Keep the oldest, up to date, and remove the others."""
        kept, *others = found
        action = "created" if created is not None and created.id == kept.id else "unchanged"
        if (kept.body or "").replace("\r\n", "\n") != self._body:
            path = f"{self._base}/issues/comments/{kept.id}"
            self._client.change("PATCH", path, {"body": self._body}, what="updating the comment", repeat=True)
            action = "updated"
        for other in others:
            self._delete(other)
        return Kept(kept.html_url, kept.id, action, len(others))

    def _delete(self, item: ApiComment) -> None:
        try:
            path = f"{self._base}/issues/comments/{item.id}"
            self._client.change("DELETE", path, None, what="removing a second comment", repeat=True)
        except RemoteMissingError:
            return  # the other run removed it


def _comment(data: Any) -> ApiComment:
    return parse(ApiComment, data, source="GitHub's answer about a comment")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


def _cut(text: str, room: int, ending: str) -> str:
    """Cut at the end of a line, and close what is open there, so that the ending is read as text."""
    reserve = _units(ending) + 1024
    cut = text.encode("utf-16-le", errors="surrogatepass")[: 2 * (room - reserve)]
    kept = cut.decode("utf-16-le", errors="ignore")
    kept = kept[: kept.rfind("\n")] if "\n" in kept else kept
    if len(_FENCE.findall(kept)) % 2:
        kept += "\n```"
    open_details = kept.lower().count("<details") - kept.lower().count("</details>")
    return kept + "\n</details>" * max(min(open_details, 64), 0) + ending
