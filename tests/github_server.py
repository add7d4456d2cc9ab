"""A GitHub of our own on loopback: releases, assets, comments and the user, with state and with faults.

What GitHub does and publication relies on, it does: a draft is not found by its tag, a tag has one published
release, an asset's name is taken once, an upload that breaks off leaves one that is not whole, a download is
redirected to another host. It remembers what must never happen in `violations`.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from github_api import Description

API = "/api/v3"
UPLOADS = "/api/uploads"
REPO = "someone/some-model"
WHEN = "2026-01-02T03:04:05Z"
FAULTS = ("500", "502-after", "429", "secondary", "drop", "lost", "cut", "stale", "garbage")
"""What may go wrong with one request. ``cut``: an upload that is taken, and too short."""


_REFUSED: dict[str | None, tuple[int, dict[str, str], Any]] = {
    "500": (500, {}, {"message": "Server Error"}),
    "429": (429, {"Retry-After": "3"}, {"message": "Too many requests"}),
    "secondary": (403, {"Retry-After": "2"}, {"message": "You have exceeded a secondary rate limit."}),
    "rate-out": (
        403,
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"},
        {"message": "API rate limit exceeded for user."},
    ),
}
"""Faults in which GitHub does nothing."""


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class DroppedError(Exception):
    """The connection is to be closed without an answer."""


@dataclass
class FakeGitHub:
    """The state, and the two servers: the API with its uploads, and object storage at another address."""

    token: str = "secret-token-of-the-tests"
    login: str = "github-actions[bot]"
    may_ask_user: bool = False
    per_page: int | None = None
    description: Description | None = None
    releases: dict[int, dict[str, Any]] = field(default_factory=dict)
    blobs: dict[int, bytes] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    expected: dict[str, bytes] | None = None
    faults: list[str | None] = field(default_factory=list)
    fault_for: Callable[[Request], str | None] | None = None
    after_request: Callable[[int], None] | None = None
    requests: list[Request] = field(default_factory=list)
    storage_headers: list[dict[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    _before: list[tuple[dict[int, Any], dict[int, Any]]] = field(default_factory=list)
    _next: int = 100
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def new_id(self) -> int:
        self._next += 1
        return self._next

    def new_round(self) -> None:
        """Let the next answers be fresh, and forget what was asked."""
        self.faults, self.fault_for, self.after_request = [], None, None
        self.requests.clear()

    # -- what a test looks at ----------------------------------------------------------------------------

    def of_tag(self, tag: str) -> list[dict[str, Any]]:
        return [release for release in self.releases.values() if release["tag_name"] == tag]

    def files(self, release: dict[str, Any]) -> dict[str, bytes]:
        return {asset["name"]: self.blobs[asset["id"]] for asset in release["assets"]}

    def add_comment(self, number: int, body: str, login: str) -> int:
        comment_id = self.new_id()
        self.comments[comment_id] = {"number": number, "body": body, "login": login}
        return comment_id

    # -- the work ----------------------------------------------------------------------------------------

    def handle(self, request: Request) -> tuple[int, dict[str, str], Any]:
        fault = self._fault(request)
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            if fault in _REFUSED:
                return _REFUSED[fault]
            if fault == "drop":
                self._take_part(request)
                raise DroppedError
            if fault == "cut" and request.method == "POST" and request.path.startswith(UPLOADS):
                request.body = request.body[: len(request.body) // 2]
            if request.method != "GET":
                self._before.append(copy.deepcopy((self.releases, self.comments)))
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

    def _fault(self, request: Request) -> str | None:
        with self._lock:
            if self.fault_for is not None:
                return self.fault_for(request)
            return self.faults.pop(0) if self.faults else None

    def _take_part(self, request: Request) -> None:
        """Leave what a broken upload leaves: an asset that is not whole, and whose name is taken."""
        match = re.fullmatch(rf"{UPLOADS}/repos/{REPO}/releases/(\d+)/assets", request.path)
        if match and int(match[1]) in self.releases:
            self._upload(
                request,
                self.releases[int(match[1])],
                state="starter",
                body=request.body[: len(request.body) // 2],
            )

    def _route(self, request: Request, *, stale: bool) -> tuple[int, dict[str, str], Any]:
        auth = request.headers.get("authorization")
        if auth not in {None, f"Bearer {self.token}", f"token {self.token}"}:
            return 401, {}, self._error("Bad credentials")
        if request.method != "GET" and auth is None:
            return 401, {}, self._error("Requires authentication")
        state = self._before[-1] if stale and self._before and request.method == "GET" else None
        releases, comments = state or (self.releases, self.comments)
        if request.path == f"{API}/user":
            if not self.may_ask_user:
                return 403, {}, self._error("Resource not accessible by integration")
            return 200, {}, {**_user(self.login), **_PRIVATE}
        path = request.path.removeprefix(UPLOADS).removeprefix(API)
        if not path.startswith(f"/repos/{REPO}/"):
            return 404, {}, self._error("Not Found")
        rest = path.removeprefix(f"/repos/{REPO}/")
        for pattern, act in self._routes(releases, comments, authorised=auth is not None).items():
            match = re.fullmatch(pattern, f"{request.method} {rest}")
            if match:
                return act(request, *match.groups())
        return 404, {}, self._error("Not Found")

    def _routes(self, releases: Any, comments: Any, *, authorised: bool) -> dict[str, Callable[..., Any]]:
        seen = {key: item for key, item in releases.items() if authorised or not item["draft"]}

        def one(request: Request, number: str) -> Any:
            found = seen.get(int(number)) or self.releases.get(int(number))
            return (200, {}, self._shown(found)) if found else (404, {}, self._error("Not Found"))

        def tagged(request: Request, tag: str) -> Any:
            found = [r for r in releases.values() if r["tag_name"] == unquote(tag) and not r["draft"]]
            return (200, {}, self._shown(found[0])) if found else (404, {}, self._error("Not Found"))

        def latest(request: Request) -> Any:
            found = [r for r in releases.values() if r.get("latest") and not r["draft"]]
            return (200, {}, self._shown(found[-1])) if found else (404, {}, self._error("Not Found"))

        return {
            r"GET releases": lambda q: self._page(
                q, [self._shown(seen[key]) for key in sorted(seen, reverse=True)]
            ),
            r"POST releases": self._create,
            r"GET releases/latest": latest,
            r"GET releases/tags/(.+)": tagged,
            r"GET releases/(\d+)": one,
            r"PATCH releases/(\d+)": self._change,
            r"DELETE releases/(\d+)": self._delete_release,
            r"POST releases/(\d+)/assets": lambda q, n: self._uploaded(q, int(n)),
            r"GET releases/assets/(\d+)": lambda q, n: self._asset(q, int(n)),
            r"DELETE releases/assets/(\d+)": lambda q, n: self._delete_asset(int(n)),
            r"GET issues/(\d+)/comments": lambda q, n: self._page(
                q, [self._said(key, item) for key, item in comments.items() if item["number"] == int(n)]
            ),
            r"POST issues/(\d+)/comments": self._comment,
            r"PATCH issues/comments/(\d+)": self._edit,
            r"DELETE issues/comments/(\d+)": self._delete_comment,
        }

    def _page(self, request: Request, rows: list[Any]) -> tuple[int, dict[str, str], Any]:
        size = self.per_page or int(request.query.get("per_page", ["30"])[0])
        page = int(request.query.get("page", ["1"])[0])
        more = len(rows) > page * size
        links = {"Link": f'<{self.url}{request.path}?page={page + 1}>; rel="next"'} if more else {}
        return 200, links, rows[(page - 1) * size : page * size]

    def _create(self, request: Request) -> Any:
        given = json.loads(request.body)
        release_id = self.new_id()
        self.releases[release_id] = {
            "id": release_id,
            "tag_name": given["tag_name"],
            "name": given.get("name"),
            "body": given.get("body"),
            "draft": given.get("draft", False),
            "prerelease": given.get("prerelease", False),
            "assets": [],
            "target_commitish": given.get("target_commitish", "main"),
            "latest": False,
        }
        return 201, {}, self._shown(self.releases[release_id])

    def _change(self, request: Request, number: str) -> Any:
        release, given = self.releases.get(int(number)), json.loads(request.body)
        if release is None:
            return 404, {}, self._error("Not Found")
        changed = {
            **release,
            **{key: given[key] for key in ("draft", "prerelease", "name", "body") if key in given},
        }
        if not release["draft"] and changed != release:
            self.violations.append(f"a published release was altered: {given}")
        if release["draft"] and not changed["draft"]:
            if any(not other["draft"] for other in self.of_tag(release["tag_name"])):
                return 422, {}, self._refused("Release", "tag_name")
            if self.expected is not None and self.files(release) != self.expected:
                self.violations.append("published with a missing or wrong file")
            if any(asset["state"] != "uploaded" for asset in release["assets"]):
                self.violations.append("published with a file that is not whole")
        release.update(changed)
        if given.get("make_latest") == "true":
            if release["prerelease"]:
                self.violations.append("a pre-release became the latest")
            for other in self.releases.values():
                other["latest"] = other is release
        return 200, {}, self._shown(release)

    def _delete_release(self, request: Request, number: str) -> Any:
        release = self.releases.pop(int(number), None)
        if release is None:
            return 404, {}, self._error("Not Found")
        if not release["draft"]:
            self.violations.append("a published release was deleted")
        return 204, {}, None

    def _uploaded(self, request: Request, number: int) -> Any:
        release = self.releases.get(number)
        if release is None or not request.path.startswith(UPLOADS):
            return 404, {}, self._error("Not Found")
        if not release["draft"]:
            self.violations.append("a file was added to a published release")
        if int(request.headers.get("content-length", "-1")) < 1:
            return 400, {}, self._error("Bad Content-Length")
        if any(asset["name"] == request.query["name"][0] for asset in release["assets"]):
            return 422, {}, self._refused("ReleaseAsset", "name")
        return (
            201,
            {},
            self._shown_asset(release, self._upload(request, release, state="uploaded", body=request.body)),
        )

    def _upload(
        self, request: Request, release: dict[str, Any], *, state: str, body: bytes
    ) -> dict[str, Any]:
        name = request.query["name"][0]
        for asset in release["assets"]:
            if asset["name"] == name:
                return asset
        asset = {
            "id": self.new_id(),
            "name": name,
            "state": state,
            "type": request.headers.get("content-type", ""),
        }
        release["assets"].append(asset)
        self.blobs[asset["id"]] = body
        return asset

    def _asset(self, request: Request, number: int) -> Any:
        for release in self.releases.values():
            for asset in release["assets"]:
                if asset["id"] == number:
                    if "octet-stream" in request.headers.get("accept", ""):
                        return (
                            302,
                            {"Location": f"{self.storage_url}/blob/{number}?signature=storage-secret"},
                            None,
                        )
                    return 200, {}, self._shown_asset(release, asset)
        return 404, {}, self._error("Not Found")

    def _delete_asset(self, number: int) -> Any:
        for release in self.releases.values():
            for asset in release["assets"]:
                if asset["id"] == number:
                    if not release["draft"]:
                        self.violations.append("a file of a published release was deleted")
                    release["assets"] = [item for item in release["assets"] if item["id"] != number]
                    return 204, {}, None
        return 404, {}, self._error("Not Found")

    def _comment(self, request: Request, number: str) -> Any:
        comment_id = self.add_comment(int(number), json.loads(request.body)["body"], self.login)
        return 201, {}, self._said(comment_id, self.comments[comment_id])

    def _edit(self, request: Request, number: str) -> Any:
        found = self.comments.get(int(number))
        if found is None:
            return 404, {}, self._error("Not Found")
        if found["login"] != self.login:
            self.violations.append("somebody else's comment was edited")
        found["body"] = json.loads(request.body)["body"]
        return 200, {}, self._said(int(number), found)

    def _delete_comment(self, request: Request, number: str) -> Any:
        found = self.comments.pop(int(number), None)
        if found is not None and found["login"] != self.login:
            self.violations.append("somebody else's comment was deleted")
        return (204, {}, None) if found else (404, {}, self._error("Not Found"))

    # -- what GitHub says --------------------------------------------------------------------------------

    def _error(self, message: str) -> dict[str, Any]:
        return {"message": message, "documentation_url": "https://docs.github.com/rest", "status": "404"}

    def _refused(self, resource: str, where: str) -> dict[str, Any]:
        errors = [{"resource": resource, "code": "already_exists", "field": where}]
        return {**self._error("Validation Failed"), "errors": errors}

    def _shown(self, release: dict[str, Any]) -> dict[str, Any]:
        here = f"{self.url}{API}/repos/{REPO}/releases/{release['id']}"
        return {
            "url": here,
            "assets_url": f"{here}/assets",
            "id": release["id"],
            "node_id": "RE_1",
            "upload_url": f"{self.url}{UPLOADS}/repos/{REPO}/releases/{release['id']}/assets{{?name,label}}",
            "html_url": f"{self.url}/{REPO}/releases/{release['id']}",
            "tarball_url": None,
            "zipball_url": None,
            "tag_name": release["tag_name"],
            "target_commitish": release["target_commitish"],
            "name": release["name"],
            "body": release["body"],
            "draft": release["draft"],
            "prerelease": release["prerelease"],
            "created_at": WHEN,
            "immutable": False,
            "published_at": None if release["draft"] else WHEN,
            "author": _user(self.login),
            "assets": [self._shown_asset(release, asset) for asset in release["assets"]],
        }

    def _shown_asset(self, release: dict[str, Any], asset: dict[str, Any]) -> dict[str, Any]:
        data = self.blobs[asset["id"]]
        whole = asset["state"] == "uploaded"
        return {
            "url": f"{self.url}{API}/repos/{REPO}/releases/assets/{asset['id']}",
            "id": asset["id"],
            "browser_download_url": f"{self.url}/{REPO}/releases/download/{release['tag_name']}/{asset['name']}",  # noqa: E501
            "node_id": "RA_1",
            "name": asset["name"],
            "label": None,
            "state": "uploaded" if whole else "open",
            "content_type": asset["type"],
            "size": len(data),
            "download_count": 0,
            "created_at": WHEN,
            "updated_at": WHEN,
            "uploader": _user(self.login),
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}" if whole else None,
        }

    def _said(self, comment_id: int, comment: dict[str, Any]) -> dict[str, Any]:
        issue = f"{self.url}{API}/repos/{REPO}/issues"
        return {
            "id": comment_id,
            "node_id": "IC_1",
            "url": f"{issue}/comments/{comment_id}",
            "body": comment["body"],
            "html_url": f"{self.url}/{REPO}/pull/{comment['number']}#issuecomment-{comment_id}",
            "issue_url": f"{issue}/{comment['number']}",
            "created_at": WHEN,
            "updated_at": WHEN,
            "user": _user(comment["login"]),
            "author_association": "CONTRIBUTOR",
        }

    def _hold_to_description(self, request: Request, answer: tuple[int, dict[str, str], Any]) -> None:
        if self.description is None or answer[0] in {401, 404}:
            return
        path = request.path.removeprefix(UPLOADS).removeprefix(API)
        sent = None
        if request.body and not request.path.startswith(UPLOADS):
            sent = json.loads(request.body)
        self.violations += self.description.faults(request.method, path, answer[0], sent, answer[2])

    # -- the servers -------------------------------------------------------------------------------------

    url: str = ""
    storage_url: str = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[FakeGitHub]:
        with _served(_api_handler(self)) as url, _served(_storage_handler(self)) as storage:
            self.url, self.storage_url = url, storage
            yield self


@contextlib.contextmanager
def _served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _api_handler(github: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            request = Request(self.command, parts.path, parse_qs(parts.query), headers, body)
            try:
                status, extra, data = github.handle(request)
            except DroppedError:
                self.close_connection = True
                return
            text = data if isinstance(data, str) else "" if data is None else json.dumps(data)
            self._send(status, {"Content-Type": "application/json", **extra}, text.encode())

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815

    return Handler


def _storage_handler(github: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def do_GET(self) -> None:
            github.storage_headers.append({name.lower(): value for name, value in self.headers.items()})
            if "Authorization" in self.headers:
                github.violations.append("the token was sent to storage")
            number = int(urlsplit(self.path).path.rpartition("/")[2])
            self._send(200, {}, github.blobs[number])

    return Handler


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def _user(login: str) -> dict[str, Any]:
    here = f"https://api.example.org/users/{login}"
    links = (
        "followers",
        "following",
        "gists",
        "starred",
        "subscriptions",
        "organizations",
        "repos",
        "events",
        "received_events",
    )
    return {
        "login": login,
        "id": 1,
        "node_id": "U_1",
        "avatar_url": f"{here}/avatar",
        "gravatar_id": "",
        "url": here,
        "html_url": here,
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
        **{f"{name}_url": f"{here}/{name}" for name in links},
    }


_PRIVATE = {
    "name": None,
    "company": None,
    "blog": "",
    "location": None,
    "email": None,
    "hireable": None,
    "bio": None,
    "public_repos": 0,
    "public_gists": 0,
    "followers": 0,
    "following": 0,
    "created_at": WHEN,
    "updated_at": WHEN,
    "private_gists": 0,
    "total_private_repos": 0,
    "owned_private_repos": 0,
    "disk_usage": 0,
    "collaborators": 0,
    "two_factor_authentication": True,
    "user_view_type": "private",
}
