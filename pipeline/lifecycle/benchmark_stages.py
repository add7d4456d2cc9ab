"""Stages that make the benchmark: taxonomy, manifest, coverage, curated rows, and the pictures themselves."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pipeline.contracts.coverage import CoverageReport
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.pack import Pack
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.lifecycle.engine import Done, Run, Stage, digest_of
from pipeline.lifecycle.pictures import named_pictures
from pipeline.support import clock
from pipeline.support.documents import read_csv, read_csv_lines, read_json, write_csv, write_json
from pipeline.support.errors import InputError
from pipeline.support.files import sha256_file
from pipeline.support.http import HttpClient, Limits


def _taxonomy(run: Run) -> Done:
    from pipeline.data.taxonomy import build_taxonomy

    pack, out = run.path("pack"), run.path("taxonomy")
    built = build_taxonomy(read_json(pack, Pack), pack_path=run.shown(pack), generated_at=clock.timestamp())
    write_json(out, built)
    summary = built.summary
    line = f"{summary.item_count} items, {summary.alias_count} aliases"
    return Done(line, [out], summary=summary.to_data())


def _manifest(run: Run) -> Done:
    from pipeline.evaluation.manifests import build_benchmark_manifest
    from pipeline.evaluation.standing import with_standing_rows

    taxonomy, seed, out = run.path("taxonomy"), run.path("seed_manifest"), run.path("manifest")
    built = build_benchmark_manifest(
        read_json(taxonomy, Taxonomy),
        read_json(seed, BenchmarkManifest),
        taxonomy_path=run.shown(taxonomy),
        seed_path=run.shown(seed),
        generated_at=clock.timestamp(),
        allow_unknown_labels=run.settings.labels.allow_unknown,
    )
    if out.is_file():
        built = with_standing_rows(built, read_json(out, BenchmarkManifest)).manifest
    write_json(out, built)
    ready = sum(row.is_ready for row in built.images)
    counts = {"rows": len(built.images), "ready": ready, "todo": len(built.images) - ready}
    # Of the rows alone: the same pictures are asked for, whenever the manifest was written.
    digest = digest_of([row.to_data() for row in built.images])
    return Done(f"{counts['rows']} rows, {ready} ready", [out], summary={**counts, "digest": digest})


def _curate(run: Run) -> Done:
    from pipeline.data.dedupe import dedupe
    from pipeline.data.normalize import UrlNormalizer
    from pipeline.data.places import Places
    from pipeline.support.labels import require_known_labels
    from pipeline.support.sources import SourceFinder

    source, out = run.path("labeled"), run.path("curated")
    rows, lines = read_csv_lines(source, LabeledRow, LABELED_COLUMNS)
    named = (
        (f"line {line} ({row.name})", row.canonical_label)
        for row, line in zip(rows, lines, strict=True)
        if not row.is_negative
    )
    warnings = require_known_labels(
        read_json(run.path("taxonomy"), Taxonomy),
        named,
        source=run.shown(source),
        allow_unknown=run.settings.labels.allow_unknown,
    )
    normalizer = UrlNormalizer(
        finder=SourceFinder(source),
        places=Places(out, None),
        cache_dir=run.path("image_cache"),
        max_pixels=run.settings.download.max_pixels,
    )
    normalized = normalizer.normalize(rows, lines)
    deduped = dedupe(normalized.rows)
    write_csv(out, deduped.rows, LABELED_COLUMNS)
    line = f"{len(rows)} labeled rows, {normalized.changed} urls normalised"
    return Done(
        f"{line}, {deduped.cleared} duplicates cleared",
        [out],
        summary={
            "rows": len(rows),
            "normalized": normalized.changed,
            "duplicates_cleared": deduped.cleared,
            "warnings": warnings,
            "digest": sha256_file(out),
        },
    )


def _resolve(run: Run) -> Done:
    from pipeline.evaluation.completion import complete_rows, rows_of
    from pipeline.evaluation.resolve import Resolver, resolved_manifest
    from pipeline.support.pictures import PictureFetcher

    manifest, curated, out = run.path("manifest"), run.path("curated"), run.path("resolved_manifest")
    asked = read_json(manifest, BenchmarkManifest)
    labeled, lines = read_csv_lines(curated, LabeledRow, LABELED_COLUMNS)
    complete = complete_rows(rows_of(asked, manifest), labeled, lines, document=curated)
    download = run.settings.download
    with HttpClient(Limits.of(download)) as client:
        resolution = Resolver(
            cache_dir=run.path("image_cache"),
            base=run.workspace.root,
            fetcher=PictureFetcher(client, max_pixels=download.max_pixels) if download.enabled else None,
            max_pixels=download.max_pixels,
        ).resolve(complete.rows)
    written = resolved_manifest(
        asked,
        complete,
        resolution,
        source={
            "manifest": run.shown(manifest),
            "completed": run.shown(curated),
            "download_enabled": download.enabled,
            "copy_local": True,
        },
        generated_at=clock.timestamp(),
    )
    write_json(out, written)
    summary = written.summary or {}
    missing = f", {summary['failed']} missing" if summary["failed"] else ""
    line = f"{summary['resolved']} pictures here{missing}, {summary['negatives']} negatives"
    # The pictures are outputs, too: one that is deleted from the cache is brought back.
    here = [row.url for row in written.images if row.is_ready and row.resolve_error is None]
    return Done(line, [out, *(run.at(url) for url in dict.fromkeys(here))], summary=summary)


def _coverage(run: Run) -> Done:
    from pipeline.evaluation.coverage import check_coverage

    taxonomy, manifest, out = run.path("taxonomy"), run.path("resolved_manifest"), run.path("coverage")
    report = check_coverage(
        read_json(taxonomy, Taxonomy),
        read_json(manifest, BenchmarkManifest),
        inputs={"taxonomy": run.shown(taxonomy), "manifest": run.shown(manifest)},
        generated_at=clock.timestamp(),
    )
    write_json(out, report)
    return Done(_covered(report), [out], summary=report.coverage.to_data())


def _covered(report: CoverageReport) -> str:
    total = report.coverage.taxonomy_label_count
    ready = total - len(report.gaps.taxonomy_labels_missing_in_ready_entries)
    return f"{ready} of {total} labels have a ready picture ({report.entries.ready} ready rows)"


def _resolve_inputs(run: Run) -> list[Path]:
    manifest, curated = run.path("manifest"), run.path("curated")
    named: dict[Path, list[str]] = {}
    with suppress(InputError):  # what is wrong with them is said when they are read
        named[manifest] = [row.url for row in read_json(manifest, BenchmarkManifest).images]
        rows = read_csv(curated, LabeledRow, LABELED_COLUMNS)
        named[curated] = [row.url for row in rows if not row.feeds_retraining]
    return [manifest, curated, *named_pictures(named)]


BENCHMARK_STAGES = (
    Stage(
        "taxonomy",
        "read the labels out of the pack",
        lambda run: [run.path("pack")],
        lambda run: [run.settings.paths.taxonomy],
        _taxonomy,
    ),
    Stage(
        "manifest",
        "ask for a picture of every label",
        lambda run: [run.path("taxonomy"), run.path("seed_manifest")],
        lambda run: [run.settings.labels.model_dump(), run.settings.paths.manifest],
        _manifest,
    ),
    Stage(
        "curate",
        "normalise and deduplicate the labeled rows",
        lambda run: [run.path("labeled"), run.path("taxonomy")],
        lambda run: [run.settings.labels.model_dump(), run.settings.paths.curated],
        _curate,
    ),
    Stage(
        "resolve",
        "bring the benchmark's pictures into the workspace",
        _resolve_inputs,
        lambda run: [run.settings.download.model_dump(), run.settings.paths.resolved_manifest],
        _resolve,
    ),
    Stage(
        "coverage",
        "count which labels the benchmark covers",
        lambda run: [run.path("taxonomy"), run.path("resolved_manifest")],
        lambda run: [run.settings.paths.coverage],
        _coverage,
    ),
)
