"""Folders of runs: ``<root>/<run-id>/``, each complete once its metadata file is there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from pipeline.support import clock
from pipeline.support.errors import InputError, PathEscapeError
from pipeline.support.files import input_error

_RUN_ID = re.compile(r"\d{8}-\d{6}")


def complete_runs(root: Path, marker: str) -> list[Path]:
    """Return the runs under ``root`` that hold the file ``marker``, the oldest first.

    A run's age is the time in its name (``YYYYMMDD-HHMMSS…``); under any other name it is that of its marker.
    Hidden folders and links are passed over.

    Raises:
        InputError: ``root`` is missing, no folder, or may not be read.
    """
    try:
        folders = [path for path in root.iterdir() if not path.name.startswith(".")]
    except NotADirectoryError:
        raise InputError(f"{root} is not a folder") from None
    except OSError as error:
        raise input_error(root, error) from None
    complete = [path for path in folders if not path.is_symlink() and (path / marker).is_file()]
    return sorted(complete, key=lambda path: (_age(path, marker), path.name))


def newest_run(root: Path, marker: str) -> Path:
    """Return the newest run under ``root`` that holds the file ``marker``.

    Raises:
        InputError: there is none, or ``root`` cannot be read.
    """
    runs = complete_runs(root, marker)
    if not runs:
        raise InputError(f"{root} holds no folder with a {marker}")
    return runs[-1]


def run_named(root: Path, run_id: str) -> Path:
    """Return ``root/run_id``; a run id is one plain name, not a path.

    Raises:
        PathEscapeError: it is empty, hidden, or a path.
    """
    if not run_id or run_id.startswith(".") or not run_id.isprintable() or {"/", "\\"} & set(run_id):
        raise PathEscapeError(
            f"the run id {run_id!r} is not a plain name", hint="Use letters, digits, '-', '_' and '.'."
        )
    return root / run_id


def _age(run: Path, marker: str) -> str:
    if _RUN_ID.match(run.name):
        return run.name[:15]
    return clock.run_id(datetime.fromtimestamp((run / marker).stat().st_mtime, UTC))
