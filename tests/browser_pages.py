"""Pages of ours in a real Chromium: the system's own, headless, and never one that is downloaded."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 800}
PICTURES = """async () => {
  for (const node of document.querySelectorAll("details")) node.open = true;
  const sources = [...document.querySelectorAll("image")].map((node) => node.href.baseVal);
  sources.push(...[...document.images].map((node) => node.src));
  return Promise.all(sources.map(async (source) => {
    const picture = new Image();
    picture.src = source;
    await picture.decode();
    return picture.naturalWidth;
  }));
}"""
"""Decodes every picture of a page and gives their widths."""


@dataclass
class Opened:
    """A page, and what it said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """Give a browser; skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield browser
        browser.close()


def opened(browser: Any, file: Path, *, scheme: str = "light", size: Any = None, **more: Any) -> Opened:
    """Open a file in a new page."""
    page = browser.new_page(color_scheme=scheme, viewport=size or DESKTOP, **more)
    found = Opened(page)
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(file.as_uri())
    return found


def violations(page: Any) -> list[tuple[str, list[str]]]:
    """Return what axe-core finds, with everything on the page unfolded."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core checks the page")
    page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
