"""Names of repositories, commits and branches, checked before they become part of an address."""

from __future__ import annotations

import re

from pipeline.support.errors import UsageError

_NAME = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}", re.ASCII
)

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|\.?/$")


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


def is_commit(text: str) -> bool:
    """Tell whether ``text`` is a whole commit id."""
    return _SHA.fullmatch(text) is not None


def require_commit(text: str) -> str:
    """Return a commit id.

    Raises:
        UsageError: ``text`` is none, in whole.
    """
    if not is_commit(text):
        raise UsageError(f"{text[:80]!r} is not a whole commit id", hint="Give all 40 hexadecimal digits.")
    return text


def is_ref_name(text: str) -> bool:
    """Tell whether git takes ``text`` as the name of a branch or tag (git-check-ref-format)."""
    if not text or len(text.encode("utf-8")) > 255 or text[0] in "/.-" or text == "@":
        return False
    return text.isprintable() and _NO_REF.search(text) is None
