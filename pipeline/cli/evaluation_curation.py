"""`repath evaluation`: the manifest and the labeled rows brought together, and what is still to be done."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from pipeline.cli.common import FILE, emit, note, setting, workspace
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.planning import (
    UNRESOLVED_COLUMNS,
    DedupeReport,
    DedupeSummary,
    LeftRow,
    ProgressReport,
    ProgressSummary,
    UnresolvedRow,
)
from pipeline.support import clock
from pipeline.support.documents import read_csv, read_csv_lines, read_json, write_csv, write_json
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path
from pipeline.support.reports import write_report

LISTED = 20
"""Rows that stderr names one by one; the reports name all."""

out_option = click.option(
    "--out", type=FILE, default=None, help="Manifest to write; without it the input is replaced."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done and write nothing.")


@click.command("sync-benchmark-progress")
@setting("--manifest", to="paths.manifest", help="Benchmark manifest.")
@setting("--completed", to="paths.labeled", help="Labeled CSV with what people found.")
@out_option
@setting("--report", to="paths.progress", required=False, help="The report to write.")
@click.option(
    "--clear-empty-url", is_flag=True, help="Also clear the url of a row whose labeled row has none."
)
@click.option(
    "--overwrite", is_flag=True, help="Let the labeled rows win over urls that were set in the manifest."
)
@dry_run_option
def sync_benchmark_progress(
    manifest: Path,
    completed: Path,
    out: Path | None,
    report: Path | None,
    clear_empty_url: bool,
    overwrite: bool,
    dry_run: bool,
) -> None:
    """Bring the urls that people found into the manifest, and its rows' status up to date."""
    from pipeline.evaluation.manifest_dedupe import counts_of
    from pipeline.evaluation.progress import ProgressSync

    out, root = out or manifest, workspace().root
    read = read_json(manifest, BenchmarkManifest)
    labeled = read_csv(completed, LabeledRow, LABELED_COLUMNS)
    done = ProgressSync(clear_empty_url, overwrite).sync(read.images, labeled)
    made = ProgressReport(
        generated_at=clock.timestamp(),
        inputs={"manifest": display_path(manifest, root), "completed": display_path(completed, root)},
        summary=ProgressSummary(
            completed_rows=sum(bool(row.url.strip()) and not row.feeds_retraining for row in labeled),
            rows_filled=done.filled,
            rows_cleared=done.cleared,
            changes=len(done.changes),
            kept_by_hand=len(done.kept),
            conflicts=len(done.conflicts),
            counts=counts_of(done.rows),
        ),
        changes=done.changes,
        kept_by_hand=done.kept,
        conflicts=done.conflicts,
        repeated_pictures=done.repeated,
        unknown_names=done.unknown,
        without_url=done.without_url,
    )
    if not dry_run:
        write_json(out, read.replace(images=done.rows))
        if report is not None:
            # Where there is nothing to do, the report of what was done last stays.
            write_report(report, made, ignoring=() if done.changes else ("changes", "summary"))
    _name_some("left for you to decide", done.conflicts)
    _name_some("changed by hand, left as it is", done.kept)
    shown = "nothing (dry run)" if dry_run else display_path(out, root)
    emit(
        {
            **made.summary.to_data(),
            "kept_by_hand": [row.to_data() for row in done.kept],
            "conflicts": [row.to_data() for row in done.conflicts],
            "repeated_pictures": len(done.repeated),
            "unknown_names": len(done.unknown),
            "without_url": len(done.without_url),
            "report": None if report is None or dry_run else display_path(report, root),
            "manifest": None if dry_run else shown,
            "dry_run": dry_run,
        },
        title="Progress of the benchmark",
        rows=[
            ("rows filled", done.filled),
            ("rows cleared", done.cleared),
            ("changed by hand, left as they are", len(done.kept)),
            ("expect another label", len(done.conflicts)),
            ("would repeat a picture", len(done.repeated)),
            ("ready", f"{made.summary.counts.ready} of {made.summary.counts.total}"),
            ("written to", shown),
        ],
    )


