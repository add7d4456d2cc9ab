"""The HTTP of it: the API with its uploads and, at another address, object storage that must see no token."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@contextlib.contextmanager
def served(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def api_handler(github: Any) -> type[BaseHTTPRequestHandler]:
    from github_server.control import control
    from github_server.core import DroppedError, Request

    class Handler(_Quiet):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            length = int(headers.get("content-length", "0"))
            if github.breaks(parts.path):
                part = self.rfile.read(length // 2)
                github.broken(Request(self.command, parts.path, parse_qs(parts.query), headers, part))
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()  # with a reset, while the client is still sending
                self.close_connection = True
                return
            body = self.rfile.read(length)
            if parts.path.startswith("/_"):
                self._json(*control(github, self.command, parts.path, body))
                return
            request = Request(self.command, unquote(parts.path), parse_qs(parts.query), headers, body)
            try:
                self._json(*github.handle(request))
            except DroppedError:
                self.close_connection = True

        def _json(self, status: int, extra: dict[str, str], data: Any) -> None:
            text = data if isinstance(data, str) else "" if data is None else json.dumps(data)
            self._send(status, {"Content-Type": "application/json", **extra}, text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    return Handler


def storage_handler(github: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def do_GET(self) -> None:
            github.storage_headers.append({name.lower(): value for name, value in self.headers.items()})
            if "Authorization" in self.headers:
                github.violations.append("the token was sent to storage")
            path = urlsplit(self.path).path
            kind, _, number = path[1:].partition("/")
            data = github.blobs.get(int(number)) if kind == "blob" else github.storage_for.get(path)
            if data is None:
                self._send(404, {}, b"no such thing")
                return
            self._send(200, {}, data)

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
