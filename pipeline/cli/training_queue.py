"""`repath training build-retraining-queue`."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.common import emit, note, setting, workspace
from pipeline.contracts.analysis import PRIORITY_COLUMNS, PriorityRow
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.support.documents import read_csv, read_csv_lines, write_csv
from pipeline.support.files import display_path

LISTED = 20
"""Rows that stderr names one by one; the summary names all."""


@click.command("build-retraining-queue")
@setting("--priority-csv", to="paths.priority_table", help="Which labels need work (….priority.csv).")
@setting("--out", to="paths.retraining_queue", help="The queue to write; rows that you changed there stay.")
@setting(
    "--labeled",
    to="paths.labeled",
    required=False,
    help="Labeled CSV: variants that have a picture there are not asked for again.",
)
@setting("--positive-top", to="planning.positive_top", type=click.IntRange(min=0), help="Labels missed most.")
@setting(
    "--negative-top", to="planning.negative_top", type=click.IntRange(min=0), help="Labels seen wrongly most."
)
@setting("--variants", to="planning.variants", type=click.IntRange(1, 1000), help="Rows for each label.")
@click.option("--dry-run", is_flag=True, help="Show what would be done and write nothing.")
def build_retraining_queue(
    priority_csv: Path,
    out: Path,
    labeled: Path | None,
    positive_top: int,
    negative_top: int,
    variants: int,
    dry_run: bool,
) -> None:
    """Ask for pictures of the labels that a benchmark shows to be weak."""
    from pipeline.support.renewal import renew
    from pipeline.support.retraining_queue import check_queue, is_as_written
    from pipeline.training.queue import Size, build_queue

    root = workspace().root
    table, lines = read_csv_lines(priority_csv, PriorityRow, PRIORITY_COLUMNS)
    wanted = build_queue(
        table,
        lines,
        source=str(priority_csv),
        size=Size(positive_top, negative_top, variants),
        labeled=_labeled(labeled),
    )
    there: list[LabeledRow] = []
    their_lines: list[int] = []
    if out.exists():
        there, their_lines = read_csv_lines(out, LabeledRow, LABELED_COLUMNS)
        check_queue(there, their_lines, source=str(out))
    queue = renew(
        wanted,
        there,
        their_lines,
        as_written=is_as_written,
        columns=LABELED_COLUMNS,
        source=str(out),
    )
    if not dry_run:
        write_csv(out, queue.rows, LABELED_COLUMNS)
    for kept in queue.kept[:LISTED]:
        note(f"changed by hand, left as it is: {kept}")
    positives = sum(not row.is_negative for row in queue.rows)
    emit(
        {
            "input": display_path(priority_csv, root),
            "output": None if dry_run else display_path(out, root),
            "dry_run": dry_run,
            "positive_labels_selected": len({row.canonical_label for row in wanted if not row.is_negative}),
            "negative_labels_selected": len(
                {row.note("target_false_positive_label") for row in wanted} - {None}
            ),
            "variants_per_label": variants,
            "queue_rows": len(queue.rows),
            "added": queue.added,
            "renewed": queue.renewed,
            "dropped": queue.dropped,
            "kept_by_hand": [{"name": kept.name, "fields": list(kept.fields)} for kept in queue.kept],
        },
        title="Retraining queue",
        rows=[
            ("rows", f"{len(queue.rows)} ({positives} positives, {len(queue.rows) - positives} negatives)"),
            ("new", queue.added),
            ("brought up to date", queue.renewed),
            ("no longer asked for", queue.dropped),
            ("changed by hand", len(queue.kept)),
            ("written to", "nothing (dry run)" if dry_run else display_path(out, root)),
        ],
    )


def _labeled(path: Path | None) -> list[LabeledRow]:
    """Read the labeled rows; one that is only the workspace's default may not be there yet."""
    given = click.get_current_context().get_parameter_source("labeled")
    if path is None or (given is click.core.ParameterSource.DEFAULT and not path.is_file()):
        return []
    return read_csv(path, LabeledRow, LABELED_COLUMNS)
