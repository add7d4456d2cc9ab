"""The built guide: a page for each command and each format, and nothing asked of any other host."""

from __future__ import annotations

import html
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import guide_commands
import guide_formats
import guide_picture
import guide_text
import pytest
from shown import ROOT

from pipeline.cli.main import repath as repath_group
from pipeline.contracts.base import parse
from pipeline.contracts.schemas import FILES, schema
from pipeline.support.documents import read_csv

NODES = list(guide_commands.every(guide_commands.tree()))
LEAVES = [node for node in NODES if not isinstance(node.command, click.Group)]


def _page(site: Path, markdown: str) -> str:
    return site.joinpath(markdown).with_suffix(".html").read_text(encoding="utf-8")


def _plain(page: str) -> str:
    """Return what a page says, with no space that a tag brings in."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page)).split())


def test_the_tree_is_that_of_the_program() -> None:
    """By another way than the generator's: what click itself lists."""
    listed = set()
    for name in repath_group.list_commands(click.Context(repath_group)):
        command = repath_group.get_command(click.Context(repath_group), name)
        assert command is not None
        below = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else []
        listed |= {f"repath {name} {each}" for each in below} or {f"repath {name}"}
    assert {node.name for node in LEAVES} == listed
    assert len(LEAVES) >= 27


@pytest.mark.parametrize("node", LEAVES, ids=lambda node: node.name)
def test_every_command_has_a_page_with_every_flag_and_what_it_does(
    node: guide_commands.Node, site: Path
) -> None:
    page = _page(site, node.page)
    said = _plain(page)
    assert node.name in said
    for param in node.command.params:
        if isinstance(param, click.Option) and not param.hidden:
            for flag in (*param.opts, *param.secondary_opts):
                assert flag in said
            words, _ = guide_commands._words(param)
            assert " ".join(words.replace("`", "").split()) in said
    assert "repath.toml:" not in said, "a default is told as a link"
    assert page.count('class="parameter"') == len(guide_commands._parameters(node))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("../Makefile", "https://github.com/krispeterson/repath-model/blob/main/Makefile"),
        ("../docker", "https://github.com/krispeterson/repath-model/tree/main/docker"),
        ("../docs/start.md", "../docs/start.md"),
        ("../no-such-file", "../no-such-file"),
        ("../../../etc/hosts", "../../../etc/hosts"),
    ],
)
def test_a_link_to_another_file_of_the_repository_leads_to_where_it_is_published(
    written: str, shown: str
) -> None:
    guide_hooks = pytest.importorskip("guide_hooks")
    docs = ROOT / "docs"
    assert guide_hooks._published(written, docs / "page.md", docs) == shown


def test_the_program_s_own_options_stand_with_the_list_of_commands(site: Path) -> None:
    said = _plain(_page(site, "commands/index.md"))
    for param in repath_group.params:
        assert param.opts[0] in said


def test_every_group_lists_its_commands(site: Path) -> None:
    index = _plain(_page(site, "commands/index.md"))
    for node in NODES:
        assert node.name in index
        if node.children:
            page = _plain(_page(site, node.page))
            assert all(child.name in page for child in node.children)


@pytest.mark.parametrize("kind", FILES)
def test_every_format_has_a_page_with_every_field_and_its_schema(kind: str, site: Path) -> None:
    page = _page(site, guide_formats.page_of(kind))
    said = _plain(page)
    whole = schema(kind)
    for part in (whole, *whole.get("$defs", {}).values()):
        for name, field in part.get("properties", {}).items():
            assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said)
            assert " ".join(field.get("description", "").replace("`", "").split()) in said
    link = f"../schemas/{kind}.schema.json"
    assert f'href="{link}"' in page
    assert (site / "formats" / link).resolve().is_file()


def _fields(kind: str) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    whole = schema(kind)
    for part in (whole, *whole.get("$defs", {}).values()):
        for name, field in part.get("properties", {}).items():
            yield part, name, field


@pytest.mark.parametrize("kind", FILES)
def test_every_field_has_a_meaning(kind: str) -> None:
    """Write one as a docstring below the field in its contract, or into docs/guide/fields.toml."""
    whole = schema(kind)
    without = [
        f"{part['title']}.{name}"
        for part, name, field in _fields(kind)
        if not guide_formats._meaning(part, name, field, whole)
    ]
    assert without == []


