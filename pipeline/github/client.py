"""Requests to GitHub: PyGithub for what is JSON, requests for files; one way to try again for both.

The token goes to the API's own address and its upload host, over https, and nowhere else: a file's download
is redirected to object storage, which never sees it. What only reads is tried again by itself; what changes
something is tried again only where GitHub says that it did nothing (a rate limit); otherwise the caller is
told to look.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from pipeline.github.addresses import address_fault, origin, origin_text
from pipeline.github.answers import Answer, limited_for, refusal
from pipeline.github.transfer import BrokenAnswerError, StreamBody, answer_of, limited
from pipeline.support.errors import RemoteError, RemoteUnsureError, UsageError
from pipeline.support.http import USER_AGENT
from pipeline.support.patience import Patience

if TYPE_CHECKING:
    import requests
    from github.Requester import Requester

PUBLIC_API = "https://api.github.com"
API_VERSION = "2022-11-28"
JSON_TYPE = "application/vnd.github+json"
_TIMEOUT_S = 60
_MAX_PAGES = 1000
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class GitHubClient:
    """Speaks to one GitHub, with one token or none."""

    token: str | None = field(default=None, repr=False)
    api_url: str = PUBLIC_API
    patience: Patience = field(default_factory=Patience)
    _session: requests.Session | None = field(default=None, init=False, repr=False)
    _requester: Requester | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.api_url = self.api_url.rstrip("/")
        fault = address_fault(self.api_url)
        if fault:
            raise UsageError(f"GITHUB_API_URL: {fault}")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise UsageError("the token holds characters that no token has", hint="Was it cut or wrapped?")

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] = os.environ, *, patience: Patience | None = None
    ) -> GitHubClient:
        """Take the token from ``GITHUB_TOKEN`` or ``GH_TOKEN``, the address from ``GITHUB_API_URL``.

        Raises:
            UsageError: the address is no https url, or the token none.
        """
        token = (environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or "").strip()
        return cls(token or None, environ.get("GITHUB_API_URL") or PUBLIC_API, patience or Patience())

    def need_token(self) -> None:
        """Refuse to go on without a token.

        Raises:
            UsageError: there is none.
        """
        if self.token is None:
            raise UsageError("this needs a token", hint="Set GITHUB_TOKEN or GH_TOKEN.")

    def get(self, path: str, *, what: str) -> Answer:
        """Read one thing. ``what`` is the work in words, for errors.

        Raises:
            RemoteMissingError: there is no such thing.
            RemoteError: GitHub refuses, or gives no answer within the tries.
        """
        return self.ask(what, lambda: self._json("GET", path), repeat=True)

    def pages(
        self, path: str, *, what: str, query: Mapping[str, str] | None = None, key: str | None = None
    ) -> list[Any]:
        """Read all pages of a list.

        Args:
            path: below the API's address.
            what: the work in words, for errors.
            query: what narrows the list.
            key: the field that holds the list, where the answer is no list itself.

        Raises:
            RemoteError: as `get`; or a page holds no list.
        """
        rows: list[Any] = []
        for page in range(1, _MAX_PAGES + 1):
            asked = urlencode({**(query or {}), "per_page": 100, "page": page})
            answer = self.get(f"{path}?{asked}", what=what)
            held = answer.data.get(key) if key is not None and isinstance(answer.data, dict) else answer.data
            if not isinstance(held, list):
                raise RemoteError(f"{what}: GitHub did not answer with a list")
            rows += held
            if 'rel="next"' not in answer.headers.get("link", ""):
                return rows
        raise RemoteError(f"{what}: the list has more than {_MAX_PAGES} pages")

    def change(
        self, verb: str, path: str, body: Mapping[str, Any] | None, *, what: str, repeat: bool
    ) -> Answer:
        """Change something.

        Args:
            verb: ``POST``, ``PATCH`` or ``DELETE``.
            path: below the API's address.
            body: sent as JSON.
            what: the work in words, for errors.
            repeat: doing it twice is as good as once, so it is tried again by itself.

        Raises:
            RemoteUnsureError: the answer was lost and ``repeat`` is not set.
            RemoteExistsError: there is such a thing already.
            RemoteError: GitHub refuses, or gives no answer within the tries.
        """
        return self.ask(what, lambda: self._json(verb, path, body), repeat=repeat)

    def upload(self, url: str, body: Callable[[], StreamBody], *, content_type: str, what: str) -> Answer:
        """Send a file in a stream to the upload host that GitHub named.

        Raises:
            RemoteUnsureError: the connection broke or GitHub failed; the file may be there, whole or cut.
            RemoteExistsError: there is a file of this name already.
            RemoteError: GitHub refuses, or names a host that may not get the token.
        """
        if not self._is_ours(url, uploads=True):
            raise RemoteError(f"{what}: {origin_text(url)} is not GitHub's upload host, and gets no token")

        def send() -> Answer:
            import requests

            headers = {**self._headers(), "Content-Type": content_type}
            try:
                answer = self._open().post(
                    url, data=body(), headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
                )
                return answer_of(answer.status_code, dict(answer.headers), answer.text)
            except requests.RequestException as error:
                raise BrokenAnswerError(type(error).__name__) from None

        return self.ask(what, send, repeat=False)

    def download(
        self,
        path: str,
        *,
        max_bytes: int,
        take: Callable[[Iterator[bytes]], None],
        what: str,
        accept: str = "application/octet-stream",
    ) -> None:
        """Read a file in a stream; ``take`` gets its chunks, from the first one at every try.

        ``accept`` is what the API is asked for: the bytes of an asset, or JSON where the path itself means
        a file.

        Raises:
            RemoteMissingError: there is no such file.
            RemoteError: it is larger than ``max_bytes``, or GitHub refuses or gives no answer.
        """

        def send() -> Answer:
            import requests
            import urllib3

            try:
                with self._follow(f"{self.api_url}{path}", what, accept) as answer:
                    if answer.status_code != 200:
                        said = answer.raw.read(1 << 16, decode_content=True).decode("utf-8", "replace")
                        return answer_of(answer.status_code, dict(answer.headers), said)
                    take(limited(answer, max_bytes, what))
                    return Answer(200)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                raise BrokenAnswerError(type(error).__name__) from None

        self.ask(what, send, repeat=True)

    def ask(self, what: str, send: Callable[[], Answer], *, repeat: bool) -> Answer:
        """Send until there is an answer that counts."""
        last = ""
        for attempt in range(self.patience.tries):
            wait: float | None = None
            try:
                answer = send()
            except BrokenAnswerError as error:
                last = f"no answer ({error})"
            else:
                if answer.status < 300:
                    return answer
                last = answer.message
                wait = self._limit(what, answer)
                if wait is None and answer.status < 500:
                    raise refusal(what, answer)
            if wait is None and not repeat:
                raise RemoteUnsureError(f"{what}: {last}", hint="Run the command again: it looks first.")
            if attempt + 1 < self.patience.tries:
                self.patience.pause(attempt, wait)
        raise RemoteError(f"{what}: {last}, {self.patience.tries} times", hint="Run the command again later.")

    def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._session.close()
        if self._requester is not None:
            self._requester.close()
        self._session = self._requester = None

    def __enter__(self) -> GitHubClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _limit(self, what: str, answer: Answer) -> float | None:
        wait = limited_for(answer)
        if wait is not None and wait > self.patience.longest_s:
            raise RemoteError(
                f"{what}: GitHub's rate limit is spent",
                hint=f"Run the command again in {wait / 60:.0f} minutes.",
            )
        return wait

    def _json(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        import requests

        try:
            status, headers, text = self._open_requester().requestJson(verb, path, input=body)
        except requests.RequestException as error:
            raise BrokenAnswerError(type(error).__name__) from None
        except RuntimeError:  # PyGithub's word for a redirect to another host, which it does not follow
            raise RemoteError(f"{self.api_url} redirects elsewhere", hint="Correct GITHUB_API_URL.") from None
        return answer_of(status, headers, text)

    def _follow(self, url: str, what: str, accept: str) -> requests.Response:
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._get(url, what, accept)
            target = answer.headers.get("Location")
            if answer.status_code not in _REDIRECTS or not target:
                return answer
            answer.close()
            url = urljoin(url, target)
            fault = address_fault(url)
            if fault:
                raise RemoteError(f"{what}: a redirect: {fault}")
        raise RemoteError(f"{what}: more than {_MAX_REDIRECTS} redirects")

    def _get(self, url: str, what: str, accept: str) -> requests.Response:
        import requests

        headers = self._headers(accept) if self._is_ours(url) else {"Accept-Encoding": "identity"}
        try:
            return self._open().get(
                url, headers=headers, timeout=_TIMEOUT_S, stream=True, allow_redirects=False
            )
        except requests.RequestException:
            raise
        except ValueError:  # requests splits where a redirect leads, though it does not follow it
            raise RemoteError(f"{what}: a redirect: not a url") from None

    def _is_ours(self, url: str, *, uploads: bool = False) -> bool:
        """Tell whether ``url`` is of the API itself or, for uploads, of the host GitHub has for them."""
        here, api = urlsplit(url), urlsplit(self.api_url)
        if origin(here) == origin(api):
            return True
        host = (api.hostname or "").removeprefix("api.")
        return uploads and here.scheme == "https" and origin(here) == ("https", f"uploads.{host}", 443)

    def _headers(self, accept: str = JSON_TYPE) -> dict[str, str]:
        headers = {"Accept": accept, "Accept-Encoding": "identity", "X-GitHub-Api-Version": API_VERSION}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def _open(self) -> requests.Session:
        if self._session is None:
            import requests

            self._session = requests.Session()
            self._session.headers["User-Agent"] = USER_AGENT
            # Any auth object keeps requests from sending what a .netrc says, to whichever host.
            self._session.auth = lambda request: request
        return self._session

    def _open_requester(self) -> Requester:
        if self._requester is None:
            import github

            self._requester = github.Github(
                auth=github.Auth.Token(self.token) if self.token else None,
                base_url=self.api_url,
                user_agent=USER_AGENT,
                timeout=_TIMEOUT_S,
                retry=None,  # it would also repeat what must not be done twice
                seconds_between_requests=None,
                seconds_between_writes=None,
            ).requester
        return self._requester
