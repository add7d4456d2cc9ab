"""Names of repositories, checked before they become part of an address."""

from __future__ import annotations

import re

from pipeline.support.errors import UsageError

_NAME = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,98}[A-Za-z0-9])?/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}", re.ASCII
)


def is_repository(text: str) -> bool:
    """Tell whether ``text`` is ``owner/name``."""
    return _NAME.fullmatch(text) is not None


def repository_path(text: str) -> str:
    """Return ``/repos/owner/name``.

    Raises:
        UsageError: ``text`` is not ``owner/name``.
    """
    if not is_repository(text):
        raise UsageError(f"{text!r} is not a repository", hint="Write it as owner/name.")
    return f"/repos/{text}"
