"""`repath data suggest-benchmark-online`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from pipeline.cli.common import FILE, emit, note, setting, workspace
from pipeline.cli.data_book import LISTED, merge_into_option, open_book, out_option
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.data import commons
from pipeline.data.book import LabeledBook, refuse_names_twice
from pipeline.support.documents import read_csv_lines, read_json, read_text, write_csv
from pipeline.support.files import display_path
from pipeline.support.http import HttpClient, Limits
from pipeline.support.progress import track

SAVED_EVERY = 10
"""Rows after which what was found is written."""


@dataclass(slots=True)
class _Sheet:
    """What was found so far, and the files it goes to."""

    book: LabeledBook
    merge_into: Path
    out: Path | None
    rows: list[LabeledRow] = field(default_factory=list)
    found: int = 0
    errors: list[str] = field(default_factory=list)
    unsaved: int = 0

    def take(self, outcome: commons.Outcome) -> None:
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
        if self.out is not None:
            write_csv(self.out, self.rows, LABELED_COLUMNS)
        write_csv(self.merge_into, self.book.rows, LABELED_COLUMNS)
        self.unsaved = 0


@click.command("suggest-benchmark-online")
@setting(
    "--input",
    "input_path",
    to="paths.labeled",
    help="Labeled CSV or benchmark manifest whose rows without a url are searched for.",
)
@out_option
@merge_into_option
@click.option("--taxonomy", type=FILE, default=None, help="Taxonomy whose aliases are searched for as well.")
@click.option("--limit", type=click.IntRange(min=1), default=30, help="Rows to search for.  [30]")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Rows to pass over first.  [0]")
@click.option("--timeout-ms", type=click.IntRange(min=1), default=15000, help="For one request.  [15000]")
@click.option("--max-retries", type=click.IntRange(min=0), default=3, help="For one request.  [3]")
@click.option(
    "--include-previous-failures", is_flag=True, help="Search again for rows that found nothing before."
)
@click.option(
    "--api-url",
    envvar="REPATH_COMMONS_API",
    default=None,
    help="Another MediaWiki search API (or REPATH_COMMONS_API). One on a private address needs "
    "download.allow_private_addresses in repath.toml.",
)
def suggest_benchmark_online(
    input_path: Path,
    out: Path | None,
    merge_into: Path,
    taxonomy: Path | None,
    limit: int,
    offset: int,
    timeout_ms: int,
    max_retries: int,
    include_previous_failures: bool,
    api_url: str | None,
) -> None:
    """Search Wikimedia Commons for rows without a picture."""
    space = workspace()
    download = space.settings.download
    limits = Limits(
        timeout_s=timeout_ms / 1000,
        retries=max_retries,
        allow_private_addresses=download.allow_private_addresses,
    )
    rows = _read_input(input_path)
    book = open_book(merge_into)
    aliases = {} if taxonomy is None else _aliases(read_json(taxonomy, Taxonomy))
    wanted, failed, by_hand = commons.wanting(
        _as_merged(rows, book), include_previous_failures=include_previous_failures
    )
    targets = wanted[offset : offset + limit]
    sheet = _Sheet(book, merge_into, out)
    with HttpClient(limits) as client:
        search = commons.CommonsSearch(
            client, api_url or commons.API, download.max_bytes, download.max_pixels
        )
        suggester = commons.OnlineSuggester(search, aliases, commons.used_sources([*rows, *book.rows]))
        try:
            for outcome in track(suggester.suggest(targets), total=len(targets), what="Searching"):
                sheet.take(outcome)
        except BaseException:  # interrupted or refused: what was found until now stays
            if sheet.unsaved:
                sheet.save()
            raise
    sheet.save()
    for sentence in sheet.errors[:LISTED]:
        note(f"search failed: {sentence}")
    emit(
        {
            "attempted": len(targets),
            "offset": offset,
            "unresolved_pool": len(wanted),
            "skipped_previously_attempted": len(failed),
            "left_to_a_person": [row.name for row in by_hand[:LISTED]],
            "matched_rows": sheet.found,
            "no_match_rows": len(sheet.rows) - sheet.found,
            "failed": sheet.errors,
            "output": None if out is None else display_path(out, space.root),
            "merged_into": display_path(merge_into, space.root),
            "merged_row_count": len(book.rows),
        },
        title="Pictures from Wikimedia Commons",
        rows=[
            ("rows searched for", len(targets)),
            ("found", sheet.found),
            ("nothing found", len(sheet.rows) - sheet.found),
            ("searches failed", len(sheet.errors)),
            ("passed over (failed before)", len(failed)),
            ("left to a person", len(by_hand)),
            ("merged into", display_path(merge_into, space.root)),
        ],
    )


def _read_input(path: Path) -> list[LabeledRow]:
    """Read the rows of a labeled CSV, or those that a manifest's todo rows ask for."""
    if not read_text(path).lstrip().startswith("{"):
        rows, lines = read_csv_lines(path, LabeledRow, LABELED_COLUMNS)
        named = [(f"line {line}", row.name) for row, line in zip(rows, lines, strict=True) if not row.url]
        refuse_names_twice(str(path), named)
        return rows
    images = read_json(path, BenchmarkManifest).images
    todo = [(f"images[{n}]", row) for n, row in enumerate(images) if row.status == "todo" or not row.url]
    refuse_names_twice(str(path), [(where, row.name) for where, row in todo])
    return [
        LabeledRow(
            name=row.name,
            url="",
            item_id=row.item_id or "",
            canonical_label="" if row.is_negative else row.labels()[0],
            source="",
            notes="",
        )
        for _, row in todo
    ]


def _as_merged(rows: Sequence[LabeledRow], book: LabeledBook) -> list[LabeledRow]:
    """Return the rows without a url as the labeled CSV has them: what a person wrote there wins."""
    merged = []
    for row in rows:
        if row.url.strip():
            continue
        there = book.find(row.name)
        merged.append(row if there is None else there)
    return merged


def _aliases(taxonomy: Taxonomy) -> dict[str, list[str]]:
    aliases: dict[str, list[str]] = {}
    for entry in taxonomy.vision_classes:
        aliases.setdefault(entry.canonical_label, []).extend(entry.aliases)
    return aliases
