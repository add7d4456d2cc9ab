"""A page for every command and every group, made from the program itself.

The tree is walked, not listed: a command that is added to the program has its page with the next build.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
from guide_text import code, table, text

from pipeline.cli.common import SettingOption
from pipeline.cli.lazy import LazyGroup
from pipeline.cli.main import repath
from pipeline.contracts.settings import Settings

PROGRAM = "repath"
_ASIDE = re.compile(r"\s{1,2}\[([^\[\]]+)\]$")
"""What a help text says in brackets at its end: where the default comes from, or what it is."""


@dataclass(frozen=True, slots=True)
class Node:
    """A command or a group, with its place in the tree."""

    path: tuple[str, ...]
    """Its name as it is typed, without the program's."""
    command: click.Command
    short: str
    """One line that says what it does."""
    children: tuple[Node, ...] = field(default=())

    @property
    def name(self) -> str:
        """What is typed: ``repath data build-taxonomy``."""
        return " ".join((PROGRAM, *self.path))

    @property
    def page(self) -> str:
        """The file of its page in the guide."""
        parts = (*self.path, "index") if isinstance(self.command, click.Group) else self.path
        return f"commands/{'/'.join(parts)}.md"


def tree(command: click.Command = repath, path: tuple[str, ...] = (), short: str = "") -> Node:
    """Return the program's commands, in the order in which the program lists them."""
    children: list[Node] = []
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is None or found.hidden:
                continue
            line = command.lazy[name][1] if isinstance(command, LazyGroup) else found.get_short_help_str(200)
            children.append(tree(found, (*path, name), line))
    return Node(path, command, short, tuple(children))


def every(node: Node) -> Iterator[Node]:
    """Yield a node's descendants, each before its own."""
    for child in node.children:
        yield child
        yield from every(child)


def page(node: Node, shown_in: Sequence[tuple[str, str]] = ()) -> str:
    """Return the page of a command or of a group.

    Args:
        node: the command.
        shown_in: title and address, relative to this page, of the pages that show the command in use.
    """
    up = "../" * (node.page.count("/"))
    parts = [f"# {node.name}", *_help(node.command)]
    if isinstance(node.command, click.Group):
        parts.append(command_table(node.children, start=node.page))
    else:
        usage = " ".join([node.name, *node.command.collect_usage_pieces(_context(node))])
        parts.append(f"```text\n{usage}\n```")
        parts += [_parameter(param, node, up) for param in _parameters(node)]
        parts.append(f"What its exit code means: [Exit codes]({up}commands/index.md#exit-codes).")
    if shown_in:
        links = ", ".join(f"[{title}]({address})" for title, address in shown_in)
        parts.append(f"In use: {links}.")
    if node.command.epilog:
        parts.append(text(node.command.epilog))
    return "\n\n".join(parts) + "\n"


def options(root: Node) -> str:
    """Return the options of the program itself, as they stand in the list of all commands."""
    return "\n\n".join(_parameter(param, root, "../", level=3) for param in _parameters(root))


def command_table(nodes: Sequence[Node], *, start: str) -> str:
    """Return a table of commands with links, as it stands in the page ``start``."""
    up = "../" * start.count("/")
    return table(
        ("command", "what it does"),
        [(f"[{code(node.name)}]({up}{node.page})", text(node.short)) for node in nodes],
    )


def _context(node: Node) -> click.Context:
    # A command keeps the help flags of the first context it is asked in, which must be those of the program.
    program = click.Context(repath, info_name=PROGRAM, **repath.context_settings)
    if not node.path:
        return program
    return click.Context(node.command, parent=program, info_name=node.path[-1], resilient_parsing=True)


def _help(command: click.Command) -> Iterator[str]:
    """Yield the paragraphs of a command's help; click's ``\\b`` keeps the lines of one as they are."""
    for paragraph in inspect.cleandoc((command.help or "").partition("\f")[0]).split("\n\n"):
        lines = paragraph.split("\n")
        if lines[0] == "\b":
            yield "```text\n" + "\n".join(lines[1:]) + "\n```"
        elif paragraph:
            # A command line that ends a sentence is shown as one.
            yield text(re.sub(r"(?<=: )repath .+?(?=\.?$)", r"`\g<0>`", " ".join(lines)))


