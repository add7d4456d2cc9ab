"""An import written into the bundle: what it replaces is kept first, then label files and template."""

from __future__ import annotations

from pipeline.contracts.bundle import LABELS, TEMPLATE_COLUMNS, TEMPLATE_FILE
from pipeline.contracts.exchange import BACKUPS, ImportReport, ImportSummary, Tool
from pipeline.support import clock
from pipeline.support.documents import write_csv
from pipeline.support.files import copy_file, write_text
from pipeline.training.exchange.incoming import Import


def backup_name(plan: Import) -> str | None:
    """Return where what the import replaces will lie, relative to the bundle; None where nothing is."""
    if not plan.labels and not plan.templates:
        return None
    folder = plan.bundle.directory / BACKUPS
    wanted = name = f"import-{clock.run_id()}"
    number = 2
    while (folder / name).exists():
        name, number = f"{wanted}-{number}", number + 1
    return f"{BACKUPS}/{name}"


def apply_import(plan: Import, backup: str | None) -> None:
    """Keep what is there, then write label files and template; each is replaced whole.

    Interrupted, it can be run again: what is written already is then as it should be, and the first backup
    holds what was there before.

    Raises:
        OutputError: something cannot be written.
    """
    bundle = plan.bundle
    if backup is None:
        return
    kept = bundle.directory / backup
    copy_file(bundle.directory / TEMPLATE_FILE, kept / TEMPLATE_FILE)
    changed = [row for row in bundle.rows if row.id in plan.labels]
    for row in changed:
        if row.digest is not None:
            copy_file(row.row.labels, kept / LABELS / row.row.labels.name)
    for row in changed:
        write_text(row.row.labels, plan.labels[row.id])
    if plan.templates:
        rows = [plan.templates.get(row.id, row.template) for row in bundle.rows]
        write_csv(bundle.directory / TEMPLATE_FILE, rows, TEMPLATE_COLUMNS)


def report_of(
    plan: Import,
    *,
    tool: Tool,
    source: str,
    source_sha256: str | None,
    bundle_dir: str,
    backup: str | None,
    generated_at: str,
) -> ImportReport:
    """Return the report of an import: what changed, and what did not come back."""
    return ImportReport(
        generated_at=generated_at,
        source=source,
        source_sha256=source_sha256,
        format=tool,
        bundle_dir=bundle_dir,
        backup=backup,
        summary=ImportSummary(
            pictures_in_file=plan.pictures,
            pictures_unchanged=plan.unchanged,
            pictures_changed=len(plan.changes),
            pictures_held_back=plan.held_back,
            pictures_not_returned=len(plan.not_returned),
            boxes_kept=plan.kept,
            boxes_moved=sum(change.moved for change in plan.changes),
            boxes_relabelled=sum(change.relabelled for change in plan.changes),
            boxes_added=sum(change.added for change in plan.changes),
            boxes_removed=sum(change.removed for change in plan.changes),
            problems=len(plan.problems),
        ),
        changes=plan.changes,
        not_returned=plan.not_returned,
        problems=plan.problems,
    )
