"""What MkDocs calls while it builds the guide: it adds the pages that are made from the program.

They are made with every build and never committed, so none can be out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import guide_commands
import guide_formats
import guide_picture
from guide_text import text
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from pipeline.contracts.schemas import FILES

REPOSITORY = "https://github.com/krispeterson/repath-model"
_LINK = re.compile(r"\]\((\.\./[^)\s]+)")
_PLACE = re.compile(r"^<!-- here: ([\w-]+) -->$", re.MULTILINE)
"""Where a page of the guide takes a table or a picture that is made."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the made pages into the navigation, behind what stands under their heading."""
    made = {"Commands": list(_command_nav(guide_commands.tree())), "Formats": list(_format_nav())}
    for entry in config.nav or []:
        for heading, pages in made.items():
            if isinstance(entry, dict) and heading in entry:
                entry[heading] += pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the commands and of the file formats."""
    written = {file.src_uri: file.content_string for file in files.documentation_pages()}
    uses = guide_commands.uses(written)
    for node in guide_commands.every(guide_commands.tree()):
        up = "../" * node.page.count("/")
        shown_in = [(_title(written[file]), f"{up}{file}") for file in uses.get(node.name, [])]
        content = guide_commands.page(node, shown_in)
        files.append(File.generated(config, node.page, content=content))
    for kind in FILES:
        files.append(File.generated(config, guide_formats.page_of(kind), content=guide_formats.page(kind)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Fill the places of a page, and lead links to other files of the repository to where it is published."""
    docs = Path(config.docs_dir)
    filled = _PLACE.sub(lambda found: _made(found[1], page.file.src_uri), markdown)
    return _LINK.sub(lambda found: f"]({_published(found[1], docs / page.file.src_uri, docs)}", filled)


def _published(target: str, source: Path, docs: Path) -> str:
    """Return a link's address: on GitHub where it names a file of the repository that is not of the guide."""
    path = (source.parent / target.partition("#")[0]).resolve()
    repository = docs.parent.resolve()
    if not path.exists() or path.is_relative_to(docs.resolve()) or not path.is_relative_to(repository):
        return target
    kind = "tree" if path.is_dir() else "blob"
    return f"{REPOSITORY}/{kind}/main/{path.relative_to(repository).as_posix()}"


def _made(what: str, start: str) -> str:
    if what == "lifecycle":
        return guide_picture.lifecycle()
    if what == "formats":
        return guide_formats.format_table(start)
    root = guide_commands.tree()
    if what == "options":
        return guide_commands.options(root)
    if what == "commands":
        return "\n".join(_command_tables(root, start))
    raise ValueError(f"{start}: there is nothing to put in place of {what!r}")


def _command_tables(root: guide_commands.Node, start: str) -> Iterator[str]:
    alone = [node for node in root.children if not node.children]
    yield guide_commands.command_table(alone, start=start)
    for group in root.children:
        if group.children:
            yield f"## {group.name}\n\n{text(group.short)}\n"
            yield guide_commands.command_table(group.children, start=start)


def _command_nav(root: guide_commands.Node) -> Iterator[Any]:
    for node in root.children:
        if node.children:
            yield {" ".join(node.path): [node.page, *_command_nav(node)]}
        else:
            yield {node.path[-1]: node.page}


def _format_nav() -> Iterator[dict[str, str]]:
    for kind in FILES:
        yield {guide_formats.title_of(kind): guide_formats.page_of(kind)}


def _title(markdown: str) -> str:
    found = re.search(r"^# (.+)$", markdown, re.MULTILINE)
    return found[1] if found else "the guide"
