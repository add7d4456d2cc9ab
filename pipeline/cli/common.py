"""What every command shares: flags with defaults from ``repath.toml``, and how a result is shown.

stdout carries one JSON summary. A short table goes to stderr.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.contracts.settings import MAX_SEED
from pipeline.support.errors import UsageError
from pipeline.support.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from pipeline.support.http import HttpClient

F = TypeVar("F", bound=Callable[..., Any])

DIRECTORY = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


class _Share(click.FloatRange):
    """A share from 0 to 1; not NaN, which click's own range lets pass since it is below no limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number from 0 to 1.", param, ctx)
        return number


SHARE = _Share(0, 1)
POSITIVE_SHARE = _Share(0, 1, min_open=True)
SEED = click.IntRange(0, MAX_SEED)
"""What numpy takes for a seed."""


def workspace() -> Workspace:
    """Return the workspace of this invocation: the nearest ``repath.toml``, or the working directory."""
    ctx = click.get_current_context().find_root()
    if not isinstance(ctx.obj, Workspace):
        ctx.obj = open_workspace()
    return ctx.obj


class SettingOption(click.Option):
    """A flag whose default is a setting of the workspace, such as ``paths.taxonomy``.

    Outside a workspace a path has no default and the flag is required; other settings have their built-in
    default.
    """

    def __init__(self, *args: Any, setting: str, **kwargs: Any) -> None:
        self.setting = setting
        kwargs["help"] = f"{kwargs.get('help', '')}  [repath.toml: {setting}]".strip()
        super().__init__(*args, **kwargs)

    def get_default(self, ctx: click.Context, call: bool = True) -> Any:
        """Return the workspace's value; what click takes for none while the help page is written."""
        if ctx.resilient_parsing or not call:
            return None
        space = workspace()
        value: Any = space.settings
        for step in self.setting.split("."):
            value = getattr(value, step)
        if self.setting.startswith("paths."):
            value = str(space.root / value) if space.configured else None
        # Newer versions of click tell a default of None from no default, and only the latter is missing.
        return super().get_default(ctx, call=call) if value is None else value


def setting(*names: str, to: str, **kwargs: Any) -> Callable[[F], F]:
    """Declare a flag with a default from ``repath.toml``; path settings take a file unless ``type`` is given.

    Args:
        names: the flag, as for `click.option`.
        to: the setting that gives the default.
        kwargs: as for `click.option`.
    """
    if to.startswith("paths."):
        kwargs.setdefault("type", FILE)
        kwargs.setdefault("required", True)
    return click.option(*names, cls=SettingOption, setting=to, **kwargs)


root_option = click.option(
    "--root",
    type=DIRECTORY,
    default=None,
    help="Folder that relative paths inside the input are tried under first (then the workspace, then the "
    "input's own folder and its parents).",
)


def _nothing_is_fetched(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    return value or (not ctx.resilient_parsing and not workspace().settings.download.enabled)


no_download_option = click.option(
    "--no-download",
    is_flag=True,
    callback=_nothing_is_fetched,
    help="Fetch nothing over the network.  [repath.toml: download.enabled = false]",
)


def keep_inputs(out: Path | None, *inputs: Path | None) -> None:
    """Refuse an output that would take the place of a file that the command reads.

    Raises:
        UsageError: ``out`` is one of ``inputs``, by whatever name or link.
    """
    if out is None or not out.exists():
        return
    for path in inputs:
        if path is not None and path.exists() and path.samefile(out):
            raise UsageError(f"{out} is read, and would be written over", hint="Name another file to write.")


def http_client() -> HttpClient:
    """Return a client within the limits that ``[download]`` of the workspace sets."""
    from pipeline.support.http import HttpClient, Limits

    return HttpClient(Limits.of(workspace().settings.download))


def emit(
    summary: Mapping[str, Any],
    *,
    title: str | None = None,
    rows: Sequence[tuple[str, object]] = (),
) -> None:
    """Print the JSON summary on stdout, and on stderr a short table of ``rows``."""
    if rows:
        table(title or "", rows)
    sys.stdout.write(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def table(title: str, rows: Sequence[tuple[str, object]]) -> None:
    """Print a table of two columns on stderr; text from files is shown as it is, never as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title or None, show_header=False, title_justify="left", title_style="bold", box=None)
    grid.add_column(style="dim")
    grid.add_column()
    for key, value in rows:
        grid.add_row(Text(str(key)), Text("–" if value is None else str(value)))
    Console(stderr=True).print(grid)


def note(message: str) -> None:
    """Print a remark on stderr."""
    click.echo(f"{click.style('note:', fg='yellow')} {message}", err=True)
