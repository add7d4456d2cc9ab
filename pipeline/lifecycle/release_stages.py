"""Stages that judge and ship: leakage, comparison, report, gate, promotion and the verified release."""

from __future__ import annotations

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.coverage import CoverageReport
from pipeline.contracts.leakage import LeakageReport
from pipeline.contracts.results import BenchmarkResults
from pipeline.lifecycle.engine import Done, Run, Stage
from pipeline.lifecycle.model_stages import BASELINE_MODEL, CANDIDATE, LEAKAGE
from pipeline.lifecycle.training_stages import BUNDLE, bundle_parts
from pipeline.support import clock
from pipeline.support.candidates import open_candidate
from pipeline.support.documents import read_json, read_text, write_json
from pipeline.support.files import write_text


def _leakage(run: Run) -> Done:
    from pipeline.evaluation.leakage import check_leakage, leakage_in_words, require_no_leakage

    out = run.path("leakage")
    report = check_leakage(
        run.path("resolved_manifest"),
        run.at(run.facts[BUNDLE]),
        generated_at=clock.timestamp(),
        base=run.workspace.root,
        thumbnails=True,
    )
    write_json(out, report)
    if not run.settings.gate.allow_leakage:
        require_no_leakage(report)
    return Done(
        leakage_in_words(report), [out], facts={LEAKAGE: report.digest}, summary=report.summary.to_data()
    )


def _compare(run: Run) -> Done:
    from pipeline.evaluation.compare import compare_results
    from pipeline.evaluation.gate import apply_gate
    from pipeline.evaluation.markdown import comparison_markdown

    out, gate = run.path("comparison"), run.settings.gate
    candidate_path, baseline_path = run.path("candidate_results"), run.path("baseline_results")
    candidate = read_json(candidate_path, BenchmarkResults)
    baseline = read_json(baseline_path, BenchmarkResults) if BASELINE_MODEL in run.facts else None
    comparison = compare_results(
        baseline,
        candidate,
        baseline_path=run.shown(baseline_path) if baseline is not None else None,
        candidate_path=run.shown(candidate_path),
        margins=gate.margin,
        root=run.workspace.root,
        seed=run.settings.training.seed,
    )
    model_bytes = open_candidate(run.at(run.facts[CANDIDATE])).model.stat().st_size
    comparison = apply_gate(comparison, candidate, gate, model_bytes=model_bytes)
    markdown = out.with_suffix(".md")
    write_json(out, comparison)
    write_text(markdown, comparison_markdown(comparison))
    judged = comparison.statistics
    line = "no baseline to compare with" if judged is None else judged.sentence
    if judged is not None and not line.lower().startswith(judged.verdict):
        line = f"{judged.verdict}: {line}"
    return Done(line, [out, markdown], summary={"changed_pictures": len(comparison.changes or [])})


def _report(run: Run) -> Done:
    from pipeline.evaluation.report import ReportInputs, build_report
    from pipeline.evaluation.report_pictures import folders_of

    out, comparison = run.path("report"), read_json(run.path("comparison"), Comparison)
    compared = comparison.baseline is not None
    leakage = read_json(run.path("leakage"), LeakageReport)
    built = build_report(
        ReportInputs(
            comparison=comparison,
            baseline=read_json(run.path("baseline_results"), BenchmarkResults) if compared else None,
            candidate=read_json(run.path("candidate_results"), BenchmarkResults),
            coverage=read_json(run.path("coverage"), CoverageReport),
            leakage=leakage,
            folders=folders_of(run.path("resolved_manifest"), leakage, base=run.workspace.root),
            title=run.settings.release.name,
            generated_at=clock.timestamp(),
        )
    )
    write_text(out, built.html)
    return Done(f"{run.shown(out)}: {built.pictures} pictures, {out.stat().st_size / 1e6:.1f} MB", [out])


def _gate(run: Run) -> Done:
    from pipeline.evaluation.gate import require_passed

    report = read_json(run.path("comparison"), Comparison).gate
    assert report is not None, "the stage before this one always applies the gate"
    require_passed(report)
    met = sum(reason.outcome == "met" for reason in report.reasons)
    open_ = len(report.reasons) - met
    line = f"passed: {met} conditions met" + (f", {open_} cannot be told" if open_ else "")
    return Done(line if report.reasons else "passed: [gate] sets no conditions")


