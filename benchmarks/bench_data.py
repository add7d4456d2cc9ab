"""Every stage of the labeled rows, on 200,000 of them, beside a plain loop in the same run.

Each stage is its own process, as a user starts it: seconds are those of the whole process, start-up and
imports included, and memory is its peak; processor time shows whether the machine was busy. The plain loop
is what one would write in an afternoon: the csv or json module, dicts, no validation, no atomic write.

    python benchmarks/bench_data.py [--rows 200000] [--only dedupe]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MAX_SECONDS = 3.0
MAX_MB = 600
TURNS = 3
COLUMNS = ["name", "url", "item_id", "canonical_label", "source", "notes"]
FILE_PATH = "https://commons.wikimedia.org/wiki/Special:FilePath/"

Paths = dict[str, Path]


@dataclass(frozen=True)
class Stage:
    """A command line, and the plain loop that does the same work; both read and write ``paths``."""

    name: str
    command: Callable[[Paths], list[str | Path]]
    reference: Callable[[Paths], None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--only", help="run only the stages whose name holds this")
    parser.add_argument("--in-child", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_child:
        what, folder = options.in_child
        paths = paths_in(Path(folder))
        generate(paths, options.rows) if what == "generate" else stage_named(what).reference(paths)
        return 0
    stages = [stage for stage in STAGES if not options.only or options.only in stage.name]
    slow = 0
    with tempfile.TemporaryDirectory(prefix="bench-data-") as folder:
        paths = paths_in(Path(folder))
        # In a child, so that this process stays small: a child's peak begins with its parent's.
        measured([sys.executable, __file__, "--rows", str(options.rows), "--in-child", "generate", folder])
        print(f"{options.rows} rows; limits {MAX_SECONDS:g} s and {MAX_MB} MB; best of {TURNS}")
        print(f"{'stage':20} {'seconds':>8} {'CPU':>6} {'MB':>5}   {'plain loop':>10} {'CPU':>6} {'MB':>5}")
        for stage in stages:
            ours = [sys.executable, "-m", "pipeline", *map(str, stage.command(paths))]
            theirs = [sys.executable, __file__, "--in-child", stage.name, folder]
            turns = []
            for _ in range(TURNS):
                # A manifest that stands is built on, and what an earlier stage wrote is none.
                paths["out"].unlink(missing_ok=True)
                turns.append((measured(ours), measured(theirs)))
            seconds, cpu, mb = min(mine for mine, _ in turns)
            plain_seconds, plain_cpu, plain_mb = min(plain for _, plain in turns)
            ok = seconds < MAX_SECONDS and mb < MAX_MB
            slow += not ok
            mine = f"{stage.name:20} {seconds:8.2f} {cpu:6.2f} {mb:5.0f}"
            plain = f"{plain_seconds:10.2f} {plain_cpu:6.2f} {plain_mb:5.0f}"
            print(f"{mine}   {plain}   {'' if ok else 'OVER THE LIMIT'}", flush=True)
    return 1 if slow else 0


def measured(command: list[str]) -> tuple[float, float, float]:
    """Run a process; return its seconds, its seconds of processor time and its peak memory in MB."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.stderr.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}:\n{said.decode()}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


def paths_in(folder: Path) -> Paths:
    names = {
        "pack": "pack.json",
        "labeled": "benchmark-labeled.csv",
        "taxonomy": "taxonomy.json",
        "seed": "seed.json",
        "manifest": "manifest.json",
        "out": "out",
        "plain": "plain",
    }
    return {key: folder / name for key, name in names.items()}


