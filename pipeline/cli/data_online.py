"""`repath data`: suggest-benchmark-online, suggest-benchmark-online-bulk, suggest-negative-online."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipeline.cli.common import emit, note, setting, workspace
from pipeline.cli.data_book import LISTED, merge_into_option, open_book, out_option
from pipeline.cli.data_search import (
    Network,
    Sheet,
    aliases_of,
    limit_option,
    network_options,
    offset_option,
    taxonomy_option,
)
from pipeline.contracts.labeled import LABELED_COLUMNS, RETRAIN_PREFIX, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.data import commons
from pipeline.data.book import LabeledBook, refuse_names_twice
from pipeline.support.documents import read_csv, read_csv_lines, read_json, read_text
from pipeline.support.files import display_path

input_option = setting(
    "--input",
    "input_path",
    to="paths.labeled",
    help="Labeled CSV or benchmark manifest whose rows without a url are searched for.",
)


@click.command("suggest-benchmark-online")
@input_option
@out_option
@merge_into_option
@taxonomy_option
@limit_option
@offset_option
@network_options
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
    rows = _read_input(input_path)
    sheet = Sheet(open_book(merge_into), merge_into, out)
    aliases = aliases_of(taxonomy)
    wanted, failed, by_hand = commons.wanting(
        _as_merged(rows, sheet.book), include_previous_failures=include_previous_failures
    )
    targets = wanted[offset : offset + limit]
    network = Network(timeout_ms, max_retries, api_url)
    network.search([targets], sheet, known=[*rows, *sheet.book.rows], aliases=aliases)
    _tell(
        sheet,
        {"attempted": len(targets), "offset": offset, "unresolved_pool": len(wanted)},
        failed=failed,
        by_hand=by_hand,
        title="Pictures from Wikimedia Commons",
    )


@click.command("suggest-benchmark-online-bulk")
@input_option
@out_option
@merge_into_option
@taxonomy_option
@limit_option
@click.option(
    "--passes",
    type=click.IntRange(min=1),
    default=None,
    help="Passes of --limit rows; by default as many as there are rows.",
)
@click.option(
    "--offset",
    "--start-offset",
    type=click.IntRange(min=0),
    default=0,
    help="Rows to pass over first.  [0]",
)
@setting(
    "--pause-ms", to="search.pause_ms", type=click.IntRange(min=0), help="Between two requests, at least."
)
@network_options
def suggest_benchmark_online_bulk(
    input_path: Path,
    out: Path | None,
    merge_into: Path,
    taxonomy: Path | None,
    limit: int,
    passes: int | None,
    offset: int,
    pause_ms: int,
    timeout_ms: int,
    max_retries: int,
    include_previous_failures: bool,
    api_url: str | None,
) -> None:
    """Search Wikimedia Commons for many rows, pass by pass, with a pause between requests.

    What is found is written as it is found: after an interruption run the command again, and it goes on with
    the rows that were not searched for yet.
    """
    rows = _read_input(input_path)
    sheet = Sheet(open_book(merge_into), merge_into, out)
    aliases = aliases_of(taxonomy)
    wanted, failed, by_hand = commons.wanting(
        _as_merged(rows, sheet.book), include_previous_failures=include_previous_failures
    )
    starts = list(range(offset, len(wanted), limit))[:passes]
    targets = [wanted[start : start + limit] for start in starts]
    network = Network(timeout_ms, max_retries, api_url, pause_ms)
    told = network.search(targets, sheet, known=[*rows, *sheet.book.rows], aliases=aliases)
    attempted = sum(map(len, targets))
    _tell(
        sheet,
        {
            "passes": [{"offset": start, **one} for start, one in zip(starts, told, strict=True)],
            "attempted": attempted,
            "offset": offset,
            "unresolved_pool": len(wanted),
            "not_reached": len(wanted) - attempted,
        },
        failed=failed,
        by_hand=by_hand,
        title="Pictures from Wikimedia Commons, in bulk",
    )


@click.command("suggest-negative-online")
@setting("--manifest", to="paths.manifest", help="Benchmark manifest whose todo negatives want a picture.")
@setting(
    "--input",
    "input_path",
    to="paths.labeled",
    required=False,
    help="Labeled CSV: pictures that its rows show are not taken again.",
)
@out_option
@merge_into_option
@limit_option
@offset_option
@network_options
def suggest_negative_online(
    manifest: Path,
    input_path: Path | None,
    out: Path | None,
    merge_into: Path,
    limit: int,
    offset: int,
    timeout_ms: int,
    max_retries: int,
    include_previous_failures: bool,
    api_url: str | None,
) -> None:
    """Search Wikimedia Commons for negatives without a picture: those of the manifest and of the CSV."""
    from pipeline.data.scenes import negative_scenes

    images = read_json(manifest, BenchmarkManifest).images
    named = [(f"images[{n}]", row) for n, row in enumerate(images) if row.is_negative and not row.is_ready]
    refuse_names_twice(str(manifest), [(where, row.name) for where, row in named])
    sheet = Sheet(open_book(merge_into), merge_into, out)
    known = _known(input_path)
    scenes = negative_scenes(images, sheet.book)
    wanted, failed, by_hand = commons.wanting(
        scenes.rows, include_previous_failures=include_previous_failures
    )
    targets = wanted[offset : offset + limit]
    network = Network(timeout_ms, max_retries, api_url)
    network.search([targets], sheet, known=[*known, *sheet.book.rows])
    for sentence in scenes.conflicts[:LISTED]:
        note(f"left for you to decide: {sentence}")
    _tell(
        sheet,
        {
            "attempted": len(targets),
            "offset": offset,
            "unresolved_pool": len(wanted),
            "conflicts": scenes.conflicts,
        },
        failed=failed,
        by_hand=by_hand,
        title="Negatives from Wikimedia Commons",
    )


def _tell(
    sheet: Sheet,
    figures: dict[str, object],
    *,
    failed: Sequence[LabeledRow],
    by_hand: Sequence[LabeledRow],
    title: str,
) -> None:
    """Print what a search came to."""
    root = workspace().root
    sheet.told()
    emit(
        {
            **figures,
            "skipped_previously_attempted": len(failed),
            "left_to_a_person": [row.name for row in by_hand[:LISTED]],
            "matched_rows": sheet.found,
            "no_match_rows": len(sheet.rows) - sheet.found,
            "failed": sheet.errors,
            "output": None if sheet.out is None else display_path(sheet.out, root),
            "merged_into": display_path(sheet.merge_into, root),
            "merged_row_count": len(sheet.book.rows),
        },
        title=title,
        rows=[
            ("rows searched for", figures["attempted"]),
            ("found", sheet.found),
            ("nothing found", len(sheet.rows) - sheet.found),
            ("searches failed", len(sheet.errors)),
            ("passed over (failed before)", len(failed)),
            ("left to a person", len(by_hand)),
            ("merged into", display_path(sheet.merge_into, root)),
        ],
    )


def _known(path: Path | None) -> list[LabeledRow]:
    """Read rows whose pictures are taken; a CSV that is only the workspace's default may not be there yet."""
    given = click.get_current_context().get_parameter_source("input_path")
    if path is None or (given is click.core.ParameterSource.DEFAULT and not path.is_file()):
        return []
    return read_csv(path, LabeledRow, LABELED_COLUMNS)


def _read_input(path: Path) -> list[LabeledRow]:
    """Read the rows of a labeled CSV, or those that a manifest's todo rows ask for."""
    if not read_text(path).lstrip().startswith("{"):
        rows, lines = read_csv_lines(path, LabeledRow, LABELED_COLUMNS)
        named = [(f"line {line}", row.name) for row, line in zip(rows, lines, strict=True) if not row.url]
        refuse_names_twice(str(path), named)
        return rows
    images = read_json(path, BenchmarkManifest).images
    todo = [(f"images[{n}]", row) for n, row in enumerate(images) if row.status == "todo" or not row.url]
    named_for_training = [row.name for _, row in todo if row.name.startswith(RETRAIN_PREFIX)]
    for name in named_for_training[:LISTED]:
        note(f"left out: {name}: a row of the benchmark would become training material by its name")
    todo = [(where, row) for where, row in todo if not row.name.startswith(RETRAIN_PREFIX)]
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