def _promote(run: Run) -> Done:
    from pipeline.training.promote import (
        plan_promotion,
        promote,
        require_labels_to_fit,
        require_measured,
        require_usable_by_app,
    )

    candidate = open_candidate(run.at(run.facts[CANDIDATE]))
    results = run.path("candidate_results")
    require_usable_by_app(candidate)
    require_labels_to_fit(candidate)
    require_measured(candidate, read_json(results, BenchmarkResults), source=run.shown(results))
    assets = run.path("assets")
    promotion = plan_promotion(
        candidate,
        assets_dir=assets,
        prefix=run.settings.release.prefix,
        promoted_at=clock.timestamp(),
        base=run.workspace.root,
    )
    active = assets / "active-model.json"
    promote(promotion, metadata_path=active)
    return Done(
        f"{run.shown(promotion.model)} is candidate {promotion.active.run_id}",
        [promotion.model, promotion.labels, active],
        summary={"run_id": promotion.active.run_id},
    )


def _release(run: Run) -> Done:
    from pipeline.evaluation.leakage import require_no_leakage
    from pipeline.release.bundle import build_release
    from pipeline.release.verify import verify_release

    if not run.settings.gate.allow_leakage:
        require_no_leakage(read_json(run.path("leakage"), LeakageReport))
    notes, results = run.path("release_notes"), run.path("candidate_results")
    candidate = open_candidate(run.at(run.facts[CANDIDATE]))
    built = build_release(
        version=run.settings.release.version,
        model=candidate.model,
        labels=candidate.labels,
        out_root=run.path("releases"),
        prefix=run.settings.release.prefix,
        notes=read_text(notes) if notes.is_file() else None,
        results=read_json(results, BenchmarkResults),
        results_source=run.shown(results),
        root=run.workspace.root,
    )
    verified = verify_release(built.manifest_path)
    files = len(verified.manifest.artifacts)
    line = f"{run.shown(built.directory)}: {files} artifacts, {verified.bytes_checked / 1e6:.1f} MB, verified"
    if not notes.is_file():
        line += f"; no {run.settings.paths.release_notes}, so no notes"
    manifest = run.shown(built.manifest_path)
    return Done(line, [built.directory], summary={"manifest": manifest, "tag": verified.manifest.tag})


LEAKAGE_STAGE = Stage(
    "leakage",
    "look for benchmark pictures that training would see",
    lambda run: [run.path("resolved_manifest"), *bundle_parts(run)],
    lambda run: [run.settings.gate.allow_leakage],
    _leakage,
)

RELEASE_STAGES = (
    Stage(
        "compare",
        "compare candidate and baseline",
        lambda run: [run.path("candidate_results"), run.path("baseline_results")],
        lambda run: [run.settings.gate.model_dump(), BASELINE_MODEL in run.facts],
        _compare,
    ),
    Stage(
        "report",
        "show verdict, figures and pictures in one HTML file",
        lambda run: [
            run.path("comparison"),
            run.path("candidate_results"),
            run.path("baseline_results"),
            run.path("coverage"),
            run.path("leakage"),
        ],
        lambda run: [run.settings.release.name, run.settings.paths.report],
        _report,
    ),
    Stage(
        "gate",
        "hold the candidate to the conditions",
        lambda run: [run.path("comparison")],
        lambda run: None,
        _gate,
    ),
    Stage(
        "promote",
        "put the candidate into the assets folder",
        lambda run: [run.at(run.facts[CANDIDATE]), run.path("candidate_results")],
        lambda run: [run.settings.release.prefix, run.settings.paths.assets],
        _promote,
    ),
    Stage(
        "release",
        "build the release bundle and verify it",
        lambda run: [run.at(run.facts[CANDIDATE]), run.path("candidate_results"), run.path("release_notes")],
        lambda run: [run.settings.release.model_dump(), run.settings.paths.releases],
        _release,
    ),
)
