"""What the guide and the README show: code blocks with the directives above them, and inline commands.

A directive is an HTML comment, which readers of the page do not see:

- ``<!-- fixture: NAME -->`` what the page's folder holds from here on (see ``test_commands_shown``);
- ``<!-- before: COMMANDS -->`` what readers have done by themselves by now;
- ``<!-- exit: CODE -->`` how the next block ends, where not with 0;
- ``<!-- parsed only: REASON -->`` the next block is not run here, and why; its commands are parsed;
- ``<!-- not output: REASON -->`` the next or last ``text`` block is not what the block above it printed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
_DIRECTIVE = re.compile(r"<!-- (fixture|before|exit|parsed only|not output):\s+(.+?)\s+-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, and the directives between it and the block before."""

    page: str
    line: int
    language: str
    text: str
    directives: tuple[tuple[str, str], ...] = ()

    def said(self, name: str) -> str | None:
        """Return what a directive says; None where it is not there."""
        return dict(self.directives).get(name)

    @property
    def place(self) -> str:
        """Where it stands, as an editor takes it."""
        return f"{self.page}:{self.line}"


@dataclass(slots=True)
class _Reader:
    page: str
    waiting: list[tuple[str, str]] = field(default_factory=list)

    def blocks(self, markdown: str) -> Iterator[Block]:
        for token in MarkdownIt("commonmark").parse(markdown):
            if token.type == "html_block":
                self.waiting += [(found[1], found[2]) for found in _DIRECTIVE.finditer(token.content)]
            elif token.type == "fence":
                assert token.map is not None
                language = token.info.strip()
                yield Block(self.page, token.map[0] + 1, language, token.content, tuple(self.waiting))
                self.waiting = []
        assert not self.waiting, f"{self.page}: no block follows {self.waiting}"


def pages() -> list[Path]:
    """Return the README and the pages of the guide that people write."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    """Return a page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    return list(_Reader(name_of(page)).blocks(page.read_text(encoding="utf-8")))


def commands(shell: str) -> Iterator[list[str]]:
    """Yield the words of each simple command of a shell block; what is written to files is left out."""
    shell = re.sub(r"<<'(\w+)'\n.*?^\1$", "", shell, flags=re.MULTILINE | re.DOTALL)
    for line in shell.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        start = 0
        for end, word in [*enumerate(words), (len(words), ";")]:
            if word in ("&&", "||", "|", ";", "&"):
                if words[start:end]:
                    yield _without_redirection(words[start:end])
                start = end + 1


def _without_redirection(words: list[str]) -> list[str]:
    kept = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif re.fullmatch(r"\d*(>>?|<)", word):
            skip = True
        elif not re.match(r"\d*(>>?|<)", word):
            kept.append(word)
    return kept


def inline_commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each ``repath …`` in inline code."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            if child.type == "code_inline" and child.content.startswith("repath "):
                yield shlex.split(child.content)
