"""What GitHub answered: done, to be asked again after a wait, or refused in words.

Source: https://docs.github.com/en/rest/using-the-rest-api (rate limits, troubleshooting, best practices).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.contracts.base import shown
from pipeline.support.errors import (
    RemoteError,
    RemoteExistsError,
    RemoteForbiddenError,
    RemoteInvalidError,
    RemoteMissingError,
)

_SECONDARY_WAIT_S = 60.0
"""GitHub: without Retry-After, wait at least a minute after a secondary limit."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (names in lower case) and body of an answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Any = None

    @property
    def message(self) -> str:
        """GitHub's own words, on one line."""
        said = self.data.get("message") if isinstance(self.data, dict) else None
        return shown(said).strip("'\"") if isinstance(said, str) and said else f"HTTP {self.status}"

    @property
    def codes(self) -> set[str]:
        """The codes of a refused request, such as ``already_exists``."""
        errors = self.data.get("errors") if isinstance(self.data, dict) else None
        if not isinstance(errors, list):
            return set()
        return {
            item["code"] for item in errors if isinstance(item, dict) and isinstance(item.get("code"), str)
        }

    @property
    def reasons(self) -> list[str]:
        """What a refused request is told, each on one line: GitHub's words, or a code."""
        errors = self.data.get("errors") if isinstance(self.data, dict) else None
        found = []
        for item in errors[:5] if isinstance(errors, list) else []:
            words = item.get("message") or item.get("code") if isinstance(item, dict) else item
            if isinstance(words, str) and words:
                found.append("".join(letter if letter.isprintable() else " " for letter in words[:200]))
        return found


def limited_for(answer: Answer) -> float | None:
    """Return the seconds to wait where the answer is that of a rate limit, else None."""
    if answer.status not in {403, 429}:
        return None
    asked = answer.headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        return float(asked)
    if answer.headers.get("x-ratelimit-remaining") == "0":
        reset = answer.headers.get("x-ratelimit-reset", "")
        if reset.isascii() and reset.isdigit():
            return max(float(reset) - time.time(), 1.0)
    if answer.status == 429 or "secondary rate limit" in answer.message.lower():
        return _SECONDARY_WAIT_S
    return None


def refusal(what: str, answer: Answer) -> RemoteError:
    """Return the error for an answer that asking again would not change."""
    said = f"{what}: {answer.message}"
    if answer.status == 401:
        return RemoteError(f"{what}: GitHub refuses the token", hint="Set GITHUB_TOKEN or GH_TOKEN anew.")
    if answer.status == 403:
        hint = "It may lack a permission: contents: write for releases, pull-requests: write for comments."
        if "not permitted to create" in answer.message:
            hint = "Allow it in the repository's settings: Actions, General, Workflow permissions."
        return RemoteForbiddenError(said, hint=hint)
    if answer.status == 404:
        hint = "Check the name; to a token that may not see it, GitHub says the same."
        return RemoteMissingError(f"{what}: not found", hint=hint)
    if answer.status == 422 and "already_exists" in answer.codes:
        return RemoteExistsError(f"{what}: there is one already")
    if answer.status == 422:
        return RemoteInvalidError(said + "".join(f"; {words}" for words in answer.reasons))
    return RemoteError(said)
