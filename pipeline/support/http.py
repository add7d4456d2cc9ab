"""The one HTTP session: http(s) only, with limits on size, time, redirects and address, and retries.

A manifest or CSV may name any url, so each hop is checked before it is followed: scheme, host, and every
address the host resolves to (loopback, link-local and private networks are refused unless allowed). The
address that is then connected to is checked again (`pipeline.support.http_adapter`).
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from pipeline.support.errors import DownloadError
from pipeline.support.files import atomic_writer
from pipeline.support.progress import track_bytes

if TYPE_CHECKING:
    import requests

    from pipeline.contracts.settings import Download

USER_AGENT = "repath-model/0.1 (benchmark curation; https://github.com/krispeterson/repath-model)"
Params = Mapping[str, str | int] | None
Take = Callable[[Iterator[bytes]], None]
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
        parts: list[bytes] = []

        def take(chunks: Iterator[bytes]) -> None:
            parts[:] = chunks

        self._tried(url, params, take, self.limits)
        return b"".join(parts)

    def save(self, url: str, target: Path, *, max_bytes: int, total_s: float, what: str = "") -> str:
        """Write the body of ``url`` to a file, in a stream, whole or not at all, and return its SHA-256.

        ``max_bytes`` and ``total_s`` stand in the place of the client's limits, which are those of a picture;
        ``what`` is shown while it is read.

        Raises:
            DownloadError: as `get`.
            OutputError: ``target`` cannot be written.
        """
        digests: list[str] = []

        def take(chunks: Iterator[bytes]) -> None:
            digest = hashlib.sha256()
            with atomic_writer(target) as out:
                for chunk in track_bytes(chunks, what=what or f"Reading {target.name}"):
                    digest.update(chunk)
                    out.write(chunk)
            digests.append(digest.hexdigest())

        self._tried(url, None, take, replace(self.limits, max_bytes=max_bytes, total_s=total_s))
        return digests[-1]

    def _tried(self, url: str, params: Params, take: Take, limits: Limits) -> None:
        last = ""
        for attempt in range(limits.retries + 1):
            try:
                return self._once(url, params, take, limits)
            except _RetryableError as error:
                last = str(error)
                if attempt < limits.retries:
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

    def _once(self, url: str, params: Params, take: Take, limits: Limits) -> None:
        import requests
        import urllib3

        deadline = time.monotonic() + limits.total_s
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
                    return take(_chunks(answer, url, deadline, limits))
            except urllib3.exceptions.DecodeError:
                raise DownloadError(f"{url}: the answer is not what its Content-Encoding says") from None
            except _broken_connections() as error:
                raise _RetryableError(f"no answer ({type(error).__name__})") from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
                raise DownloadError(f"{url}: {type(error).__name__}") from None
        raise DownloadError(f"{url}: more than {self.limits.max_redirects} redirects")

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


def _chunks(answer: requests.Response, url: str, deadline: float, limits: Limits) -> Iterator[bytes]:
    if answer.status_code in _RETRY_STATUS:
        raise _RetryableError(f"HTTP {answer.status_code}", wait=_retry_after(answer))
    if answer.status_code != 200:
        raise DownloadError(f"{url}: HTTP {answer.status_code}")
    size = 0
    # read1 returns what has come; iter_content would wait for a whole chunk, past the deadline.
    while chunk := answer.raw.read1(1 << 16, decode_content=True):
        size += len(chunk)
        if size > limits.max_bytes:
            raise DownloadError(f"{url}: larger than {limits.max_bytes} bytes")
        if time.monotonic() > deadline:
            raise DownloadError(f"{url}: not finished within {limits.total_s:g} s")
        yield chunk


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
