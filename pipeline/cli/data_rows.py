"""`repath data`: build-taxonomy, normalize-benchmark-labeled-urls, dedupe-benchmark-labeled."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from pipeline.cli.common import DIRECTORY, FILE, emit, keep_inputs, note, root_option, setting, workspace
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.pack import Pack
from pipeline.support.clock import timestamp
from pipeline.support.documents import read_csv, read_csv_lines, read_json, without_gc, write_csv, write_json
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path

LISTED = 20
"""Rows that a summary lists by name; the count tells how many there are."""


@click.command("build-taxonomy")
@setting("--pack", to="paths.pack", help="Pack JSON of a municipality.")
@setting("--out", to="paths.taxonomy", help="Taxonomy JSON to write.")
def build_taxonomy(pack: Path, out: Path) -> None:
    """Take labels, aliases and outcomes out of a pack."""
    from pipeline.data import taxonomy

    root = workspace().root
    keep_inputs(out, pack)
    with without_gc():
        read = read_json(pack, Pack)
        built = taxonomy.build_taxonomy(read, pack_path=display_path(pack, root), generated_at=timestamp())
        write_json(out, built)
        twice = taxonomy.labels_that_stand_twice(built)
    for sentence in twice[:LISTED]:
        note(f"{pack}: {sentence}")
    summary = built.summary
    emit(
        {"output": display_path(out, root), **summary.to_data(), "labels_that_stand_twice": len(twice)},
        title="Taxonomy",
        rows=[
            ("items", summary.item_count),
            ("aliases", summary.alias_count),
            ("normalised aliases", summary.normalized_alias_count),
            ("written to", display_path(out, root)),
        ],
    )


@click.command("normalize-benchmark-labeled-urls")
@setting("--input", "input_path", to="paths.labeled", help="Labeled CSV.")
@setting(
    "--cache-dir",
    to="paths.image_cache",
    type=DIRECTORY,
    required=False,
    help="Folder that pictures from outside the workspace are copied into.",
)
@click.option("--out", type=FILE, default=None, help="CSV to write; without it the input is replaced.")
@root_option
def normalize_benchmark_labeled_urls(
    input_path: Path, cache_dir: Path | None, out: Path | None, root: Path | None
) -> None:
    """Bring the urls of labeled rows to one form."""
    from pipeline.data.normalize import UrlNormalizer
    from pipeline.data.places import Places
    from pipeline.support.sources import SourceFinder

    space = workspace()
    out = out or input_path
    normalizer = UrlNormalizer(
        finder=SourceFinder(input_path, root=root),
        places=Places(out, root),
        cache_dir=cache_dir or out.parent / "images",
        max_pixels=space.settings.download.max_pixels,
    )
    with without_gc():  # the rows live to the end: looking them over again and again finds no garbage
        rows, lines = read_csv_lines(input_path, LabeledRow, LABELED_COLUMNS)
        result = normalizer.normalize(rows, lines)
        write_csv(out, result.rows, LABELED_COLUMNS)
    for sentence in result.missing[:LISTED]:
        note(f"not found, left as it is: {sentence}")
    emit(
        {
            "rows": len(result.rows),
            "normalized": result.changed,
            "copied_into_cache": result.copied,
            "missing": len(result.missing),
            "missing_rows": result.missing[:LISTED],
            "output": display_path(out, space.root),
        },
        title="Labeled urls",
        rows=[
            ("rows", len(result.rows)),
            ("normalised", result.changed),
            ("copied into the cache", result.copied),
            ("not found", len(result.missing)),
            ("written to", display_path(out, space.root)),
        ],
    )


@click.command("dedupe-benchmark-labeled")
@setting("--input", "input_path", to="paths.labeled", help="Labeled CSV.")
@click.option("--out", type=FILE, default=None, help="CSV to write; without it the input is replaced.")
@click.option("--keep-first", is_flag=True, help="Keep the url of the first row of a group (the default).")
@click.option("--keep-last", is_flag=True, help="Keep the url of the last row of a group.")
@click.option("--dry-run", is_flag=True, help="Show what would be done and write nothing.")
def dedupe_benchmark_labeled(
    input_path: Path, out: Path | None, keep_first: bool, keep_last: bool, dry_run: bool
) -> None:
    """Clear the url of every row whose picture another row shows."""
    from pipeline.data.dedupe import dedupe

    if keep_first and keep_last:
        raise UsageError("--keep-first and --keep-last contradict each other")
    keep: Literal["first", "last"] = "last" if keep_last else "first"
    out = out or input_path
    with without_gc():
        result = dedupe(read_csv(input_path, LabeledRow, LABELED_COLUMNS), keep=keep)
        if not dry_run:
            write_csv(out, result.rows, LABELED_COLUMNS)
    shown = display_path(out, workspace().root)
    emit(
        {
            "rows": len(result.rows),
            "duplicate_url_groups": len(result.groups),
            "rows_cleared": result.cleared,
            "keep": keep,
            "dry_run": dry_run,
            "groups": [
                {"url": group.url, "kept": group.kept, "cleared": list(group.cleared)}
                for group in result.groups[:LISTED]
            ],
            "output": None if dry_run else shown,
        },
        title="Labeled rows, deduplicated",
        rows=[
            ("rows", len(result.rows)),
            ("groups with one source", len(result.groups)),
            ("rows cleared", result.cleared),
            ("written to", "nothing (dry run)" if dry_run else shown),
        ],
    )
