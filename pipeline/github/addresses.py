"""Addresses that may be spoken to with a token: https, or a server on this very machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


def address_fault(url: str) -> str:
    """Say why an address is not used, or nothing."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "not a url"
    if parts.username or parts.password:
        return "a url with a user name or password is not used"
    if not parts.hostname or not (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts))
    ):
        return f"{origin_text(url)} is not an https address"
    return ""


def web_address_fault(url: str) -> str:
    """Say why an address is none that a person may be sent to, or nothing."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "not a url"
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or parts.scheme not in {"http", "https"} or not parts.hostname:
        return "not an http(s) url"
    return "a url with a user name or password is not used" if parts.username or parts.password else ""


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """Return scheme, host and port; what is no address has an origin that no other has."""
    default = {"http": 80, "https": 443}.get(parts.scheme)
    try:
        return parts.scheme, parts.hostname or "", parts.port or default
    except ValueError:
        return "", "", None


def origin_text(url: str) -> str:
    """Return scheme and host alone: the rest of a storage url is a secret of its own."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}"
