"""The built guide in a real Chromium: the system's own, headless, and never one that is downloaded."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core checks the page")

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 800}
PAGES = (
    "index", "start", "concepts", "recipes/verdict", "recipes/weak-class", "commands/index",
    "commands/training/train-detector-from-annotation", "formats/index", "formats/benchmark-results",
    "formats/repath.toml", "troubleshooting",
)  # fmt: skip

SEARCHED = {"max-unreadable": "benchmark-candidate-model", "rate limit is spent": "troubleshooting"}
"""What is typed, and the page that must be among what is found."""
OF_THE_THEME = ("aria-dialog-name", "landmark-unique")
"""Rules that the theme's own frame breaks: its search field, its menus and its copy buttons have no names."""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield opened
        opened.close()


def test_pages_are_quiet_ask_nobody_else_and_fit_a_phone(browser: Any, address: str) -> None:
    page = browser.new_page(viewport=PHONE)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for name in PAGES:
        page.goto(f"{address}/{name}.html")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is wider than the window by {wide} px"
    page.close()
    assert said == []
    assert len(asked) > len(PAGES)
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("scheme", "size", "name"),
    [
        ("light", DESKTOP, "concepts"),
        ("dark", PHONE, "concepts"),
        ("dark", DESKTOP, "start"),
        ("light", PHONE, "commands/release/build-release"),
        ("light", DESKTOP, "formats/retraining-manifest"),
    ],
)
def test_axe_finds_no_violation(
    browser: Any, address: str, scheme: str, size: dict[str, int], name: str
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport=size)
    page.goto(f"{address}/{name}.html")
    options = {"rules": {rule: {"enabled": False} for rule in OF_THE_THEME}}
    found = axe.Axe().run(page, options=options).response["violations"]
    page.close()
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_the_picture_that_fits_is_shown_and_leads_on(browser: Any, address: str) -> None:
    for size, fits, hidden in ((DESKTOP, "wide", "tall"), (PHONE, "tall", "wide")):
        page = browser.new_page(viewport=size)
        page.goto(f"{address}/concepts.html")
        assert page.locator(f"svg.lifecycle-{fits}").is_visible()
        assert not page.locator(f"svg.lifecycle-{hidden}").is_visible()
        page.locator(f"svg.lifecycle-{fits} a", has_text="candidate").click()
        assert page.url.endswith("#candidate")
        page.close()


@pytest.mark.parametrize("typed", SEARCHED)
def test_the_search_finds_a_flag_and_a_message(browser: Any, address: str, typed: str) -> None:
    page = browser.new_page(viewport=DESKTOP)
    page.goto(f"{address}/index.html")
    page.locator("input.md-search__input").press_sequentially(typed)
    found = f".md-search-result__link[href*='{SEARCHED[typed]}']"
    page.wait_for_selector(found, state="attached", timeout=10_000)
    page.close()


def test_it_can_be_read_from_the_disk(browser: Any, site: Path) -> None:
    page = browser.new_page(viewport=DESKTOP)
    page.goto((site / "index.html").as_uri())
    page.locator("article a", has_text="Concepts").click()
    assert page.url == (site / "concepts.html").as_uri()
    assert page.locator("svg.lifecycle-wide").is_visible()
    page.close()
