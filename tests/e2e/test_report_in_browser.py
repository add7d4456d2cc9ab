"""The report in a real Chromium: the system's own, headless, and never one that is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import report_cases as cases

from pipeline.cli.main import run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core checks the page")

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


@dataclass
class Opened:
    """A page, and what it said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    space = cases.workspace(tmp_path_factory.mktemp("browser"))
    return written(space)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose names and labels try to break out, to run, and to widen the page."""
    space = tmp_path_factory.mktemp("hostile")
    words = [
        "<script>document.title = 'run'</script>", '"><img src=x onerror="document.title = 1">', "W" * 300,
        "\u202egpj.exe", "javascript:document.title='run'", "' autofocus onfocus='document.title=1",
    ]  # fmt: skip
    before, after = [], []
    for number, word in enumerate(words):
        digest = cases.picture(space / f"{number}.jpg", seed=number)
        before.append(cases.row(word, f"{number}.jpg", [word], [(word, 0.9)], picture_sha256=digest))
        after.append(cases.row(word, f"{number}.jpg", [word], [(words[0], 0.8)], picture_sha256=digest))
    cases.compared(space, cases.results(before, model="old"), cases.results(after, model="new"))
    return written(space)


def written(space: Path) -> Path:
    """Write the report of a workspace, with every path given: no test runs inside it."""
    benchmarks = space / "benchmarks"
    flags = {
        "--comparison": "latest-results.compare.json", "--baseline": "latest-results.json",
        "--candidate": "latest-results.candidate.json", "--out": "report.html",
    }  # fmt: skip
    if (benchmarks / "leakage.json").exists():
        flags |= {"--leakage": "leakage.json", "--coverage": "coverage.json"}
    given = [part for flag, name in flags.items() for part in (flag, str(benchmarks / name))]
    assert run(["evaluation", "report", *given]) == 0
    return benchmarks / "report.html"


def opened(browser: Any, report: Path, *, scheme: str = "light", size: Any = None, **more: Any) -> Opened:
    page = browser.new_page(color_scheme=scheme, viewport=size or DESKTOP, **more)
    found = Opened(page)
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(report.as_uri())
    return found


def test_it_opens_without_a_word_on_the_console_and_asks_nothing_of_the_network(
    browser: Any, report: Path
) -> None:
    found = opened(browser, report)
    assert found.said == []
    assert [url for url in found.asked if not url.startswith("data:")] == [report.as_uri()]


def test_every_picture_decodes_and_is_seen(browser: Any, report: Path) -> None:
    page = opened(browser, report).page
    widths = page.evaluate(PICTURES)
    assert len(widths) >= len(cases.CASES) + 2
    assert all(width > 0 for width in widths)
    for panel in page.locator("svg.picture").all():
        box = panel.bounding_box()
        assert box["width"] > 40
        assert box["height"] > 40


def test_the_second_panel_shows_the_pixels_of_the_first(browser: Any, report: Path) -> None:
    page = opened(browser, report).page
    panels = page.locator("#cards > li").first.locator("svg.picture")
    page.evaluate(
        "document.querySelectorAll('svg.picture rect, svg.picture text').forEach((n) => n.remove())"
    )
    first, second = panels.nth(0).screenshot(), panels.nth(1).screenshot()
    assert abs(len(first) - len(second)) < 0.1 * len(first)
    assert len(second) > 1500, "an empty frame is smaller"


def test_the_filters_show_what_they_say(browser: Any, report: Path) -> None:
    page = opened(browser, report).page
    cards, status = page.locator("#cards > li:visible"), page.locator("#shown")
    assert cards.count() == 6
    page.get_by_label("newly missed").check()
    assert cards.locator("h3").all_inner_texts() == ["can-taken-for-bottle", "can-lost"]
    assert status.inner_text() == "2 of 6 pictures shown"
    page.get_by_label("Label", exact=True).select_option(label="Glass Bottle (3)")
    assert cards.locator("h3").all_inner_texts() == ["can-taken-for-bottle"]
    page.get_by_role("button", name="Show all").click()
    page.locator("#shown", has_text="6 of 6").wait_for()
    assert cards.count() == 6


def test_the_filters_work_with_the_keyboard_alone(browser: Any, report: Path) -> None:
    page = opened(browser, report).page
    page.get_by_label("newly missed").focus()
    page.keyboard.press("Space")
    assert page.locator("#cards > li:visible").count() == 2
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.value") == "new_false_alarm"


def test_without_script_every_picture_stands_in_the_list_and_no_filter_shows(
    browser: Any, report: Path
) -> None:
    page = opened(browser, report, java_script_enabled=False).page
    assert page.locator("#cards > li:visible").count() == 6
    assert not page.locator("#filter").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("kind", ["report", "hostile"])
def test_axe_finds_no_violation(
    browser: Any, scheme: str, size: Any, kind: str, request: pytest.FixtureRequest
) -> None:
    page = opened(browser, request.getfixturevalue(kind), scheme=scheme, size=size).page
    page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


@pytest.mark.parametrize("kind", ["report", "hostile"])
@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_the_page_never_scrolls_sideways(
    browser: Any, kind: str, width: int, request: pytest.FixtureRequest
) -> None:
    size = {"width": width, "height": 800}
    page = opened(browser, request.getfixturevalue(kind), size=size).page
    page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_names_run_nothing(browser: Any, hostile: Path) -> None:
    found = opened(browser, hostile)
    page = found.page
    assert found.said == []
    assert page.title().startswith(("Improved", "Regressed", "Equivalent", "Cannot tell"))
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    assert page.locator("#cards h3 bdi").count() == len(page.locator("#cards > li").all())


def test_it_prints_with_everything_but_the_filters_and_the_gallery(browser: Any, report: Path) -> None:
    page = opened(browser, report).page
    page.emulate_media(media="print")
    assert not page.locator("#filter").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = page.pdf(format="A4", print_background=True)
    assert printed.startswith(b"%PDF")
    assert (
        printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") + printed.count(b"/Type/Page") >= 2
    )