def _parameters(node: Node) -> list[click.Parameter]:
    return [param for param in node.command.params if not (isinstance(param, click.Option) and param.hidden)]


def _parameter(param: click.Parameter, node: Node, up: str, *, level: int = 2) -> str:
    words, asides = _words(param)
    if isinstance(param, click.Option):
        flags = [*param.opts, *param.secondary_opts]
        anchor = max(flags, key=len).strip("-")
        metavar = "" if param.is_flag or param.count else _metavar(param, node)
        title = " / ".join(code(flag) for flag in flags) + (f" {code(metavar)}" if metavar else "")
    else:
        anchor = str(param.name)
        title = code(param.make_metavar(_context(node)))
    facts = [*_facts(param), *(_aside(aside, up) for aside in asides)]
    lines = [f"{'#' * level} {title} {{ #{anchor} .parameter }}"]
    if words:
        lines.append(text(words))
    if facts:
        lines.append(f"<small>{' · '.join(facts)}</small>")
    return "\n\n".join(lines)


def _metavar(param: click.Parameter, node: Node) -> str:
    return param.make_metavar(_context(node)).removesuffix(" RANGE").replace("FLOAT", "NUMBER")


def _words(param: click.Parameter) -> tuple[str, list[str]]:
    """Return what a parameter's help says, and what it says in brackets at its end."""
    words = " ".join((getattr(param, "help", None) or "").split("\n"))
    asides: list[str] = []
    while found := _ASIDE.search(words):
        if isinstance(param, click.Option) and param.show_envvar:
            break
        asides.insert(0, found[1])
        words = words[: found.start()]
    return words.strip(), asides


def _aside(aside: str, up: str) -> str:
    key = aside.removeprefix("repath.toml: ")
    if key == aside:
        return f"default {code(aside)}" if aside.upper() != aside else f"environment variable {code(aside)}"
    name = key.split(" ")[0]
    link = f"[{code(key)}]({up}formats/repath.toml.md#{name})"
    default = _setting(name)
    return f"setting {link}" + ("" if default is None or " = " in key else f", by default {code(default)}")


def _setting(name: str) -> str | None:
    """Return the built-in default of a setting; None where it has none."""
    value: Any = Settings()
    for step in name.split("."):
        value = getattr(value, step)
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _facts(param: click.Parameter) -> Iterator[str]:
    """Yield what the declaration says beside the help text."""
    from_settings = isinstance(param, SettingOption)
    if param.required:
        yield "**required**" + (" outside a workspace" if from_settings else "")
    if isinstance(param.type, click.Choice):
        yield "one of " + ", ".join(code(str(choice)) for choice in param.type.choices)
    elif isinstance(param.type, (click.IntRange, click.FloatRange)):
        yield code(param.type._describe_range())
    if (param.multiple or param.nargs == -1) and "repeated" not in _words(param)[0]:
        yield "may be repeated"
    elif param.nargs > 1:
        yield f"{param.nargs} values"
    if isinstance(param, click.Option) and param.show_default and param.default is not None:
        yield f"default {code(_default(param))}"
    if param.envvar and not from_settings:
        names = [param.envvar] if isinstance(param.envvar, str) else list(param.envvar)
        yield "environment variable " + " or ".join(code(name) for name in names)
    elif param.envvar:
        yield f"environment variable {code(str(param.envvar))} goes before the setting"


def _default(param: click.Option) -> str:
    if isinstance(param.default, bool):
        return (param.opts if param.default else param.secondary_opts or ["off"])[0]
    return str(param.default)


def uses(pages: Mapping[str, str]) -> dict[str, list[str]]:
    """Return, by a command's name, the pages whose shell blocks show it, in the order given.

    Args:
        pages: Markdown by file.
    """
    names = sorted((node.name for node in every(tree()) if not node.children), key=len, reverse=True)
    found: dict[str, list[str]] = {}
    for file, markdown in pages.items():
        blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL))
        for name in names:
            if re.search(rf"(?m)(^|\W){re.escape(name)}(?![\w-])", blocks):
                found.setdefault(name, []).append(file)
    return found
