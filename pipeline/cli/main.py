"""`repath`: groups loaded when one is called, and the one place that turns errors into exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
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
}

_DISK_REFUSES = frozenset({errno.ENOSPC, errno.EFBIG, errno.EIO})


@click.command(
    cls=LazyGroup,
    lazy=GROUPS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 an error, 2 wrong usage (or issues under --strict), 3 the gate says no.",
)
@click.version_option(__version__, prog_name="repath")
def repath() -> None:
    """From a municipality's waste taxonomy to a verified release of an on-device detector.

    Start with: repath init my-workspace --sample && repath run --workspace my-workspace
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every explained failure becomes one error on stderr."""
    try:
        result = repath.main(args=arguments, prog_name="repath", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.ClickException as error:
        error.show(sys.stderr)
        return 2 if isinstance(error, click.UsageError) else 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped.", err=True)
        return 130
    except RepathError as error:
        _show(error)
        return error.exit_code
    except OSError as error:
        # Where the reader went away (`repath … | head`) there is no complaint. All else that the system
        # refuses (`> /dev/full`) is told in its own words, without a traceback.
        if not isinstance(error, BrokenPipeError):
            where = "standard output" if error.errno in _DISK_REFUSES else "the system refuses"
            _show(OutputError(f"{error.filename or where}: {error.strerror or error}"))
        _silence_stdout()
        return 1
    return int(result) if isinstance(result, int) else 0


def _silence_stdout() -> None:
    """Throw away what stdout still holds, so that the interpreter does not fail on it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(error: RepathError) -> None:
    head, *rest = error.message.split("\n")
    click.echo(f"{click.style('error:', fg='red', bold=True)} {head}", err=True)
    for line in rest:
        click.echo(line, err=True)
    if error.hint:
        click.echo(f"{click.style('hint:', fg='cyan')} {error.hint}", err=True)


def main() -> NoReturn:
    """Entry point of the console script."""
    # What stops a container or a cancelled workflow: temporary files are taken away, as after Ctrl-C.
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(run())


def _terminated(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
