"""`repath evaluation`: what to look for next, and rows of the manifest to look for it with."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.common import FILE, emit, note, setting, workspace
from pipeline.contracts.manifest import BenchmarkManifest, ManifestRow
from pipeline.contracts.planning import EXPANSION_COLUMNS, ExpansionRow
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.support import clock
from pipeline.support.documents import read_csv_lines, read_json, write_csv, write_json
from pipeline.support.files import display_path
from pipeline.support.reports import write_report

SHOWN = 10
"""Entries that a table shows; the files have them all."""

manifest_option = setting("--manifest", to="paths.manifest", help="Benchmark manifest.")
taxonomy_option = setting("--taxonomy", to="paths.taxonomy", help="The taxonomy.")
out_option = click.option(
    "--out", type=FILE, default=None, help="Manifest to write; without it the input is replaced."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done and write nothing.")
target_option = setting(
    "--target-ready",
    to="planning.target_ready",
    type=click.IntRange(1, 1000),
    help="Pictures that each label should have.",
)


@click.command("plan-benchmark-priority")
@taxonomy_option
@manifest_option
@setting("--out", to="paths.priority_plan", help="The report to write.")
@click.option("--top", type=click.IntRange(min=1), default=50, help="Rows that are listed apart.  [50]")
def plan_benchmark_priority(taxonomy: Path, manifest: Path, out: Path, top: int) -> None:
    """Rank the rows of a manifest that wait for a picture by how urgent it is."""
    from pipeline.evaluation.priority_plan import plan_priority

    root = workspace().root
    plan = plan_priority(
        read_json(taxonomy, Taxonomy),
        read_json(manifest, BenchmarkManifest),
        top=top,
        inputs={"taxonomy": display_path(taxonomy, root), "manifest": display_path(manifest, root)},
        generated_at=clock.timestamp(),
    )
    write_report(out, plan)
    emit(
        {
            "report": display_path(out, root),
            **plan.summary.to_data(),
            "top": [each.to_data() for each in plan.top_candidates[:SHOWN]],
        },
        title="Pictures to look for first",
        rows=[
            ("rows without a picture", plan.summary.todo_candidates),
            *((band, count) for band, count in plan.summary.priority_band_counts.items()),
            *(
                (each.name, f"{each.priority_score}  {'; '.join(each.reasons)}")
                for each in plan.top_candidates[:SHOWN]
            ),
        ],
    )


@click.command("plan-benchmark-coverage-expansion")
@taxonomy_option
@manifest_option
@target_option
@setting("--max-rows", to="planning.max_rows", type=click.IntRange(min=1), help="Most rows of the template.")
@setting("--out", to="paths.expansion_plan", help="The report to write.")
@setting(
    "--template-out",
    to="paths.expansion_template",
    help="The rows to fill, a labeled CSV with counts; rows that you filled there stay.",
)
def plan_benchmark_coverage_expansion(
    taxonomy: Path, manifest: Path, target_ready: int, max_rows: int, out: Path, template_out: Path
) -> None:
    """Find the labels with too few pictures, and the rows to fill for them."""
    from pipeline.evaluation.coverage_plan import is_as_planned, plan_expansion
    from pipeline.support.renewal import renew

    root = workspace().root
    plan = plan_expansion(
        read_json(taxonomy, Taxonomy),
        read_json(manifest, BenchmarkManifest),
        target=target_ready,
        max_rows=max_rows,
        inputs={"taxonomy": display_path(taxonomy, root), "manifest": display_path(manifest, root)},
        generated_at=clock.timestamp(),
    )
    there: list[ExpansionRow] = []
    lines: list[int] = []
    if template_out.exists():
        there, lines = read_csv_lines(template_out, ExpansionRow, EXPANSION_COLUMNS)
    template = renew(
        plan.template,
        there,
        lines,
        as_written=is_as_planned,
        columns=EXPANSION_COLUMNS,
        source=str(template_out),
    )
    write_csv(template_out, template.rows, EXPANSION_COLUMNS)
    write_report(out, plan.report)
    for kept in template.kept[:SHOWN]:
        note(f"filled by hand, left as it is: {kept}")
    summary = plan.report.summary
    if summary.labels_without_todo_candidates:
        note(
            f"{summary.labels_without_todo_candidates} labels have no row to fill: "
            "`evaluation seed-benchmark-depth-variants` adds some"
        )
    emit(
        {
            "report": display_path(out, root),
            "template": display_path(template_out, root),
            **summary.to_data(),
            "template_rows_written": len(template.rows),
            "kept_by_hand": [{"name": kept.name, "fields": list(kept.fields)} for kept in template.kept],
        },
        title="Labels with too few pictures",
        rows=[
            ("labels below the target", f"{summary.labels_under_target} of {summary.taxonomy_label_count}"),
            ("of them without any picture", summary.labels_with_zero_ready),
            ("of them without a row to fill", summary.labels_without_todo_candidates),
            ("rows to fill", summary.template_rows),
            ("filled by hand", len(template.kept)),
            ("written to", display_path(template_out, root)),
        ],
    )


@click.command("seed-negative-benchmark-entries")
@manifest_option
@out_option
@setting(
    "--count",
    to="planning.negative_count",
    type=click.IntRange(0, 10_000),
    help="Negatives that the manifest should have.",
)
@click.option(
    "--scene", "scenes", multiple=True, help="Ask for this scene in place of the usual ones; again for more."
)
@dry_run_option
def seed_negative_benchmark_entries(
    manifest: Path, out: Path | None, count: int, scenes: tuple[str, ...], dry_run: bool
) -> None:
    """Ask for negatives until the manifest has enough of them."""
    from pipeline.contracts.text import fits_in_notes
    from pipeline.evaluation.manifest_seeds import SCENES, seed_negatives
    from pipeline.support.errors import UsageError

    for scene in scenes:
        if not scene.strip() or not fits_in_notes(scene):
            raise UsageError(f"--scene {scene!r}: a few words on one line, without '; key='")
    read = read_json(manifest, BenchmarkManifest)
    chosen = tuple(dict.fromkeys(" ".join(scene.split()) for scene in scenes))
    seeds = seed_negatives(read.images, count=count, scenes=chosen or SCENES)
    shown = _append(read, seeds.rows, out or manifest, dry_run=dry_run)
    emit(
        {
            "current_negative_entries": seeds.before,
            "target_negative_entries": count,
            "generated_entries": len(seeds.rows),
            "generated": [row.name for row in seeds.rows],
            "manifest": None if dry_run else shown,
            "dry_run": dry_run,
        },
        title="Negatives of the manifest",
        rows=[
            ("there", seeds.before),
            ("asked for", len(seeds.rows)),
            ("written to", shown),
        ],
    )


@click.command("seed-benchmark-depth-variants")
@manifest_option
@out_option
@target_option
@setting(
    "--max-new",
    to="planning.max_rows",
    type=click.IntRange(min=1),
    help="Most rows of this kind that may wait for a picture at once.",
)
@dry_run_option
def seed_benchmark_depth_variants(
    manifest: Path, out: Path | None, target_ready: int, max_new: int, dry_run: bool
) -> None:
    """Ask for further pictures of labels that have too few."""
    from pipeline.evaluation.manifest_seeds import seed_depth

    read = read_json(manifest, BenchmarkManifest)
    seeds = seed_depth(read.images, target=target_ready, max_open=max_new)
    shown = _append(read, seeds.rows, out or manifest, dry_run=dry_run)
    emit(
        {
            "target_ready_per_label": target_ready,
            "labels_below_target": seeds.before,
            "generated_entries": len(seeds.rows),
            "generated": [row.name for row in seeds.rows],
            "left_out": seeds.left_out,
            "max_new": max_new,
            "manifest": None if dry_run else shown,
            "dry_run": dry_run,
        },
        title="Depth of the manifest",
        rows=[
            ("labels below the target", seeds.before),
            ("rows asked for", len(seeds.rows)),
            ("left out by --max-new", seeds.left_out),
            ("written to", shown),
        ],
    )


def _append(manifest: BenchmarkManifest, rows: list[ManifestRow], out: Path, *, dry_run: bool) -> str:
    """Write the manifest with rows behind its own, and return what to show as the place."""
    if dry_run:
        return "nothing (dry run)"
    write_json(out, manifest.replace(images=[*manifest.images, *rows]))
    return display_path(out, workspace().root)