def generate(paths: Paths, count: int) -> None:
    """Write a pack, its taxonomy, a labeled CSV of ``count`` rows like the real one, and a seed manifest."""
    rng = random.Random(7)
    labels = [f"Item {n:05d} of Plastic" for n in range(count // 10)]
    pack = {
        "pack_id": "bench",
        "pack_version": "1",
        "retrieved_at": "2026-01-01",
        "municipality": {"name": "Bench", "region": "B", "country": "US"},
        "items": [
            {
                "id": f"item-{n}",
                "name": label,
                "keywords": [f"alias {n} {k}" for k in range(9)],
                "option_cards": [
                    {"id": f"item-{n}-{kind}", "kind": kind, "title": kind, "priority": k}
                    for k, kind in enumerate(["trash", "reuse"])
                ],
            }
            for n, label in enumerate(labels)
        ],
    }
    paths["pack"].write_text(json.dumps(pack), encoding="utf-8")
    reference_taxonomy(paths)
    paths["plain"].replace(paths["taxonomy"])
    with paths["labeled"].open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for n in range(count):
            writer.writerow(row(n, rng, labels))
    images = [
        {"name": f"seed_{n}", "url": f"{FILE_PATH}Seed%20{n}.jpg", "expected_any": [labels[n % len(labels)]]}
        for n in range(count)
    ]
    paths["seed"].write_text(json.dumps({"name": "bench-seed", "images": images}), encoding="utf-8")
    reference_manifest(paths)
    paths["plain"].replace(paths["manifest"])


def row(n: int, rng: random.Random, labels: list[str]) -> list[str]:
    """Return a row: eight of ten have a Commons url, one in fifty written otherwise or a copy of another."""
    label = rng.choice(labels)
    if n % 10 < 2:
        negative = n % 40 == 0
        kind = "negative" if negative else "positive"
        name = f"retrain_{kind}_item-{n}_v1"
        url = f"test/benchmarks/images/retraining-{kind}s/{name}.png"
        notes = f"folder=plastic; source_image=Image_{n}.png; local_cached={url}"
        return [
            name, url, f"retrain-item-{n}", "" if negative else label, "kaggle_household_waste_images", notes,
        ]  # fmt: skip
    comma = "," if n % 4 == 3 else ""  # as often as in the real file, which then needs quotes
    title = f"Photo of item {n if n % 50 else n // 100} (2026){comma} kerbside.jpg"
    url = FILE_PATH + title.replace(" ", "%20").replace(",", "%2C")
    if n % 50 == 25:
        url = f"http://commons.wikimedia.org/wiki/File:{title.replace(' ', '_')}"
    notes = f"title=File:{title}; query={label}; coverage-expansion target=2"
    return [f"todo_item-{n}", url, f"item-{n}", label, "wikimedia_commons_search", notes]


def reference_taxonomy(paths: Paths) -> None:
    def words(text: str, joint: str) -> str:
        return re.sub(r"[^a-z0-9]+", joint, text.lower()).strip(joint)

    pack = json.loads(paths["pack"].read_text(encoding="utf-8"))
    classes = []
    index: dict[str, list[str]] = {}
    for item in sorted(pack["items"], key=lambda item: item["name"]):
        aliases = list(dict.fromkeys([item["name"], *item["keywords"]]))
        normalized = list(dict.fromkeys(words(alias, " ") for alias in aliases))
        cards = item["option_cards"]
        classes.append(
            {
                "item_id": item["id"],
                "canonical_label": item["name"],
                "class_id": words(item["name"], "-")[:80],
                "aliases": aliases,
                "normalized_aliases": normalized,
                "outcomes": list(dict.fromkeys(card["kind"] for card in cards)),
                "primary_outcome": min(cards, key=lambda card: card["priority"])["kind"],
                "option_card_ids": [card["id"] for card in cards],
            }
        )
        for alias in normalized:
            index.setdefault(alias, []).append(item["id"])
    source = {key: pack[key] for key in ("pack_id", "pack_version", "retrieved_at", "municipality")}
    counts: dict[str, int] = {}
    for entry in classes:
        for kind in entry["outcomes"]:
            counts[kind] = counts.get(kind, 0) + 1
    taxonomy = {
        "taxonomy_id": "municipal-taxonomy-v1",
        "generated_at": "2026-01-01T00:00:00Z",
        "source": {**source, "pack_path": "pack.json"},
        "summary": {
            "item_count": len(classes),
            "alias_count": sum(len(entry["aliases"]) for entry in classes),
            "normalized_alias_count": sum(len(entry["normalized_aliases"]) for entry in classes),
            "outcome_counts": counts,
        },
        "vision_classes": classes,
        "alias_index": {alias: sorted(index[alias]) for alias in sorted(index)},
    }
    dump(paths["plain"], taxonomy)


def reference_manifest(paths: Paths) -> None:
    taxonomy = json.loads(paths["taxonomy"].read_text(encoding="utf-8"))
    seeded: dict[str, list[dict[str, object]]] = {}
    for image in json.loads(paths["seed"].read_text(encoding="utf-8"))["images"]:
        for label in image["expected_any"]:
            seeded.setdefault(label, []).append(image)
    images: list[dict[str, object]] = []
    for entry in taxonomy["vision_classes"]:
        label = entry["canonical_label"]
        common = {"expected_all": [], "item_id": entry["item_id"], "required": True}
        images += [{**image, **common, "status": "ready", "notes": ""} for image in seeded.get(label, [])]
        if label not in seeded:
            todo = {"name": f"todo_{entry['class_id']}", "url": "", "expected_any": [label]}
            images.append({**todo, **common, "status": "todo", "notes": ""})
    dump(paths["plain"], {"name": "bench", "generated_at": "", "source": {}, "images": images})


def reference_coverage(paths: Paths) -> None:
    taxonomy = json.loads(paths["taxonomy"].read_text(encoding="utf-8"))
    images = json.loads(paths["manifest"].read_text(encoding="utf-8"))["images"]
    known = {entry["canonical_label"] for entry in taxonomy["vision_classes"]}
    named = {label for image in images for label in image["expected_any"] + image["expected_all"]}
    ready = {
        label
        for image in images
        if image["status"] == "ready"
        for label in image["expected_any"] + image["expected_all"]
    }
    dump(
        paths["plain"],
        {
            "entries": {"total": len(images)},
            "coverage": {"all": len(known & named) / len(known), "ready": len(known & ready) / len(known)},
            "gaps": {"missing": sorted(known - named), "unknown": sorted(named - known)},
        },
    )


def reference_normalize(paths: Paths) -> None:
    with paths["labeled"].open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    page = "http://commons.wikimedia.org/wiki/File:"
    for entry in rows:
        url = entry["url"]
        if url.startswith(page):
            name = url.removeprefix(page).replace("_", "%20").replace(",", "%2C")
            entry["url"] = FILE_PATH + name
    write_rows(paths["plain"], rows)


def reference_dedupe(paths: Paths) -> None:
    with paths["labeled"].open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    seen: set[str] = set()
    for entry in rows:
        if entry["url"] in seen:
            entry["url"] = ""
            entry["notes"] += "; Needs unique URL (csv dedupe)."
        elif entry["url"]:
            seen.add(entry["url"])
    write_rows(paths["plain"], rows)


def reference_retraining(paths: Paths) -> None:
    with paths["labeled"].open(encoding="utf-8", newline="") as stream:
        samples = [
            {
                "id": entry["name"],
                "image": entry["url"],
                "label": entry["canonical_label"] or None,
                "is_negative": not entry["canonical_label"],
                "source": entry["source"],
                "notes": entry["notes"],
            }
            for entry in csv.DictReader(stream)
            if entry["name"].startswith("retrain_")
        ]
    dump(paths["plain"], {"source_csv": "labeled.csv", "sample_count": len(samples), "samples": samples})


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def dump(path: Path, data: object) -> None:
    with path.open("w", encoding="utf-8") as stream:
        json.dump(data, stream, indent=2)


def stage_named(name: str) -> Stage:
    return next(stage for stage in STAGES if stage.name == name)


STAGES = [
    Stage(
        "taxonomy",
        lambda p: ["data", "build-taxonomy", "--pack", p["pack"], "--out", p["out"]],
        reference_taxonomy,
    ),
    Stage(
        "benchmark manifest",
        lambda p: [
            "evaluation", "build-benchmark-manifest",
            "--taxonomy", p["taxonomy"], "--seed", p["seed"], "--out", p["out"],
        ],
        reference_manifest,
    ),
    Stage(
        "coverage",
        lambda p: [
            "evaluation", "check-benchmark-coverage",
            "--taxonomy", p["taxonomy"], "--manifest", p["manifest"], "--out", p["out"],
        ],
        reference_coverage,
    ),
    Stage(
        "normalise",
        lambda p: [
            "data", "normalize-benchmark-labeled-urls",
            "--input", p["labeled"], "--cache-dir", p["labeled"].parent / "cache", "--out", p["out"],
        ],
        reference_normalize,
    ),
    Stage(
        "dedupe",
        lambda p: ["data", "dedupe-benchmark-labeled", "--input", p["labeled"], "--out", p["out"]],
        reference_dedupe,
    ),
    Stage(
        "retraining manifest",
        lambda p: ["training", "build-retraining-manifest", "--input", p["labeled"], "--out", p["out"]],
        reference_retraining,
    ),
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
