"""What the commands that search Wikimedia Commons share: their flags, and rows saved as they are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from pipeline.cli.common import FILE, note, setting, workspace
from pipeline.cli.data_book import LISTED
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.data import commons
from pipeline.data.book import LabeledBook
from pipeline.support.documents import read_json, write_csv
from pipeline.support.http import HttpClient, Limits
from pipeline.support.patience import Pace
from pipeline.support.progress import track

SAVED_EVERY = 10
"""Rows after which what was found is written."""

taxonomy_option = click.option(
    "--taxonomy", type=FILE, default=None, help="Taxonomy whose aliases are searched for as well."
)
limit_option = setting("--limit", to="search.limit", type=click.IntRange(min=1), help="Rows to search for.")
offset_option = click.option(
    "--offset", type=click.IntRange(min=0), default=0, help="Rows to pass over first.  [0]"
)


def network_options(command: Any) -> Any:
    """Declare the flags of the search itself."""
    for option in reversed(
        [
            setting(
                "--timeout-ms", to="search.timeout_ms", type=click.IntRange(min=1), help="For one request."
            ),
            setting(
                "--max-retries", to="search.max_retries", type=click.IntRange(min=0), help="For one request."
            ),
            click.option(
                "--include-previous-failures",
                is_flag=True,
                help="Search again for rows that found nothing before.",
            ),
            click.option(
                "--api-url",
                envvar="REPATH_COMMONS_API",
                default=None,
                help="Another MediaWiki search API (or REPATH_COMMONS_API). One on a private address needs "
                "download.allow_private_addresses in repath.toml.",
            ),
        ]
    ):
        command = option(command)
    return command


@dataclass(slots=True)
class Sheet:
    """What was found so far, and the files it goes to."""

    book: LabeledBook
    merge_into: Path
    out: Path | None
    rows: list[LabeledRow] = field(default_factory=list)
    found: int = 0
    errors: list[str] = field(default_factory=list)
    unsaved: int = 0

    def take(self, outcome: commons.Outcome) -> None:
        """Merge what became of one row, and write the files from time to time."""
        if outcome.error is not None:
            self.errors.append(f"{outcome.row.name}: {outcome.error}")
            return
        self.book.put(outcome.row)
        self.rows.append(outcome.row)
        self.found += outcome.found
        self.unsaved += 1
        if self.unsaved >= SAVED_EVERY:
            self.save()

    def save(self) -> None:
        """Write what was found."""
        if self.out is not None:
            write_csv(self.out, self.rows, LABELED_COLUMNS)
        write_csv(self.merge_into, self.book.rows, LABELED_COLUMNS)
        self.unsaved = 0

    def told(self) -> None:
        """Name the searches that failed on stderr."""
        for sentence in self.errors[:LISTED]:
            note(f"search failed: {sentence}")


@dataclass(frozen=True, slots=True)
class Network:
    """How the search is made."""

    timeout_ms: int
    max_retries: int
    api_url: str | None = None
    pause_ms: int = 0

    def search(
        self,
        passes: Sequence[Sequence[LabeledRow]],
        sheet: Sheet,
        *,
        known: Sequence[LabeledRow],
        aliases: Mapping[str, Sequence[str]] | None = None,
    ) -> list[dict[str, int]]:
        """Search for the rows of each pass, one pass after the other, and return what each came to.

        Raises:
            DownloadError: searches failed one after another; what was found before is written.
        """
        download = workspace().settings.download
        limits = Limits(
            timeout_s=self.timeout_ms / 1000,
            retries=self.max_retries,
            allow_private_addresses=download.allow_private_addresses,
        )
        told: list[dict[str, int]] = []
        with HttpClient(limits) as client:
            search = commons.CommonsSearch(
                client,
                self.api_url or commons.API,
                download.max_bytes,
                download.max_pixels,
                Pace(self.pause_ms / 1000),
            )
            suggester = commons.OnlineSuggester(search, aliases or {}, commons.used_sources(known))
            try:
                told.extend(_one_pass(suggester, targets, sheet) for targets in passes)
            except BaseException:  # interrupted or refused: what was found until now stays
                if sheet.unsaved:
                    sheet.save()
                raise
        sheet.save()
        return told


def _one_pass(
    suggester: commons.OnlineSuggester, targets: Sequence[LabeledRow], sheet: Sheet
) -> dict[str, int]:
    found, errors = sheet.found, len(sheet.errors)
    for outcome in track(suggester.suggest(targets), total=len(targets), what="Searching"):
        sheet.take(outcome)
    return {
        "attempted": len(targets),
        "matched_rows": sheet.found - found,
        "failed": len(sheet.errors) - errors,
    }


def aliases_of(taxonomy: Path | None) -> dict[str, list[str]]:
    """Return label to what a taxonomy also calls it; empty where none is given."""
    aliases: dict[str, list[str]] = {}
    if taxonomy is not None:
        for entry in read_json(taxonomy, Taxonomy).vision_classes:
            aliases.setdefault(entry.canonical_label, []).extend(entry.aliases)
    return aliases
