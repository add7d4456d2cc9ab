"""What every part shares: the state, faults, who may ask, and the official description."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from github_server.servers import api_handler, served, storage_handler
from github_server.shapes import PRIVATE, user

if TYPE_CHECKING:
    from github_api import Description

API = "/api/v3"
UPLOADS = "/api/uploads"
REPO = "someone/some-model"
FAULTS = ("500", "502-after", "429", "secondary", "drop", "lost", "cut", "stale", "garbage")
"""What may go wrong with one request. ``cut``: an upload that is taken, and too short."""
STOPS = ("rate-out", "token-out")
"""What ends a run: the rate limit is spent, or the token is refused from now on."""

Reply = tuple[int, dict[str, str], Any]
Route = Callable[..., Reply]

_REFUSED: dict[str | None, Reply] = {
    "500": (500, {}, {"message": "Server Error"}),
    "429": (429, {"Retry-After": "3"}, {"message": "Too many requests"}),
    "secondary": (403, {"Retry-After": "2"}, {"message": "You have exceeded a secondary rate limit."}),
    "rate-out": (
        403,
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"},
        {"message": "API rate limit exceeded for user."},
    ),
    "token-out": (401, {}, {"message": "Bad credentials"}),
}
"""Faults in which GitHub does nothing."""


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class DroppedError(Exception):
    """The connection is to be closed without an answer."""


@dataclass
class State:
    """All that a request changes and a stale answer may show as it was."""

    releases: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Core:
    """The state that requests work on; the parts add what they answer."""

    token: str = "secret-token-of-the-tests"
    login: str = "github-actions[bot]"
    may_ask_user: bool = False
    per_page: int | None = None
    description: Description | None = None
    repo: str = REPO
    default_branch: str = "main"
    state: State = field(default_factory=State)
    blobs: dict[int, bytes] = field(default_factory=dict)
    trees: dict[str, dict[str, bytes]] = field(default_factory=dict)
    commits: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    artifacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    storage_for: dict[str, bytes] = field(default_factory=dict)
    """What object storage holds beside the assets, by path."""
    expected: dict[str, bytes] | None = None
    faults: list[str | None] = field(default_factory=list)
    fault_for: Callable[[Request], str | None] | None = None
    after_request: Callable[[int], None] | None = None
    break_uploads: int = 0
    """How many uploads are cut off while the client is still sending."""
    requests: list[Request] = field(default_factory=list)
    storage_headers: list[dict[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    url: str = ""
    storage_url: str = ""
    _before: list[State] = field(default_factory=list)
    _next: int = 100
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def releases(self) -> dict[int, dict[str, Any]]:
        return self.state.releases

    @property
    def comments(self) -> dict[int, dict[str, Any]]:
        return self.state.comments

    def new_id(self) -> int:
        self._next += 1
        return self._next

    def new_round(self) -> None:
        """Let the next answers be fresh, and forget what was asked."""
        self.faults, self.fault_for, self.after_request = [], None, None
        self.requests.clear()
        self._before.clear()

    def clear(self) -> None:
        """Forget all but the repository's first commit."""
        first = {
            ref: sha for ref, sha in self.state.refs.items() if ref == f"refs/heads/{self.default_branch}"
        }
        self.state = State(refs=first)
        self.new_round()

    # -- what the parts answer ---------------------------------------------------------------------------

    def routes(self, seen: State) -> dict[str, Route]:
        """Return what is answered below ``/repos/owner/name/``, by method and path; ``seen`` may be stale."""
        return {}

    def take_part(self, request: Request) -> None:
        """Do what a request does whose connection breaks in its middle."""

    def handle(self, request: Request) -> Reply:
        fault = self._fault(request)
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            if fault in _REFUSED:
                return _REFUSED[fault]
            if fault == "drop":
                self.take_part(request)
                raise DroppedError
            if fault == "cut" and request.method == "POST" and request.path.startswith(UPLOADS):
                request.body = request.body[: len(request.body) // 2]
            if request.method != "GET":
                self._before.append(copy.deepcopy(self.state))
                del self._before[:-3]
            answer = self._route(request, stale=fault == "stale")
            self._hold_to_description(request, answer)
            if self.after_request is not None:
                self.after_request(number)
        if fault in {"lost", "cut"}:
            raise DroppedError
        if fault == "502-after":
            return 502, {}, None
        if fault == "garbage" and answer[0] < 300:
            return answer[0], {}, "<html>not JSON"
        return answer

    def breaks(self, path: str) -> bool:
        """Tell whether this upload is to be cut off in its middle."""
        with self._lock:
            if not path.startswith(UPLOADS) or self.break_uploads < 1:
                return False
            self.break_uploads -= 1
            return True

    def broken(self, request: Request) -> None:
        """Take what came of an upload before it was cut off."""
        with self._lock:
            self.requests.append(request)
            self.take_part(request)

    def _fault(self, request: Request) -> str | None:
        with self._lock:
            if self.fault_for is not None:
                return self.fault_for(request)
            return self.faults.pop(0) if self.faults else None

    def _route(self, request: Request, *, stale: bool) -> Reply:
        auth = request.headers.get("authorization")
        if auth not in {None, f"Bearer {self.token}", f"token {self.token}"}:
            return 401, {}, self.error("Bad credentials")
        if request.method != "GET" and auth is None:
            return 401, {}, self.error("Requires authentication")
        seen = self._before[-1] if stale and self._before and request.method == "GET" else self.state
        if request.path == f"{API}/user":
            if not self.may_ask_user:
                return 403, {}, self.error("Resource not accessible by integration")
            return 200, {}, {**user(self.login), **PRIVATE}
        path = request.path.removeprefix(UPLOADS).removeprefix(API)
        here = f"/repos/{self.repo}"
        if path != here and not path.startswith(f"{here}/"):
            return 404, {}, self.error("Not Found")
        asked = f"{request.method} {path.removeprefix(here).removeprefix('/')}"
        for pattern, act in self.routes(seen).items():
            match = re.fullmatch(pattern, asked)
            if match:
                reply: Reply = act(request, *match.groups())
                return reply
        return self.not_found()

    # -- what GitHub says --------------------------------------------------------------------------------

    def page(self, request: Request, rows: list[Any], key: str | None = None) -> Reply:
        size = self.per_page or int(request.query.get("per_page", ["30"])[0])
        number = int(request.query.get("page", ["1"])[0])
        more = len(rows) > number * size
        links = {"Link": f'<{self.url}{request.path}?page={number + 1}>; rel="next"'} if more else {}
        part = rows[(number - 1) * size : number * size]
        return 200, links, part if key is None else {"total_count": len(rows), key: part}

    def not_found(self) -> Reply:
        return 404, {}, self.error("Not Found")

    def error(self, message: str) -> dict[str, Any]:
        return {"message": message, "documentation_url": "https://docs.github.com/rest", "status": "404"}

    def refused(self, message: str, *errors: dict[str, str]) -> Reply:
        return 422, {}, {**self.error(message), **({"errors": list(errors)} if errors else {})}

    def taken(self, resource: str, where: str) -> Reply:
        error = {"resource": resource, "code": "already_exists", "field": where}
        return self.refused("Validation Failed", error)

    def stored(self, name: str, data: bytes) -> Reply:
        """Redirect to object storage, whose address is a secret for a while."""
        self.storage_for[f"/{name}"] = data
        return 302, {"Location": f"{self.storage_url}/{name}?signature=storage-secret"}, None

    def _hold_to_description(self, request: Request, answer: Reply) -> None:
        if self.description is None or answer[0] in {401, 404}:
            return
        path = request.path.removeprefix(UPLOADS).removeprefix(API)
        sent = None
        if request.body and not request.path.startswith(UPLOADS):
            sent = json.loads(request.body)
        self.violations += self.description.faults(request.method, path, answer[0], sent, answer[2])

    # -- the servers -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self, port: int = 0) -> Iterator[Any]:
        with served(api_handler(self), port) as url, served(storage_handler(self)) as storage:
            self.url, self.storage_url = url, storage
            yield self
