"""`repath`: groups loaded when one is called, and the one place that turns errors into exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import dropwhile
from types import FrameType
from typing import NoReturn

import click

from pipeline import __version__
from pipeline.cli.lazy import LazyGroup
from pipeline.support.errors import OutputError, RepathError

# Help lines stand here so that `repath --help` imports no command.
GROUPS = {
    "init": ("pipeline.cli.workspace:init", "Write a workspace; --sample makes a complete small one."),
    "run": ("pipeline.cli.run:run", "Run the whole lifecycle on a workspace."),
    "data": ("pipeline.cli.data:data", "Taxonomy, and curation of labeled benchmark rows."),
    "evaluation": ("pipeline.cli.evaluation:evaluation", "Manifests, coverage, benchmark and comparison."),
    "training": ("pipeline.cli.training:training", "Bundle, training, export and promotion."),
    "release": ("pipeline.cli.release:release", "Build and verify a release bundle."),
    "github": ("pipeline.cli.github:github", "Publish and fetch releases, comment on pull requests."),
    "image": ("pipeline.cli.image:image", "Build, run, inspect and test the container image."),
}

_COMMAND = "repath.command"
_DISK_REFUSES = frozenset({errno.ENOSPC, errno.EFBIG, errno.EIO})


class _Program(LazyGroup):
    """Keeps the command line as it was typed: it may have to run elsewhere."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the program's own flags; what begins with the command's name is kept whole."""
        ctx.meta[_COMMAND] = list(dropwhile(lambda each: each.startswith("-"), args))
        return super().parse_args(ctx, args)


@click.command(
    cls=_Program,
    lazy=GROUPS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 an error, 2 wrong usage (or issues under --strict), 3 the gate says no.",
)
@click.version_option(__version__, prog_name="repath")
@click.option(
    "--in-image/--no-in-image",
    default=None,
    help="Run the command in the container image, or outside of it.  [repath.toml: image.use]",
)
@click.pass_context
def repath(ctx: click.Context, in_image: bool | None) -> None:
    """From a municipality's waste taxonomy to a verified release of an on-device detector.

    Start with: repath init my-workspace --sample && repath run --workspace my-workspace
    """
    from pipeline.cli.in_image import forward, wants_image

    command: list[str] = ctx.meta[_COMMAND]
    if wants_image(command, in_image):
        raise click.exceptions.Exit(forward(command))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every explained failure becomes one error on stderr."""
    with _interrupts() as seen:
        try:
            result = repath.main(args=arguments, prog_name="repath", standalone_mode=False)
        except click.exceptions.Exit as stop:
            return int(stop.exit_code)
        except click.ClickException as error:
            error.show(sys.stderr)
            return 2 if isinstance(error, click.UsageError) else 1
        except (click.Abort, KeyboardInterrupt):  # click has ended the line that stood there
            return _stopped()
        except RepathError as error:
            return _stopped() if seen else _show(error)
        except OSError as error:
            # Where the reader went away (`repath … | head`) there is no complaint. All else that the system
            # refuses (`> /dev/full`) is told in its own words, without a traceback.
            if not isinstance(error, BrokenPipeError):
                where = "standard output" if error.errno in _DISK_REFUSES else "the system refuses"
                _show(OutputError(f"{error.filename or where}: {error.strerror or error}"))
            _silence_stdout()
            return 1
    return int(result) if isinstance(result, int) else 0


def _stopped() -> int:
    click.echo("Stopped.", err=True)
    return 130


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Note each Ctrl-C, and let it interrupt as always.

    One that comes while a library waits for its own processes, which it reached too, can show as their
    failure: the user is then told that the command stopped, and not of a broken worker.
    """
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.default_int_handler(number, frame)

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield seen
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _silence_stdout() -> None:
    """Throw away what stdout still holds, so that the interpreter does not fail on it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(error: RepathError) -> int:
    head, *rest = error.message.split("\n")
    click.echo(f"{click.style('error:', fg='red', bold=True)} {head}", err=True)
    for line in rest:
        click.echo(line, err=True)
    if error.hint:
        click.echo(f"{click.style('hint:', fg='cyan')} {error.hint}", err=True)
    return error.exit_code


def main() -> NoReturn:
    """Entry point of the console script."""
    sys.exit(run())