@click.command("export-unresolved-benchmark-rows")
@setting("--input", "input_path", to="paths.labeled", help="Labeled CSV.")
@setting("--out", to="paths.unresolved", help="The table to write; rows that you filled there stay.")
@dry_run_option
def export_unresolved_benchmark_rows(input_path: Path, out: Path, dry_run: bool) -> None:
    """List labeled rows without a picture, with links to search by."""
    from pipeline.evaluation.unresolved import is_as_exported, unresolved_rows
    from pipeline.support.renewal import renew

    root = workspace().root
    wanted = unresolved_rows(read_csv(input_path, LabeledRow, LABELED_COLUMNS))
    there: list[UnresolvedRow] = []
    lines: list[int] = []
    if out.exists():
        there, lines = read_csv_lines(out, UnresolvedRow, UNRESOLVED_COLUMNS)
    table = renew(
        wanted, there, lines, as_written=is_as_exported, columns=UNRESOLVED_COLUMNS, source=str(out)
    )
    if not dry_run:
        write_csv(out, table.rows, UNRESOLVED_COLUMNS)
    for kept in table.kept[:LISTED]:
        note(f"filled by hand, left as it is: {kept}")
    shown = "nothing (dry run)" if dry_run else display_path(out, root)
    emit(
        {
            "unresolved_rows": len(wanted),
            "negatives": sum(not row.canonical_label.strip() for row in wanted),
            "table_rows": len(table.rows),
            "added": table.added,
            "dropped": table.dropped,
            "kept_by_hand": [{"name": kept.name, "fields": list(kept.fields)} for kept in table.kept],
            "output": None if dry_run else shown,
            "dry_run": dry_run,
        },
        title="Rows without a picture",
        rows=[
            ("rows without a picture", len(wanted)),
            ("new in the table", table.added),
            ("filled by hand", len(table.kept)),
            ("written to", shown),
        ],
    )


@click.command("dedupe-benchmark-manifest")
@setting("--manifest", to="paths.manifest", help="Benchmark manifest.")
@out_option
@setting("--report", to="paths.dedupe_report", required=False, help="The report to write.")
@click.option("--keep-first", is_flag=True, help="The first row of a group keeps its picture (the default).")
@click.option("--keep-last", is_flag=True, help="The last row of a group keeps its picture.")
@click.option("--clear-url", is_flag=True, help="Clear the url of the others (the default).")
@click.option("--keep-url", is_flag=True, help="Leave the url of the others, and only mark them todo.")
@dry_run_option
def dedupe_benchmark_manifest(
    manifest: Path,
    out: Path | None,
    report: Path | None,
    keep_first: bool,
    keep_last: bool,
    clear_url: bool,
    keep_url: bool,
    dry_run: bool,
) -> None:
    """Leave each picture of a manifest to one row; the others wait for one of their own."""
    from pipeline.evaluation.manifest_dedupe import counts_of, dedupe_manifest

    if keep_first and keep_last:
        raise UsageError("--keep-first and --keep-last contradict each other")
    if clear_url and keep_url:
        raise UsageError("--clear-url and --keep-url contradict each other")
    keep: Literal["first", "last"] = "last" if keep_last else "first"
    out, root = out or manifest, workspace().root
    read = read_json(manifest, BenchmarkManifest)
    done = dedupe_manifest(read.images, keep=keep, clear_url=not keep_url)
    made = DedupeReport(
        generated_at=clock.timestamp(),
        inputs={
            "manifest": display_path(manifest, root),
            "keep_first": keep == "first",
            "clear_url": not keep_url,
        },
        summary=DedupeSummary(
            duplicate_url_groups=len(done.groups),
            entries_changed=done.changed,
            before=counts_of(read.images),
            after=counts_of(done.rows),
        ),
        duplicate_groups=done.groups,
        changes=done.changes,
    )
    if not dry_run:
        write_json(out, read.replace(images=done.rows))
        if report is not None:
            told = () if done.changed else ("changes", "summary", "duplicate_groups")
            write_report(report, made, ignoring=told)
    at_odds = [group for group in done.groups if not group.same_expectation]
    for group in at_odds[:LISTED]:
        others = ", ".join(group.duplicate_names)
        note(f"{group.keep_name} keeps {group.url}, of which {others} expects other labels: who is right?")
    shown = "nothing (dry run)" if dry_run else display_path(out, root)
    emit(
        {
            **made.summary.to_data(),
            "groups": [group.to_data() for group in done.groups[:LISTED]],
            "groups_at_odds": len(at_odds),
            "report": None if report is None or dry_run else display_path(report, root),
            "manifest": None if dry_run else shown,
            "dry_run": dry_run,
        },
        title="Manifest, deduplicated",
        rows=[
            ("pictures that stood twice", len(done.groups)),
            ("of them expected to show different labels", len(at_odds)),
            ("rows that wait for a picture of their own", done.changed),
            ("written to", shown),
        ],
    )


def _name_some(what: str, rows: list[LeftRow]) -> None:
    for row in rows[:LISTED]:
        note(f"{what}: {row.name}: {row.reason}")
