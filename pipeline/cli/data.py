"""`repath data`: taxonomy, and curation of labeled benchmark rows."""

from __future__ import annotations

import click

from pipeline.cli.lazy import LazyGroup

_ROWS = "pipeline.cli.data_rows"
_KAGGLE = "pipeline.cli.data_kaggle"
_ONLINE = "pipeline.cli.data_online"
_QUEUE = "pipeline.cli.data_queue"
_SYNC = "pipeline.cli.data_sync"
_FETCH = "pipeline.cli.data_fetch"

COMMANDS = {
    "fetch": (f"{_FETCH}:fetch", "Bring data of other repositories and archives, by commit and digest."),
    "build-taxonomy": (f"{_ROWS}:build_taxonomy", "Take labels, aliases and outcomes out of a pack."),
    "bootstrap-kaggle-dataset": (
        f"{_SYNC}:bootstrap_kaggle_dataset",
        "Link or copy a set of class folders into the workspace.",
    ),
    "sync-labeled-from-manifest": (
        f"{_SYNC}:sync_labeled_from_manifest",
        "Add a labeled row for every row of a manifest that has none.",
    ),
    "suggest-benchmark-from-kaggle": (
        f"{_KAGGLE}:suggest_benchmark_from_kaggle",
        "Give todo rows pictures out of class folders.",
    ),
    "suggest-benchmark-online": (
        f"{_ONLINE}:suggest_benchmark_online",
        "Search Wikimedia Commons for rows without a picture.",
    ),
    "suggest-benchmark-online-bulk": (
        f"{_ONLINE}:suggest_benchmark_online_bulk",
        "Search Wikimedia Commons for many rows, pass by pass.",
    ),
    "suggest-negative-online": (
        f"{_ONLINE}:suggest_negative_online",
        "Search Wikimedia Commons for negatives without a picture.",
    ),
    "merge-retraining-queue": (
        f"{_QUEUE}:merge_retraining_queue",
        "Add the rows of the retraining queue to the labeled rows.",
    ),
    "fill-retraining-negatives": (
        f"{_QUEUE}:fill_retraining_negatives",
        "Give the hard negatives of the retraining queue pictures.",
    ),
    "normalize-benchmark-labeled-urls": (
        f"{_ROWS}:normalize_benchmark_labeled_urls",
        "Bring the urls of labeled rows to one form.",
    ),
    "dedupe-benchmark-labeled": (
        f"{_ROWS}:dedupe_benchmark_labeled",
        "Clear the url of every row whose picture another row shows.",
    ),
}


@click.command(cls=LazyGroup, lazy=COMMANDS)
def data() -> None:
    """Taxonomy, and curation of labeled benchmark rows."""
