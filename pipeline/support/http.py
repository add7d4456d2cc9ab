"""The one HTTP session: http(s) only, with limits on size, time, redirects and address, and retries.

A manifest or CSV may name any url, so each hop is checked before it is followed: scheme, host, and every
address the host resolves to (loopback, link-local and private networks are refused unless allowed). The
address that is then connected to is checked again (`pipeline.support.http_adapter`).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from pipeline.support.errors import DownloadError

if TYPE_CHECKING:
    import requests

    from pipeline.contracts.settings import Download

USER_AGENT = "repath-model/0.1 (benchmark curation; https://github.com/krispeterson/repath-model)"
_RETRY_STATUS = frozenset({429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a download may cost; the defaults are those of ``[download]`` in repath.toml."""

    timeout_s: float = 20.0
    total_s: float = 120.0
    max_bytes: int = 64 << 20
    max_redirects: int = 5
    retries: int = 3
    allow_private_addresses: bool = False

    @classmethod
    def of(cls, settings: Download) -> Limits:
        """Return the limits that ``[download]`` of a workspace sets."""
        return cls(
            timeout_s=settings.timeout_s,
            max_bytes=settings.max_bytes,
            retries=settings.retries,
            allow_private_addresses=settings.allow_private_addresses,
        )


@dataclass(slots=True)
class HttpClient:
    """Fetches urls over kept-alive connections; each thread that uses it has a session of its own."""

    limits: Limits = field(default_factory=Limits)
    _local: threading.local = field(default_factory=threading.local)
    _sessions: list[requests.Session] = field(default_factory=list)

    def get(self, url: str, *, params: Mapping[str, str | int] | None = None) -> bytes:
        """Return the body of ``url``.

        Raises:
            DownloadError: not http(s), a refused address, too large, too slow, too many redirects, or an
                answer other than 200 after the retries. The message is one line.
        """
        last = ""
        for attempt in range(self.limits.retries + 1):
            try:
                return self._once(url, params)
            except _RetryableError as error:
                last = str(error)
                if attempt < self.limits.retries:
                    time.sleep(error.wait if error.wait is not None else min(2.0**attempt * 0.5, 8.0))
        raise DownloadError(f"{url}: {last}")

    def close(self) -> None:
        """Close the connections."""
        while self._sessions:
            self._sessions.pop().close()
        self._local = threading.local()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _once(self, url: str, params: Mapping[str, str | int] | None) -> bytes:
        import requests
        import urllib3

        deadline = time.monotonic() + self.limits.total_s
        here = url
        for _ in range(self.limits.max_redirects + 1):
            self._check(here)
            try:
                with self._open().get(
                    here, params=params, timeout=self.limits.timeout_s, stream=True, allow_redirects=False
                ) as answer:
                    if answer.status_code in _REDIRECTS and answer.headers.get("Location"):
                        here, params = urljoin(answer.url, answer.headers["Location"]), None
                        continue
                    return self._body(answer, url, deadline)
            except urllib3.exceptions.DecodeError:
                raise DownloadError(f"{url}: the answer is not what its Content-Encoding says") from None
            except _broken_connections() as error:
                raise _RetryableError(f"no answer ({type(error).__name__})") from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
                raise DownloadError(f"{url}: {type(error).__name__}") from None
        raise DownloadError(f"{url}: more than {self.limits.max_redirects} redirects")

    def _body(self, answer: requests.Response, url: str, deadline: float) -> bytes:
        if answer.status_code in _RETRY_STATUS:
            raise _RetryableError(f"HTTP {answer.status_code}", wait=_retry_after(answer))
        if answer.status_code != 200:
            raise DownloadError(f"{url}: HTTP {answer.status_code}")
        limit = self.limits.max_bytes
        parts: list[bytes] = []
        size = 0
        # read1 returns what has come; iter_content would wait for a whole chunk, past the deadline.
        while chunk := answer.raw.read1(1 << 16, decode_content=True):
            size += len(chunk)
            if size > limit:
                raise DownloadError(f"{url}: larger than {limit} bytes")
            if time.monotonic() > deadline:
                raise DownloadError(f"{url}: not finished within {self.limits.total_s:g} s")
            parts.append(chunk)
        return b"".join(parts)

    def _check(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise DownloadError(f"{url!r}: not a url") from None
        if parts.scheme not in {"http", "https"} or not host:
            raise DownloadError(f"{url}: only http and https are fetched")
        if parts.username or parts.password:
            raise DownloadError(f"{parts.scheme}://{host}: a url with a user name or password is not fetched")
        if self.limits.allow_private_addresses:
            return
        try:
            found = socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
        except OSError:
            if _behind_proxy(parts.scheme):
                return  # the proxy resolves names, and only it
            raise _RetryableError(f"the host {host} is not known") from None
        except UnicodeError:
            raise DownloadError(f"{url}: not a host name") from None
        from pipeline.support.http_adapter import is_public

        if not all(is_public(str(address[0])) for *_, address in found):
            raise DownloadError(f"{url}: {host} is an address of a private network")

    def _open(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._new_session()
            self._sessions.append(session)
        return session

    def _new_session(self) -> requests.Session:
        import requests

        session = requests.Session()
        session.headers["User-Agent"] = USER_AGENT
        if not self.limits.allow_private_addresses:
            from pipeline.support.http_adapter import PublicAdapter

            for scheme in ("http://", "https://"):
                session.mount(scheme, PublicAdapter())
        return session


class _RetryableError(Exception):
    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def _broken_connections() -> tuple[type[Exception], ...]:
    import requests
    import urllib3.exceptions as broken

    return (requests.ConnectionError, requests.Timeout, broken.ProtocolError, broken.TimeoutError)


def _retry_after(answer: requests.Response) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return min(float(value), 60.0) if value.isascii() and value.isdigit() else None


def _behind_proxy(scheme: str) -> bool:
    return any(os.environ.get(name) for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "ALL_PROXY"))
