"""Downloads against a real server on the loopback address."""

from __future__ import annotations

import gzip
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.support.errors import DownloadError, OutputError
from pipeline.support.http import HttpClient, Limits
from pipeline.support.http_adapter import is_public

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A server whose pages are functions, and what was asked of it."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append(self.path)
                try:
                    site.pages[self.path.split("?")[0]](self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def page(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> str:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(body)

        self.pages[path] = answer
        return self.url + path


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(Limits(timeout_s=2, total_s=1, retries=0, allow_private_addresses=True)) as made:
        yield made


def patient(**limits: object) -> HttpClient:
    return HttpClient(Limits(**{"timeout_s": 2, "allow_private_addresses": True, **limits}))  # type: ignore[arg-type]


def test_a_page_is_fetched_with_its_parameters(site: Site, client: HttpClient) -> None:
    url = site.page("/a", b"body")
    assert client.get(url, params={"q": "tin can", "n": 2}) == b"body"
    assert site.asked == ["/a?q=tin+can&n=2"]


def test_an_empty_body_is_empty(site: Site, client: HttpClient) -> None:
    assert client.get(site.page("/empty")) == b""


def test_a_chunked_compressed_answer_is_read(site: Site, client: HttpClient) -> None:
    packed = gzip.compress(b"x" * 300_000)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        for start in range(0, len(packed), 100):
            part = packed[start : start + 100]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    site.pages["/chunked"] = answer
    assert client.get(f"{site.url}/chunked") == b"x" * 300_000


def test_a_body_over_the_limit_is_refused(site: Site) -> None:
    url = site.page("/big", b"x" * 5000)
    with patient(max_bytes=4999) as client, pytest.raises(DownloadError, match="larger than 4999 bytes"):
        client.get(url)
    with patient(max_bytes=5000) as client:
        assert len(client.get(url)) == 5000


def test_a_small_body_that_unpacks_to_a_large_one_is_refused(site: Site) -> None:
    url = site.page("/bomb", gzip.compress(b"\0" * (20 << 20)), Content_Encoding="gzip")
    with patient(max_bytes=1 << 20) as client, pytest.raises(DownloadError, match="larger than"):
        client.get(url)


def test_a_body_that_is_not_packed_as_it_says_is_refused(site: Site, client: HttpClient) -> None:
    url = site.page("/lie", b"no gzip at all", Content_Encoding="gzip")
    with pytest.raises(DownloadError, match="Content-Encoding"):
        client.get(url)


def test_a_body_shorter_than_it_says_is_refused(site: Site, client: HttpClient) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"only this")
        handler.close_connection = True

    site.pages["/short"] = answer
    with pytest.raises(DownloadError, match="no answer"):
        client.get(f"{site.url}/short")


def test_a_slow_drip_ends_at_the_deadline(site: Site, client: HttpClient) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    site.pages["/drip"] = answer
    started = time.monotonic()
    with pytest.raises(DownloadError, match="not finished within 1 s"):
        client.get(f"{site.url}/drip")
    assert time.monotonic() - started < 3


def test_a_server_that_never_answers_times_out(site: Site) -> None:
    site.pages["/silent"] = lambda handler: time.sleep(5)
    started = time.monotonic()
    with patient(timeout_s=0.3, retries=0) as client, pytest.raises(DownloadError, match="Timeout"):
        client.get(f"{site.url}/silent")
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_a_refusal_is_final(status: int, site: Site) -> None:
    url = site.page("/no", status=status)
    with patient(retries=3) as client, pytest.raises(DownloadError, match=f"HTTP {status}"):
        client.get(url)
    assert site.asked == ["/no"]


def test_too_many_requests_is_tried_again_after_the_time_it_asks_for(site: Site) -> None:
    times: list[float] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        times.append(time.monotonic())
        handler.send_response(429 if len(times) == 1 else 200)
        handler.send_header("Retry-After", "1")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    site.pages["/busy"] = answer
    with patient(retries=1) as client:
        assert client.get(f"{site.url}/busy") == b""
    assert times[1] - times[0] >= 1


def test_retries_end(site: Site) -> None:
    url = site.page("/down", status=503, Retry_After="0")
    with patient(retries=2) as client, pytest.raises(DownloadError, match="HTTP 503"):
        client.get(url)
    assert len(site.asked) == 3


def test_a_relative_redirect_is_followed(site: Site, client: HttpClient) -> None:
    site.page("/new", b"here")
    assert client.get(site.page("/old", status=302, Location="/new")) == b"here"


def test_a_loop_of_redirects_ends(site: Site, client: HttpClient) -> None:
    url = site.page("/loop", status=301, Location="/loop")
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        client.get(url)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/x", "gopher://example.com/"])
def test_a_redirect_to_another_scheme_is_refused(target: str, site: Site, client: HttpClient) -> None:
    with pytest.raises(DownloadError, match="only http and https"):
        client.get(site.page("/away", status=302, Location=target))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost/x",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://[::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "http://2130706433/",
    ],
)
def test_a_private_address_is_refused(url: str) -> None:
    with HttpClient(Limits(retries=0)) as client, pytest.raises(DownloadError):
        client.get(url)


