"""Outputs of a workflow's step: the lines of the file that ``GITHUB_OUTPUT`` names.

Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.support.errors import UsageError
from pipeline.support.files import output_error

_KEY = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def output_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return ``key=value`` lines: keys in kebab case, those of nested tables joined by ``-``, no lists.

    A value that has a line break cannot start a line of its own: such characters become spaces.
    """
    return [f"{key}={_text(value)}" for key, value in _flat(summary, "")]


def append_outputs(summary: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Add the summary's values to the step's outputs.

    Raises:
        UsageError: this is no step of a workflow.
        OutputError: the file cannot be written.
    """
    name = environ.get("GITHUB_OUTPUT", "")
    if not name:
        raise UsageError("--github-output needs GITHUB_OUTPUT", hint="GitHub Actions sets it in every step.")
    path = Path(name)
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write("".join(f"{line}\n" for line in output_lines(summary)))
    except OSError as error:
        raise output_error(path, error) from error


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}{key.replace('_', '-')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}-")
        elif not isinstance(value, (list, tuple)) and _KEY.fullmatch(name):
            yield name, value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _BREAKS.sub(" ", str(value))
