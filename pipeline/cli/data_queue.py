"""`repath data`: merge-retraining-queue, fill-retraining-negatives."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.common import (
    DIRECTORY,
    FILE,
    emit,
    http_client,
    no_download_option,
    note,
    root_option,
    setting,
    workspace,
)
from pipeline.cli.data_book import LISTED, open_book
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.data.book import LabeledBook
from pipeline.support.documents import read_csv_lines, write_csv
from pipeline.support.files import display_path


@click.command("merge-retraining-queue")
@setting("--queue", to="paths.retraining_queue", help="The retraining queue.")
@setting("--input", "input_path", to="paths.labeled", help="Labeled CSV; made where there is none.")
@click.option("--out", type=FILE, default=None, help="CSV to write; without it the input is replaced.")
@click.option("--dry-run", is_flag=True, help="Show what would be done and write nothing.")
def merge_retraining_queue(queue: Path, input_path: Path, out: Path | None, dry_run: bool) -> None:
    """Add the rows of the retraining queue to the labeled rows."""
    from pipeline.data.queue_merge import merge_queue
    from pipeline.support.retraining_queue import check_queue

    out, root = out or input_path, workspace().root
    rows, lines = read_csv_lines(queue, LabeledRow, LABELED_COLUMNS)
    check_queue(rows, lines, source=str(queue))
    book = open_book(input_path)
    before = len(book.rows)
    done = merge_queue(book, rows)
    if not dry_run:
        write_csv(out, book.rows, LABELED_COLUMNS)
    for kept in done.kept[:LISTED]:
        note(f"changed since it was queued, left as it is: {kept}")
    shown = "nothing (dry run)" if dry_run else display_path(out, root)
    emit(
        {
            "base_rows": before,
            "queue_rows": len(rows),
            "rows_added": len(done.added),
            "rows_renewed": len(done.renewed),
            "rows_unchanged": done.unchanged,
            "kept_by_hand": [{"name": kept.name, "fields": list(kept.fields)} for kept in done.kept],
            "rows_total": len(book.rows),
            "output": None if dry_run else shown,
            "dry_run": dry_run,
        },
        title="Retraining queue, merged",
        rows=[
            ("rows of the queue", len(rows)),
            ("added", len(done.added)),
            ("brought up to date", len(done.renewed)),
            ("changed since, left as they are", len(done.kept)),
            ("labeled rows", len(book.rows)),
            ("written to", shown),
        ],
    )


@click.command("fill-retraining-negatives")
@setting("--input", "input_path", to="paths.labeled", help="Labeled CSV.")
@click.option("--out", type=FILE, default=None, help="CSV to write; without it the input is replaced.")
@setting(
    "--negatives-dir",
    to="planning.negatives_dir",
    type=DIRECTORY,
    help="Folder of pictures that show nothing of interest and are no part of the benchmark.",
)
@click.option(
    "--from-benchmark",
    is_flag=True,
    help="Take the benchmark's own negatives where the folder has no more. The benchmark is then no fair "
    "judge of them, which check-leakage will say.",
)
@setting("--cache-dir", to="paths.image_cache", type=DIRECTORY, help="Folder that pictures are copied into.")
@no_download_option
@root_option
@click.option("--dry-run", is_flag=True, help="Tell which rows want a picture and write nothing.")
def fill_retraining_negatives(
    input_path: Path,
    out: Path | None,
    negatives_dir: Path | None,
    from_benchmark: bool,
    cache_dir: Path,
    no_download: bool,
    root: Path | None,
    dry_run: bool,
) -> None:
    """Give the hard negatives of the retraining queue pictures."""
    from pipeline.data.negatives import Filled, NegativeFiller, wanting
    from pipeline.data.places import Places
    from pipeline.support.pictures import PictureFetcher
    from pipeline.support.sources import SourceFinder

    space = workspace()
    out = out or input_path
    book = LabeledBook(str(input_path), *read_csv_lines(input_path, LabeledRow, LABELED_COLUMNS))
    targets = wanting(book.rows)
    done = Filled()
    if not dry_run:
        with http_client() as client:
            max_pixels = space.settings.download.max_pixels
            filler = NegativeFiller(
                folder=None if negatives_dir is None else space.root / negatives_dir.expanduser(),
                benchmark=from_benchmark,
                finder=SourceFinder(input_path, root=root),
                places=Places(out, root),
                cache_dir=cache_dir,
                fetcher=None if no_download else PictureFetcher(client, max_pixels),
                max_pixels=max_pixels,
            )
            done = filler.fill(book)
        write_csv(out, book.rows, LABELED_COLUMNS)
    for sentence in done.passed_over[:LISTED]:
        note(f"passed over: {sentence}")
    if done.from_benchmark:
        note(
            f"{len(done.from_benchmark)} rows show a picture that the benchmark measures with: its figures "
            "will be too good, and check-leakage will stop the run"
        )
    elif done.without:
        note(
            f"{len(done.without)} rows have no picture: put more into --negatives-dir, or give each a url "
            "or a query= note by hand"
        )
    shown = "nothing (dry run)" if dry_run else display_path(out, space.root)
    emit(
        {
            "total_rows": len(book.rows),
            "unresolved_retraining_negatives": len(targets),
            "wanting": [row.name for row in targets],
            "filled": done.filled,
            "from_benchmark": done.from_benchmark,
            "without_picture": done.without,
            "passed_over": done.passed_over,
            "cache_dir": display_path(cache_dir, space.root),
            "output": None if dry_run else shown,
            "dry_run": dry_run,
        },
        title="Hard negatives",
        rows=[
            ("rows without a picture", len(targets)),
            ("filled", len(done.filled)),
            ("of them from the benchmark", len(done.from_benchmark)),
            ("left without", len(done.without)),
            ("written to", shown),
        ],
    )