def test_a_host_that_turns_private_behind_the_check_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the look-up says a public address, the connection reaches a private one."""
    port = site.server.server_port
    look_up = socket.getaddrinfo
    answers = iter(["93.184.215.14"])

    def rebinding(host: str, *rest: object, **more: object) -> object:
        return look_up(next(answers, "127.0.0.1"), *rest, **more)  # type: ignore[arg-type]

    site.page("/secret", b"secret")
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with HttpClient(Limits(retries=0)) as client, pytest.raises(DownloadError, match="private network"):
        client.get(f"http://rebinding.example:{port}/secret")
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no url",
        "http://",
        "http://[",
        "http://a:99999/",
        "file:///etc/passwd",
        "ftp://a/b",
        "//a/b",
        "javascript:alert(1)",
        "http://" + "a" * 300 + ".example/",
        "http://exa mple/",
    ],
)
def test_what_is_no_web_url_is_refused_in_words(url: str) -> None:
    with HttpClient(Limits(retries=0)) as client, pytest.raises(DownloadError) as caught:
        client.get(url)
    assert "\n" not in caught.value.message


def test_a_password_in_a_url_is_neither_sent_nor_shown() -> None:
    with HttpClient(Limits(retries=0)) as client, pytest.raises(DownloadError) as caught:
        client.get("http://me:secret@example.com/x")
    assert "secret" not in str(caught.value)


def test_a_closed_port_is_told(client: HttpClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="no answer"):
        client.get(f"http://127.0.0.1:{port}/")


def test_threads_share_a_client(site: Site) -> None:
    urls = [site.page(f"/{number}", str(number).encode()) for number in range(24)]
    got: dict[str, bytes] = {}
    with patient() as client:

        def work(part: list[str]) -> None:
            got.update({url: client.get(url) for url in part})

        threads = [threading.Thread(target=work, args=(urls[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == {url: url.rsplit("/", 1)[1].encode() for url in urls}


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("127.0.0.1", False),
        ("fe80::1%eth0", False),
        ("2606:4700::1111", True),
        ("100.64.0.1", False),
    ],
)
def test_an_address_is_public_or_not(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_file_is_saved_in_a_stream_with_its_digest(site: Site, client: HttpClient, tmp_path: Path) -> None:
    body = bytes(range(256)) * 4000
    url = site.page("/a.zip", body)
    digest = client.save(url, tmp_path / "a.zip", max_bytes=len(body), total_s=5)
    assert digest == hashlib.sha256(body).hexdigest()
    assert (tmp_path / "a.zip").read_bytes() == body


def test_a_file_that_breaks_off_is_saved_whole_at_the_next_try(site: Site, tmp_path: Path) -> None:
    def cut_once(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"12345" if len(site.asked) == 1 else b"1234567890")
        handler.close_connection = True

    site.pages["/a.zip"] = cut_once
    with patient(retries=1) as client:
        client.save(f"{site.url}/a.zip", tmp_path / "a.zip", max_bytes=99, total_s=5)
    assert (tmp_path / "a.zip").read_bytes() == b"1234567890"
    assert len(site.asked) == 2


@pytest.mark.parametrize("status", [200, 404])
def test_a_file_that_is_too_large_or_not_there_leaves_what_stood(
    site: Site, client: HttpClient, tmp_path: Path, status: int
) -> None:
    (tmp_path / "a.zip").write_bytes(b"before")
    url = site.page("/a.zip", bytes(1000), status=status)
    with pytest.raises(DownloadError, match=r"larger than 999 bytes|HTTP 404"):
        client.save(url, tmp_path / "a.zip", max_bytes=999, total_s=5)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.zip", b"before")]


def test_a_disk_that_takes_no_file_is_told_as_such(site: Site, client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        client.save(site.page("/a.zip", b"x"), tmp_path / "file" / "a.zip", max_bytes=9, total_s=5)
