"""`repath evaluation`: manifests, coverage, benchmark and comparison."""

from __future__ import annotations

import click

from pipeline.cli.lazy import LazyGroup

_MANIFESTS = "pipeline.cli.evaluation_manifests"
_PICTURES = "pipeline.cli.evaluation_pictures"
_BENCHMARK = "pipeline.cli.evaluation_benchmark"
_COMPARE = "pipeline.cli.evaluation_compare"
_ANALYSIS = "pipeline.cli.evaluation_analysis"
_CURATION = "pipeline.cli.evaluation_curation"
_PLANS = "pipeline.cli.evaluation_plans"
_REPORT = "pipeline.cli.evaluation_report"

COMMANDS = {
    "build-benchmark-manifest": (
        f"{_MANIFESTS}:build_benchmark_manifest",
        "Ask for a picture of every label of a taxonomy.",
    ),
    "check-benchmark-coverage": (
        f"{_MANIFESTS}:check_benchmark_coverage",
        "Count which labels a manifest covers, and which it lacks.",
    ),
    "plan-benchmark-priority": (
        f"{_PLANS}:plan_benchmark_priority",
        "Rank rows that wait for a picture by how urgent it is.",
    ),
    "plan-benchmark-coverage-expansion": (
        f"{_PLANS}:plan_benchmark_coverage_expansion",
        "Find the labels with too few pictures, and the rows to fill.",
    ),
    "seed-benchmark-depth-variants": (
        f"{_PLANS}:seed_benchmark_depth_variants",
        "Ask for further pictures of labels that have too few.",
    ),
    "seed-negative-benchmark-entries": (
        f"{_PLANS}:seed_negative_benchmark_entries",
        "Ask for negatives until the manifest has enough of them.",
    ),
    "export-unresolved-benchmark-rows": (
        f"{_CURATION}:export_unresolved_benchmark_rows",
        "List labeled rows without a picture, with links to search by.",
    ),
    "sync-benchmark-progress": (
        f"{_CURATION}:sync_benchmark_progress",
        "Bring the urls that people found into the manifest.",
    ),
    "dedupe-benchmark-manifest": (
        f"{_CURATION}:dedupe_benchmark_manifest",
        "Leave each picture of a manifest to one row.",
    ),
    "build-supported-holdout-manifest": (
        f"{_PICTURES}:build_supported_holdout_manifest",
        "Collect held-out pictures of the labels a model knows.",
    ),
    "build-resolved-benchmark-manifest": (
        f"{_PICTURES}:build_resolved_benchmark_manifest",
        "Bring every picture of a manifest into the workspace.",
    ),
    "benchmark-candidate-model": (
        f"{_BENCHMARK}:benchmark_candidate_model",
        "Measure a model on a manifest.",
    ),
    "merge-benchmark-results": (
        f"{_BENCHMARK}:merge_benchmark_results",
        "Join the results of shards into those of one run.",
    ),
    "compare-benchmark-results": (
        f"{_COMPARE}:compare_benchmark_results",
        "Compare a candidate's results with a baseline's.",
    ),
    "render-comparison": (
        f"{_COMPARE}:render_comparison",
        "Write a comparison as Markdown, safe whatever it says.",
    ),
    "report": (
        f"{_REPORT}:report",
        "Show verdict, figures and pictures in one HTML file.",
    ),
    "check-leakage": (
        f"{_ANALYSIS}:check_leakage",
        "Find pictures of the benchmark that training has seen.",
    ),
    "analyze-benchmark-results": (
        f"{_ANALYSIS}:analyze_benchmark_results",
        "Rank the labels that need work, from benchmark results.",
    ),
    "audit-benchmark-dataset": (
        f"{_ANALYSIS}:audit_benchmark_dataset",
        "Look a manifest over: duplicates, unknown labels, balance.",
    ),
}


@click.command(cls=LazyGroup, lazy=COMMANDS)
def evaluation() -> None:
    """Manifests, coverage, benchmark and comparison."""