def test_no_meaning_is_of_a_field_that_is_gone() -> None:
    known: dict[str, set[str]] = {}
    for kind in FILES:
        for part, name, _ in _fields(kind):
            known.setdefault(part["title"], set()).add(name)
    gone = [
        f"{contract}.{name}"
        for contract, told in guide_formats.FIELDS.items()
        if contract in known
        for name in told
        if name not in known[contract]
    ]
    assert gone == []


@pytest.mark.parametrize("kind", FILES)
def test_every_format_has_an_example_that_keeps_to_it(kind: str) -> None:
    path = guide_formats.example_of(kind)
    assert path is not None, f"write docs/formats/examples/{kind}.json (.csv, .toml, .yaml)"
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        parse(FILES[kind], json.loads(text), source=path.name)
    elif path.suffix == ".csv":
        rows = read_csv(path, FILES[kind], columns=[])
        assert rows
    elif path.suffix == ".toml":
        parse(FILES[kind], tomllib.loads(text), source=path.name)
    else:
        pytest.importorskip("yaml")
        import yaml

        parse(FILES[kind], yaml.safe_load(text), source=path.name)


def test_a_flag_leads_to_the_setting_that_is_its_default(site: Path) -> None:
    page = _page(site, "commands/data/build-taxonomy.md")
    assert 'href="../../formats/repath.toml.html#paths.pack"' in page
    assert 'id="paths.pack"' in _page(site, "formats/repath.toml.md")


def test_a_command_s_page_names_the_pages_that_show_it(site: Path) -> None:
    page = _page(site, "commands/evaluation/analyze-benchmark-results.md")
    assert 'href="../../recipes/weak-class.html"' in page


def test_nothing_is_asked_of_another_host(site: Path) -> None:
    """Links lead elsewhere; what a browser fetches by itself does not."""
    fetched = re.compile(
        r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=\"?(?:https?:)?//", re.IGNORECASE
    )
    linked = re.compile(r"<link\b(?![^>]*\brel=\"?canonical)[^>]*\bhref=\"?(?:https?:)?//", re.IGNORECASE)
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        assert not fetched.search(page), path
        assert not linked.search(page), path
    for path in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", path.read_text(encoding="utf-8")), (
            path
        )


def test_what_builds_the_guide_is_not_part_of_it(site: Path) -> None:
    assert [path.name for path in site.rglob("*.py")] == []
    assert not (site / "guide").exists()


@pytest.mark.parametrize("layout", [guide_picture.WIDE, guide_picture.TALL], ids=lambda layout: layout.name)
def test_the_picture_shows_every_file_apart_from_the_others(layout: guide_picture.Layout) -> None:
    assert layout.centres.keys() == guide_picture.BOXES.keys()
    places = list(layout.centres.values())
    width, height = guide_picture.BOX
    for number, (x, y) in enumerate(places):
        assert width / 2 <= x <= layout.size[0] - width / 2
        assert height / 2 <= y <= layout.size[1] - height / 2
        for other_x, other_y in places[number + 1 :]:
            assert abs(x - other_x) >= width or abs(y - other_y) >= height


def test_the_picture_names_every_stage_of_a_run_and_leads_to_its_section(site: Path) -> None:
    from pipeline.lifecycle.stages import STAGES

    page = _page(site, "concepts.md")
    drawn = " ".join(box.stages for box in guide_picture.BOXES.values()).replace("·", " ").split()
    missing = {stage.name for stage in STAGES} - set(drawn)
    assert missing == {"baseline"}, "the baseline is a model that is there already"
    for box in guide_picture.BOXES.values():
        assert f'id="{box.anchor}"' in page


def test_flags_and_what_stands_in_backticks_are_code() -> None:
    made = guide_text.text("Give --out, or the `count`-th of a--b.")
    assert re.findall("<code>(.+?)</code>", made) == ["--out", "count"]


@pytest.mark.parametrize(
    "plain",
    [
        "<script>alert(1)</script>",
        "a | b",
        "*.json and _x_",
        "[link](http://x)",
        "`code` and <b>",
        "# x",
        "a & b",
    ],
)
def test_a_help_text_is_shown_as_it_is(plain: str) -> None:
    markdown = pytest.importorskip("markdown")
    made = markdown.markdown(f"x {guide_text.text(plain)}")
    assert _plain(made).replace(" ", "") == f"x {plain}".replace("`", "").replace(" ", "")
    assert not re.search(r"<(script|b|a|em|h1)\b", made)
