"""`repath evaluation report`: one HTML file with the verdict, the figures and the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource

from pipeline.cli.common import emit, keep_inputs, note, root_option, setting, workspace
from pipeline.contracts.base import Contract
from pipeline.contracts.comparison import Comparison
from pipeline.contracts.coverage import CoverageReport
from pipeline.contracts.leakage import LeakageReport
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.results import BenchmarkResults
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.support import clock
from pipeline.support.documents import read_json
from pipeline.support.errors import UsageError
from pipeline.support.files import display_path, write_text

C = TypeVar("C", bound=Contract)


@click.command("report")
@setting("--comparison", to="paths.comparison", help="The comparison to show.")
@setting(
    "--baseline",
    to="paths.baseline_results",
    required=False,
    help="The baseline's results, if compared with.",
)
@setting("--candidate", to="paths.candidate_results", help="The candidate's results.")
@setting(
    "--manifest", to="paths.resolved_manifest", required=False,
    help="The manifest that was measured: pictures are looked for around it.",
)  # fmt: skip
@setting("--coverage", to="paths.coverage", required=False, help="The coverage report, if there is one.")
@setting("--leakage", to="paths.leakage", required=False, help="The leakage report, if there is one.")
@setting(
    "--taxonomy", to="paths.taxonomy", required=False,
    help="Coverage of --manifest is counted with it where there is no coverage report.",
)  # fmt: skip
@setting("--out", to="paths.report", help="The HTML file to write.")
@root_option
@click.pass_context
def report(
    ctx: click.Context,
    comparison: Path,
    baseline: Path | None,
    candidate: Path,
    manifest: Path | None,
    coverage: Path | None,
    leakage: Path | None,
    taxonomy: Path | None,
    out: Path,
    root: Path | None,
) -> None:
    """Write one HTML file that shows the verdict, the figures and the changed pictures.

    Pictures stand in the file itself; it asks nothing of any server.
    """
    from pipeline.evaluation.report import ReportInputs, build_report
    from pipeline.evaluation.report_pictures import folders_of

    space = workspace()
    keep_inputs(out, comparison, baseline, candidate, manifest, coverage, leakage, taxonomy)
    compared = read_json(comparison, Comparison)
    if compared.baseline is not None and baseline is None:
        raise UsageError("--baseline is missing", hint=f"{comparison} compares with {compared.baseline}.")
    leaks = _given(ctx, "leakage", leakage, LeakageReport)
    built = build_report(
        ReportInputs(
            comparison=compared,
            baseline=read_json(baseline, BenchmarkResults) if compared.baseline and baseline else None,
            candidate=read_json(candidate, BenchmarkResults),
            coverage=_given(ctx, "coverage", coverage, CoverageReport) or _counted(ctx, taxonomy, manifest),
            leakage=leaks,
            folders=folders_of(manifest or candidate, leaks, base=space.root, root=root),
            title=space.settings.release.name,
            generated_at=clock.timestamp(),
        )
    )
    write_text(out, built.html)
    size = len(built.html.encode("utf-8"))
    if built.pictures_missing:
        note(f"{built.pictures_missing} pictures are not shown: the report says why beside each")
    judged = compared.statistics
    emit(
        {
            "report": display_path(out),
            "bytes": size,
            "verdict": judged.verdict if judged else None,
            "changed_pictures": built.changed,
            "pictures_shown": built.pictures,
            "pictures_missing": built.pictures_missing,
        },
        title="Report",
        rows=[
            ("report", display_path(out)),
            ("size", f"{size / 1e6:.1f} MB"),
            ("pictures", built.pictures),
        ],
    )


def _given(ctx: click.Context, flag: str, path: Path | None, model: type[C]) -> C | None:
    """Read a file that was asked for; one that a default names may be absent."""
    asked = ctx.get_parameter_source(flag) is ParameterSource.COMMANDLINE
    if path is None or not (asked or path.is_file()):
        return None
    return read_json(path, model)


def _counted(ctx: click.Context, taxonomy: Path | None, manifest: Path | None) -> CoverageReport | None:
    from pipeline.evaluation.coverage import check_coverage

    labels = _given(ctx, "taxonomy", taxonomy, Taxonomy)
    rows = _given(ctx, "manifest", manifest, BenchmarkManifest)
    if labels is None or rows is None or taxonomy is None or manifest is None:
        return None
    inputs = {"taxonomy": display_path(taxonomy), "manifest": display_path(manifest)}
    return check_coverage(labels, rows, inputs=inputs, generated_at=clock.timestamp())
