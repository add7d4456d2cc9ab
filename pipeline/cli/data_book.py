"""The labeled CSV that both suggest commands merge into, and the flags they share."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.common import FILE, setting
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.data.book import LabeledBook
from pipeline.support.documents import read_csv_lines

LISTED = 20
"""Remarks that a command prints one by one."""

merge_into_option = setting(
    "--merge-into", to="paths.labeled", help="Labeled CSV that gets the rows; made where there is none."
)
out_option = click.option("--out", type=FILE, default=None, help="CSV that gets the suggested rows alone.")


def open_book(path: Path) -> LabeledBook:
    """Read the labeled CSV; one that is not there yet is empty.

    Raises:
        InputError: it cannot be read.
    """
    if not path.exists():
        return LabeledBook(str(path), [], [])
    return LabeledBook(str(path), *read_csv_lines(path, LabeledRow, LABELED_COLUMNS))
