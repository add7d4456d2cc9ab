"""A search API as that of Wikimedia Commons, on the loopback."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def page(title: str, index: int = 1, **info: object) -> dict[str, object]:
    """Return one page of an answer; ``info`` changes what is told of its picture."""
    told = {"mime": "image/jpeg", "size": 1000, "width": 640, "height": 480, "url": "x", **info}
    return {"pageid": index, "ns": 6, "title": title, "index": index, "imageinfo": [told]}


class Commons:
    """A search API on the loopback; ``answers`` maps a query to pages, bytes or status codes in turn."""

    def __init__(self) -> None:
        self.answers: dict[str, list[object]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
                assert asked["action"] == "query"
                assert asked["generator"] == "search"
                assert asked["gsrnamespace"] == "6"
                assert asked["formatversion"] == "2"
                query = asked["gsrsearch"].removesuffix(" filetype:bitmap")
                outer.asked.append(query)
                self.reply(outer.next(query))

            def reply(self, answer: object) -> None:
                status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
                if not isinstance(body, bytes):
                    body = json.dumps({"batchcomplete": True, **outer.wrapped(body)}).encode()
                self.send_response(status)
                self.send_header("Retry-After", "0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/w/api.php"

    def next(self, query: str) -> object:
        answers = self.answers.get(query, [[]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def wrapped(self, answer: object) -> dict[str, object]:
        if isinstance(answer, dict):
            return answer
        return {"query": {"pages": answer}} if answer else {}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
